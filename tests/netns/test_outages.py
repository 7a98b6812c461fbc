"""A hundred addresses on three nodes while something is away, as a neighbor on the wire sees them.

`make soak` has outages of five minutes and pauses of thirty seconds.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from playground.cluster import Cluster
from playground.incidents import (
    API_FAILING,
    API_FROZEN,
    API_HANGING,
    API_REFUSED,
    HUNG,
    ISOLATED,
    WITHOUT_API,
    WITHOUT_PEERS,
    WITHOUT_POWER,
    Incident,
    wait_heard,
)
from playground.observations import Observations, longest, observing
from playground.services import create
from tests.netns.agentscene import MANIFEST
from tests.soak import IS_SOAK

SERVICES = 50  # each with an address of each family
LEASE = 10.0  # seconds
SETTLED = LEASE + 2.0  # until neighbors may be judged
OUTAGE = 300.0 if IS_SOAK else 20.0
PAUSES = (2.0, 5.0, 30.0) if IS_SOAK else (2.0, 13.0)  # shorter and longer than a Lease
PERIOD = 0.05  # seconds between two questions about each address
PATIENCE = 90.0  # for a machine that does other things
MOVING = 1.0  # seconds in which all addresses of a node have moved, a write to the API each


@dataclass(frozen=True, slots=True)
class Scene:
    """A cluster in which every address is with one node, and what the wire says."""

    cluster: Cluster
    seen: Observations

    async def served(self) -> None:
        """Wait until each address is with exactly one node."""

        def holds() -> bool:
            return all(len(self.seen.by(address)) == 1 for address in self.seen.addresses)

        assert await self.seen.wait(holds, PATIENCE)

    async def told(self) -> None:
        """Wait until the observer has told all until now."""
        now = time.time()
        assert await self.seen.wait(lambda: self.seen.until >= now, PATIENCE)

    async def during(self, incident: Incident, node: str, seconds: float) -> float:
        """Let something happen for so long; returns when it began."""
        begun = time.time()
        await incident.begin(self.cluster, node)
        await asyncio.sleep(seconds)
        await incident.end(self.cluster, node)
        return begun

    def those_of(self, node: str) -> list[str]:
        """Return the addresses that a node has."""
        return [address for address in self.seen.addresses if node in self.seen.by(address)]


def play(work: Callable[[Scene], Awaitable[None]]) -> None:
    """Run a coroutine function in a scene."""

    async def run() -> None:
        async with Cluster(nodes=3) as cluster:
            try:
                await cluster.api.apply_file(MANIFEST)
                await cluster.start_daemons(lease_seconds=LEASE, heartbeats=True)
                await wait_heard(cluster)
                addresses = await create(cluster, SERVICES)
                async with observing(cluster, addresses, period=PERIOD) as seen:
                    assert await seen.wait(lambda: len(seen.addresses) == 2 * SERVICES, PATIENCE)
                    scene = Scene(cluster, seen)
                    await scene.served()
                    await asyncio.sleep(SETTLED)
                    await work(scene)
            except BaseException:
                for process in await cluster.processes():
                    print(f"==== {process.name} {process.returncode}")
                    print(cluster.log(process.name)[-6000:])
                raise

    asyncio.run(run())


@pytest.mark.timeout(5 * OUTAGE + 400)
def test_an_api_server_that_is_away_loses_and_moves_nothing_and_neither_does_its_return() -> None:
    """Whether it refuses, hangs, fails or stands still; who dies meanwhile is replaced."""

    async def work(scene: Scene) -> None:
        since = time.time()
        for outage in (API_REFUSED, API_HANGING, API_FAILING, API_FROZEN):
            await scene.during(outage, "", OUTAGE)
            await asyncio.sleep(SETTLED)
            await scene.told()
            assert scene.seen.moves(since, time.time()) == 0, outage.name
            assert scene.seen.silences(since) == [], outage.name
            assert scene.seen.doubles(since) == [], outage.name
        await API_REFUSED.begin(scene.cluster, "")
        await asyncio.sleep(OUTAGE)
        node = scene.cluster.nodes[0]
        lost = scene.those_of(node)
        begun = time.time()
        await WITHOUT_POWER.begin(scene.cluster, node)
        await scene.seen.wait(lambda: not scene.those_of(node), PATIENCE)
        await scene.served()
        await scene.told()
        gap, since = longest(scene.seen.silences(begun)), time.time()
        print(f"{len(lost)} addresses of a node that died were away for {gap:.2f} s")
        assert gap < LEASE / 2
        await API_REFUSED.end(scene.cluster, "")
        await asyncio.sleep(SETTLED)
        await scene.told()
        assert scene.seen.moves(since, time.time()) == 0
        assert scene.seen.silences(since) == []
        assert scene.seen.doubles(begun) == []

    play(work)


@pytest.mark.timeout(400)
def test_a_node_without_the_api_yields_and_two_never_answer() -> None:
    """Its neighbors see its Lease end, and begin after it."""

    async def work(scene: Scene) -> None:
        node = scene.cluster.nodes[0]
        begun = await scene.during(WITHOUT_API, node, 2 * LEASE)
        assert not scene.those_of(node)
        await scene.served()
        await asyncio.sleep(SETTLED)
        await scene.served()
        await scene.told()
        assert longest(scene.seen.doubles(begun)) <= 0.1

    play(work)


@pytest.mark.timeout(2 * sum(PAUSES) + 400)
def test_a_node_that_was_paused_yields_when_it_comes_back() -> None:
    """Its agent stood still, or its network was away, for less and for more than a Lease."""

    async def work(scene: Scene) -> None:
        for incident in (HUNG, ISOLATED):
            for seconds in PAUSES:
                node = scene.cluster.nodes[0]
                assert scene.those_of(node)
                begun = await scene.during(incident, node, seconds)
                await wait_heard(scene.cluster)
                await asyncio.sleep(SETTLED)
                await scene.served()
                await scene.told()
                double = longest(scene.seen.doubles(begun))
                print(f"{incident.name} for {seconds} s: two answered for {double:.3f} s")
                assert double <= 0.3, (incident.name, seconds)

    play(work)


@pytest.mark.timeout(400)
def test_a_node_without_its_peers_yields_to_them_once() -> None:
    """The observer sees both sides, as the router does."""

    async def work(scene: Scene) -> None:
        node = scene.cluster.nodes[0]
        mine = scene.those_of(node)
        begun = await scene.during(WITHOUT_PEERS, node, 1.5 * LEASE)
        await scene.told()
        ended = time.time()
        assert not scene.those_of(node)
        assert scene.seen.moves(begun, ended) == len(mine)
        assert longest(scene.seen.doubles(begun)) <= MOVING
        await scene.served()
        await asyncio.sleep(SETTLED)
        await scene.served()
        await scene.told()
        assert longest(scene.seen.doubles(ended)) <= 0.3
        assert longest(scene.seen.silences(begun)) <= MOVING

    play(work)
