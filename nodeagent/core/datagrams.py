"""Heartbeats as Ethernet frames: IPv4 or IPv6, UDP, to all on the link. Pure.

They are sent and received as frames, so that neither a host's firewall nor the lack of one family
on a node is in the way. IPv4 goes to 224.0.0.254, which is for experiments (RFC 4727, 2.4.2) and
flooded by every switch (RFC 4541, 2.1.2); a node without an own IPv4 address sends IPv6 to all
nodes (ff02::1), which is flooded as well (RFC 4541, 3). Nothing that a router has passed on counts:
TTL and hop limit are 255 (RFC 5082).

Belongs here: the frames, and the filter that lets the kernel drop all others. Does not: what is in
a datagram (`beats`), sockets.
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from nodeagent.core.packets import ALL_NODES, ALL_NODES_MAC, ETHERTYPE_IPV6, checksum
from purelb.api.addresses import IPAddress

PORT: Final = 7475  # beside those of metrics and health
GROUP: Final = IPv4Address("224.0.0.254")
GROUP_MAC: Final = b"\x01\x00\x5e\x00\x00\xfe"  # 01:00:5e and the low 23 bits (RFC 1112, 6.4)
ETHERTYPE_IPV4: Final = b"\x08\x00"
ETH_IPV4, ETH_IPV6 = 0x0800, 0x86DD
UDP: Final = 17
WHOLE_LIFE: Final = 255
NETWORK_CONTROL: Final = 0xC0  # class selector 6: not dropped with bulk traffic (RFC 4594, 3.2)
DONT_FRAGMENT: Final = 0x4000
GROUP_MACS: Final = {ETH_IPV4: GROUP_MAC, ETH_IPV6: ALL_NODES_MAC}
HEADERS: Final = {ETH_IPV4: 14 + 20 + 8, ETH_IPV6: 14 + 40 + 8}

_LOAD_HALF, _LOAD_BYTE, _JUMP_EQUAL, _RETURN = 0x28, 0x30, 0x15, 0x06  # linux/bpf_common.h


@dataclass(frozen=True, slots=True)
class Received:
    """A datagram, and by which MAC and address its sender can be asked."""

    payload: bytes
    mac: bytes
    source: IPAddress


def frame(payload: bytes, mac: bytes, source: IPAddress) -> bytes:
    """Build the frame of a datagram from an own address of the link, whose MAC this is."""
    if isinstance(source, IPv4Address):
        return GROUP_MAC + mac + ETHERTYPE_IPV4 + _ipv4(payload, source)
    return ALL_NODES_MAC + mac + ETHERTYPE_IPV6 + _ipv6(payload, source)


def read(frame: bytes) -> Received | None:
    """Read a frame that passed the filter; None if it is malformed or for others."""
    ethertype = int.from_bytes(frame[12:14])
    head = HEADERS.get(ethertype)
    if head is None or len(frame) < head:
        return None
    size = int.from_bytes(frame[head - 4 : head - 2]) - 8  # switches pad short frames
    payload = frame[head : head + size]
    if size < 0 or len(payload) != size or int.from_bytes(frame[head - 6 : head - 4]) != PORT:
        return None
    if ethertype == ETH_IPV4:
        is_direct = (frame[14], frame[22], frame[23]) == (0x45, WHOLE_LIFE, UDP)
        source: IPAddress = IPv4Address(frame[26:30])
    else:
        is_direct = (frame[20], frame[21]) == (UDP, WHOLE_LIFE)
        source = IPv6Address(frame[22:38])
    return Received(payload, frame[6:12], source) if is_direct else None


def filter_for(ethertype: int) -> bytes:
    """Return the BPF program for a socket of this Ethernet type: `struct sock_filter` each."""
    ttl, protocol = (22, 23) if ethertype == ETH_IPV4 else (21, 20)
    tests = [
        (_LOAD_BYTE, protocol, UDP),
        (_LOAD_BYTE, ttl, WHOLE_LIFE),
        (_LOAD_HALF, HEADERS[ethertype] - 6, PORT),
    ]
    steps = []
    for load, at, wanted in tests:
        steps += [_step(load, at), _step(_JUMP_EQUAL, wanted, then=1), _step(_RETURN, 0)]
    return b"".join((*steps, _step(_RETURN, 0x40000)))


def _ipv4(payload: bytes, source: IPv4Address) -> bytes:
    size = 20 + 8 + len(payload)
    start = struct.pack("!BBHHHBB", 0x45, NETWORK_CONTROL, size, 0, DONT_FRAGMENT, WHOLE_LIFE, UDP)
    addresses = source.packed + GROUP.packed
    head = start + struct.pack("!H", checksum(start + b"\0\0" + addresses)) + addresses
    pseudo = addresses + struct.pack("!HH", UDP, 8 + len(payload))
    return head + _udp(payload, pseudo)


def _ipv6(payload: bytes, source: IPv6Address) -> bytes:
    flow = 6 << 28 | NETWORK_CONTROL << 20
    head = struct.pack("!IHBB", flow, 8 + len(payload), UDP, WHOLE_LIFE)
    addresses = source.packed + ALL_NODES.packed
    pseudo = addresses + struct.pack("!II", 8 + len(payload), UDP)
    return head + addresses + _udp(payload, pseudo)


def _udp(payload: bytes, pseudo: bytes) -> bytes:
    ports = struct.pack("!HHH", PORT, PORT, 8 + len(payload))
    total = checksum(pseudo + ports + b"\0\0" + payload) or 0xFFFF  # 0: none (RFC 768)
    return ports + struct.pack("!H", total) + payload


def _step(code: int, value: int, *, then: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, 0, value)
