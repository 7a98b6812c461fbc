"""Which addresses every node carries on its dummy link, and with which prefix length. Pure.

Belongs here: what ServiceGroups say to a node agent. Also a group that the allocator has rejected
counts: an address once given stays announced. Does not: the link (`dummy`), the verdict about one
address (`judgement`).
"""

import heapq
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nodeagent.core.vips import Vip
from purelb.api import annotations
from purelb.api.addresses import (
    FAMILIES,
    AddressRange,
    Family,
    IPAddress,
    family_of,
    parse_network,
    parse_range,
)
from purelb.api.groups import Fencing, GroupKind, GroupView, RangeEntry
from purelb.api.identifiers import PoolName

WHOLE_SUBNET = "default"  # value of `aggregation`: the mask of the range's subnet
REMOTE = "remote"  # value of `announce` of an external group


@dataclass(frozen=True, slots=True)
class Placement:
    """How a remote address is configured; `defect` says why it cannot be, empty if it can."""

    group: PoolName
    prefix: int
    defect: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a group, as far as an agent needs it."""

    range: AddressRange
    placement: Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class Atlas:
    """Finds the first of many spans that contains an address, in logarithmic time.

    `starts` are the numbers at which segments begin, `firsts` the span of each, by family.
    """

    spans: tuple[Span, ...] = ()
    starts: Mapping[Family, Sequence[int]] = field(default_factory=dict, compare=False)
    firsts: Mapping[Family, Sequence[int | None]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, spans: Sequence[Span]) -> "Atlas":
        """Build the atlas of some spans, the most important first."""
        families = {
            family: [n for n, span in enumerate(spans) if span.range.family is family]
            for family in FAMILIES
        }
        found = {family: _segments(spans, mine) for family, mine in families.items() if mine}
        return cls(
            spans=tuple(spans),
            starts={family: starts for family, (starts, _) in found.items()},
            firsts={family: firsts for family, (_, firsts) in found.items()},
        )

    def find(self, address: IPAddress) -> Placement | None:
        """Return the placement of the first span with the address, or None."""
        family = family_of(address)
        segment = bisect_right(self.starts.get(family, ()), int(address)) - 1
        number = self.firsts[family][segment] if segment >= 0 else None
        return None if number is None else self.spans[number].placement


def _segments(spans: Sequence[Span], numbers: Iterable[int]) -> tuple[list[int], list[int | None]]:
    """Return where each segment starts, and which span is the first that covers it."""
    arriving = sorted(numbers, key=lambda number: int(spans[number].range.first), reverse=True)
    edges = {int(edge) for n in arriving for edge in (spans[n].range.first, spans[n].range.last)}
    starts = sorted(edges | {edge + 1 for edge in edges})
    covering: list[int] = []
    found: list[int | None] = []
    for start in starts:
        while arriving and int(spans[arriving[-1]].range.first) <= start:
            heapq.heappush(covering, arriving.pop())
        while covering and int(spans[covering[0]].range.last) < start:
            heapq.heappop(covering)
        found.append(covering[0] if covering else None)
    return starts, found


@dataclass(frozen=True, slots=True, kw_only=True)
class RemotePools:
    """What ServiceGroups say about remote addresses.

    `local` and `remote` have the ranges of groups of these kinds, `external` are the external
    groups that want every node to announce. `fencing` has the local groups with another choice than
    the default, `non_revertive` those whose addresses stay where they are.
    """

    local: Atlas = Atlas()
    remote: Atlas = Atlas()
    external: frozenset[PoolName] = frozenset()
    fencing: Mapping[PoolName, Fencing] = field(default_factory=dict)
    non_revertive: frozenset[PoolName] = frozenset()

    def fencing_of(self, address: IPAddress) -> Fencing:
        """Return what the local group of an address has chosen."""
        found = self.local.find(address) if self.fencing else None
        return Fencing.FAST if found is None else self.fencing.get(found.group, Fencing.FAST)

    def is_non_revertive(self, address: IPAddress) -> bool:
        """Tell whether the local group of an address lets it stay where it is."""
        found = self.local.find(address) if self.non_revertive else None
        return found is not None and found.group in self.non_revertive

    @property
    def is_empty(self) -> bool:
        """Whether no address can be remote."""
        return not self.remote.spans and not self.external

    def placement(self, vip: Vip) -> Placement | None:
        """Return how an address is configured if it is remote, else None.

        The prefix length is that of the first range with the address, local groups first.
        """
        found = self.remote.find(vip.address)
        if found is not None:
            return self.local.find(vip.address) or found
        if self.external:
            for service in vip.services:
                names = service.annotations.get(annotations.ALLOCATED_FROM, "").split(", ")
                for name in map(PoolName, names):
                    if name in self.external:
                        return Placement(name, vip.address.max_prefixlen)
        return None


NO_POOLS = RemotePools()


def read_groups(groups: Collection[GroupView], install_namespace: str) -> RemotePools:
    """Read all ServiceGroups; those outside the install namespace count if there are no others.

    Ranges that do not parse are left out: nothing was ever allocated from them.
    """
    ordered = sorted(groups, key=lambda group: group.key)
    inside = [group for group in ordered if group.namespace == install_namespace]
    spans: dict[GroupKind | None, list[Span]] = {kind: [] for kind in (*GroupKind, None)}
    for group in inside or ordered:
        for entry in group.entries:
            try:
                parsed = parse_range(entry.text)
            except ValueError:
                continue
            spans[group.kind].append(Span(parsed, _placement(group.name, entry, parsed.family)))
    return RemotePools(
        local=Atlas.of(spans[GroupKind.LOCAL]),
        remote=Atlas.of(spans[GroupKind.REMOTE]),
        external=frozenset(
            group.name
            for group in inside or ordered
            if group.kind is GroupKind.EXTERNAL and group.announce == REMOTE
        ),
        fencing={
            group.name: group.fencing
            for group in inside or ordered
            if group.kind is GroupKind.LOCAL and group.fencing is not Fencing.FAST
        },
        non_revertive=frozenset(
            group.name
            for group in inside or ordered
            if group.kind is GroupKind.LOCAL and group.is_non_revertive
        ),
    )


def _placement(group: PoolName, entry: RangeEntry, family: Family) -> Placement:
    longest = 32 if family is Family.IPV4 else 128
    try:
        if entry.aggregation == WHOLE_SUBNET:
            network = parse_network(entry.subnet)
            if family_of(network) is not family:
                raise ValueError(f"the subnet {entry.subnet} is of another family")
            return Placement(group, network.prefixlen)
        prefix = int(entry.aggregation.removeprefix("/"))
        if not 0 < prefix <= longest:
            raise ValueError(f"aggregation {entry.aggregation} is longer than {family} allows")
    except ValueError as error:
        return Placement(group, longest, f"range {entry.text} of ServiceGroup {group}: {error}")
    return Placement(group, prefix)
