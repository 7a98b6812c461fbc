"""A cluster of three nodes with their agents, for tests of what these do together."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from playground.addresswatch import AddressWatch
from playground.api import path_of
from playground.cluster import Cluster
from playground.http import Reply
from purelb.api.views import LEASE_PREFIX

MANIFEST = Path(__file__).parents[2] / "playground/manifests/default.yaml"
SECONDS = 30.0
LEASE = 5.0  # seconds
# `ip` before 6.3 does not show IFA_PROTO.
MARKS = """
import asyncio, sys
from purelb.runtime.netlink.addresses import AddressSocket
async def main():
    async with AddressSocket() as kernel:
        print([e.mark for e in await kernel.dump() if str(e.address) == sys.argv[1]])
asyncio.run(main())
"""
Object = dict[str, Any]


class Scene:
    """A running cluster, with the words that tests need."""

    def __init__(self, cluster: Cluster, watch: AddressWatch) -> None:
        self.cluster, self.watch = cluster, watch

    async def service(self, name: str, *families: str, **spec: object) -> list[str]:
        """Create a Service and return its addresses once each is on exactly one node."""
        policy = "RequireDualStack" if len(families) > 1 else "SingleStack"
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "type": "LoadBalancer",
                "ports": [{"port": 80}],
                "ipFamilies": list(families or ("IPv4",)),
                "ipFamilyPolicy": policy,
                **spec,
            },
        }
        await self.cluster.api.create(body)
        found = await self.until(name, lambda s: len(ingress(s)) == len(families or ("IPv4",)))
        for address in ingress(found):
            await self.placed(address)
        return ingress(found)

    async def until(self, name: str, claim: Callable[[Object], bool]) -> Object:
        """Wait for a Service of which a claim holds."""
        only = f"metadata.name={name}"
        async with asyncio.timeout(SECONDS):
            async for _, found in self.cluster.api.watch(
                path_of("Service", "default"), fieldSelector=only
            ):
                if claim(found):
                    return found
        raise AssertionError("the watch ended")

    async def until_slot(self, name: str, family: str, text: str) -> None:
        """Wait until a Service's announcing annotation says this."""
        await self.until(name, lambda service: slot(service, family) == text)

    async def placed(self, address: str) -> str:
        """Wait until an address is on exactly one node, and return the node."""
        assert await self.watch.wait(lambda: len(self.watch.nodes_with(address)) == 1, SECONDS), (
            f"{address} is on {self.watch.nodes_with(address)}"
        )
        return self.watch.nodes_with(address)[0]

    async def marks(self, node: str, address: str) -> list[int]:
        """Return the mark of each of a node's entries of an address."""
        done = await self.cluster.run(node, sys.executable, "-c", MARKS, address)
        found: list[int] = json.loads(done.stdout)
        return found

    async def entries(self, node: str) -> list[Object]:
        """Return the addresses of a node's NIC in the kernel's order."""
        done = await self.cluster.run(node, "ip", "-j", "-d", "address", "show", "dev", "eth0")
        found: list[Object] = json.loads(done.stdout)[0]["addr_info"]
        return found


def ingress(service: Object) -> list[str]:
    """Return the addresses a Service shows."""
    entries = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return [entry["ip"] for entry in entries]


def slot(service: Object, family: str = "IPv4") -> str:
    """Return a Service's announcing annotation."""
    keys: dict[str, str] = service["metadata"].get("annotations", {})
    return keys.get(f"purelb.io/announcing-{family}", "")


@contextlib.asynccontextmanager
async def scene(lease_seconds: float = LEASE, strangers: int = 0) -> AsyncIterator[Scene]:
    """Run a cluster with allocator and agents until every node is in the election.

    `strangers` are Nodes that are said to be there, without agents.
    """
    async with Cluster(nodes=3) as cluster:
        try:
            await cluster.api.apply_file(MANIFEST)
            for number in range(strangers):
                stranger = {"apiVersion": "v1", "kind": "Node"}
                metadata = {"name": f"stranger-{number}"}
                await cluster.api.create({**stranger, "metadata": metadata})
            await cluster.start_daemons(lease_seconds=lease_seconds)
            seen: set[str] = set()
            async with asyncio.timeout(SECONDS):
                async for _, lease in cluster.api.watch(path_of("Lease", "purelb-system")):
                    name = lease["metadata"]["name"]
                    if name.startswith(LEASE_PREFIX):
                        seen.add(name)
                    if len(seen) == 3:
                        break
            for machine in cluster.topology.nodes:
                # Until it knows all three: an address that it wins before that moves once more.
                url = f"http://{machine.main.v4.ip}:7472/metrics"
                await cluster.wait_answer(url, machine=machine.name, accept=knows_all)
            async with AddressWatch(cluster) as watch:
                yield Scene(cluster, watch)
        except BaseException:
            for process in await cluster.processes():
                print(f"==== {process.name} {process.returncode}")
                print(cluster.log(process.name)[-6000:])
            raise


def knows_all(metrics: Reply) -> bool:
    """Tell whether an agent knows all members."""
    return b"purelb_election_member_count 3.0" in metrics.body


def play(work: Callable[[Scene], Awaitable[None]], *, lease: float = LEASE) -> None:
    """Run a coroutine function in a scene, in which a Lease lasts so many seconds."""

    async def run() -> None:
        async with scene(lease) as stage:
            await work(stage)

    asyncio.run(run())
