"""What an allocator tells probes and dashboards, and what it writes at rest."""

import asyncio
from dataclasses import replace

from allocator.app import Allocator, connected
from allocator.shell.reporter import Reporter
from allocator.shell.term import Term
from allocator.shell.worker import AHEAD, WRITERS
from playground.apiserver import Action, Fault
from purelb.api.identifiers import Instant, ServiceKey
from purelb.api.views import ServiceView
from purelb.runtime.credentials import Access
from purelb.runtime.metrics import generate_latest
from tests.component.harness import NAMESPACE, SETTINGS, Api, allocator, scenario

LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"

GROUPS = f"/apis/purelb.io/v2/namespaces/{NAMESPACE}/servicegroups"


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> Instant:
        """Return what was set."""
        return self.time

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        """Wait for the event: time does not pass by itself."""
        await event.wait()


def series(one: Allocator, name: str) -> dict[str, float]:
    """Return the samples of a metric as a scrape has them."""
    lines = generate_latest(one.registry).decode().splitlines()
    found = (line.rpartition(" ") for line in lines if line.startswith(name))
    return {key.removeprefix(name): float(value) for key, _, value in found}


def test_a_work_loop_that_does_not_turn_fails_the_liveness_probe() -> None:
    """A Service that is due waits for more than a minute, and nobody looks at it."""

    async def work(api: Api) -> None:
        clock = HandClock()
        async with connected(Access(server=api.server.url, token_text="x"), 10.0) as clients:
            one = Allocator(SETTINGS, Access(server=api.server.url), clients)
            one.store.set_service(None, ServiceView(key=ServiceKey("shop/web")))
            reporter = Reporter(one.store, one.metrics, one.poster, clock)
            one.term = Term(clients.kube, one.store, reporter, one.leadership)
            one.term.begin()
            clock.time += 59
            assert one.health().is_alive() is None
            clock.time += 2
            assert one.health().is_alive() == "Services wait for 61 s"

    scenario(work)


def test_decisions_do_not_run_ahead_of_writes_and_wait_for_a_server_that_hangs() -> None:
    """What is decided late is decided on what is true by then; waiting is not being stuck."""
    hanging = Fault(
        action=Action.HANG, verbs=frozenset({"patch"}), clients=frozenset({"allocator"})
    )
    names = [f"web-{number}" for number in range(100)]
    ahead = WRITERS + AHEAD

    async def work(api: Api) -> None:
        await api.group(local={"v4pool": {"pool": "10.0.0.0/24", "subnet": "10.0.0.0/24"}})
        async with allocator(api) as one:
            await api.until(lambda: is_leading(one), "it leads")
            api.server.faults.add(hanging, "hanging")
            for name in names:
                await api.service(name)

            async def has_decided() -> bool:
                looks = series(one, "purelb_k8s_client_updates_total")[""]
                return looks >= ahead and len(one.store.services) == len(names)

            await api.until(has_decided, "as many decisions as are made ahead")
            for _ in range(100):
                await asyncio.sleep(0)  # turns of the loop in which it might go on
            assert series(one, "purelb_k8s_client_updates_total") == {"": ahead}
            assert one.health().is_alive() is None
            api.server.faults.remove("hanging")
            given = {address for name in names for address in await api.addresses(name)}
            assert len(given) == len(names)

    async def is_leading(one: Allocator) -> bool:
        return one.term is not None

    scenario(work)


def test_every_ten_minutes_everything_is_looked_at_whatever_the_events_said() -> None:
    """Also a Service that nobody ever marked."""

    async def work(api: Api) -> None:
        clock = HandClock()
        async with connected(Access(server=api.server.url, token_text="x"), 10.0) as clients:
            one = Allocator(SETTINGS, Access(server=api.server.url), clients)

            async def looks(count: int) -> bool:
                return series(one, "purelb_k8s_client_updates_total") == {"": count}

            one.store.set_service(None, ServiceView(key=ServiceKey("shop/marked")))
            reporter = Reporter(one.store, one.metrics, one.poster, clock)
            worker = Term(clients.kube, one.store, reporter, one.leadership).worker
            worker.adopt()
            working = asyncio.create_task(worker.run())
            await api.until(lambda: looks(1), "the first look")
            one.store.set_service(None, ServiceView(key=ServiceKey("shop/missed")))
            clock.time += 600
            worker.mark(())  # the clock wakes nobody by itself
            await api.until(lambda: looks(3), "a look at both")
            working.cancel()

    scenario(work)


def test_a_replica_that_stands_by_is_ready_and_leaves_the_pools_to_the_leader() -> None:
    """Sums over replicas stay right."""

    async def work(api: Api) -> None:
        await api.group()
        async with allocator(api) as leader:
            await api.service("web")
            await api.addresses("web")
            async with allocator(api, replace(SETTINGS, identity="other")) as other:

                async def is_ready() -> bool:
                    return other.health().is_ready() is None

                assert leader.health().is_ready() is None
                await api.until(is_ready, "the second replica is ready")
                used = "purelb_address_pool_addresses_in_use"
                assert series(leader, used) == {'{pool="default"}': 1.0}
                assert series(other, used) == {}
                name = "purelb_allocator_leader"
                assert series(leader, name) == {"": 1.0, "_terms_total": 1.0}
                assert series(other, name) == {"": 0.0, "_terms_total": 0.0}
                assert series(other, "purelb_k8s_client_config_loaded_bool") == {"": 1.0}

    scenario(work)


