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
NOBODY: Final = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """How full one family of a pool is; `trend` is the change since the last look."""

    pool: str
    family: str
    used: int
    size: int
    available: int
    trend: int


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
    """Everything at one moment; `changes` are all since the first look, newest first."""

    at: float
    status: StatusReport
    fills: tuple[Fill, ...]
    nodes: tuple[MemberRow, ...]
    waiting: tuple[ServiceKey, ...]
    holders: dict[tuple[ServiceKey, IPAddress], NodeName]
    changes: tuple[Change, ...] = ()


def look(snapshot: Snapshot, before: Look | None) -> Look:
    """Return what is to be seen now, given what was seen before."""
    allocator = allocator_of(snapshot)
    holders = {
        (service.key, slot.address): slot.node
        for service in served(snapshot.services)
        for slot in slots_of(service).values()
    }
    news = _changes(snapshot.now, before.holders, holders) if before is not None else ()
    is_default = allocator.world.is_default_announcer
    return Look(
        at=snapshot.now,
        status=report_status(snapshot, allocator),
        fills=tuple(_fills(allocator, before)),
        nodes=report_election(snapshot).nodes,
        waiting=tuple(
            service.key
            for service in snapshot.services
            if is_waiting(service, is_default_announcer=is_default)
        ),
        holders=holders,
        changes=(*news, *(before.changes if before is not None else ()))[:MOST_MOVES],
    )


def _changes(
    now: float,
    old: dict[tuple[ServiceKey, IPAddress], NodeName],
    new: dict[tuple[ServiceKey, IPAddress], NodeName],
) -> Iterator[Change]:
    for key in sorted(old.keys() | new.keys(), key=lambda one: (one[0], str(one[1]))):
        before, after = old.get(key, NOBODY), new.get(key, NOBODY)
        if before != after:
            service, address = key
            yield Change(at=now, service=service, address=address, old=before, new=after)


def _fills(allocator: Allocator, before: Look | None) -> Iterator[Fill]:
    known = {(fill.pool, fill.family): fill.used for fill in before.fills} if before else {}
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
