"""Agents of a cluster with so many nodes that each watches the Leases of its neighbors alone."""

import asyncio
import signal
import time

from playground.api import path_of
from playground.nodes import INSTALL_NAMESPACE
from purelb.api.views import LEASE_PREFIX
from tests.netns.agentscene import Object, Scene, scene

STRANGERS = 150
SECONDS = 30.0


async def lease_of(stage: Scene, node: str) -> Object:
    """Return the Lease of a node."""
    path = f"{path_of('Lease', INSTALL_NAMESPACE)}/{LEASE_PREFIX}{node}"
    return await stage.cluster.api.get(path)


def test_addresses_move_among_neighbors_by_their_leases_alone() -> None:
    """In order when an agent stops, and when its Lease has ended if it is killed with its node."""

    async def run() -> None:
        async with scene(strangers=STRANGERS) as stage:
            (address,) = await stage.service("web")
            first = await stage.placed(address)
            lease = await lease_of(stage, first)
            # 153 nodes renew every two seconds: no more than eighty writes a second altogether.
            assert lease["spec"]["leaseDurationSeconds"] == 6
            assert sum(key.startswith("subnet.purelb.io/") for key in lease["metadata"]["labels"])
            await stage.cluster.stop(f"nodeagent-{first}")
            second = await moved(stage, address, first)
            begun = time.monotonic()
            await stage.cluster.signal(f"nodeagent-{second}", signal.SIGKILL)
            third = await moved(stage, address, second)
            assert len({first, second, third}) == 3
            assert time.monotonic() - begun < SECONDS
            await stage.until_slot("web", "IPv4", f"{third},eth0,{address}")

    asyncio.run(run())


async def moved(stage: Scene, address: str, node: str) -> str:
    """Wait until an address is on exactly one node, and not on this one; return which."""
    watch = stage.watch
    assert await watch.wait(
        lambda: node not in watch.nodes_with(address) and len(watch.nodes_with(address)) == 1,
        SECONDS,
    )
    return watch.nodes_with(address)[0]
