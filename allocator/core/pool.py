"""Validated ServiceGroups: pools, their ranges, and where an address lies. Pure.

Belongs here: what a pool is. Does not: who may use it (`bindings`, `select`), which of its
addresses are in use (`ledger`), whether a group is acceptable (`pools`). Read by all of the core.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from allocator.core.bindings import Bindings
from allocator.core.guards import NO_GUARDS, Guard, Guards
from allocator.core.reservations import NO_RESERVATIONS, Reservations
from purelb.api.addresses import (
    FAMILIES,
    AddressRange,
    Family,
    IPAddress,
    IPNetwork,
    family_of,
)
from purelb.api.groups import GroupKey, GroupView
from purelb.api.identifiers import PoolName


class PoolType(StrEnum):
    """How a pool's addresses reach the network; spelled as in annotation `purelb.io/pool-type`."""

    LOCAL = "local"
    REMOTE = "remote"


class Fault(StrEnum):
    """What is wrong with a group; spelled as the reason of its Event."""

    REJECTED = "ParseFailed"
    OUT_OF_SCOPE = "ServiceGroupOutOfScope"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupProblem:
    """Why a ServiceGroup is no pool: `detail` says what would make it one."""

    group: GroupView
    fault: Fault
    detail: str
    rivals: tuple[PoolName, ...] = ()  # the pools that have some of its addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """One range of a pool: its addresses, the network they are on-link in, and its text as typed.

    `aggregation` is `default` (the subnet's own prefix length) or `/length`. `spans` are those of
    its addresses that anybody may have, in order: all but the guarded and the reserved ones.
    """

    addresses: AddressRange
    subnet: IPNetwork
    aggregation: str
    text: str
    spans: tuple[AddressRange, ...]


class Uses(Protocol):
    """What a pool asks the record of owners."""

    def used(self, span: AddressRange) -> int:
        """Return how many distinct addresses of a range have an owner."""
        ...

    def taken(self, span: AddressRange) -> int:
        """Return how many have an owner or rest after their release."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One accepted ServiceGroup.

    `ranges` has both families as keys, each with its ranges in the order in which they are filled;
    `extents` has the same addresses as sorted ranges that do not touch, so that an address typed
    twice counts once; `open` is what is left of them without `guarded` and `reservations`: what
    anybody may have. An external pool has no ranges. `cool_down`: for how many seconds a released
    address rests before another Service gets it. `warnings` are faults that hurt nobody.
    """

    group: GroupView
    type: PoolType
    ranges: Mapping[Family, tuple[Range, ...]]
    extents: Mapping[Family, tuple[AddressRange, ...]]
    open: Mapping[Family, tuple[AddressRange, ...]]
    guarded: tuple[Guard, ...] = ()
    reservations: Reservations = NO_RESERVATIONS
    cool_down: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> PoolName:
        """The group's name, which is the pool's identity."""
        return self.group.name

    @property
    def is_external(self) -> bool:
        """Whether addresses come from an external provider."""
        return bool(self.group.provider)

    def size(self, family: Family) -> int:
        """Return how many addresses of a family there are; up to 2**128."""
        return sum(extent.size for extent in self.extents[family])

    def used(self, family: Family, uses: Uses) -> int:
        """Return how many of them are in use."""
        return sum(uses.used(extent) for extent in self.extents[family])

    def available(self, family: Family, uses: Uses) -> int:
        """Return how many of them can be given to anybody now."""
        return self.capacity(family) - sum(uses.taken(extent) for extent in self.open[family])

    def capacity(self, family: Family) -> int:
        """Return how many addresses of a family anybody may have."""
        return sum(extent.size for extent in self.open[family])

    def guard(self, address: IPAddress) -> Guard | None:
        """Return what keeps an address of the pool from being given."""
        return next((guard for guard in self.guarded if address in guard.span), None)


@dataclass(frozen=True, slots=True)
class Atlas:
    """Which pool each address belongs to: per family the extents of all pools, sorted by start."""

    starts: Mapping[Family, tuple[int, ...]]
    extents: Mapping[Family, tuple[tuple[AddressRange, PoolName], ...]]

    def locate(self, address: IPAddress) -> PoolName | None:
        """Return the pool that has the address, in O(log n) of all extents."""
        family = family_of(address)
        index = bisect_right(self.starts[family], int(address)) - 1
        if index < 0:
            return None
        extent, name = self.extents[family][index]
        return name if address in extent else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSet:
    """All groups after validation: accepted ones as pools, the others as problems.

    No address belongs to two pools. A group is in exactly one of the two mappings. Pools know what
    `guards` keeps of their ranges; it is here for addresses that come from elsewhere.
    """

    pools: Mapping[PoolName, Pool]
    problems: Mapping[GroupKey, GroupProblem]
    bindings: Bindings
    atlas: Atlas = field(repr=False, compare=False)
    guards: Guards = field(default=NO_GUARDS, repr=False, compare=False)

    def locate(self, address: IPAddress) -> Pool | None:
        """Return the pool that has the address."""
        name = self.atlas.locate(address)
        return None if name is None else self.pools[name]


def atlas_of(pools: Mapping[PoolName, Pool]) -> Atlas:
    """Index the extents of pools that share no address."""
    extents = {
        family: tuple(
            sorted(
                ((extent, pool.name) for pool in pools.values() for extent in pool.extents[family]),
                key=lambda entry: int(entry[0].first),
            )
        )
        for family in FAMILIES
    }
    starts = {
        family: tuple(int(extent.first) for extent, _ in extents[family]) for family in FAMILIES
    }
    return Atlas(starts, extents)
