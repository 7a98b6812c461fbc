"""What other hosts say about IPv4 and IPv6 addresses, read from frames. Pure: bytes in, facts out.

Belongs here: the frames that claim an address, and the filter that lets the kernel drop all others.
Does not: what follows from a claim (`conflicts`), the frames we send (`packets`), sockets.
"""

import struct
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from purelb.api.addresses import Family, IPAddress

ETH_ARP: Final = 0x0806
ETH_IPV6: Final = 0x86DD
ETHERTYPES: Final = {Family.IPV4: ETH_ARP, Family.IPV6: ETH_IPV6}
ARP_HEAD: Final = struct.pack("!HHBB", 1, 0x0800, 6, 4)  # Ethernet, IPv4, their lengths
NOBODY: Final = IPv4Address(0)
ICMPV6: Final = 58
HOP_LIMIT: Final = 255  # no router has passed it on (RFC 4861, 7.1)
SOLICITATION, ADVERTISEMENT = 135, 136
TARGET_MAC: Final = b"\x02\x01"  # option: target link-layer address, 8 bytes
BLOCK_BITS: Final = 4  # addresses are filtered in blocks of 16: pools are contiguous
MOST_BLOCKS: Final = 2000  # the kernel takes 4096 instructions (linux/bpf_common.h, BPF_MAXINSNS)

# Instructions of classic BPF (linux/bpf_common.h): load, shift, compare, return.
_LOAD_WORD, _LOAD_BYTE, _SHIFT_RIGHT, _JUMP_EQUAL, _RETURN = 0x20, 0x30, 0x74, 0x15, 0x06
_WHOLE = 0x40000


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody at `mac` says that it has the address.

    `is_probe`: it asks whether anybody has it, to take it otherwise.
    """

    address: IPAddress
    mac: bytes
    is_probe: bool = False


def read_claim(frame: bytes) -> Claim | None:
    """Read an Ethernet frame; None if it claims nothing or is malformed.

    ARP of either operation is about its sender's address, a probe about the target (RFC 5227,
    2.1.1). A neighbor advertisement is about its target, and so is a host's solicitation to detect
    duplicates (RFC 4862, 5.4.3).
    """
    ethertype = int.from_bytes(frame[12:14])
    if ethertype == ETH_ARP:
        return _read_arp(frame)
    return _read_neighbor(frame) if ethertype == ETH_IPV6 else None


def _read_arp(frame: bytes) -> Claim | None:
    if len(frame) < 42 or frame[14:20] != ARP_HEAD:
        return None
    sender, target = IPv4Address(frame[28:32]), IPv4Address(frame[38:42])
    if sender == NOBODY:
        return Claim(target, frame[22:28], is_probe=True)
    return Claim(sender, frame[22:28])


def _read_neighbor(frame: bytes) -> Claim | None:
    if len(frame) < 78 or (frame[20], frame[21]) != (ICMPV6, HOP_LIMIT):
        return None
    address, options = IPv6Address(frame[62:78]), frame[78:]
    if frame[54] == ADVERTISEMENT:
        return Claim(address, options[2:8] if options[:2] == TARGET_MAC else frame[6:12])
    if frame[54] == SOLICITATION and not any(frame[22:38]):
        return Claim(address, frame[6:12], is_probe=True)
    return None


def block_of(address: IPAddress) -> int:
    """Return the block in which the filter looks for an address: a part of its low 32 bits."""
    return (int(address) & 0xFFFFFFFF) >> BLOCK_BITS


def filter_for(family: Family, blocks: Collection[int]) -> bytes:
    """Return a BPF program that passes claims to addresses of these blocks and drops the rest.

    It is an array of `struct sock_filter` in host byte order, for a packet socket that is bound to
    the family's Ethernet type. Beyond the size a program may have, it passes every claim.
    """
    if len(blocks) > MOST_BLOCKS:
        return filter_of_all(family)
    tests = [_step(_SHIFT_RIGHT, BLOCK_BITS)]
    for block in sorted(blocks):
        tests += [_step(_JUMP_EQUAL, block, otherwise=1), _step(_RETURN, _WHOLE)]
    return b"".join((*_head(family), *tests, _step(_RETURN, 0)))


def filter_of_all(family: Family) -> bytes:
    """Return the short BPF program that passes every claim of a family."""
    return b"".join((*_head(family), _step(_RETURN, _WHOLE)))


def _head(family: Family) -> list[bytes]:
    return _arp_head() if family is Family.IPV4 else _neighbor_head()


def _arp_head() -> list[bytes]:
    """Load the sender's address, or the target's if the sender has none."""
    return [_step(_LOAD_WORD, 28), _step(_JUMP_EQUAL, 0, otherwise=1), _step(_LOAD_WORD, 38)]


def _neighbor_head() -> list[bytes]:
    """Load the low word of the target of a solicitation or advertisement, drop all else."""
    return [
        *(_step(_LOAD_BYTE, 20), _step(_JUMP_EQUAL, ICMPV6, then=1), _step(_RETURN, 0)),
        _step(_LOAD_BYTE, 54),
        _step(_JUMP_EQUAL, ADVERTISEMENT, then=2),
        *(_step(_JUMP_EQUAL, SOLICITATION, then=1), _step(_RETURN, 0)),
        _step(_LOAD_WORD, 74),
    ]


def _step(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)
