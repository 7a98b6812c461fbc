"""`diff`: what an edit of ServiceGroups would do, before it is applied.

Both worlds are decided by the allocator's core: the one that is, and the one with the groups of the
file in the place of those of the same name.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from allocator.core.decide import decide
from allocator.core.decisions import Refuse
from allocator.core.pool import Pool, PoolSet, PoolType
from plugin.core.allocation import Allocator, allocator_of
from plugin.core.document import Document, counted
from plugin.core.snapshot import Snapshot
from plugin.core.verdicts import is_remote, is_waiting, served
from purelb.api import annotations
from purelb.api.addresses import FAMILIES, IPAddress, sort_key
from purelb.api.groups import GroupKey
from purelb.api.identifiers import PoolName, ServiceKey
from purelb.api.resources import ServiceGroup
from purelb.api.views import ServiceView

FUTURE = "9999-12-31T23:59:59Z"  # a group that is not there yet is the youngest


class GroupChange(Document, frozen=True):
    """One group of the file: added, changed or unchanged; `problem` says why it is no pool."""

    group: str
    change: str
    size_before: int
    size_after: int
    available_before: int
    available_after: int
    problem: str = ""


class AddressChange(Document, frozen=True):
    """One held address that the edit concerns, and what becomes of it."""

    service: str
    ip: str
    effect: str
    severe: bool


class WaitingChange(Document, frozen=True):
    """A Service without an address that is answered otherwise after the edit."""

    service: str
    before: str
    after: str


class DiffReport(Document, frozen=True):
    """What would change. `stranded` counts the addresses that nobody would reach any more."""

    groups: tuple[GroupChange, ...]
    addresses: tuple[AddressChange, ...]
    waiting: tuple[WaitingChange, ...]
    broken: tuple[str, ...]
    stranded: int


def difference(snapshot: Snapshot, edited: Sequence[ServiceGroup]) -> DiffReport:
    """Return what applying these groups would do to those of the snapshot and to Services."""
    after_snapshot = replace(snapshot, groups=_merged(snapshot, edited))
    before, after = allocator_of(snapshot), allocator_of(after_snapshot)
    addresses = tuple(_addresses(snapshot, before, after))
    return DiffReport(
        groups=tuple(_group(one, snapshot, before, after) for one in edited),
        addresses=addresses,
        waiting=tuple(_waiting(snapshot, allocator_of(snapshot), allocator_of(after_snapshot))),
        broken=tuple(_broken(edited, before.pools, after.pools)),
        stranded=sum(one.severe for one in addresses),
    )


def _key(group: ServiceGroup) -> GroupKey:
    return group.metadata.namespace, group.metadata.name


def _merged(snapshot: Snapshot, edited: Sequence[ServiceGroup]) -> tuple[ServiceGroup, ...]:
    known = {_key(group): group for group in snapshot.groups}
    for group in edited:
        old = known.get(_key(group))
        created = old.metadata.creation_timestamp if old is not None else FUTURE
        known[_key(group)] = _created(group, created)
    return tuple(known.values())


def _created(group: ServiceGroup, created: str | None) -> ServiceGroup:
    meta = type(group.metadata)(
        name=group.metadata.name,
        namespace=group.metadata.namespace,
        creation_timestamp=created,
    )
    return type(group)(metadata=meta, spec=group.spec)


def _group(
    group: ServiceGroup, snapshot: Snapshot, before: Allocator, after: Allocator
) -> GroupChange:
    key, name = _key(group), PoolName(group.metadata.name)
    old = next((one for one in snapshot.groups if _key(one) == key), None)
    change = "added" if old is None else "unchanged" if old.spec == group.spec else "changed"
    problem = after.pools.problems.get(key)
    return GroupChange(
        group=name,
        change=change,
        size_before=_count(before, name, is_free=False),
        size_after=_count(after, name, is_free=False),
        available_before=_count(before, name, is_free=True),
        available_after=_count(after, name, is_free=True),
        problem=problem.detail if problem is not None else "",
    )


def _count(allocator: Allocator, name: PoolName, *, is_free: bool) -> int:
    pool = allocator.pools.pools.get(name)
    if pool is None:
        return 0
    if is_free:
        return counted(sum(pool.available(family, allocator.ledger) for family in FAMILIES))
    return counted(sum(pool.size(family) for family in FAMILIES))


def _broken(edited: Sequence[ServiceGroup], before: PoolSet, after: PoolSet) -> Iterator[str]:
    """Yield the groups that are not in the file and become unusable through it."""
    own = {_key(group) for group in edited}
    for key, problem in after.problems.items():
        if key not in own and key not in before.problems:
            yield f"{problem.group.name}: {problem.detail}"


def _addresses(snapshot: Snapshot, before: Allocator, after: Allocator) -> Iterator[AddressChange]:
    for service in sorted(served(snapshot.services), key=lambda view: view.key):
        for address in sorted(service.ingress, key=sort_key):
            old, new = before.pools.locate(address), after.pools.locate(address)
            found = _effect(service, address, old, new)
            if found is not None:
                effect, severe = found
                yield AddressChange(
                    service=service.key, ip=str(address), effect=effect, severe=severe
                )


def _effect(
    service: ServiceView, address: IPAddress, old: Pool | None, new: Pool | None
) -> tuple[str, bool] | None:
    if new is None:
        if old is None:
            return None
        origin = service.annotations.get(annotations.ALLOCATED_FROM, old.name)
        if is_remote(service):
            return f"is in no range of {origin} any more: every node WITHDRAWS it", True
        return f"is in no range of {origin} any more: it stays, but is never given again", False
    if old is None:
        return f"comes back into {new.name}", False
    if old.name != new.name:
        return f"moves from {old.name} to {new.name}; the Service keeps it", False
    if old.type is not new.type:
        return f"its pool becomes {new.type}; it is announced otherwise from now on", True
    if new.type is PoolType.REMOTE and (mask := _mask(new, address)) != _mask(old, address):
        return f"its prefix length becomes {mask}: other routes are advertised", False
    return None


def _mask(pool: Pool, address: IPAddress) -> str:
    """Return the prefix length of an address of a pool, as `/24`."""
    one = next(one for found in pool.ranges.values() for one in found if address in one.addresses)
    return f"/{one.subnet.prefixlen}" if one.aggregation == "default" else one.aggregation


def _waiting(snapshot: Snapshot, before: Allocator, after: Allocator) -> Iterator[WaitingChange]:
    is_default = before.world.is_default_announcer
    waiting = [s for s in snapshot.services if is_waiting(s, is_default_announcer=is_default)]
    by_age = [s.key for s in sorted(waiting, key=lambda view: (view.created, view.key))]
    old, new = dict(_answers(before, by_age)), dict(_answers(after, by_age))
    for key in by_age:
        (was_served, before_text), (is_served, after_text) = old[key], new[key]
        if (was_served or is_served) and before_text != after_text:
            yield WaitingChange(service=key, before=before_text, after=after_text)


def _answers(
    allocator: Allocator, keys: Sequence[ServiceKey]
) -> Iterator[tuple[ServiceKey, tuple[bool, str]]]:
    """Yield whether each Service is served in this order, and what it is answered."""
    for key in keys:
        decision = decide(allocator.world, allocator.ledger, key)
        allocator.ledger.commit(decision)
        if isinstance(decision, Refuse):
            yield key, (False, decision.problem.detail)
        else:
            addresses = decision.after.addresses if decision.after else ()
            shown = ", ".join(map(str, addresses))
            yield key, (bool(addresses), f"gets {shown}" if addresses else "waits")
