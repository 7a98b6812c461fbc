"""`top`: what changes from look to look."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from plugin.core.allocation import Allocator, allocator_of
from plugin.core.election import MemberRow, report_election
from plugin.core.snapshot import Snapshot
from plugin.core.status import StatusReport, report_status
from plugin.core.verdicts import is_waiting, served, slots_of
from purelb.api.addresses import FAMILIES, IPAddress
from purelb.api.identifiers import NodeName, ServiceKey

MOST_MOVES: Final = 100
TREND: Final = 60.0  # seconds
MARK: Final = 5.0  # seconds between two of the marks that trends are counted from
GAP: Final = 10.0  # seconds: nobody has an address for this long at most while it moves
NOBODY: Final = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """How full one family of a pool is; `trend` is the change within the last minute."""

    pool: str
    family: str
    used: int
    size: int
    available: int
    trend: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How many addresses of each pool and family were in use at that time."""

    at: float
    used: dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One address that another node announces since the look at `at`."""

    at: float
    service: ServiceKey
    address: IPAddress
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Everything at one moment; `changes` are all since the first look, newest first.

    `marks` are those of the last minute, oldest first.
    """

    at: float
    status: StatusReport
    fills: tuple[Fill, ...]
    nodes: tuple[MemberRow, ...]
    waiting: tuple[ServiceKey, ...]
    holders: dict[tuple[ServiceKey, IPAddress], NodeName]
    changes: tuple[Change, ...] = ()
    marks: tuple[Mark, ...] = ()


def look(snapshot: Snapshot, before: Look | None) -> Look:
    """Return what is to be seen now, given what was seen before."""
    allocator = allocator_of(snapshot)
    holders = {
        (service.key, slot.address): slot.node
        for service in served(snapshot.services)
        for slot in slots_of(service).values()
    }
    changes = _changes(snapshot.now, before, holders) if before is not None else ()
    fills = tuple(_fills(allocator, before.marks[0].used if before is not None else {}))
    is_default = allocator.world.is_default_announcer
    return Look(
        at=snapshot.now,
        status=report_status(snapshot, allocator),
        fills=fills,
        nodes=report_election(snapshot).nodes,
        waiting=tuple(
            service.key
            for service in snapshot.services
            if is_waiting(service, is_default_announcer=is_default)
        ),
        holders=holders,
        changes=changes[:MOST_MOVES],
        marks=tuple(_marks(snapshot.now, before, fills)),
    )


def _changes(
    now: float, before: Look, holders: dict[tuple[ServiceKey, IPAddress], NodeName]
) -> tuple[Change, ...]:
    """Return all changes; of a move that nobody had the address in between there is one."""
    recent = {(c.service, c.address): c for c in reversed(before.changes) if now - c.at <= GAP}
    news: list[Change] = []
    merged: set[Change] = set()
    for key in sorted(
        before.holders.keys() | holders.keys(), key=lambda one: (one[0], str(one[1]))
    ):
        old, new = before.holders.get(key, NOBODY), holders.get(key, NOBODY)
        if old == new:
            continue
        last = recent.get(key)
        if last is not None and old == NOBODY and last.new == NOBODY and last.old != new:
            merged.add(last)
            old = last.old
        news.append(Change(at=now, service=key[0], address=key[1], old=old, new=new))
    return (*news, *(change for change in before.changes if change not in merged))


def _marks(now: float, before: Look | None, fills: tuple[Fill, ...]) -> Iterator[Mark]:
    """Yield the marks from which later trends are counted, some seconds apart."""
    kept = before.marks if before is not None else ()
    young = [mark for mark in kept if now - mark.at <= TREND]
    yield from young
    if not young or now - young[-1].at >= MARK:
        yield Mark(at=now, used={(fill.pool, fill.family): fill.used for fill in fills})


def _fills(allocator: Allocator, known: dict[tuple[str, str], int]) -> Iterator[Fill]:
    for pool in sorted(allocator.pools.pools.values(), key=lambda one: one.name):
        for family in FAMILIES:
            if not pool.size(family):
                continue
            used = pool.used(family, allocator.ledger)
            yield Fill(
                pool=pool.name,
                family=family.value,
                used=used,
                size=pool.size(family),
                available=pool.available(family, allocator.ledger),
                trend=used - known.get((pool.name, family.value), used),
            )
