"""What measures, inside the playground's world: it sees every node's kernel and the API server.

    python -m benchmarks.probe create|burst|patch|drift --count N --nodes node-a,node-b

With --keep its Services stay; with --first N those of a burst are numbered from N on.

Prints one line of JSON: name → samples, in the unit that the name ends with.
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from functools import partial
from ipaddress import IPv6Address
from typing import Any

from allocator.core.conditions import PENDING
from playground.namespaces import inside
from purelb.api.addresses import IPAddress
from purelb.api.links import LinkAddress
from purelb.api.resources import decode_object, decode_page, decode_service, decode_watch_line
from purelb.runtime.credentials import find_access
from purelb.runtime.errors import NotFoundError
from purelb.runtime.kube import Kube
from purelb.runtime.netlink.addresses import AddressSocket
from purelb.runtime.netlink.events import AddressGone, AddressSeen, Event, EventSocket
from purelb.runtime.netlink.wire import DeadAddress

SERVICES = "/api/v1/namespaces/default/services"
SECONDS = 600.0  # for one event that must come: the last of a large burst
GROUP = "/apis/purelb.io/v2/namespaces/purelb-system/servicegroups/default"
MEASURED = ("one", "burst", "pending", "patch", "pair", "drift")  # how our Services' names begin
IN_FLIGHT = 32
SETTLE = 2.0  # seconds for the daemons to have looked at what waits
FIRST = IPv6Address("2001:db8:0:2::1:0")  # of the addresses of bare PATCHes
MANY = "IPv6"  # the family that has room for thousands in one subnet
Samples = dict[str, list[float]]


class Board:
    """Facts with the time they were first seen; whoever waits for one is told at once."""

    def __init__(self) -> None:
        self._seen: dict[object, float] = {}
        self._waiting: dict[object, asyncio.Future[float]] = {}

    def note(self, fact: object) -> None:
        """Note that something is so, now."""
        now = time.perf_counter()
        self._seen.setdefault(fact, now)
        waiting = self._waiting.pop(fact, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(self._seen[fact])

    def forget(self, fact: object) -> None:
        """Wait for the next time."""
        self._seen.pop(fact, None)

    async def when(self, fact: object) -> float:
        """Return when a fact was first seen, waiting for it if need be."""
        if fact in self._seen:
            return self._seen[fact]
        future = self._waiting.setdefault(fact, asyncio.get_running_loop().create_future())
        async with asyncio.timeout(SECONDS):
            return await future


class Probe:
    """The API server and the nodes' kernels, watched."""

    def __init__(self, kube: Kube, nodes: Sequence[str]) -> None:
        self.kube, self.nodes, self.board, self.first = kube, nodes, Board(), 0
        self.places: dict[IPAddress, tuple[str, LinkAddress]] = {}
        self.kernels: dict[str, AddressSocket] = {}
        self.ingress: dict[str, list[str]] = {}

    async def watch_node(self, node: str, stack: AsyncExitStack) -> EventSocket:
        """Open a node's kernel."""
        events = EventSocket(self._noting(node))
        with inside(node):
            events.open()
            kernel = AddressSocket()
            kernel.open()
        stack.callback(events.close)
        stack.callback(kernel.close)
        self.kernels[node] = kernel
        for entry in await kernel.dump() or ():
            self.places[entry.address] = node, entry
        return events

    def _noting(self, node: str) -> Callable[[Event], None]:
        def note(event: Event) -> None:
            match event:
                case AddressSeen(address=entry):
                    self.places[entry.address] = node, entry
                    self.board.note(("on", str(entry.address)))
                case AddressGone(address=address):
                    self.board.note(("off", str(address)))
                case _:
                    pass

        return note

    async def watch_services(self, ready: asyncio.Event) -> None:
        """Note each Service's addresses as they appear."""
        version = decode_object(await self.kube.get(SERVICES)).metadata.resource_version
        params = {"watch": "true", "resourceVersion": version}
        async with self.kube.stream(SERVICES, params) as chunks:
            ready.set()
            rest = b""
            async for chunk in chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    service = decode_service(bytes(decode_watch_line(line).object))
                    name, status = service.metadata.name, service.status
                    if found := status.load_balancer.ingress:
                        self.ingress[name] = [entry.ip for entry in found]
                        self.board.note(("address", name))
                    if any(one.type == PENDING for one in status.conditions or ()):
                        self.board.note(("told", name))


