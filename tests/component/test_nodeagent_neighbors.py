"""What an agent of a large cluster sees of others' Leases, with a real selection by the server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from ipaddress import ip_network

from nodeagent.core.config import choose
from nodeagent.core.neighborhood import subnet_label
from nodeagent.settings import load
from nodeagent.shell.census import settings_at_scale
from nodeagent.shell.leases import RELEASE_SECONDS, Shown, lease_content
from nodeagent.shell.leasewatch import LeaseWatch
from nodeagent.shell.waker import Waker
from nodeagent.shell.world import WorldStore
from playground.apiserver import Action, Fault
from purelb.api.addresses import IPNetwork
from purelb.api.identifiers import NodeName
from purelb.api.views import LeaseView, NodeView
from purelb.runtime.clock import BootClock
from purelb.runtime.credentials import Access
from purelb.runtime.kube import Kube
from purelb.runtime.leases import LeaseStore
from tests.component.harness import NAMESPACE, Api, scenario

LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
HERE, HERE6, THERE = map(ip_network, ("192.0.2.0/24", "2001:db8::/64", "198.51.100.0/24"))
SETTINGS = load([], {"PURELB_NODE_NAME": "node-a", "PURELB_NAMESPACE": NAMESPACE})
LARGE = replace(SETTINGS, nodes=1000)
SECONDS = 30.0


class Neighbors:
    """The Leases that a watch shows now, and how often it told of each."""

    def __init__(self, kube: Kube, nodes: int) -> None:
        self.seen: dict[NodeName, LeaseView] = {}
        self.left: list[NodeName] = []
        self.calls: list[NodeName] = []
        self._changed = asyncio.Event()
        settings = replace(SETTINGS, nodes=nodes)
        self.watch = LeaseWatch(kube, BootClock(), settings, self._note, self._note_left)

    async def until(self, check: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(SECONDS):
            while not check():
                self._changed.clear()
                await self._changed.wait()

    async def wait_nodes(self, *names: str) -> None:
        """Wait until exactly these are shown."""
        await self.until(lambda: self.seen.keys() == set(names))

    def wake(self) -> None:
        """Let whoever waits look again."""
        self._changed.set()

    def _note(self, old: LeaseView | None, new: LeaseView | None) -> None:
        for one in {view.node: view for view in (old, new) if view is not None}.values():
            self.calls.append(one.node)
            self.seen.pop(one.node, None)
        if new is not None:
            self.seen[new.node] = new
        self.wake()

    def _note_left(self, lease: LeaseView) -> None:
        self.left.append(lease.node)
        del self.seen[lease.node]
        self.wake()


@contextlib.asynccontextmanager
async def watching(kube: Kube, *networks: IPNetwork, nodes: int = 1000) -> AsyncIterator[Neighbors]:
    """Watch the Leases of nodes with these networks until the end of the block."""
    neighbors = Neighbors(kube, nodes)
    neighbors.watch.follow(networks)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(neighbors.watch.run(neighbors.wake))
        async with asyncio.timeout(SECONDS):
            await neighbors.watch.synced.wait()
        try:
            yield neighbors
        finally:
            running.cancel()


def client(api: Api) -> Kube:
    """Return a client of the API server."""
    return Kube(Access(server=api.server.url, token_text="nodeagent"), "test")


class Neighbor:
    """The agent of another node, as far as its Lease goes."""

    def __init__(self, api: Api, kube: Kube, name: str) -> None:
        self._api, self.name = api, name
        self._store = LeaseStore(kube, NAMESPACE, f"purelb-node-{name}")

    async def renew(self, *networks: IPNetwork) -> None:
        """Renew the Lease; a first one needs the Node."""
        nodes = {one["metadata"]["name"]: one for one in await self._api.items("/api/v1/nodes")}
        if self.name not in nodes:
            body = {"metadata": {"name": self.name}}
            nodes[self.name] = await self._api.send("POST", "/api/v1/nodes", body)
        node = NodeView(name=NodeName(self.name), uid=nodes[self.name]["metadata"]["uid"])
        settings = replace(SETTINGS, node=node.name)
        shown = Shown(subnets=networks, labelled=networks, macs=(), conditions="")
        await self._store.renew(lease_content(settings, node, choose((), node), shown))

    async def release(self) -> None:
        """Delete the Lease in order."""
        await self._store.release("")


def test_an_agent_of_a_large_cluster_sees_its_neighbors_alone() -> None:
    """Those of one network, of the other, of both, and whoever has no labels."""

    async def work(api: Api) -> None:
        async with client(api) as kube:
            for name, networks in (
                ("node-a", (HERE, HERE6)),
                ("one", (HERE,)),
                ("two", (HERE6,)),
                ("both", (HERE, HERE6)),
                ("stranger", (THERE,)),
            ):
                await Neighbor(api, kube, name).renew(*networks)
            await api.send("POST", LEASES, former("purelb"))
            async with watching(kube, HERE, HERE6) as neighbors:
                await neighbors.wait_nodes("node-a", "one", "two", "both", "purelb")
                assert len(neighbors.calls) == 5
                assert neighbors.watch.fresh_since() is not None

    scenario(work)


def test_a_small_cluster_is_seen_whole() -> None:
    """By one watch, before any network is known."""

    async def work(api: Api) -> None:
        async with client(api) as kube:
            await Neighbor(api, kube, "stranger").renew(THERE)
            async with watching(kube, nodes=100) as neighbors:
                await neighbors.wait_nodes("stranger")
                assert len(neighbors.watch.watches) == 1
                assert neighbors.watch.covers(HERE)

    scenario(work)


def test_a_released_lease_is_gone_and_another_only_left() -> None:
    """Who deletes the Lease of a living node does not take its addresses away."""

    async def work(api: Api) -> None:
        async with client(api) as kube:
            leaver, victim = Neighbor(api, kube, "leaver"), Neighbor(api, kube, "victim")
            await leaver.renew(HERE)
            await victim.renew(HERE)
            async with watching(kube, HERE) as neighbors:
                await neighbors.wait_nodes("leaver", "victim")
                await leaver.release()
                await neighbors.wait_nodes("victim")
                assert neighbors.left == []
                await api.send("DELETE", f"{LEASES}/purelb-node-victim")
                await neighbors.wait_nodes()
                assert neighbors.left == ["victim"]

    scenario(work)


def test_a_lease_is_released_whatever_the_server_makes_of_patches() -> None:
    """PureLB's own roles have updates only; one that fails keeps nobody from deleting the Lease."""

    async def work(api: Api) -> None:
        async with client(api) as kube:
            names = ("updater", "unlucky", "unheard")
            updater, unlucky, unheard = (Neighbor(api, kube, name) for name in names)
            leases, patches = frozenset({"leases"}), frozenset({"patch"})
            ban = Fault(action=Action.FORBID, verbs=patches, resources=leases)
            await unlucky.renew(HERE)
            await unheard.renew(HERE)
            name = api.server.faults.add(ban)
            await updater.renew(HERE)
            await updater.renew(HERE)  # the first one was created
            async with watching(kube, HERE) as neighbors:
                await neighbors.wait_nodes(*names)
                await updater.release()
                await neighbors.wait_nodes("unlucky", "unheard")
                assert neighbors.left == []
                api.server.faults.remove(name)
                name = api.server.faults.add(replace(ban, action=Action.FAIL, code=500))
                await unlucky.release()
                await neighbors.wait_nodes("unheard")
                api.server.faults.remove(name)
                api.server.faults.add(replace(ban, action=Action.HANG))
                async with asyncio.timeout(RELEASE_SECONDS):  # as the agent does
                    await unheard.release()
                await neighbors.wait_nodes()
                assert await api.items(LEASES) == []

    scenario(work)


