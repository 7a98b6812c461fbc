"""The API server goes away and comes back, and forgets its history: Services hardly notice.

Prints what was measured (`pytest -s`). The gentle ones come first: after an outage Kubernetes' own
clients rest, the longer the more there were, and each story waits for them.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from playground.api import path_of
from playground.cluster import Cluster
from playground.nodes import INSTALL_NAMESPACE
from tests.apiserver import SERVER, Start, compact, serve_again
from tests.e2e.install import (
    announcer,
    daemon_pods,
    expose,
    exposed,
    installed,
    show,
    wait_rolled_out,
    wait_slot,
)
from tests.e2e.journal import Journal, journal
from tests.e2e.outsider import asking
from tests.e2e.world import SECONDS, World

SHORT_SECONDS = 2.0  # renewed each 3.3 s, an address of a Lease of 10 s is safe for 5.2 s
EXPIRED = "version expired, listing again"
DROPPED = "dropped"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def starts() -> list[Start]:
    """When the API server was started again; to be told by whoever does it."""
    return []


@pytest.fixture(scope="module")
def cluster_world(starts: list[Start]) -> Iterator[World]:
    """Run scenarios in one cluster with everything installed."""
    with installed(starts=starts) as world:
        yield world


async def settle(cluster: Cluster) -> None:
    """Wait until every node's kube-proxy sees what is new: it may still rest from an outage."""
    await cluster.kubectl("create", "service", "clusterip", "settled", "--tcp=80:80")
    try:
        await cluster.kubectl("set", "selector", "service", "settled", "app=echo")
        address = (await show(cluster, "service", "settled"))["spec"]["clusterIP"]
        for node in cluster.nodes:
            await cluster.wait_answer(f"http://{address}/", machine=node, seconds=SECONDS)
    finally:
        await cluster.kubectl("delete", "service", "settled")


@contextlib.asynccontextmanager
async def lease_duration(cluster: Cluster, value: str) -> AsyncIterator[None]:
    """Give the agents another Lease duration for as long as the block lasts."""
    agents = ("-n", INSTALL_NAMESPACE, "daemonset/lbnodeagent")
    await cluster.kubectl("set", "env", *agents, f"PURELB_LEASE_DURATION={value}")
    try:
        await wait_rolled_out(cluster, agents[-1])
        yield
    finally:
        await cluster.kubectl("rollout", "undo", *agents)
        await wait_rolled_out(cluster, agents[-1])


async def measure_new(cluster: Cluster, name: str) -> str:
    """Say how long it takes until a new Service is announced, which is ours, and answers."""
    begun = time.time()
    try:
        (address,) = await expose(cluster, name)
        announced = time.time()
        await cluster.wait_answer(f"http://{address}/", seconds=SECONDS)
    finally:
        await cluster.api.delete(path_of("Service", "default", name))
    took = announced - begun
    return f"a new Service announced {took:.1f} s later, answers after {time.time() - begun:.1f} s"


def test_an_api_server_that_hangs_is_no_different(cluster_world: World) -> None:
    """It accepts connections and says nothing, and works on as if nothing had been."""

    async def scenario(cluster: Cluster) -> None:
        await settle(cluster)
        async with exposed(cluster, "hangs") as (address,), journal(cluster) as kept:
            await kept.wait_holder(address)
            async with asking(cluster, address) as outsider:
                await cluster.signal(SERVER, signal.SIGSTOP)
                await asyncio.sleep(SHORT_SECONDS)  # the outage itself
                await cluster.signal(SERVER, signal.SIGCONT)
                new = await measure_new(cluster, "after-hang")
            print(
                f"\nAPI server hung for {SHORT_SECONDS} s: no answer for "
                f"{outsider.longest_gap() * 1000:.0f} ms, {new}"
            )
            assert len(kept.spans(address)) == 1

    cluster_world(scenario)


def test_within_its_lease_no_address_moves(cluster_world: World, starts: list[Start]) -> None:
    """The server is killed and started again; a client outside sees nothing of it."""

    async def scenario(cluster: Cluster) -> None:
        await settle(cluster)
        async with (
            lease_duration(cluster, "60s"),  # however long the server needs to start
            exposed(cluster, "short", "IPv4", "IPv6") as addresses,
            journal(cluster) as kept,
        ):
            v4 = addresses[0]
            async with asking(cluster, v4) as outsider:
                down = time.time()
                await cluster.kill(SERVER)
                await asyncio.sleep(SHORT_SECONDS)  # the outage itself, not a wait for something
                starts.append(await serve_again(cluster))
                up = starts[-1].begun
                new = await measure_new(cluster, "after-short")
            print(
                f"\nAPI server away for {up - down:.1f} s: no answer for "
                f"{outsider.longest_gap() * 1000:.0f} ms, {new}"
            )
            stays = [len(kept.spans(address)) for address in addresses]
            assert stays == [1, 1]
            assert all(kept.holders(address) for address in addresses)

    cluster_world(scenario)


