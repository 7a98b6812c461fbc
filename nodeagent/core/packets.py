"""Frames that tell neighbors where an address is, and when to send them. Pure: bytes and times.

Belongs here: gratuitous ARP, unsolicited neighbor advertisement, probes, the schedule of bursts and
refreshes. Does not: sockets (`purelb.runtime.packets`), whether an address is ours (`desired`).
Called by the shell after each pass.
"""

import hashlib
import heapq
import itertools
import math
import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from nodeagent.core.config import Garp
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import Instant

BROADCAST: Final = b"\xff" * 6
NO_MAC: Final = b"\0" * 6
ALL_NODES: Final = IPv6Address("ff02::1")
ALL_NODES_MAC: Final = b"\x33\x33\x00\x00\x00\x01"  # 33:33 and the low 32 bits (RFC 2464, 7)
ETHERTYPE_ARP: Final = b"\x08\x06"
ETHERTYPE_IPV6: Final = b"\x86\xdd"
ICMPV6: Final = 58  # next header
NEIGHBOR_SOLICITATION: Final = 135
NEIGHBOR_ADVERTISEMENT: Final = 136
SOLICITED_NODE: Final = IPv6Address("ff02::1:ff00:0").packed[:13]
OVERRIDE: Final = 0x20000000  # neither Router nor Solicited (RFC 4861, 4.4)


class Arp(IntEnum):
    """ARP operations."""

    REQUEST = 1
    REPLY = 2


def frames(address: IPAddress, mac: bytes, source: IPAddress | None = None) -> tuple[bytes, ...]:
    """Return the frames of one transmission: an ARP request and a reply, or one advertisement.

    Some hosts learn from only one of the two ARP forms. `source` is an IPv6 address of the link,
    normally its link-local one; None sends from the address itself.
    """
    if isinstance(address, IPv4Address):
        return tuple(arp_frame(mac, address, operation) for operation in Arp)
    return (na_frame(mac, address, source if isinstance(source, IPv6Address) else address),)


def arp_frame(mac: bytes, address: IPv4Address, operation: Arp) -> bytes:
    """Build a broadcast frame that says `address` is at `mac`: sender = target (RFC 5227, 3)."""
    return _arp(mac, operation, sender=address, target=address, target_mac=BROADCAST)


def arp_probe(mac: bytes, address: IPv4Address) -> bytes:
    """Build the question whether anybody has the address; it teaches nobody (RFC 5227, 2.1.1)."""
    nobody = IPv4Address(0)
    return _arp(mac, Arp.REQUEST, sender=nobody, target=address, target_mac=NO_MAC)


def arp_request(mac: bytes, source: IPv4Address, address: IPv4Address) -> bytes:
    """Build the question who has the address, from an address of ours (RFC 826)."""
    return _arp(mac, Arp.REQUEST, sender=source, target=address, target_mac=NO_MAC)


def dad_frame(mac: bytes, address: IPv6Address) -> bytes:
    """Build the question whether anybody has the address, from nobody (RFC 4862, 5.4.2).

    Its owner answers all nodes, and learns nothing about us.
    """
    low = address.packed[-3:]
    group = SOLICITED_NODE + low  # solicited-node multicast (RFC 4291, 2.7.1)
    body = struct.pack("!BBHI", NEIGHBOR_SOLICITATION, 0, 0, 0) + address.packed
    packet = _icmpv6(IPv6Address(0), IPv6Address(group), body)
    return b"\x33\x33\xff" + low + mac + ETHERTYPE_IPV6 + packet


def solicitation(mac: bytes, source: IPv6Address, address: IPv6Address) -> bytes:
    """Build the question who has the address, from an address of ours (RFC 4861, 4.3).

    It disturbs no host that looks for duplicates of the address just now: that would take a
    question from nobody for another one that wants it (RFC 4862, 5.4.3).
    """
    low = address.packed[-3:]
    body = struct.pack("!BBHI", NEIGHBOR_SOLICITATION, 0, 0, 0) + address.packed
    option = b"\x01\x01" + mac  # source link-layer address, one unit of 8 bytes
    packet = _icmpv6(source, IPv6Address(SOLICITED_NODE + low), body + option)
    return b"\x33\x33\xff" + low + mac + ETHERTYPE_IPV6 + packet


def probe_frame(mac: bytes, address: IPAddress) -> bytes:
    """Build the question of either family, from nobody, whether anybody has the address."""
    if isinstance(address, IPv4Address):
        return arp_probe(mac, address)
    return dad_frame(mac, address)


def question_frame(mac: bytes, address: IPAddress, source: IPv6Address | None) -> bytes:
    """Build the question of either family who answers for the address.

    `source` is the link's own IPv6 address; without it nobody asks.
    """
    if isinstance(address, IPv6Address) and source is not None:
        return solicitation(mac, source, address)
    return probe_frame(mac, address)


