"""Several replicas: one leads, another follows, and a deposed one writes nothing any more."""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from playground.apiserver.faults import Action, Fault
from playground.apiserver.record import Entry
from tests.component.harness import NAMESPACE, Api, Object, ingress, scenario
from tests.component.replicas import kubeconfig, start

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/purelb-allocator"
COUNT = 600
POOL = {"v4pool": {"pool": "10.0.0.0/16", "subnet": "10.0.0.0/16"}}


@contextlib.asynccontextmanager
async def replica(
    api: Api, folder: Path, name: str, lease: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a replica; the API server's audit knows it by its name."""
    process = await start(kubeconfig(folder, api.server.url, name), pod=name, lease=lease)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def leads(api: Api, name: str) -> None:
    """Wait until a replica leads."""

    async def holds() -> bool:
        leases = await api.items(LEASE.rpartition("/")[0])
        holders = [lease["spec"]["holderIdentity"] for lease in leases]
        return any(holder.endswith(f"_{name}") for holder in holders)

    await api.until(holds, f"{name} leads")


async def stands_by(api: Api, name: str) -> None:
    """Wait until a replica has seen the Lease, and so waits for its turn."""

    async def watches() -> bool:
        # One for the nodes' Leases, and one for the leader's.
        return list(api.server.open_watches()).count((name, "leases")) == 2

    await api.until(watches, f"{name} stands by")


def writes(api: Api, name: str, resource: str = "") -> list[Entry]:
    """Return what a replica wrote but for the Lease, in time's order."""
    return [
        entry
        for entry in api.server.audit
        if entry.client == name and entry.resource != "leases" and resource in ("", entry.resource)
    ]


async def served(api: Api) -> dict[str, list[str]]:
    """Return the addresses of each Service of the burst."""
    services = await api.items("/api/v1/namespaces/default/services")
    found: list[Object] = [s for s in services if s["metadata"]["name"].startswith("burst-")]
    return {service["metadata"]["name"]: ingress(service) for service in found}


def check_unique(held: dict[str, list[str]]) -> None:
    """Each Service has one address, and none is there twice."""
    assert {len(found) for found in held.values()} == {1}
    twice = [ip for ip, n in Counter(found[0] for found in held.values()).items() if n > 1]
    assert twice == []


def test_a_clean_stop_hands_over_without_waiting_for_the_lease(tmp_path: Path) -> None:
    """The Lease would last for ten minutes, and is given back."""

    async def work(api: Api) -> None:
        await api.group(local=POOL)
        async with replica(api, tmp_path, "a", "600s") as first:
            await leads(api, "a")
            async with replica(api, tmp_path, "b", "600s"):
                await stands_by(api, "b")
                await api.service("before")
                (before,) = await api.addresses("before")
                first.send_signal(signal.SIGTERM)
                asked = time.monotonic()
                await leads(api, "b")
                print(f"\nclean stop: lead taken after {time.monotonic() - asked:.2f} s")
                await api.service("after")
                assert await api.addresses("after") != [before]
                assert await first.wait() == 0

    scenario(work)


def test_a_clean_stop_in_mid_burst_leaves_what_is_not_written_yet_to_the_next(
    tmp_path: Path,
) -> None:
    """The burst would last for longer than a stop may, and the Lease for ten minutes."""

    async def work(api: Api) -> None:
        await api.group(local=POOL)
        for number in range(COUNT):
            await api.service(f"burst-{number}")
        slow = Fault(action=Action.DELAY, resources=frozenset({"services/status"}), seconds=0.5)
        api.server.faults.add(slow, "slow")
        async with replica(api, tmp_path, "a", "600s") as first:
            await leads(api, "a")
            async with replica(api, tmp_path, "b", "600s"):
                await stands_by(api, "b")
                first.send_signal(signal.SIGTERM)
                await leads(api, "b")
                assert await first.wait() == 0
                begun = len(writes(api, "a", "services/status"))
                api.server.faults.remove("slow")
                await api.until(lambda: everybody(api), "every Service has an address")
                check_unique(await served(api))
                print(f"\nclean stop after {begun} of {COUNT} writes")

    async def everybody(api: Api) -> bool:
        held = await served(api)
        return len(held) == COUNT and all(held.values())

    scenario(work)


def test_after_a_kill_the_other_replica_serves_once_the_lease_is_over(tmp_path: Path) -> None:
    """Nobody has to do anything, and nothing that was given moves."""

    async def work(api: Api) -> None:
        await api.group(local=POOL)
        async with replica(api, tmp_path, "a", "4s") as first:
            await leads(api, "a")
            async with replica(api, tmp_path, "b", "4s"):
                await stands_by(api, "b")
                await api.service("before")
                before = await api.addresses("before")
                first.kill()
                died = time.monotonic()
                await api.service("after")
                after = await api.addresses("after")
                print(f"\nkill with a Lease of 4 s: served after {time.monotonic() - died:.2f} s")
                assert before != after
                assert await api.addresses("before") == before
        assert not writes(api, "a", "services/status")[1:]

    scenario(work)


def test_a_leader_that_is_stopped_in_mid_burst_writes_nothing_once_deposed(tmp_path: Path) -> None:
    """SIGSTOP while it writes, SIGCONT while its successor does: it finds out by its own clock."""

    async def work(api: Api) -> None:
        await api.group(local=POOL)
        async with replica(api, tmp_path, "a", "3s") as first:
            await leads(api, "a")
            async with replica(api, tmp_path, "b", "3s"):
                await stands_by(api, "b")
                posting = asyncio.create_task(burst(api))
                await api.until(lambda: wrote(api, "a", 50), "the first leader gives")
                first.send_signal(signal.SIGSTOP)
                await api.until(lambda: wrote(api, "b", 1), "the second leader gives")
                first.send_signal(signal.SIGCONT)
                await posting
                await api.until(lambda: everybody(api), "every Service has an address")
                check_unique(await served(api))
        successor = writes(api, "b")[0].time
        late = [entry for entry in writes(api, "a") if entry.time > successor]
        assert late == []
        print(f"\nbefore and after the change: {len(writes(api, 'a'))}, {len(writes(api, 'b'))}")

    async def burst(api: Api) -> None:
        for number in range(COUNT):
            await api.service(f"burst-{number}")

    async def wrote(api: Api, name: str, least: int) -> bool:
        return len(writes(api, name, "services/status")) >= least

    async def everybody(api: Api) -> bool:
        held = await served(api)
        return len(held) == COUNT and all(held.values())

    scenario(work)


def test_without_the_right_to_have_a_lease_a_single_replica_leads(tmp_path: Path) -> None:
    """As under PureLB's own RBAC, which grants reading Leases only."""

    async def work(api: Api) -> None:
        await api.group(local=POOL)
        api.server.faults.add(
            Fault(
                action=Action.FORBID,
                resources=frozenset({"leases"}),
                verbs=frozenset({"create", "watch", "patch", "update"}),
            )
        )
        async with replica(api, tmp_path, "a", "3s"):
            await api.service("web")
            assert len(await api.addresses("web")) == 1

    scenario(work)
