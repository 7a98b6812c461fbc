"""ServiceGroups → PoolSet: which groups are acceptable beside each other. Pure.

Belongs here: scope, parsing of ranges, duplicate names, overlap. Does not: what a pool can do
(`pool`). Called by the shell whenever a group changed; everything is read again each time, so
that a rejected group gets its chance as soon as its rival is gone.
"""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from allocator.core.bindings import bind
from allocator.core.guards import NO_GUARDS, Guards, guard_address, guards_of
from allocator.core.pool import (
    Fault,
    GroupProblem,
    Pool,
    PoolSet,
    PoolType,
    Range,
    atlas_of,
)
from allocator.core.reservations import reservations_of
from purelb.api.addresses import (
    FAMILIES,
    AddressRange,
    Family,
    IPAddress,
    family_of,
    parse_network,
    parse_range,
)
from purelb.api.durations import parse_duration
from purelb.api.groups import GroupKey, GroupKind, GroupView, RangeEntry, view_group
from purelb.api.identifiers import PoolName

__all__ = ["GroupView", "Pool", "PoolSet", "build_pools", "view_group"]


def build_pools(
    groups: Collection[GroupView], install_namespace: str | None, guards: Guards = NO_GUARDS
) -> PoolSet:
    """Validate all groups together; the result does not depend on their order.

    Of two groups that overlap or share a name the older one is accepted, by creationTimestamp, then
    namespace, then name: a new group never breaks one in use. Groups outside the install namespace
    are out of scope, unless it is unknown or none would be left: then each says so in a warning.
    What `guards` has is given to nobody.
    """
    ordered = sorted(groups, key=lambda group: (group.created, group.key))
    home = install_namespace or ""
    has_inside = any(group.namespace == home for group in ordered)
    accepted = _Accepted()
    problems: dict[GroupKey, GroupProblem] = {}
    for group in ordered:
        is_outside = home not in ("", group.namespace)
        if is_outside and has_inside:
            problems[group.key] = _out_of_scope(group, home)
            continue
        try:
            pool = _pool(group, guards)
            if is_outside:
                pool = replace(pool, warnings=(_stray(group, home), *pool.warnings))
            problem = accepted.add(pool)
        except ValueError as error:
            problem = GroupProblem(group=group, fault=Fault.REJECTED, detail=str(error))
        if problem is not None:
            problems[group.key] = problem
    return PoolSet(
        pools=accepted.pools,
        problems=problems,
        bindings=bind([pool.group for pool in accepted.pools.values()]),
        atlas=atlas_of(accepted.pools),
        guards=guards,
    )


class _Accepted:
    """Pools that share neither name nor address, and the check that one more fits."""

    def __init__(self) -> None:
        self.pools: dict[PoolName, Pool] = {}
        self._extents: dict[Family, list[tuple[int, int, PoolName]]] = {f: [] for f in FAMILIES}

    def add(self, pool: Pool) -> GroupProblem | None:
        """Accept the pool, or name the rival and what to change."""
        if (rival := self.pools.get(pool.name)) is not None:
            return _refused(
                pool,
                f'the name "{pool.name}" is taken by the older ServiceGroup'
                f" {rival.group.namespace}/{rival.name}; choose another name",
            )
        if rivals := self._rivals(pool):
            names = ", ".join(f'"{name}"' for name in rivals)
            text = (
                f"its ranges overlap with pool {names}, which is older; change one of the two so"
                " that no address is in both"
            )
            return replace(_refused(pool, text), rivals=tuple(rivals))
        self.pools[pool.name] = pool
        for family in FAMILIES:
            for extent in pool.extents[family]:
                entry = (int(extent.first), int(extent.last), pool.name)
                insort(self._extents[family], entry)
        return None

    def _rivals(self, pool: Pool) -> list[PoolName]:
        return sorted(
            {
                rival
                for family in FAMILIES
                for extent in pool.extents[family]
                for rival in self._overlapping(family, int(extent.first), int(extent.last))
            }
        )

    def _overlapping(self, family: Family, first: int, last: int) -> Iterable[PoolName]:
        # Accepted extents do not overlap each other, so both their ends are sorted.
        extents = self._extents[family]
        index = bisect_left(extents, first, key=lambda extent: extent[1])
        while index < len(extents) and extents[index][0] <= last:
            yield extents[index][2]
            index += 1


def _refused(pool: Pool, detail: str) -> GroupProblem:
    return GroupProblem(group=pool.group, fault=Fault.REJECTED, detail=detail)


def _out_of_scope(group: GroupView, install_namespace: str) -> GroupProblem:
    kind = group.kind or "unknown"
    return GroupProblem(
        group=group,
        fault=Fault.OUT_OF_SCOPE,
        detail=(
            f"this {kind} ServiceGroup is in namespace {group.namespace}, but only groups in the"
            f" install namespace {install_namespace} are read: no Service gets an address from it;"
            f" create it in {install_namespace}"
        ),
    )