def test_nobody_is_ready_before_all_is_known_and_no_leader_before_it_has_adopted() -> None:
    """No LIST of Services is answered at first, nor when the second replica begins to lead."""
    mute = Fault(
        action=Action.FAIL, code=503, verbs=frozenset({"list"}), resources=frozenset({"services"})
    )
    short, stop = replace(SETTINGS, lease_seconds=3.0), asyncio.Event()

    async def says(one: Allocator, text: str | None) -> bool:
        return one.health().is_ready() == text

    async def lead(api: Api) -> None:
        async with allocator(api, replace(short, identity="first")):
            await stop.wait()

    async def work(api: Api) -> None:
        await api.group()
        leading = asyncio.create_task(lead(api))
        await api.service("web")
        await api.addresses("web")
        api.server.faults.add(mute, "mute")
        async with allocator(api, replace(short, identity="second")) as second:
            assert second.health().is_ready() == "the cluster is not known completely yet"
            api.server.faults.remove("mute")
            await api.until(lambda: says(second, None), "the second one stands by")
            api.server.faults.add(mute, "mute")
            stop.set()
            await leading
            text = "addresses in use are not adopted yet"
            await api.until(lambda: says(second, text), "it leads and is not ready")
            api.server.faults.remove("mute")
            await api.until(lambda: says(second, None), "it is ready")
            assert second.term is not None

    scenario(work)


def test_what_a_vanished_node_announced_is_said_no_more() -> None:
    """Its Lease was deleted while the allocator looked, or while nobody did."""

    async def lease(api: Api, name: str) -> None:
        spec = {"holderIdentity": name, "leaseDurationSeconds": 10}
        await api.send("POST", LEASES, {"metadata": {"name": f"purelb-node-{name}"}, "spec": spec})

    async def announced(api: Api, node: str) -> None:
        keys = {"purelb.io/announcing-IPv4": f"{node},eth0,192.0.2.0"}
        kind = "application/merge-patch+json"
        path = "/api/v1/namespaces/default/services/web"
        await api.send("PATCH", path, {"metadata": {"annotations": keys}}, kind=kind)

    async def is_swept(api: Api) -> bool:
        keys = (await api.get("web"))["metadata"]["annotations"]
        return "purelb.io/announcing-IPv4" not in keys

    async def work(api: Api) -> None:
        await api.group()
        await lease(api, "a")
        async with allocator(api):
            await api.service("web")
            assert await api.addresses("web") == ["192.0.2.0"]
            await announced(api, "a")
            await api.send("DELETE", f"{LEASES}/purelb-node-a")
            await api.until(lambda: is_swept(api), "the slot of the node is gone")
        await announced(api, "b")
        async with allocator(api):
            await api.until(lambda: is_swept(api), "the slot of a node never seen is gone")
            assert await api.addresses("web") == ["192.0.2.0"]

    scenario(work)


def test_a_new_status_of_a_group_lets_nobody_look_again() -> None:
    """With thousands of Services that wait, each of our own status writes would cost as many."""

    async def work(api: Api) -> None:
        await api.group(local={"v4pool": {"pool": "192.0.2.9/32", "subnet": "192.0.2.0/24"}})
        async with allocator(api, replace(SETTINGS, lease_seconds=3.0)) as one:
            await api.service("served")
            await api.addresses("served")
            await api.service("waits")
            await api.warning("waits")
            await api.until(lambda: renewed(api, 2), "rest")
            looks = series(one, "purelb_k8s_client_updates_total")
            status = {"status": {"allocatedIPv4": 5, "allocatedIPv6": 0}}
            path = f"{GROUPS}/default/status"
            await api.send("PATCH", path, status, kind="application/merge-patch+json")

            async def is_seen() -> bool:
                return any(
                    (group.status or {}).get("allocatedIPv4") == 5
                    for group in one.store.groups.values()
                )

            await api.until(is_seen, "the allocator sees the status")
            assert series(one, "purelb_k8s_client_updates_total") == looks

    scenario(work)


async def renewed(api: Api, count: int) -> bool:
    """Tell whether the last writes of the allocator were renewals of its Lease."""
    last = [entry.resource for entry in api.server.audit if entry.client == "allocator"]
    return len(last) >= count and set(last[-count:]) == {"leases"}


def test_at_rest_nothing_but_the_lease_is_written() -> None:
    """With a Service that is served, one that waits, and a group that is refused."""

    async def work(api: Api) -> None:
        pool = {"pool": "192.0.2.9/32", "subnet": "192.0.2.0/24"}
        await api.group(local={"v4pool": pool})
        await api.group("nested", local={"v4pool": pool})
        async with allocator(api, replace(SETTINGS, lease_seconds=3.0)):
            await api.service("served")
            await api.addresses("served")
            await api.service("waits")
            await api.warning("waits")
            await api.until(lambda: renewed(api, 3), "three renewals with nothing between")

    scenario(work)
