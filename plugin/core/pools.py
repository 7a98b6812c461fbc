"""How full the pools are, counted in the allocator's own ledger."""

from collections.abc import Iterator
from dataclasses import dataclass

from allocator.core.ledger import Ledger
from allocator.core.pool import Fault, GroupProblem, Pool, Range
from plugin.core.allocation import Allocator
from plugin.core.document import Document, counted, percent
from plugin.core.snapshot import Snapshot
from purelb.api import annotations
from purelb.api.addresses import FAMILIES, AddressRange, Family, parse_range
from purelb.api.groups import RangeEntry

REJECTED = "rejected"


class RangeRow(Document, frozen=True):
    """One range of a group. `available` is what anybody may have of it."""

    pool: str
    subnet: str
    family: str
    size: int
    used: int
    available: int
    util_percent: float
    services: tuple[str, ...] = ()


class GroupRow(Document, frozen=True):
    """One ServiceGroup. `problem` is why nobody gets an address from it.

    `allocated` and `provider` belong to external groups, whose ranges only the provider knows.
    """

    name: str
    type: str
    ranges: tuple[RangeRow, ...] = ()
    allocated: int = 0
    provider: str = ""
    namespaces: tuple[str, ...] = ()
    enforced: bool = False
    reserved: int = 0
    problem: str = ""


class PoolsReport(Document, frozen=True):
    """All groups. The keys that speak of netbox are PureLB's, and count nothing here."""

    service_groups: tuple[GroupRow, ...]
    total_ipv4: int
    used_ipv4: int
    total_ipv6: int
    used_ipv6: int
    netbox_pools: int
    netbox_allocated: int
    external_pools: int
    external_allocated: int
    out_of_scope: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """Addresses of a family in all accepted pools."""

    used: int
    size: int


def totals(allocator: Allocator, family: Family) -> Totals:
    """Count what all pools have; what two ranges of a group share counts once."""
    pools = allocator.pools.pools.values()
    return Totals(
        used=sum(pool.used(family, allocator.ledger) for pool in pools),
        size=sum(pool.size(family) for pool in pools),
    )


def exhausted(allocator: Allocator) -> tuple[str, ...]:
    """Return the pools that have a family in which nothing is left, sorted."""
    found = (
        pool.name
        for pool in allocator.pools.pools.values()
        for family in FAMILIES
        if pool.size(family) and not pool.available(family, allocator.ledger)
    )
    return tuple(sorted(set(found)))


def report_pools(snapshot: Snapshot, allocator: Allocator, only: str = "") -> PoolsReport:
    """Return all groups, or the one of that name."""
    rows = [*_accepted(snapshot, allocator), *_rejected(allocator)]
    rows = sorted((row for row in rows if only in ("", row.name)), key=lambda row: row.name)
    external = [row for row in rows if row.provider]
    v4, v6 = (
        [totals(allocator, family) for family in FAMILIES]
        if not only
        else [_total(rows, family) for family in FAMILIES]
    )
    return PoolsReport(
        service_groups=tuple(rows),
        total_ipv4=counted(v4.size),
        used_ipv4=v4.used,
        total_ipv6=counted(v6.size),
        used_ipv6=v6.used,
        netbox_pools=0,
        netbox_allocated=0,
        external_pools=len(external),
        external_allocated=sum(row.allocated for row in external),
        out_of_scope=tuple(
            f"{problem.group.namespace}/{problem.group.name}: {problem.detail}"
            for problem in allocator.pools.problems.values()
            if problem.fault is Fault.OUT_OF_SCOPE
        ),
    )


def _total(rows: list[GroupRow], family: Family) -> Totals:
    ranges = [one for row in rows if not row.problem for one in row.ranges if one.family == family]
    return Totals(sum(one.used for one in ranges), sum(one.size for one in ranges))


def _accepted(snapshot: Snapshot, allocator: Allocator) -> Iterator[GroupRow]:
    held = _external_counts(snapshot)
    for pool in allocator.pools.pools.values():
        group = pool.group
        yield GroupRow(
            name=pool.name,
            type=group.kind.value if group.kind else "",
            ranges=tuple(_ranges(pool, allocator.ledger)),
            allocated=held.get(pool.name, 0) if pool.is_external else 0,
            provider=group.provider,
            namespaces=group.namespaces,
            enforced=group.enforces,
            reserved=len(pool.reservations.kept),
        )


def _ranges(pool: Pool, ledger: Ledger) -> Iterator[RangeRow]:
    for family in FAMILIES:
        entries = [entry for entry in pool.group.entries if entry.family is family]
        for entry, one in zip(entries, pool.ranges[family], strict=True):
            yield _row(entry, one.addresses, _open(one, ledger), ledger)


def _open(one: Range, ledger: Ledger) -> int:
    return sum(span.size - ledger.used(span) for span in one.spans)


def _row(entry: RangeEntry, addresses: AddressRange, free: int, ledger: Ledger) -> RangeRow:
    used = ledger.used(addresses)
    return RangeRow(
        pool=entry.text,
        subnet=entry.subnet,
        family=entry.family.value,
        size=counted(addresses.size),
        used=used,
        available=counted(free),
        util_percent=percent(used, addresses.size),
        services=tuple(sorted(ledger.owners_in(addresses))),
    )


def _rejected(allocator: Allocator) -> Iterator[GroupRow]:
    for problem in allocator.pools.problems.values():
        if problem.fault is Fault.REJECTED:
            group = problem.group
            yield GroupRow(
                name=group.name,
                type=group.kind.value if group.kind else "",
                ranges=tuple(_lost(problem, allocator.ledger)),
                provider=group.provider,
                namespaces=group.namespaces,
                enforced=group.enforces,
                problem=problem.detail,
            )


def _lost(problem: GroupProblem, ledger: Ledger) -> Iterator[RangeRow]:
    for entry in problem.group.entries:
        try:
            addresses = parse_range(entry.text)
        except ValueError:
            continue  # the problem names it
        yield _row(entry, addresses, 0, ledger)


def _external_counts(snapshot: Snapshot) -> dict[str, int]:
    counts: dict[str, int] = {}
    for service in snapshot.services:
        if service.is_branded:
            name = service.annotations.get(annotations.ALLOCATED_FROM, "")
            counts[name] = counts.get(name, 0) + len(service.ingress)
    return counts