def service(name: str, family: str = "IPv4") -> dict[str, Any]:
    """Build a Service of type LoadBalancer without endpoints."""
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "ipFamilies": [family]}
    return {"metadata": {"name": name}, "spec": spec}


async def create(probe: Probe, count: int) -> Samples:
    """One Service after another: created, addressed, on a NIC, deleted, withdrawn."""
    samples: Samples = {"create_to_address_ms": [], "create_to_vip_ms": []}
    samples["delete_to_withdrawn_ms"] = []
    for number in range(count):
        name = f"one-{number}"
        begun = time.perf_counter()
        await probe.kube.post(SERVICES, service(name))
        addressed = await probe.board.when(("address", name))
        address = probe.ingress[name][0]
        placed = await probe.board.when(("on", address))
        samples["create_to_address_ms"].append((addressed - begun) * 1000)
        samples["create_to_vip_ms"].append((placed - begun) * 1000)
        await asyncio.sleep(0.05)  # let the others finish with this one
        probe.board.forget(("off", address))
        begun = time.perf_counter()
        await probe.kube.delete(f"{SERVICES}/{name}")
        gone = await probe.board.when(("off", address))
        samples["delete_to_withdrawn_ms"].append((gone - begun) * 1000)
        probe.board.forget(("on", address))
        await asyncio.sleep(0.05)
    return samples


async def side_by_side(work: Sequence[Callable[[], Awaitable[object]]]) -> None:
    """Run calls, a bounded number of them at a time."""
    room = asyncio.Semaphore(IN_FLIGHT)

    async def one(call: Callable[[], Awaitable[object]]) -> None:
        async with room:
            await call()

    async with asyncio.TaskGroup() as tasks:
        for call in work:
            tasks.create_task(one(call))


async def burst(probe: Probe, count: int) -> Samples:
    """Many Services at once, until the last has its address."""
    names = [f"burst-{number}" for number in range(probe.first, probe.first + count)]
    begun = time.perf_counter()
    await side_by_side([partial(probe.kube.post, SERVICES, service(name, MANY)) for name in names])
    ended = max([await probe.board.when(("address", name)) for name in names])
    return {
        "burst_services_per_s": [count / (ended - begun)],
    }


async def pending(probe: Probe, count: int) -> Samples:
    """Many Services that wait for their ServiceGroup, from its creation until the last address."""
    group = json.loads(await probe.kube.get(GROUP))
    await probe.kube.delete(GROUP)
    names = [f"pending-{number}" for number in range(count)]
    await side_by_side([partial(probe.kube.post, SERVICES, service(name, MANY)) for name in names])
    for name in names:
        await probe.board.when(("told", name))
    await asyncio.sleep(SETTLE)
    body = {key: group[key] for key in ("apiVersion", "kind", "spec")}
    body["metadata"] = {key: group["metadata"][key] for key in ("name", "namespace")}
    begun = time.perf_counter()
    await probe.kube.post(GROUP.rpartition("/")[0], body)
    ended = max([await probe.board.when(("address", name)) for name in names])
    return {"burst_pending_services_per_s": [count / (ended - begun)]}


async def patch(probe: Probe, count: int) -> Samples:
    """Bare status PATCHes of as many Services, as fast as the API server takes them."""
    versions = await _foreign(probe, "patch", count)
    await asyncio.sleep(SETTLE)
    begun = time.perf_counter()
    await side_by_side(
        [
            partial(probe.kube.patch, f"{SERVICES}/{name}/status", allocation(number, version))
            for number, (name, version) in enumerate(versions.items())
        ]
    )
    return {"raw_patch_per_s": [count / (time.perf_counter() - begun)]}


