"""Rtnetlink messages as bytes. Pure: no socket, no loop.

Belongs here: building and parsing what the address and event sockets exchange with the kernel.
Does not: sequence numbers, errors, retries (`sockets`). Layouts and numbers: linux/netlink.h,
linux/rtnetlink.h, linux/if_addr.h and linux/if_link.h; all integers are in host byte order.
"""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from purelb.api.addresses import IPAddress
from purelb.api.identifiers import LinkName
from purelb.api.links import (
    FOREVER,
    OUR_MARK,
    Link,
    LinkAddress,
    NewAddress,
    RouteAnswer,
    RouteQuery,
)

# Message types.
NLMSG_ERROR, NLMSG_DONE, NLMSG_OVERRUN = 2, 3, 4
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNETCONF = 80

# Flags of a message.
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR = 0x01, 0x04, 0x10
NLM_F_DUMP = 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400

# Attributes.
IFA_ADDRESS, IFA_LOCAL, IFA_CACHEINFO, IFA_FLAGS, IFA_PROTO = 1, 2, 6, 8, 11
IFLA_ADDRESS, IFLA_IFNAME, IFLA_LINKINFO, IFLA_IFALIAS, IFLA_AF_SPEC = 1, 3, 18, 20, 26
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INET_CONF, IFLA_VRF_TABLE = 1, 2, 1, 1
VRF = "vrf"  # IFLA_INFO_KIND of a VRF
DEVCONF_PROMOTE_SECONDARIES = 20  # IPV4_DEVCONF_PROMOTE_SECONDARIES, linux/ip.h
RTA_DST, RTA_SRC, RTA_OIF, RTA_GATEWAY, RTA_PREFSRC, RTA_TABLE, RTA_VIA = 1, 2, 4, 5, 7, 15, 18
RTM_F_LOOKUP_TABLE = 0x1000  # say which table an answer is from, instead of the main one
ATTRIBUTE_TYPE = 0x3FFF  # the upper two bits of a type are flags

IPV4_BYTES = 4
KNOWN = 32768  # addresses remembered between two listings
MAIN_TABLE = 254  # RT_TABLE_MAIN

ARPHRD_ETHER = 1  # linux/if_arp.h; hardware addresses of other types are no MACs
IFF_UP, IFF_LOOPBACK, IFF_RUNNING, IFF_LOWER_UP = 0x1, 0x8, 0x40, 0x10000  # linux/if.h
_CARRIER = IFF_LOWER_UP | IFF_RUNNING  # a cable, and RFC 2863's state is up or unknown

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # rtattr: length, type
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix, flags, scope, link index
_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, mask of flags
# rtmsg: family, lengths of destination and source, TOS, table, protocol, scope, type, flags
ROUTE = struct.Struct("=BBBBBBBBI")
_CACHEINFO = struct.Struct("=IIII")  # ifa_cacheinfo: preferred, valid, created, updated
# What asks for an address: ifaddrmsg, local address and address, flags, lifetimes, mark.
_NEW_IPV4 = struct.Struct("=BBBBIHH4sHH4sHHIHHII8xHHB3x")
_NEW_IPV6 = struct.Struct("=BBBBIHH16sHH16sHHIHHII8xHHB3x")
_U32 = struct.Struct("=I")
_S32 = struct.Struct("=i")


class Message(NamedTuple):
    """One received message; `body` is what follows the header.

    `port` is that of the socket which asked for what an event tells; 0 if the kernel does not say.
    """

    kind: int
    flags: int
    sequence: int
    body: bytes
    port: int = 0


class Request(NamedTuple):
    """A message to send; its sender adds the sequence number."""

    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadAddress:
    """An address to take off a link; only the entry with exactly this prefix length goes."""

    index: int
    address: IPAddress
    prefix: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """An address to put on a link, or to give new lifetimes and our mark if it is there."""

    to: NewAddress


def encode(request: Request, sequence: int) -> bytes:
    """Return the bytes of a request; all bodies built here have a length divisible by four."""
    length = _HEADER.size + len(request.body)
    return _HEADER.pack(length, request.kind, request.flags, sequence, 0) + request.body


def messages(data: bytes) -> Iterator[Message]:
    """Split what one receive returned; a cut-off rest is dropped."""
    at, size, head, unpack = 0, len(data), _HEADER.size, _HEADER.unpack_from
    while at + head <= size:
        length, kind, flags, sequence, port = unpack(data, at)
        if not head <= length <= size - at:
            return
        yield Message(kind, flags, sequence, data[at + head : at + length], port)
        at += (length + 3) & ~3