def _stray(group: GroupView, install_namespace: str) -> str:
    return (
        f"it is in namespace {group.namespace} and in use only because the install namespace"
        f" {install_namespace} has no ServiceGroup: the first one there puts it out of scope;"
        f" create it in {install_namespace}"
    )


def _pool(group: GroupView, guards: Guards) -> Pool:
    if group.kind is None:
        raise ValueError("its spec needs exactly one of local, remote, or external")
    if group.kind is GroupKind.EXTERNAL:
        return _external(group)
    ranges: dict[Family, list[Range]] = {family: [] for family in FAMILIES}
    for entry in group.entries:
        ranges[entry.family].append(_range(entry))
    if not any(ranges.values()):
        raise ValueError("it has no range; add one to v4pools or v6pools")
    extents = {family: _union(found) for family, found in ranges.items()}
    every = [extent for found in extents.values() for extent in found]
    reservations = reservations_of(group, extents, guards)
    cool_down, complaints = _cool_down(group)
    reserved = guards_of(guard_address(one, service) for one, service in reservations.kept.items())

    def rest(spans: Iterable[AddressRange]) -> tuple[AddressRange, ...]:
        return _rest(_rest(spans, guards), reserved)

    return Pool(
        group=group,
        type=PoolType(group.kind.value),
        ranges={
            family: tuple(replace(one, spans=rest([one.addresses])) for one in found)
            for family, found in ranges.items()
        },
        extents=extents,
        open={family: rest(found) for family, found in extents.items()},
        guarded=tuple(guard for extent in every for guard in guards.within(extent)),
        reservations=reservations,
        cool_down=cool_down,
        warnings=(
            *(text for found in ranges.values() for text in _overlaps(found)),
            *_too_long(group, ranges),
            *reservations.warnings,
            *complaints,
        ),
    )


def _cool_down(group: GroupView) -> tuple[float, tuple[str, ...]]:
    """Return the seconds that released addresses rest, and what is wrong with the text."""
    if not group.cool_down:
        return 0.0, ()
    try:
        seconds = parse_duration(group.cool_down)
        if seconds < 0:
            raise ValueError(f"{group.cool_down!r} is negative")
    except ValueError as error:
        return 0.0, (f"released addresses do not rest, because of its coolDown: {error}",)
    return seconds, ()


def _external(group: GroupView) -> Pool:
    if group.announce not in (PoolType.LOCAL, PoolType.REMOTE):
        raise ValueError(
            f'its spec.external.announce is "{group.announce}"; it must be "local" or "remote"'
        )
    if not group.provider:
        raise ValueError("its spec.external.provider is empty; name the provider")
    empty: dict[Family, tuple[()]] = {family: () for family in FAMILIES}
    return Pool(group=group, type=PoolType(group.announce), ranges=empty, extents=empty, open=empty)


def _rest(extents: Iterable[AddressRange], guards: Guards) -> tuple[AddressRange, ...]:
    return tuple(span for extent in extents for span in guards.rest(extent))


def _range(entry: RangeEntry) -> Range:
    addresses, subnet = parse_range(entry.text), parse_network(entry.subnet)
    if addresses.family is not entry.family or family_of(subnet) is not entry.family:
        raise ValueError(
            f'range "{entry.text}" with subnet "{entry.subnet}" stands among the {entry.family}'
            " pools but is of the other family; move it"
        )
    if addresses.first not in subnet or addresses.last not in subnet:
        raise ValueError(
            f'range "{entry.text}" is not inside its subnet "{entry.subnet}"; widen the subnet or'
            " narrow the range"
        )
    return Range(
        addresses=addresses,
        subnet=subnet,
        aggregation=entry.aggregation,
        text=entry.text,
        spans=(addresses,),
    )


def _union(ranges: Collection[Range]) -> tuple[AddressRange, ...]:
    merged: list[tuple[IPAddress, IPAddress]] = []
    for found in sorted((r.addresses for r in ranges), key=lambda span: int(span.first)):
        if merged and int(found.first) <= int(merged[-1][1]) + 1:
            start, end = merged[-1]
            merged[-1] = (start, max(end, found.last, key=int))
        else:
            merged.append((found.first, found.last))
    return tuple(AddressRange(first, last) for first, last in merged)


def _too_long(group: GroupView, ranges: Mapping[Family, Sequence[Range]]) -> Iterable[str]:
    if group.kind is not GroupKind.REMOTE:
        return  # nobody reads it
    for family, longest in ((Family.IPV4, 32), (Family.IPV6, 128)):
        for found in ranges[family]:
            length = found.aggregation.removeprefix("/")
            if length.isdigit() and int(length) > longest:
                yield (
                    f'the aggregation {found.aggregation} of its range "{found.text}" is longer'
                    f" than {family} allows; nodes use /{longest}"
                )


def _overlaps(ranges: list[Range]) -> Iterable[str]:
    ordered = sorted(ranges, key=lambda found: int(found.addresses.first))
    for one, other in pairwise(ordered):
        if one.addresses.overlaps(other.addresses):
            yield (
                f'its ranges "{one.text}" and "{other.text}" overlap;'
                " their common addresses count once"
            )