async def pair(probe: Probe, count: int) -> Samples:
    """POST and status PATCH of each of as many Services: the least that a new one costs."""
    begun = time.perf_counter()
    versions = await _foreign(probe, "pair", count, is_given=True)
    return {"raw_pair_per_s": [len(versions) / (time.perf_counter() - begun)]}


async def _foreign(
    probe: Probe, word: str, count: int, *, is_given: bool = False
) -> dict[str, str]:
    """Create Services of a class that the daemons see and pass by; return their versions.

    `is_given` gives each an address as soon as it is there.
    """
    versions: dict[str, str] = {}

    async def one(number: int) -> None:
        body = service(f"{word}-{number}", MANY)
        body["spec"]["loadBalancerClass"] = "example.com/none"
        made = decode_object(await probe.kube.post(SERVICES, body)).metadata
        versions[made.name] = made.resource_version
        if is_given:
            path = f"{SERVICES}/{made.name}/status"
            await probe.kube.patch(path, allocation(number, made.resource_version))

    await side_by_side([partial(one, number) for number in range(count)])
    return versions


def allocation(number: int, version: str) -> dict[str, Any]:
    """Build a body as large as the allocator's own, with an address that no other Service has."""
    words = {"given-by": "Nobody", "given-from": "default", "pool-kind": "local"}
    ingress = [{"ip": str(FIRST + number), "ipMode": "VIP"}]
    return {
        "metadata": {
            "resourceVersion": version,
            "annotations": {f"example.com/{key}": value for key, value in words.items()},
        },
        "status": {"loadBalancer": {"ingress": ingress}},
    }


async def drift(probe: Probe, count: int) -> Samples:
    """Remove an address from its node again and again, and wait until it is back."""
    names = [f"drift-{number}" for number in range(10)]
    for name in names:
        await probe.kube.post(SERVICES, service(name))
        await probe.board.when(("address", name))
    samples = []
    for number in range(count):
        address = probe.ingress[names[number % len(names)]][0]
        await probe.board.when(("on", address))
        await asyncio.sleep(0.15)
        node, entry = next(v for k, v in probe.places.items() if str(k) == address)
        probe.board.forget(("on", address))
        begun = time.perf_counter()
        dead = DeadAddress(index=entry.index, address=entry.address, prefix=entry.prefix)
        await probe.kernels[node].apply([dead])
        samples.append((await probe.board.when(("on", address)) - begun) * 1000)
    return {"drift_repair_ms": samples}


async def measured(probe: Probe) -> set[str]:
    """Return the names of the Services that measurements have made."""
    page = decode_page(await probe.kube.get(SERVICES, {"limit": "20000"}))
    names = {decode_object(bytes(item)).metadata.name for item in page.items}
    return {name for name in names if name.partition("-")[0] in MEASURED}


async def remove(probe: Probe, names: Collection[str]) -> None:
    """Delete Services, as long as they are there."""

    async def one(name: str) -> None:
        try:
            await probe.kube.delete(f"{SERVICES}/{name}")
        except NotFoundError:
            return

    await side_by_side([partial(one, name) for name in names])


MEASUREMENTS = {
    "create": create,
    "burst": burst,
    "pending": pending,
    "patch": patch,
    "pair": pair,
    "drift": drift,
}


async def main() -> None:
    """Measure one thing and print its samples."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=MEASUREMENTS)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--nodes", required=True)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    access = find_access(os.environ["KUBECONFIG"], os.environ)
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        kube = await stack.enter_async_context(Kube(access, "probe", connections=100))
        probe = Probe(kube, given.nodes.split(","))
        running: list[asyncio.Task[Any]] = []
        for node in probe.nodes:
            events = await probe.watch_node(node, stack)
            running.append(tasks.create_task(events.run()))
        ready = asyncio.Event()
        running.append(tasks.create_task(probe.watch_services(ready)))
        await ready.wait()
        before, probe.first = await measured(probe), given.first
        samples = await MEASUREMENTS[given.what](probe, given.count)
        if not given.keep:
            await remove(probe, await measured(probe) - before)
        print(json.dumps(samples))
        for task in running:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main())