def error_number(body: bytes) -> int:
    """Return the errno in a NLMSG_ERROR or NLMSG_DONE; 0 is an acknowledgment."""
    return -_S32.unpack_from(body)[0] if len(body) >= _S32.size else 0


def dump_addresses() -> Request:
    """Ask for the addresses of all links, both families."""
    return Request(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, _ADDRESS.pack(0, 0, 0, 0, 0))


def new_address(new: NewAddress, how: int = NLM_F_CREATE | NLM_F_EXCL) -> Request:
    """Ask for an address with our mark.

    `how`: create-exclusive, answered with EEXIST where it is there, or `NLM_F_CREATE |
    NLM_F_REPLACE`. A replacement without the mark would clear it, so it is always sent.
    """
    packed = new.address.packed
    is_v4 = len(packed) == IPV4_BYTES
    layout, length = (_NEW_IPV4, 8) if is_v4 else (_NEW_IPV6, 20)
    family = socket.AF_INET if is_v4 else socket.AF_INET6
    head = (family, new.prefix, 0, 0, new.index)
    places = (length, IFA_LOCAL, packed, length, IFA_ADDRESS, packed)
    lifetimes = (20, IFA_CACHEINFO, new.preferred_seconds, new.valid_seconds)
    body = layout.pack(*head, *places, 8, IFA_FLAGS, new.flags, *lifetimes, 5, IFA_PROTO, OUR_MARK)
    return Request(RTM_NEWADDR, NLM_F_REQUEST | how, body)


def dead_address(dead: DeadAddress) -> Request:
    """Ask to remove one address; EADDRNOTAVAIL where it is not there."""
    return Request(RTM_DELADDR, NLM_F_REQUEST, _address_head(dead.index, dead.address, dead.prefix))


def dump_links() -> Request:
    """Ask for all links."""
    return Request(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, _LINK.pack(0, 0, 0, 0, 0))


def promote_secondaries(index: int) -> Request:
    """Ask that removing a link's first IPv4 address of a network leaves the others in place.

    The same as the sysctl `net.ipv4.conf.LINK.promote_secondaries`, but it needs no writable /proc.
    """
    value = encode_attribute(DEVCONF_PROMOTE_SECONDARIES, _U32.pack(1))
    inet = encode_attribute(socket.AF_INET, encode_attribute(IFLA_INET_CONF, value))
    body = _LINK.pack(0, 0, index, 0, 0) + encode_attribute(IFLA_AF_SPEC, inet)
    return Request(RTM_SETLINK, NLM_F_REQUEST, body)


def route_query(query: RouteQuery) -> Request:
    """Ask which way a packet would go, as `ip route get` does; answered by one message."""
    family = family_number(query.to)
    attributes, source_length = encode_attribute(RTA_DST, query.to.packed), 0
    if query.source is not None:
        attributes += encode_attribute(RTA_SRC, query.source.packed)
        source_length = query.source.max_prefixlen
    flags = 0
    if query.link:
        attributes += encode_attribute(RTA_OIF, _U32.pack(query.link))
        flags = RTM_F_LOOKUP_TABLE
    head = ROUTE.pack(family, query.to.max_prefixlen, source_length, 0, 0, 0, 0, 0, flags)
    return Request(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_ACK, head + attributes)


def parse_route_answer(body: bytes, query: RouteQuery) -> RouteAnswer:
    """Read the answer to the `route_query` of a question."""
    attributes = read_attributes(body, ROUTE.size)
    via = attributes.get(RTA_VIA)
    gateway = via[2:] if via is not None else attributes.get(RTA_GATEWAY)  # after its family
    return RouteAnswer(
        index=_U32.unpack(attributes.get(RTA_OIF, bytes(4)))[0],
        source=read_address(attributes.get(RTA_PREFSRC)),
        gateway=read_address(gateway),
        table=_U32.unpack(attributes.get(RTA_TABLE, bytes(4)))[0] if query.link else 0,
    )


