"""The floor: two trivial clients that do what an allocation needs and decide nothing.

    python -m benchmarks.floor allocator     watch Services, give each new one the next address
    python -m benchmarks.floor agent         watch Services, put each address they show on eth0

Faster than POST → watch → PATCH → watch → netlink nobody can be on the same API server.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from ipaddress import IPv4Address

from purelb.api.links import FOREVER, IFA_F_NOPREFIXROUTE, NewAddress
from purelb.api.resources import Service, decode_object, decode_service, decode_watch_line
from purelb.runtime.credentials import find_access
from purelb.runtime.kube import Kube
from purelb.runtime.netlink import listing
from purelb.runtime.netlink.addresses import AddressSocket
from purelb.runtime.netlink.wire import DeadAddress

FIRST = IPv4Address("192.0.2.100")  # outside the range that the daemons give out
SERVICES = "/api/v1/services"


async def changes(kube: Kube) -> AsyncIterator[tuple[str, Service]]:
    """Yield what happens to Services from now on."""
    version = decode_object(await kube.get(SERVICES)).metadata.resource_version
    print("watching", flush=True)
    async with kube.stream(SERVICES, {"watch": "true", "resourceVersion": version}) as chunks:
        rest = b""
        async for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                event = decode_watch_line(line)
                yield event.type, decode_service(bytes(event.object))


async def allocate(kube: Kube) -> None:
    """Give each new Service the next of a hundred addresses."""
    count = 0
    async for type_, service in changes(kube):
        if type_ != "ADDED":
            continue
        address, count = FIRST + count % 100, count + 1
        meta = service.metadata
        path = f"/api/v1/namespaces/{meta.namespace}/services/{meta.name}/status"
        await kube.patch(path, {"status": {"loadBalancer": {"ingress": [{"ip": str(address)}]}}})


async def announce(kube: Kube) -> None:
    """Put each address on eth0, and take it away with its Service."""
    index = next(link.index for link in await listing.links() if link.name == "eth0")
    async with AddressSocket() as kernel:
        async for type_, service in changes(kube):
            for ingress in service.status.load_balancer.ingress or ():
                address = IPv4Address(ingress.ip)
                if type_ == "DELETED":
                    await kernel.apply([DeadAddress(index=index, address=address, prefix=32)])
                    continue
                new = NewAddress(
                    index=index,
                    address=address,
                    prefix=32,
                    flags=IFA_F_NOPREFIXROUTE,
                    valid_seconds=FOREVER,
                    preferred_seconds=FOREVER,
                )
                await kernel.apply([new])


async def main(role: str) -> None:
    """Play one of the two parts until killed."""
    async with Kube(find_access(os.environ["KUBECONFIG"], os.environ), f"floor-{role}") as kube:
        await (allocate(kube) if role == "allocator" else announce(kube))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
