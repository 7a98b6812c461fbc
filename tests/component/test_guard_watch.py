"""The watch of the cluster's own addresses, against the embedded API server."""

import asyncio

from allocator.core.guards import Guards
from allocator.shell.guards import GuardWatch
from purelb.api.addresses import Family
from purelb.runtime.clock import BootClock
from purelb.runtime.credentials import Access
from purelb.runtime.kube import Kube
from tests.component.harness import Api, scenario

NODES, KINDS = 40, 3


def test_a_list_of_many_nodes_is_told_at_once() -> None:
    """Not node by node: each telling puts all guards in order and every pool together anew."""

    async def work(api: Api) -> None:
        for number in range(NODES):
            address = {"type": "InternalIP", "address": f"198.51.100.{number}"}
            body = {"metadata": {"name": f"node-{number}"}, "status": {"addresses": [address]}}
            await api.send("POST", "/api/v1/nodes", body)
        told: list[Guards] = []
        access = Access(server=api.server.url, token_text="allocator")
        async with Kube(access, "allocator") as kube, asyncio.TaskGroup() as tasks:
            watch = GuardWatch(kube, BootClock(), told.append)
            running = tasks.create_task(watch.run())
            await watch.wait_settled()
            running.cancel()
        owners = {guard.owner for guard in told[-1].found[Family.IPV4]}
        assert owners >= {f"Node node-{number}" for number in range(NODES)}
        assert len(told) <= KINDS

    scenario(work)