def parse_address(body: bytes) -> LinkAddress | None:
    """Read a RTM_NEWADDR or RTM_DELADDR; None for other families than IPv4 and IPv6."""
    family, prefix, flags, _, index = _ADDRESS.unpack_from(body)
    attributes = read_attributes(body, _ADDRESS.size)
    # On point-to-point links IFA_ADDRESS is the peer; IPv6 has IFA_LOCAL on those only.
    packed = attributes.get(IFA_LOCAL) or attributes.get(IFA_ADDRESS)
    if packed is None or family not in (socket.AF_INET, socket.AF_INET6):
        return None
    preferred = valid = FOREVER
    if (times := attributes.get(IFA_CACHEINFO)) is not None:
        preferred, valid, _, _ = _CACHEINFO.unpack_from(times)
    if (wide := attributes.get(IFA_FLAGS)) is not None:
        flags = _U32.unpack(wide)[0]
    return LinkAddress(
        index=index,
        address=_known_address(packed),
        prefix=prefix,
        flags=flags,
        valid_seconds=valid,
        preferred_seconds=preferred,
        mark=attributes.get(IFA_PROTO, b"\0")[0],
    )


def parse_link(body: bytes) -> tuple[int, int, LinkName]:
    """Read (family, index, name) of a RTM_NEWLINK or RTM_DELLINK.

    The family is AF_UNSPEC in what concerns the link itself, AF_BRIDGE when it joins or leaves a
    bridge: such a RTM_DELLINK leaves the link alone.
    """
    family, _, index, _, _ = _LINK.unpack_from(body)
    return family, index, LinkName(_text(read_attributes(body, _LINK.size).get(IFLA_IFNAME)))


def link_works(body: bytes) -> bool:
    """Tell from a RTM_NEWLINK whether the link is up and has carrier."""
    _, _, _, flags, _ = _LINK.unpack_from(body)
    return bool(flags & IFF_UP) and flags & _CARRIER == _CARRIER


def parse_link_state(body: bytes) -> Link:
    """Read the whole of a RTM_NEWLINK."""
    _, hardware, index, flags, _ = _LINK.unpack_from(body)
    attributes = read_attributes(body, _LINK.size)
    information = read_attributes(attributes.get(IFLA_LINKINFO, b""), 0)
    kind = _text(information.get(IFLA_INFO_KIND))
    details = read_attributes(information.get(IFLA_INFO_DATA, b""), 0) if kind == VRF else {}
    return Link(
        index=index,
        name=LinkName(_text(attributes.get(IFLA_IFNAME))),
        mac=attributes.get(IFLA_ADDRESS, b"") if hardware == ARPHRD_ETHER else b"",
        is_up=bool(flags & IFF_UP),
        has_carrier=flags & _CARRIER == _CARRIER,
        is_loopback=bool(flags & IFF_LOOPBACK),
        kind=kind,
        alias=_text(attributes.get(IFLA_IFALIAS)),
        table=_U32.unpack(details.get(IFLA_VRF_TABLE, bytes(4)))[0],
    )


def route_table(body: bytes) -> int:
    """Return the table of a RTM_NEWROUTE or RTM_DELROUTE; exact up to 255, as the header has it."""
    return body[4]


def family_number(address: IPAddress) -> int:
    """Return AF_INET or AF_INET6."""
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


@lru_cache(maxsize=KNOWN)
def _known_address(packed: bytes) -> IPAddress:
    """Return an address, mostly the object of the last listing: a quarter of what it costs anew."""
    return IPv4Address(packed) if len(packed) == IPV4_BYTES else IPv6Address(packed)


def read_address(packed: bytes | None) -> IPAddress | None:
    """Return an address from its bytes; None stays None."""
    if packed is None:
        return None
    return IPv4Address(packed) if len(packed) == IPV4_BYTES else IPv6Address(packed)


def _address_head(index: int, address: IPAddress, prefix: int) -> bytes:
    family = family_number(address)
    # A deletion without IFA_ADDRESS would ignore the prefix length.
    return (
        _ADDRESS.pack(family, prefix, 0, 0, index)
        + encode_attribute(IFA_LOCAL, address.packed)
        + encode_attribute(IFA_ADDRESS, address.packed)
    )


def _text(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0").decode(errors="replace")


def encode_attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def read_attributes(body: bytes, at: int) -> dict[int, bytes]:
    """Return the attributes that begin at an offset, the last of each kind."""
    found: dict[int, bytes] = {}
    size, unpack = len(body), _ATTRIBUTE.unpack_from
    while at + 4 <= size:
        length, kind = unpack(body, at)
        if not 4 <= length <= size - at:
            break
        found[kind & ATTRIBUTE_TYPE] = body[at + 4 : at + length]
        at += (length + 3) & ~3
    return found
