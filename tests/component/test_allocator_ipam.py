"""The allocator and an external provider: real processes, killed, hung and slow.

What the provider holds is read from its own records: nothing may be left there that no Service has.
"""

import signal
from pathlib import Path

import pytest

from allocator.shell import provider
from playground.apiserver.faults import Action, Fault
from purelb.core.backoff import Backoff
from purelb.runtime import ipam as protocol
from tests.component.harness import Api, Object, allocator, scenario
from tests.component.ipamscene import (
    GROUPS,
    POOL,
    PROD,
    RECORDS,
    SERVICES,
    group,
    group_where,
    shorten_pauses,
    shown,
    until_nothing_leaks,
)
from tests.component.sidecars import Process, process
from tests.component.test_allocator_health import series


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_pauses(monkeypatch)


def test_a_service_gets_what_the_provider_gives_and_it_goes_back_with_it(tmp_path: Path) -> None:
    """Brand, pool and type as for other pools; the group shows the provider's numbers."""

    async def work(api: Api) -> None:
        async with process(tmp_path, POOL) as sidecar, allocator(api):
            await group(api, sidecar.socket, announce="remote")
            await api.service("web", PROD, ipFamilyPolicy="RequireDualStack",
                              ipFamilies=["IPv4", "IPv6"])  # fmt: skip
            assert await api.addresses("web", 2) == ["198.51.100.0", "2001:db8:5::"]
            annotations = (await api.get("web"))["metadata"]["annotations"]
            assert annotations == {
                **PROD,
                "purelb.io/allocated-by": "PureLB",
                "purelb.io/allocated-from": "prod",
                "purelb.io/pool-type": "remote",
            }
            assert "finalizers" not in (await api.get("web"))["metadata"]
            status = await group_where(api, lambda found: found.get("allocatedIPv4") == 1)
            assert {key: status[key] for key in status if key != "conditions"} == {
                "announce": "Remote",
                "ipam": "book",
                "addresses": [
                    "198.51.100.0-198.51.100.7",
                    "2001:db8:5::-2001:db8:5:0:ffff:ffff:ffff:ffff",
                ],
                "allocatedIPv4": 1,
                "allocatedIPv6": 1,
                "availableIPv4": 7,
                "availableIPv6": 2**63 - 1,
            }
            await until_nothing_leaks(api, sidecar)
            await api.send("DELETE", f"{SERVICES}/web")
            await group_where(api, lambda found: found.get("allocatedIPv4") == 0)
            await until_nothing_leaks(api, sidecar)

    scenario(work)


def test_a_dropped_family_goes_back_and_one_that_is_added_comes(tmp_path: Path) -> None:
    """The address that stays is the same throughout."""

    async def work(api: Api) -> None:
        async with process(tmp_path, POOL) as sidecar, allocator(api):
            await group(api, sidecar.socket)
            await api.service("web", PROD, ipFamilies=["IPv4"])
            await api.addresses("web")
            await _families(api, "PreferDualStack", ["IPv4", "IPv6"])
            assert await api.addresses("web", 2) == ["198.51.100.0", "2001:db8:5::"]
            await _families(api, "SingleStack", ["IPv4"])
            await until_nothing_leaks(api, sidecar)
            assert await shown(api) == {("default/web", "198.51.100.0")}

    scenario(work)


async def _families(api: Api, policy: str, families: list[str]) -> None:
    spec = {"ipFamilyPolicy": policy, "ipFamilies": families}
    body = {"spec": spec}
    if len(families) == 1:
        body["spec"] |= {"clusterIPs": (await api.get("web"))["spec"]["clusterIPs"][:1]}
    kind = "application/merge-patch+json"
    await api.send("PATCH", f"{SERVICES}/web", body, kind=kind)


