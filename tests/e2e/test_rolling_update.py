"""A new version is rolled out while a client outside goes on asking.

Prints the client's longest gaps (`pytest -s`).
"""

from contextlib import AsyncExitStack

from playground.cluster import Cluster
from playground.nodes import INSTALL_NAMESPACE
from tests.e2e.install import daemon_pods, exposed, wait_rolled_out
from tests.e2e.journal import journal
from tests.e2e.outsider import asking
from tests.e2e.world import World

LONGEST_GAP = 3.0  # seconds without an answer; a client sends a lost SYN again after one and two


async def roll(cluster: Cluster, workload: str, component: str) -> None:
    """Replace every Pod of a workload as a new image would."""
    before = {pod["metadata"]["uid"] for pod in await daemon_pods(cluster, component)}
    await cluster.kubectl("-n", INSTALL_NAMESPACE, "rollout", "restart", workload)
    await wait_rolled_out(cluster, workload)
    after = {pod["metadata"]["uid"] for pod in await daemon_pods(cluster, component)}
    assert len(after) == len(before)
    assert not after & before


def test_a_client_hardly_notices_that_every_agent_is_replaced(installed: World) -> None:
    """Each address goes from node to node, on one at a time, in both families."""

    async def scenario(cluster: Cluster) -> None:
        async with (
            exposed(cluster, "rolled", "IPv4", "IPv6") as addresses,
            AsyncExitStack() as stack,
        ):
            kept = await stack.enter_async_context(journal(cluster))
            homes = {address: (await kept.wait_holder(address)).node for address in addresses}
            asked = {
                address: await stack.enter_async_context(asking(cluster, address))
                for address in addresses
            }
            await roll(cluster, "daemonset/lbnodeagent", "lbnodeagent")
            for address, home in homes.items():
                await kept.wait_holder(address, only=home)
                await asked[address].wait_answer()
            for address, outsider in asked.items():
                print(
                    f"\nrolling update: {address} had {len(kept.spans(address))} stays, was on no "
                    f"node for {kept.gap(address) * 1000:.0f} ms, gave no answer for "
                    f"{outsider.longest_gap() * 1000:.0f} ms ({outsider.counts})"
                )
            assert all(len(kept.spans(address)) >= 3 for address in addresses)
            assert [kept.overlap(address) for address in addresses] == [0.0, 0.0]
            assert max(one.longest_gap() for one in asked.values()) < LONGEST_GAP

    installed(scenario)


def test_a_new_allocator_moves_nothing(installed: World) -> None:
    """What it finds given it leaves as it is, and it goes on giving."""

    async def scenario(cluster: Cluster) -> None:
        async with exposed(cluster, "kept") as (address,), journal(cluster) as kept:
            await kept.wait_holder(address)
            async with asking(cluster, address) as outsider:
                await roll(cluster, "deployment/allocator", "allocator")
                async with exposed(cluster, "later") as (other,):
                    assert other != address
            print(f"\nnew allocator: no answer for {outsider.longest_gap() * 1000:.0f} ms")
            assert len(kept.spans(address)) == 1
            assert kept.holders(address)

    installed(scenario)
