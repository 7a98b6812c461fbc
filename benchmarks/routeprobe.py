"""Runs on machines of a playground and prints what happens there, with the time of this host.

python -m benchmarks.routeprobe watch            routes that BGP puts into this kernel
python -m benchmarks.routeprobe single COUNT     addresses added and removed one by one
python -m benchmarks.routeprobe burst COUNT      addresses added at once, later removed at once
"""

import asyncio
import json
import random
import sys
import time
from ipaddress import IPv4Address

from purelb.api.links import FOREVER, IFA_F_NODAD, NewAddress
from purelb.runtime.netlink import listing, wire
from purelb.runtime.netlink.addresses import AddressSocket
from purelb.runtime.netlink.fib import parse_route
from purelb.runtime.netlink.sockets import RECEIVE_BYTES, open_socket
from purelb.runtime.netlink.wire import DeadAddress

LINK = "kube-lb0"
PROTOCOL = 186  # RTPROT_BGP
ROUTE_GROUPS = (7, 11)  # IPV4_ROUTE, IPV6_ROUTE
FIRST = int(IPv4Address("10.0.0.1"))
HOLD_SECONDS = 3.0  # between a burst and its end


async def watch() -> None:
    """Print each route of BGP that comes or goes."""
    channel = open_socket(receive_buffer=8 << 20, groups=ROUTE_GROUPS)
    loop = asyncio.get_running_loop()
    say("watching", "")
    while True:
        data = await loop.sock_recv(channel, RECEIVE_BYTES)
        now = time.time()
        for message in wire.messages(data):
            if message.kind not in (wire.RTM_NEWROUTE, wire.RTM_DELROUTE):
                continue
            route = parse_route(message.body)
            if route is not None and route.protocol == PROTOCOL:
                what = "there" if message.kind == wire.RTM_NEWROUTE else "gone"
                say(what, str(route.prefix.network_address), now)


async def single(count: int) -> None:
    """Add and remove an address again and again, with pauses of chance."""
    index = await _index()
    async with AddressSocket() as socket:
        for number in range(count):
            address = IPv4Address(FIRST + number)
            say("add", str(address))
            await socket.apply([_new(index, address)])
            await asyncio.sleep(random.uniform(0.3, 0.6))
            say("remove", str(address))
            await socket.apply([DeadAddress(index=index, address=address, prefix=32)])
            await asyncio.sleep(random.uniform(0.1, 0.3))


async def burst(count: int) -> None:
    """Add many addresses at once, and remove them after a while."""
    index = await _index()
    addresses = [IPv4Address(FIRST + number) for number in range(count)]
    async with AddressSocket() as socket:
        say("add", "all")
        await socket.apply([_new(index, address) for address in addresses])
        say("added", "all")
        await asyncio.sleep(HOLD_SECONDS)
        say("remove", "all")
        await socket.apply([DeadAddress(index=index, address=a, prefix=32) for a in addresses])
        say("removed", "all")


def say(what: str, address: str, at: float | None = None) -> None:
    """Print one fact."""
    print(json.dumps([time.time() if at is None else at, what, address]), flush=True)


def _new(index: int, address: IPv4Address) -> NewAddress:
    return NewAddress(
        index=index,
        address=address,
        prefix=32,
        flags=IFA_F_NODAD,
        valid_seconds=FOREVER,
        preferred_seconds=FOREVER,
    )


async def _index() -> int:
    return next(link.index for link in await listing.links() if link.name == LINK)


def main() -> None:
    """Do what is asked."""
    what, *count = sys.argv[1:]
    works = {"single": single, "burst": burst}
    asyncio.run(watch() if what == "watch" else works[what](int(count[0])))


if __name__ == "__main__":
    main()
