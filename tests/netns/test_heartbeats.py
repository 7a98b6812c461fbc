"""Agents with heartbeats on real kernels: power cuts, outages of the API, partitions."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from playground.addresswatch import AddressWatch
from playground.api import Api
from playground.cluster import Cluster
from playground.http import Reply
from tests.netns.agentscene import MANIFEST, SECONDS, Scene

LEASE = 10.0  # seconds
EARLY = LEASE / 2  # no Lease can have ended by then
Fault = dict[str, Any]
HANG: Fault = {"action": "hang"}
REFUSE: Fault = {"action": "refuse"}
ERROR: Fault = {"action": "fail", "code": 503}
SILENT: Fault = {"action": "stall"}


class Stage(Scene):
    """A scene in which every agent hears every other."""

    async def outage(self, *faults: Fault, clients: tuple[str, ...] = ()) -> None:
        """Break the API server, for all or for some clients; without faults it is whole again."""
        async with Api(self.cluster.paths.faults) as control:
            await control.put("/faults", {"faults": {}})
            for number, fault in enumerate(faults):
                await control.put(f"/faults/f{number}", {**fault, "clients": list(clients)})
            if SILENT not in faults:
                await control.post("/drop-watches", {})

    async def taken(self, address: str, besides: str, seconds: float = SECONDS) -> float:
        """Wait until another node than this has an address; return the wall-clock time of that."""

        def others() -> set[str]:
            return set(self.watch.nodes_with(address)) - {besides}

        assert await self.watch.wait(lambda: bool(others()), seconds)
        return min(self.watch.holders[address][node] for node in others())

    def places(self) -> dict[str, dict[str, float]]:
        """Return which node has each address, and since when."""
        return {address: dict(nodes) for address, nodes in self.watch.holders.items()}


@contextlib.asynccontextmanager
async def stage(nodes: int = 3) -> AsyncIterator[Stage]:
    """Run a cluster until every agent hears all others and may judge them."""
    async with Cluster(nodes=nodes) as cluster:
        try:
            await cluster.api.apply_file(MANIFEST)
            await cluster.start_daemons(lease_seconds=LEASE, heartbeats=True)
            for node in cluster.nodes:
                await heard(cluster, node, nodes - 1)
            async with AddressWatch(cluster) as watch:
                yield Stage(cluster, watch)
        except BaseException:
            for process in await cluster.processes():
                print(f"==== {process.name} {process.returncode}")
                print(cluster.log(process.name)[-6000:])
            raise


async def heard(cluster: Cluster, node: str, peers: int) -> None:
    """Wait until an agent hears so many others."""
    wanted = f"purelb_lbnodeagent_heartbeat_peers {float(peers)}".encode()

    def is_heard(metrics: Reply) -> bool:
        return wanted in metrics.body

    url = f"http://{cluster.topology.node(node).main.v4.ip}:7472/metrics"
    await cluster.wait_answer(url, machine=node, accept=is_heard)


def play(work: Callable[[Stage], Awaitable[None]], nodes: int = 3) -> None:
    """Run a coroutine function on a stage."""

    async def run() -> None:
        async with stage(nodes) as scene:
            await work(scene)

    asyncio.run(run())


def test_a_node_without_power_is_replaced_before_its_lease_could_have_ended() -> None:
    """Three agents, then two of which one goes on together with the gateway."""

    async def work(scene: Stage) -> None:
        v4, v6 = await scene.service("web", "IPv4", "IPv6")
        await asyncio.sleep(LEASE + 1.0)  # until neighbors may be judged
        for _ in range(2):
            node = await scene.placed(v4)
            begun = time.time()
            await scene.cluster.power_off(node)
            scene.watch.forget(node)
            assert await scene.taken(v4, node) - begun < EARLY
            await scene.placed(v6)
            await asyncio.sleep(LEASE)

    play(work)


def test_an_outage_of_the_api_moves_nothing_and_a_node_that_dies_in_it_is_replaced() -> None:
    """Whether the server hangs, refuses, fails or is silent; nor does its return."""

    async def work(scene: Stage) -> None:
        addresses = [(await scene.service(f"web-{n}"))[0] for n in range(4)]
        await asyncio.sleep(LEASE + 1.0)
        before = scene.places()
        for faults in ((HANG, SILENT), (REFUSE,), (ERROR, SILENT)):
            await scene.outage(*faults)
            await asyncio.sleep(1.5 * LEASE)
            assert scene.places() == before, faults
        (node,) = scene.watch.nodes_with(addresses[0])
        begun = time.time()
        await scene.cluster.power_off(node)
        scene.watch.forget(node)
        assert await scene.taken(addresses[0], node) - begun < EARLY
        moved = [a for a in addresses if node in before[a]]
        for address in moved:
            await scene.placed(address)
        after = scene.places()
        await scene.outage()
        await asyncio.sleep(1.5 * LEASE)
        assert scene.places() == after

    play(work)


def test_a_hung_agent_is_replaced_only_when_its_kernel_has_let_go() -> None:
    """It still answers ARP: there the Lease and the kernel's lifetime decide."""

    async def work(scene: Stage) -> None:
        (address,) = await scene.service("web")
        await asyncio.sleep(LEASE + 1.0)
        node = await scene.placed(address)
        await scene.cluster.signal(f"nodeagent-{node}", signal.SIGSTOP)
        at = await scene.taken(address, node)
        assert scene.watch.lost[node, address] <= at
        await scene.cluster.signal(f"nodeagent-{node}", signal.SIGCONT)
        await scene.placed(address)

    play(work)


def test_a_node_that_is_cut_off_lets_go_before_another_begins() -> None:
    """Though its Lease is valid, and nobody can reach it to ask."""

    async def work(scene: Stage) -> None:
        (address,) = await scene.service("web")
        await asyncio.sleep(LEASE + 1.0)
        node = await scene.placed(address)
        others = [name for name in (*scene.cluster.nodes, "router", "client") if name != node]
        begun = time.time()
        await scene.cluster.partition([node], others)
        at = await scene.taken(address, node)
        assert at - begun < EARLY
        assert scene.watch.lost[node, address] <= at
        await scene.cluster.heal()
        await scene.placed(address)

    play(work)


def test_a_node_without_the_api_yields_to_those_that_have_it() -> None:
    """They see its Lease end, whatever it hears from them."""

    async def work(scene: Stage) -> None:
        (address,) = await scene.service("web")
        await asyncio.sleep(LEASE + 1.0)
        node = await scene.placed(address)
        await scene.outage(REFUSE, SILENT, clients=(f"nodeagent-{node}",))
        at = await scene.taken(address, node)
        assert scene.watch.lost[node, address] <= at
        await scene.outage()
        await scene.placed(address)

    play(work)