@pytest.mark.parametrize("trouble", ["killed", "hung"])
def test_a_provider_that_is_down_delays_its_own_services_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Another external pool and a local one go on; when it is back, all are served in the end."""
    monkeypatch.setattr(protocol, "CALL_SECONDS", 0.3)

    async def work(api: Api) -> None:
        (tmp_path / "b").mkdir()
        async with (
            process(tmp_path, POOL) as down,
            process(tmp_path / "b", "test=203.0.113.0/29") as fine,
            allocator(api),
        ):
            await api.group()
            await group(api, down.socket)
            await group(api, fine.socket, "test")
            await group_where(api, lambda found: "availableIPv4" in found)
            await (down.kill() if trouble == "killed" else _stop(down))
            for number in range(3):
                await api.service(f"down-{number}", PROD)
            await api.service("local")
            await api.service("other", {"purelb.io/service-group": "test"})
            await api.addresses("local")
            await api.addresses("other")
            assert "does not answer" in (await api.warning("down-2"))["message"]
            ready = await group_where(api, lambda found: _ready(found)[0] == "False")
            assert _ready(ready)[1] == "ProviderUnavailable"
            assert ready["availableIPv4"] == 8
            await (down.start() if trouble == "killed" else _continue(down))
            for number in range(3):
                await api.addresses(f"down-{number}")
            await group_where(api, lambda found: _ready(found)[0] == "True")
            await api.send("DELETE", f"{SERVICES}/local")
            await until_nothing_leaks(api, down, fine)

    scenario(work)


async def _stop(sidecar: Process) -> None:
    sidecar.signal(signal.SIGSTOP)


async def _continue(sidecar: Process) -> None:
    sidecar.signal(signal.SIGCONT)


def _ready(status: Object) -> tuple[str, str]:
    for entry in status.get("conditions", ()):
        if entry["type"] == "Ready":
            return entry["status"], entry["reason"]
    return "", ""


def test_services_deleted_while_the_provider_is_down_are_released_when_it_is_back(
    tmp_path: Path,
) -> None:
    """And while the allocator is restarted besides."""

    async def work(api: Api) -> None:
        async with process(tmp_path, POOL) as sidecar:
            await group(api, sidecar.socket)
            async with allocator(api):
                for name in ("a", "b", "c"):
                    await api.service(name, PROD)
                    await api.addresses(name)
                await sidecar.kill()
                await api.send("DELETE", f"{SERVICES}/a")
                await group_where(api, lambda found: _ready(found)[0] == "False")
            await api.send("DELETE", f"{SERVICES}/b")
            async with allocator(api):
                await sidecar.start()
                await until_nothing_leaks(api, sidecar)
            assert {service for _, service, _ in sidecar.held()} == {"default/c"}

    scenario(work)


def test_an_allocator_that_dies_between_answer_and_write_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    """One of the Services is deleted before the next allocator comes, one gets the same address."""

    async def work(api: Api) -> None:
        async with process(tmp_path, POOL) as sidecar:
            await group(api, sidecar.socket)
            fault = Fault(
                action=Action.HANG,
                clients=frozenset({"allocator"}),
                resources=frozenset({"services/status"}),
            )
            name = api.server.faults.add(fault)
            async with allocator(api):
                for service in ("gone", "stays"):
                    await api.service(service, PROD)

                async def are_held() -> bool:
                    return len(sidecar.held()) == 2

                await api.until(are_held, "the provider has answered both")
            before = {service: ip for _, service, ip in sidecar.held()}
            api.server.faults.remove(name)
            await api.send("DELETE", f"{SERVICES}/gone")
            async with allocator(api):
                assert await api.addresses("stays") == [before["default/stays"]]
                await until_nothing_leaks(api, sidecar)

    scenario(work)


def test_a_namesake_begins_anew_with_what_it_asks_for(tmp_path: Path) -> None:
    """Deleted and created again, with another family, while no allocator runs."""

    async def work(api: Api) -> None:
        async with process(tmp_path, POOL) as sidecar:
            await group(api, sidecar.socket)
            async with allocator(api):
                await api.service("web", PROD, ipFamilies=["IPv4"])
                await api.addresses("web")
            await api.send("DELETE", f"{SERVICES}/web")
            await api.service("web", PROD, ipFamilies=["IPv6"])
            async with allocator(api):
                assert await api.addresses("web") == ["2001:db8:5::"]
                await until_nothing_leaks(api, sidecar)

    scenario(work)


def test_services_of_an_allocator_without_a_record_are_put_on_record(tmp_path: Path) -> None:
    """PureLB keeps none: after the switch of images its Services are released like ours."""

    async def work(api: Api) -> None:
        async with process(tmp_path, POOL) as sidecar:
            await group(api, sidecar.socket)
            async with allocator(api):
                await api.service("web", PROD)
                await api.addresses("web")
                await until_nothing_leaks(api, sidecar)
            for item in await api.items(RECORDS):
                await api.send("DELETE", f"{RECORDS}/{item['metadata']['name']}")
            async with allocator(api):
                await until_nothing_leaks(api, sidecar)
            await api.send("DELETE", f"{SERVICES}/web")
            async with allocator(api):
                await until_nothing_leaks(api, sidecar)
            assert sidecar.held() == set()

    scenario(work)


def test_where_config_maps_are_forbidden_addresses_are_given_and_go_back_all_the_same(
    tmp_path: Path,
) -> None:
    """As under PureLB's own RBAC."""

    async def work(api: Api) -> None:
        fault = Fault(
            action=Action.FORBID,
            clients=frozenset({"allocator"}),
            resources=frozenset({"configmaps"}),
        )
        api.server.faults.add(fault)
        async with process(tmp_path, POOL) as sidecar, allocator(api):
            await group(api, sidecar.socket)
            await api.service("web", PROD)
            await api.addresses("web")
            await api.send("DELETE", f"{SERVICES}/web")
            await until_nothing_leaks(api, sidecar)

    scenario(work)