def test_after_a_long_outage_every_address_comes_back(
    cluster_world: World, starts: list[Start]
) -> None:
    """Without proof of their Leases nodes let go, in time, and begin again once there is one."""

    async def scenario(cluster: Cluster) -> None:
        await settle(cluster)
        async with exposed(cluster, "long", "IPv4", "IPv6") as addresses, journal(cluster) as kept:
            home = (await kept.wait_holder(addresses[0])).node
            down = time.time()
            await cluster.kill(SERVER)
            gone = [await kept.wait_nobody(address) for address in addresses]
            starts.append(await serve_again(cluster))
            up = starts[-1].begun
            back = [(await kept.wait_holder(address)).begun for address in addresses]
            reply = await cluster.wait_answer(f"http://{addresses[0]}/", seconds=SECONDS)
            new = await measure_new(cluster, "after-long")
            print(
                f"\nAPI server away for {up - down:.1f} s: addresses kept for "
                f"{min(gone) - down:.1f} s, back {max(back) - up:.1f} s after its start, {new}"
            )
            await kept.wait_holder(addresses[0], only=home)
            await wait_slot(cluster, "long")
            assert reply.status == 200
            assert min(gone) - down > SHORT_SECONDS
            assert [kept.overlap(address) for address in addresses] == [0.0, 0.0]
            assert await announcer(cluster, "long") == home

    cluster_world(scenario)


async def relists(cluster: Cluster) -> dict[str, int]:
    """Return how often each daemon said that its version had expired, by Pod."""
    counts = {}
    for component in ("allocator", "lbnodeagent"):
        for pod in await daemon_pods(cluster, component):
            name = pod["metadata"]["name"]
            shown = await cluster.kubectl("-n", INSTALL_NAMESPACE, "logs", name)
            counts[name] = shown.stdout.count(EXPIRED)
    return counts


async def wait_relists(cluster: Cluster, before: dict[str, int]) -> dict[str, int]:
    """Wait until every daemon has said so more often than before; returns how much more."""
    async with asyncio.timeout(SECONDS):
        while True:
            more = {name: count - before[name] for name, count in (await relists(cluster)).items()}
            if all(count > 0 for count in more.values()):
                return more


async def change_unseen(cluster: Cluster) -> tuple[int, Start]:
    """Change Services while no node can see it and history is lost.

    Deletes one and creates another while all nodes are cut off, and starts the API server anew upon
    a compacted database. Returns the first revision that is left, and that start.
    """
    await cluster.partition(["control"])
    try:
        await cluster.api.delete(path_of("Service", "default", DROPPED))
        await cluster.kubectl("create", "service", "loadbalancer", "unseen", "--tcp=80:80")
        revision = await compact(cluster)
        await cluster.kill(SERVER)
        start = await serve_again(cluster)
    finally:
        await cluster.heal()
    return revision, start


async def converge(cluster: Cluster, kept: Journal, address: str) -> tuple[float, float]:
    """Wait until the dropped address is gone and the unseen Service served; returns when."""
    gone = await kept.wait_nobody(address)
    await wait_slot(cluster, "unseen")
    return gone, time.time()


def test_watches_whose_history_is_lost_begin_again(
    cluster_world: World, starts: list[Start]
) -> None:
    """What was deleted and created meanwhile is found, what stayed the same stays."""

    async def scenario(cluster: Cluster) -> None:
        await settle(cluster)
        async with exposed(cluster, "stays") as (stays,), journal(cluster) as kept:
            (dropped,) = await expose(cluster, DROPPED)
            try:
                await kept.wait_holder(dropped)
                before = await relists(cluster)
                begun = time.time()
                revision, start = await change_unseen(cluster)
                starts.append(start)
                healed = time.time()
                gone, served = await converge(cluster, kept, dropped)
                more = await wait_relists(cluster, before)
            finally:
                await cluster.api.delete(path_of("Service", "default", "unseen"))
                await cluster.api.delete(path_of("Service", "default", DROPPED))
            await kept.wait_holder(stays)
            await cluster.wait_answer(f"http://{stays}/", seconds=SECONDS)
            print(
                f"\ncompacted at {revision}, nodes cut off for {healed - begun:.1f} s: deleted "
                f"address gone after {gone - healed:.1f} s, new Service served after "
                f"{served - healed:.1f} s; lists begun again: {sum(more.values())} "
                f"by {len(more)} daemons; stays of the third: {len(kept.spans(stays))}"
            )
            assert [kept.overlap(address) for address in (stays, dropped)] == [0.0, 0.0]

    cluster_world(scenario)