def test_a_lease_of_purelbs_agent_that_goes_is_gone() -> None:
    """It is deleted on a clean stop, without a word before."""

    async def work(api: Api) -> None:
        async with client(api) as kube:
            await api.send("POST", LEASES, former("purelb"))
            async with watching(kube, HERE) as neighbors:
                await neighbors.wait_nodes("purelb")
                await api.send("DELETE", f"{LEASES}/purelb-node-purelb")
                await neighbors.wait_nodes()
                assert neighbors.left == []

    scenario(work)


def test_a_node_that_gets_another_network_stays_in_sight() -> None:
    """Another watch shows it from then on, sooner or later than the first hides it."""

    async def work(api: Api) -> None:
        async with client(api) as kube:
            mover = Neighbor(api, kube, "mover")
            await mover.renew(HERE6)
            async with watching(kube, HERE, HERE6) as neighbors:
                await neighbors.wait_nodes("mover")
                await mover.renew(HERE, HERE6)
                await neighbors.until(
                    lambda: [len(one.subnets) for one in neighbors.seen.values()] == [2]
                )
                await mover.renew(HERE)  # the label of what it no longer has stays
                await neighbors.until(
                    lambda: [len(one.subnets) for one in neighbors.seen.values()] == [1]
                )
                (lease,) = await api.items(LEASES)
                assert set(map(subnet_label, (HERE, HERE6))) <= lease["metadata"]["labels"].keys()

    scenario(work)


