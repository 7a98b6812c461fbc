"""Agents and nodes that leave: their addresses move, and no two nodes ever have one.

Prints the times measured (`pytest -s`).
"""

import time

import pytest

from playground.cluster import Cluster
from playground.nodes import INSTALL_NAMESPACE
from tests.e2e.install import (
    agent,
    announcer,
    daemon_pods,
    evict,
    exposed,
    wait_rolled_out,
    wait_slot,
)
from tests.e2e.journal import journal
from tests.e2e.outsider import asking
from tests.e2e.world import SECONDS, World

LEASE_SECONDS = 10.0  # of the manifests
TAINT = "maintenance=now:NoExecute"


async def delete(cluster: Cluster, name: str) -> None:
    """Delete a Pod."""
    await cluster.kubectl("-n", INSTALL_NAMESPACE, "delete", "pod", name, "--wait=false")


LEAVING = {"evicted": evict, "deleted": delete}


@pytest.mark.parametrize("how", LEAVING)
def test_an_agent_that_leaves_hands_its_addresses_over_and_its_successor_gets_them_back(
    installed: World, how: str
) -> None:
    """Both families, each with one holder at any instant."""

    async def scenario(cluster: Cluster) -> None:
        async with exposed(cluster, how, "IPv4", "IPv6") as addresses, journal(cluster) as kept:
            v4 = addresses[0]
            node = (await kept.wait_holder(v4)).node
            pod = await agent(cluster, node)
            async with asking(cluster, v4) as outsider:
                begun = time.time()
                await LEAVING[how](cluster, pod["metadata"]["name"])
                away = await kept.wait_holder(v4, but=node)
                back = await kept.wait_holder(v4, only=node)
            await wait_rolled_out(cluster)
            print(
                f"\n{how}: away after {away.begun - begun:.2f} s, back after "
                f"{back.begun - begun:.2f} s; on no node for {kept.gap(v4) * 1000:.0f} ms, "
                f"no answer for {outsider.longest_gap() * 1000:.0f} ms ({outsider.counts})"
            )
            assert (await agent(cluster, node))["metadata"]["uid"] != pod["metadata"]["uid"]
            assert [kept.overlap(address) for address in addresses] == [0.0, 0.0]

    installed(scenario)


def test_a_tainted_node_gives_its_addresses_away_until_the_taint_is_gone(
    installed: World,
) -> None:
    """Its agent is not replaced there, and it leaves no Lease behind."""

    async def scenario(cluster: Cluster) -> None:
        async with exposed(cluster, "tainted") as (address,), journal(cluster) as kept:
            node = (await kept.wait_holder(address)).node
            begun = time.time()
            await cluster.kubectl("taint", "node", node, TAINT)
            try:
                away = await kept.wait_holder(address, but=node)
                lease = f"lease/purelb-node-{node}"
                gone = ("wait", "--for=delete", lease, f"--timeout={SECONDS:g}s")
                await cluster.kubectl("-n", INSTALL_NAMESPACE, *gone)
                await cluster.wait_answer(f"http://{address}/", seconds=SECONDS)
                agents = await daemon_pods(cluster, "lbnodeagent")
                nodes = sorted(pod["spec"]["nodeName"] for pod in agents)
                assert nodes == sorted(set(cluster.nodes) - {node})
            finally:
                await cluster.kubectl("taint", "node", node, f"{TAINT}-")
            lifted = time.time()
            await cluster.start_workload()  # nobody else makes the evicted echo pod anew
            await wait_rolled_out(cluster)
            back = await kept.wait_holder(address, only=node)
            print(
                f"\ntaint: away after {away.begun - begun:.2f} s, back {back.begun - lifted:.2f} s "
                f"after its end; on no node for {kept.gap(address) * 1000:.0f} ms"
            )
            assert kept.overlap(address) == 0.0

    installed(scenario)


def test_a_node_without_power_loses_its_addresses_within_its_lease(installed: World) -> None:
    """With power again it gets them back, from the one that had them."""

    async def scenario(cluster: Cluster) -> None:
        async with exposed(cluster, "powerless") as (address,), journal(cluster) as kept:
            node = (await kept.wait_holder(address)).node
            off = await kept.power_off(node)
            try:
                away = await kept.wait_holder(address, but=node)
                answer = await cluster.wait_answer(f"http://{address}/", seconds=SECONDS)
                answered = time.time()
                await wait_slot(cluster, "powerless")
                assert answer.json()["node"] != node
            finally:
                await cluster.power_on(node)
            on = time.time()
            await kept.follow(node)
            back = await kept.wait_holder(address, only=node)
            await wait_rolled_out(cluster)
            print(
                f"\npower: away after {away.begun - off:.2f} s, answers after "
                f"{answered - off:.2f} s; back {back.begun - on:.2f} s after the boot, then on no "
                f"node for {(back.begun - kept.spans(address)[-2].ended) * 1000:.0f} ms"
            )
            assert away.begun - off < LEASE_SECONDS + 2.0
            assert kept.overlap(address) == 0.0
            assert await announcer(cluster, "powerless") == node

    installed(scenario)
