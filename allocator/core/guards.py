"""Addresses that belong to the cluster itself, and so to no Service. Pure.

Belongs here: what they are, and what they leave of a range. Does not: where they are read (the
shell), what becomes of a pool (`pools`). An address already given stays given.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from purelb.api.addresses import FAMILIES, AddressRange, Family, IPAddress, IPNetwork


@dataclass(frozen=True, slots=True)
class Guard:
    """Addresses that must not be given out; `owner` says in words whose they are."""

    span: AddressRange
    owner: str


@dataclass(frozen=True, slots=True)
class Guards:
    """All guards, per family sorted by start; the ends are sorted as well.

    A guard inside another one, or an equal one, is left out.
    """

    found: Mapping[Family, tuple[Guard, ...]] = field(
        default_factory=lambda: {family: () for family in FAMILIES}
    )

    def within(self, span: AddressRange) -> tuple[Guard, ...]:
        """Return the guards that have an address of a range, in O(log n) and one step for each."""
        guards = self.found[span.family]
        index = bisect_left(guards, int(span.first), key=lambda guard: int(guard.span.last))
        last = index
        while last < len(guards) and int(guards[last].span.first) <= int(span.last):
            last += 1
        return guards[index:last]

    def rest(self, span: AddressRange) -> tuple[AddressRange, ...]:
        """Return what is left of a range, in order."""
        make = IPv4Address if span.family is Family.IPV4 else IPv6Address
        left, start = [], int(span.first)
        for guard in self.within(span):
            if int(guard.span.first) > start:
                left.append(AddressRange(make(start), make(int(guard.span.first) - 1)))
            start = max(start, int(guard.span.last) + 1)
        if start <= int(span.last):
            left.append(AddressRange(make(start), span.last))
        return tuple(left)


NO_GUARDS = Guards()


def guards_of(guards: Iterable[Guard]) -> Guards:
    """Put guards in order; of equal ones the first by owner counts."""
    found: dict[Family, list[Guard]] = {family: [] for family in FAMILIES}
    for guard in sorted(guards, key=_order):
        kept = found[guard.span.family]
        if not kept or int(guard.span.last) > int(kept[-1].span.last):
            kept.append(guard)
    return Guards({family: tuple(kept) for family, kept in found.items()})


def guard_address(address: IPAddress, owner: str) -> Guard:
    """Guard one address."""
    return Guard(AddressRange(address, address), owner)


def guard_network(network: IPNetwork, owner: str) -> Guard:
    """Guard every address of a network."""
    return Guard(AddressRange(network.network_address, network.broadcast_address), owner)


def _order(guard: Guard) -> tuple[int, int, str]:
    return int(guard.span.first), -int(guard.span.last), guard.owner