def test_a_full_pool_serves_the_one_that_waits_as_soon_as_something_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without waiting for the next try."""
    monkeypatch.setattr(provider, "SOON", Backoff(first=600.0, longest=600.0))

    async def work(api: Api) -> None:
        async with process(tmp_path, "prod=198.51.100.9/32") as sidecar, allocator(api):
            await group(api, sidecar.socket)
            await api.service("first", PROD)
            await api.addresses("first")
            await api.service("second", PROD)
            assert "exhausted" in (await api.warning("second"))["message"]
            await api.send("DELETE", f"{SERVICES}/first")
            assert await api.addresses("second") == ["198.51.100.9"]
            await until_nothing_leaks(api, sidecar)

    scenario(work)


def test_a_group_that_is_gone_still_has_its_addresses_taken_back(tmp_path: Path) -> None:
    """Its socket is on record, even for an allocator that never saw the group."""

    async def work(api: Api) -> None:
        async with process(tmp_path, POOL) as sidecar:
            await group(api, sidecar.socket)
            async with allocator(api):
                await api.service("web", PROD)
                await api.addresses("web")
            await api.send("DELETE", f"{GROUPS}/prod")
            await api.send("DELETE", f"{SERVICES}/web")
            async with allocator(api):
                await until_nothing_leaks(api, sidecar)

    scenario(work)


def test_a_record_that_cannot_be_written_is_told_on_group_and_service_until_it_can(
    tmp_path: Path,
) -> None:
    """The provider is not asked meanwhile: what it gave would be lost with this process."""
    full = Fault(
        action=Action.FAIL,
        code=413,
        clients=frozenset({"allocator"}),
        resources=frozenset({"configmaps"}),
    )

    async def work(api: Api) -> None:
        async with process(tmp_path, POOL) as sidecar, allocator(api) as one:
            await group(api, sidecar.socket)
            await group_where(api, lambda status: _ready(status)[0] == "True")
            api.server.faults.add(full, "full")
            await api.service("web", PROD)
            told = await group_where(api, lambda status: _ready(status)[0] == "False")
            assert _ready(told)[1] == "RecordUnavailable"
            assert "413" in (await api.warning("web"))["message"]
            assert series(one, "purelb_ipam_unrecorded") == {'{pool="prod"}': 1.0}
            assert sidecar.held() == set()
            api.server.faults.remove("full")
            assert await api.addresses("web") == ["198.51.100.0"]
            await group_where(api, lambda status: _ready(status)[0] == "True")
            assert series(one, "purelb_ipam_unrecorded") == {'{pool="prod"}': 0.0}

    scenario(work)
