"""Addresses, families, ranges and networks, with the text rules that users' manifests rely on.

The values are the standard library's. Texts follow Go's `net` package, which wrote what is stored
in clusters today: no leading zeros, no zones, IPv4-mapped IPv6 addresses count as IPv4.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

IPAddress: TypeAlias = IPv4Address | IPv6Address
IPNetwork: TypeAlias = IPv4Network | IPv6Network

KNOWN = 4096  # texts whose address is remembered: each is read several times within seconds


class Family(StrEnum):
    """An IP family, spelled as in `spec.ipFamilies`."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"


FAMILIES = (Family.IPV4, Family.IPV6)


@dataclass(frozen=True, slots=True)
class AddressRange:
    """Addresses first..last of one family, both included; first <= last."""

    first: IPAddress
    last: IPAddress

    def __post_init__(self) -> None:
        """Refuse what no range can be."""
        if self.first.version != self.last.version:
            raise ValueError(f"{self.first} and {self.last} are of different families")
        if int(self.first) > int(self.last):
            raise ValueError(f"{self.first} comes after {self.last}")

    def __contains__(self, address: object) -> bool:
        """Tell whether an address lies in the range."""
        return (
            isinstance(address, IPv4Address | IPv6Address)
            and address.version == self.first.version
            and int(self.first) <= int(address) <= int(self.last)
        )

    def __str__(self) -> str:
        """Return the from-to text."""
        return f"{self.first}-{self.last}"

    @property
    def family(self) -> Family:
        """The family of all its addresses."""
        return family_of(self.first)

    @property
    def size(self) -> int:
        """How many addresses it has; up to 2**128."""
        return int(self.last) - int(self.first) + 1

    def overlaps(self, other: "AddressRange") -> bool:
        """Tell whether an address lies in both."""
        return self.first in other or other.first in self


def family_of(value: IPAddress | IPNetwork) -> Family:
    """Return the family of an address or network."""
    return Family.IPV4 if value.version == 4 else Family.IPV6


def sort_key(address: IPAddress) -> tuple[int, int]:
    """Order addresses: IPv4 before IPv6, then by number."""
    return address.version, int(address)


@lru_cache(maxsize=KNOWN)
def parse_ip(text: str) -> IPAddress:
    """Parse one address; raises ValueError naming the text."""
    if "%" in text:
        raise ValueError(f"{text!r} has a zone; write the address without it")
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None
    return _unmapped(address)


def parse_network(text: str) -> IPNetwork:
    """Parse `address/length`, dropping host bits; raises ValueError naming the text."""
    address, length = _parse_cidr(text)
    return ip_network((address, length), strict=False)


def parse_range(text: str) -> AddressRange:
    """Parse `from-to` or a CIDR; raises ValueError that says what is wrong.

    A CIDR begins at the address as it is written (`10.0.0.5/24` begins at .5) and ends with the
    last address of its network; network and broadcast addresses are part of it.
    """
    if "-" in text:
        first, _, last = text.partition("-")
        return AddressRange(parse_ip(first.strip()), parse_ip(last.strip()))
    address, length = _parse_cidr(text.strip())
    return AddressRange(address, ip_network((address, length), strict=False).broadcast_address)


def _parse_cidr(text: str) -> tuple[IPAddress, int]:
    body, slash, length = text.partition("/")
    if not slash:
        raise ValueError(f"{text!r} has no prefix length; write {text}/32, a wider one, or from-to")
    if not (length.isascii() and length.isdigit()) or (len(length) > 1 and length[0] == "0"):
        raise ValueError(f"{text!r} has the prefix length {length!r}, which is not a number")
    address, bits = parse_ip(body), int(length)
    if ":" in body and address.version == 4:
        bits -= 96  # ::ffff:192.0.2.0/120 is 192.0.2.0/24
    if not 0 <= bits <= address.max_prefixlen:
        raise ValueError(f"{text!r} has a prefix length outside 0..{address.max_prefixlen}")
    return address, bits


def _unmapped(address: IPAddress) -> IPAddress:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
