"""Routes of one protocol: list them, put them into the kernel's tables, take them out.

Belongs here: their bytes and what errors mean. Does not: which routes (cores). Called by the shells
of the network programs.
"""

import errno
import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from types import TracebackType
from typing import Self

from purelb.api.addresses import IPAddress
from purelb.api.links import network_of
from purelb.api.routes import Hop, KernelRoute, hop_order
from purelb.runtime.errors import PermanentError, TransientError
from purelb.runtime.netlink import wire
from purelb.runtime.netlink.sockets import RequestSocket

BATCH = 50
ATTEMPTS = 5  # a list is incomplete when others change routes meanwhile
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RT_SCOPE_NOWHERE = 0, 253, 255
RTN_UNICAST = 1
RTA_PRIORITY, RTA_MULTIPATH = 6, 9
# The destination of a default route, which has no RTA_DST.
ANY: Mapping[int, IPAddress] = {socket.AF_INET: IPv4Address(0), socket.AF_INET6: IPv6Address(0)}
_U32 = struct.Struct("=I")
_HOP = struct.Struct("=HBBi")  # rtnexthop: length, flags, weight less one, link


class RouteSocket:
    """Requests about routes of one protocol; use it as an async context manager.

    Only routes whose protocol (`ip route ... proto N`) is the given one are listed or removed.
    """

    def __init__(self) -> None:
        self._requests = RequestSocket()

    async def __aenter__(self) -> Self:
        """Open the socket."""
        self._requests.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the socket."""
        self._requests.close()

    async def dump(self, protocol: int) -> tuple[KernelRoute, ...]:
        """Return every unicast route of a protocol, of all tables. Raises TransientError."""
        try:
            for _ in range(ATTEMPTS):
                found = await self._requests.dump(_dump(), parse_route)
                if found is not None:
                    return tuple(route for route in found if route.protocol == protocol)
        except OSError as error:
            raise TransientError(f"cannot list the routes of this node: {error}") from error
        raise TransientError("cannot list the routes of this node: they change all the time")

    async def install(self, routes: Sequence[KernelRoute]) -> tuple[int, ...]:
        """Add routes or replace those of the same key; return the errno of each, 0 for done."""
        return await self._change([_new(route) for route in routes])

    async def remove(self, routes: Sequence[KernelRoute]) -> tuple[int, ...]:
        """Remove routes; return the errno of each, 0 for done. What is not there is done."""
        answers = await self._change([_dead(route) for route in routes])
        return tuple(0 if number == errno.ESRCH else number for number in answers)

    async def _change(self, requests: Sequence[wire.Request]) -> tuple[int, ...]:
        found: list[int] = []
        try:
            for start in range(0, len(requests), BATCH):
                found += await self._requests.acknowledge(requests[start : start + BATCH])
        except OSError as error:
            raise TransientError(f"no answer to a change of routes: {error}") from error
        if errno.EPERM in found:
            raise PermanentError("changing routes needs the capability CAP_NET_ADMIN")
        return tuple(found)


def _dump() -> wire.Request:
    return wire.Request(
        wire.RTM_GETROUTE,
        wire.NLM_F_REQUEST | wire.NLM_F_DUMP,
        wire.ROUTE.pack(0, 0, 0, 0, 0, 0, 0, 0, 0),
    )


def _new(route: KernelRoute) -> wire.Request:
    if len(route.hops) == 1:
        (hop,) = route.hops
        hops = _gateway(route, hop) + wire.encode_attribute(wire.RTA_OIF, _U32.pack(hop.index))
    else:
        hops = wire.encode_attribute(
            RTA_MULTIPATH, b"".join(_next_hop(route, hop) for hop in route.hops)
        )
    how = wire.NLM_F_REQUEST | wire.NLM_F_CREATE | wire.NLM_F_REPLACE
    has_router = any(hop.gateway is not None for hop in route.hops)
    scope = RT_SCOPE_UNIVERSE if has_router else RT_SCOPE_LINK
    return wire.Request(wire.RTM_NEWROUTE, how, _body(route, scope) + hops)


def _dead(route: KernelRoute) -> wire.Request:
    # With scope nowhere the kernel matches any; with the protocol it matches none but ours.
    return wire.Request(wire.RTM_DELROUTE, wire.NLM_F_REQUEST, _body(route, RT_SCOPE_NOWHERE))


def _body(route: KernelRoute, scope: int) -> bytes:
    prefix = route.prefix
    head = wire.ROUTE.pack(
        wire.family_number(prefix.network_address),
        prefix.prefixlen,
        0,
        0,
        0,  # the table is an attribute, which has room for all 32 bits
        route.protocol,
        scope,
        RTN_UNICAST,
        0,
    )
    return (
        head
        + wire.encode_attribute(wire.RTA_DST, prefix.network_address.packed)
        + wire.encode_attribute(wire.RTA_TABLE, _U32.pack(route.table))
        + wire.encode_attribute(RTA_PRIORITY, _U32.pack(route.metric))
    )


def _gateway(route: KernelRoute, hop: Hop) -> bytes:
    if hop.gateway is None:
        return b""
    if hop.gateway.version == route.prefix.version:
        return wire.encode_attribute(wire.RTA_GATEWAY, hop.gateway.packed)
    family = wire.family_number(hop.gateway)
    return wire.encode_attribute(wire.RTA_VIA, struct.pack("=H", family) + hop.gateway.packed)


def _next_hop(route: KernelRoute, hop: Hop) -> bytes:
    gateway = _gateway(route, hop)
    return _HOP.pack(_HOP.size + len(gateway), 0, 0, hop.index) + gateway


def parse_route(body: bytes) -> KernelRoute | None:
    """Read a RTM_NEWROUTE or RTM_DELROUTE; None for what is no unicast route of an IP family."""
    _, length, _, _, table, protocol, _, kind, _ = wire.ROUTE.unpack_from(body)
    if kind != RTN_UNICAST:
        return None
    attributes = wire.read_attributes(body, wire.ROUTE.size)
    family = body[0]
    if family not in ANY:
        return None
    address = wire.read_address(attributes.get(wire.RTA_DST))
    return KernelRoute(
        prefix=network_of(ANY[family] if address is None else address, length),
        table=_number(attributes.get(wire.RTA_TABLE), table),
        metric=_number(attributes.get(RTA_PRIORITY), 0),
        protocol=protocol,
        hops=tuple(sorted(_hops(attributes), key=hop_order)),
    )


def _hops(attributes: dict[int, bytes]) -> Iterable[Hop]:
    several = attributes.get(RTA_MULTIPATH)
    if several is None:
        yield Hop(_router(attributes), _number(attributes.get(wire.RTA_OIF), 0))
        return
    at = 0
    while at + _HOP.size <= len(several):
        length, _, _, index = _HOP.unpack_from(several, at)
        if length < _HOP.size:
            return
        yield Hop(_router(wire.read_attributes(several[at : at + length], _HOP.size)), index)
        at += (length + 3) & ~3


def _router(attributes: dict[int, bytes]) -> IPAddress | None:
    via = attributes.get(wire.RTA_VIA)
    return wire.read_address(via[2:] if via is not None else attributes.get(wire.RTA_GATEWAY))


def _number(value: bytes | None, default: int) -> int:
    return default if value is None else int(_U32.unpack(value)[0])