def test_a_network_that_comes_later_counts_once_its_nodes_are_known() -> None:
    """Until then this node is no candidate there, and nothing else changes."""

    async def work(api: Api) -> None:
        async with client(api) as kube:
            await Neighbor(api, kube, "node-a").renew(HERE, HERE6)
            await Neighbor(api, kube, "two").renew(HERE6)
            async with watching(kube, HERE) as neighbors:
                watch = neighbors.watch
                await neighbors.wait_nodes("node-a")
                assert (watch.covers(HERE), watch.covers(HERE6)) == (True, False)
                assert watch.shown((HERE, HERE6)) == (HERE,)  # nobody waits for this node there
                watch.follow([HERE6])
                assert not watch.covers(HERE6)
                assert watch.fresh_since() is not None
                await neighbors.wait_nodes("node-a", "two")
                await neighbors.until(lambda: watch.covers(HERE6))
                assert watch.followed == (HERE, HERE6)

    scenario(work)


def test_nothing_is_complete_before_the_own_networks_are_known() -> None:
    """Else a node that starts would take itself for the only one."""

    async def work(api: Api) -> None:
        async with client(api) as kube, asyncio.TaskGroup() as tasks:
            neighbors = Neighbors(kube, 1000)
            running = tasks.create_task(neighbors.watch.run(neighbors.wake))
            await neighbors.until(neighbors.watch.watches[0].synced.is_set)
            assert not neighbors.watch.synced.is_set()
            neighbors.watch.follow([])
            async with asyncio.timeout(SECONDS):
                await neighbors.watch.synced.wait()
            running.cancel()

    scenario(work)


def test_a_world_forgets_who_is_out_of_sight_after_its_patience() -> None:
    """And its MACs with it, not before: until then it may speak of its addresses."""

    async def work(api: Api) -> None:
        async with client(api) as kube:
            clock = BootClock()
            short = replace(LARGE, lease_seconds=0.2)
            world = WorldStore(kube, clock, short, Waker(clock))
            world.lease_watch.synced.set()
            lease = LeaseView(
                node=NodeName("b"), duration=0.1, renewed="t", macs=frozenset({bytes(6)})
            )
            world._lease_changed(None, lease)  # as the watch calls it
            world._lease_left(lease)
            assert world.macs.shown == frozenset({NodeName("b")})
            begun = clock.now() - 1.0
            async with asyncio.timeout(SECONDS):
                while world.macs.shown:  # a clock must pass the patience
                    world.electorate(None, begun)
                    await asyncio.sleep(0.01)
            assert world.sightings.renewed_at() == {}

    scenario(work)


def test_nodes_are_counted_by_one_small_question() -> None:
    """And the Lease lasts as long as so many demand."""

    async def work(api: Api) -> None:
        for number in range(267):
            await api.send("POST", "/api/v1/nodes", {"metadata": {"name": f"n{number}"}})
        async with client(api) as kube:
            found = await settings_at_scale(kube, replace(SETTINGS, lease_seconds=10.0))
        assert (found.nodes, found.lease_seconds) == (267, 11.0)

    scenario(work)


def test_a_large_cluster_is_not_taken_for_a_small_one_because_its_server_is_away() -> None:
    """As when a whole site comes back; one that refuses is asked no more."""

    async def work(api: Api) -> None:
        for number in range(267):
            await api.send("POST", "/api/v1/nodes", {"metadata": {"name": f"n{number}"}})
        nodes = frozenset({"nodes"})
        away = api.server.faults.add(Fault(action=Action.FAIL, code=503, resources=nodes))
        async with client(api) as kube:
            counting = asyncio.create_task(settings_at_scale(kube, SETTINGS))
            async with asyncio.timeout(SECONDS):
                while api.server.requests.total(verb="list", resource="nodes") < 3:
                    await asyncio.sleep(0.01)
                    assert not counting.done()
            api.server.faults.remove(away)
            assert (await counting).nodes == 267
            api.server.faults.add(Fault(action=Action.FORBID, resources=nodes))
            refused = await settings_at_scale(kube, SETTINGS)
            assert replace(refused, uncounted="") == SETTINGS
            assert "nodes" in refused.uncounted

    scenario(work)


def former(node: str) -> dict[str, object]:
    """Return a Lease as PureLB's agents write it."""
    labels = {
        "app.kubernetes.io/component": "lbnodeagent",
        "app.kubernetes.io/name": "purelb",
    }
    return {
        "metadata": {
            "name": f"purelb-node-{node}",
            "labels": labels,
            "annotations": {"purelb.io/subnets": str(HERE), "purelb.io/instance": ""},
        },
        "spec": {
            "holderIdentity": node,
            "leaseDurationSeconds": 10,
            "renewTime": "2026-01-01T00:00:00.000000Z",
        },
    }