def request_frame(mac: bytes, source: IPAddress, address: IPAddress) -> bytes:
    """Build the question that any client asks, from an own address of the same family.

    Nobody can take it for a wish to have the address.
    """
    if isinstance(address, IPv4Address) and isinstance(source, IPv4Address):
        return arp_request(mac, source, address)
    if isinstance(address, IPv6Address) and isinstance(source, IPv6Address):
        return solicitation(mac, source, address)
    raise ValueError(f"{source} cannot ask for {address}")


def na_frame(mac: bytes, address: IPv6Address, source: IPv6Address) -> bytes:
    """Build an unsolicited advertisement to all nodes, hop limit 255 (RFC 4861, 4.4 and 7.2.6)."""
    option = b"\x02\x01" + mac  # target link-layer address, one unit of 8 bytes
    message = struct.pack("!BBHI", NEIGHBOR_ADVERTISEMENT, 0, 0, OVERRIDE) + address.packed + option
    return ALL_NODES_MAC + mac + ETHERTYPE_IPV6 + _icmpv6(source, ALL_NODES, message)


def _icmpv6(source: IPv6Address, target: IPv6Address, message: bytes) -> bytes:
    """Return the packet around a message whose checksum is still 0, with hop limit 255."""
    pseudo = source.packed + target.packed + struct.pack("!II", len(message), ICMPV6)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    header = struct.pack("!IHBB", 6 << 28, len(message), ICMPV6, 255)
    return header + source.packed + target.packed + message


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def _arp(
    mac: bytes, operation: Arp, *, sender: IPv4Address, target: IPv4Address, target_mac: bytes
) -> bytes:
    header = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)  # Ethernet, IPv4, their lengths
    body = header + mac + sender.packed + target_mac + target.packed
    return BROADCAST + mac + ETHERTYPE_ARP + body


@dataclass(frozen=True, slots=True)
class _Turn:
    at: Instant
    left: int  # rounds of the burst after this one
    garp: Garp


class Schedule:
    """When each announced address is due: a burst first, then a refresh now and then.

    Refreshes are spread over their period by the address alone, so that thousands of addresses
    never fall due together, whenever they were added. Every operation is O(log n).
    """

    def __init__(self) -> None:
        self._turns: dict[IPAddress, _Turn] = {}
        # Entries that disagree with `_turns` are stale and skipped.
        self._heap: list[tuple[Instant, int, IPAddress]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        """Return how many addresses are announced."""
        return len(self._turns)

    def start(self, address: IPAddress, now: Instant, garp: Garp) -> None:
        """Begin a burst; one under way begins anew."""
        self._set(address, _Turn(now + garp.initial_delay, garp.count - 1, garp))

    def stop(self, address: IPAddress) -> None:
        """End the announcements of an address; harmless if there are none."""
        self._turns.pop(address, None)

    def hasten(self, address: IPAddress, now: Instant) -> None:
        """Have the next transmission now; harmless for what is not announced."""
        if (turn := self._turns.get(address)) is not None:
            self._set(address, _Turn(now, turn.left, turn.garp))

    def clear(self) -> None:
        """End all announcements."""
        self._turns.clear()
        self._heap.clear()

    def take(self, now: Instant, limit: int | None = None) -> tuple[IPAddress, ...]:
        """Return what is due, longest overdue first, and put down each one's next turn.

        What is beyond the limit stays due.
        """
        due: list[IPAddress] = []
        while (at := self.next_due()) is not None and at <= now and len(due) != limit:
            address = heapq.heappop(self._heap)[2]
            due.append(address)
            self._advance(address, now)
        return tuple(due)

    def next_due(self) -> Instant | None:
        """Return when `take` will next have something, or None if never."""
        while self._heap:
            at, _, address = self._heap[0]
            turn = self._turns.get(address)
            if turn is not None and turn.at == at:
                return at
            heapq.heappop(self._heap)
        return None

    def _advance(self, address: IPAddress, now: Instant) -> None:
        turn = self._turns[address]
        if turn.left > 0:
            self._set(address, _Turn(now + turn.garp.interval, turn.left - 1, turn.garp))
        elif turn.garp.refresh_every > 0:
            at = next_refresh(address, now, turn.garp.refresh_every)
            self._set(address, _Turn(at, 0, turn.garp))
        else:
            del self._turns[address]

    def _set(self, address: IPAddress, turn: _Turn) -> None:
        self._turns[address] = turn
        heapq.heappush(self._heap, (turn.at, next(self._order), address))


def next_refresh(address: IPAddress, now: Instant, period: float) -> Instant:
    """Return the first instant after `now` that is the address's own within the period."""
    share = int.from_bytes(hashlib.sha256(address.packed).digest()[:4]) / 2**32
    turns = math.floor(now / period - share) + 1
    at = (turns + share) * period
    return at if at > now else at + period  # rounding
