"""`report`: what the printed page shows: occupancy as a map, who announces what, what has moved."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from allocator.core.pool import Pool, Range
from plugin.core.allocation import Allocator
from plugin.core.coverage import networks
from plugin.core.doctor import DoctorReport, examine
from plugin.core.election import ElectionReport, report_election
from plugin.core.pools import PoolsReport, report_pools
from plugin.core.services import Filter, ServiceRow, report_services
from plugin.core.snapshot import Snapshot
from plugin.core.status import StatusReport, report_status
from plugin.core.verdicts import Verdict, served, slots_of
from purelb.api.addresses import FAMILIES, AddressRange, IPAddress, sort_key

MOST_CELLS: Final = 512  # of one range; a larger one has several addresses in each
MOST_ROWS: Final = 500  # Services shown; those that something is wrong with come first
MOST_MOVES: Final = 200
MOVES: Final = frozenset(
    {
        "AddressAssigned",
        "AddressReleased",
        "AllocationFailed",
        "AnnounceSlotSteal",
        "AnnouncementFailed",
        "AnnouncingLocal",
        "LocalOverride",
    }
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One address or several in a row. `state` is free, used, shared, kept, or part0 to part4."""

    state: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeMap:
    """One range as a map; `per_cell` addresses in each cell."""

    group: str
    type: str
    text: str
    subnet: str
    size: int
    used: int
    per_cell: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """One network, and which addresses each of its nodes announces there."""

    subnet: str
    nodes: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One Event of an address; `at` as text of UTC."""

    at: str
    service: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The whole page; `hidden` Services are not on it."""

    made: str
    server: str
    namespace: str
    status: StatusReport
    pools: PoolsReport
    maps: tuple[RangeMap, ...]
    election: ElectionReport
    reach: tuple[Reach, ...]
    services: tuple[ServiceRow, ...]
    hidden: int
    moves: tuple[Move, ...]
    doctor: DoctorReport


def page_of(snapshot: Snapshot, allocator: Allocator, server: str) -> Page:
    """Put the page together."""
    rows = sorted(report_services(snapshot, Filter()).services, key=_by_trouble)
    return Page(
        made=_utc(snapshot.now),
        server=server,
        namespace=snapshot.namespace,
        status=report_status(snapshot, allocator),
        pools=report_pools(snapshot, allocator),
        maps=tuple(_maps(allocator)),
        election=report_election(snapshot),
        reach=tuple(_reach(snapshot)),
        services=tuple(rows[:MOST_ROWS]),
        hidden=max(0, len(rows) - MOST_ROWS),
        moves=tuple(_moves(snapshot)),
        doctor=examine(snapshot),
    )


def _utc(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _by_trouble(row: ServiceRow) -> tuple[bool, str, str, str]:
    return row.status == Verdict.OK, row.namespace, row.name, row.ip


def _maps(allocator: Allocator) -> Iterator[RangeMap]:
    for pool in sorted(allocator.pools.pools.values(), key=lambda pool: pool.name):
        for family in FAMILIES:
            for one in pool.ranges[family]:
                yield _map(allocator, pool, one)


def _map(allocator: Allocator, pool: Pool, one: Range) -> RangeMap:
    size = one.addresses.size
    per_cell = max(1, -(-size // MOST_CELLS))
    cells = _single(allocator, pool, one) if per_cell == 1 else _binned(allocator, one, per_cell)
    return RangeMap(
        group=pool.name,
        type=pool.type.value,
        text=one.text,
        subnet=str(one.subnet),
        size=size,
        used=allocator.ledger.used(one.addresses),
        per_cell=per_cell,
        cells=tuple(cells),
    )


def _single(allocator: Allocator, pool: Pool, one: Range) -> Iterator[Cell]:
    first = one.addresses.first
    for number in range(one.addresses.size):
        address = _plus(first, number)
        owners = allocator.ledger.owners(address)
        guard = pool.guard(address)
        if owners:
            state = "shared" if len(owners) > 1 else "used"
            yield Cell(state, f"{address}: {', '.join(owners)}")
        elif guard is not None:
            yield Cell("kept", f"{address}: of {guard.owner}")
        elif (service := pool.reservations.kept.get(address)) is not None:
            yield Cell("kept", f"{address}: kept for {service}")
        else:
            yield Cell("free", f"{address}: free")


def _binned(allocator: Allocator, one: Range, per_cell: int) -> Iterator[Cell]:
    last = one.addresses.last
    start, size = one.addresses.first, one.addresses.size
    for offset in range(0, size, per_cell):
        first = _plus(start, offset)
        end = min(_plus(start, min(offset + per_cell, size) - 1), last, key=int)
        span = AddressRange(first, end)
        used = allocator.ledger.used(span)
        level = 0 if not used else 4 if used == span.size else 1 + 3 * used // span.size
        yield Cell(f"part{level}", f"{span}: {used} of {span.size} used")


def _plus(address: IPAddress, number: int) -> IPAddress:
    return type(address)(int(address) + number)


def _reach(snapshot: Snapshot) -> Iterator[Reach]:
    announced: dict[str, list[IPAddress]] = {}
    for service in served(snapshot.services):
        for slot in slots_of(service).values():
            announced.setdefault(slot.node, []).append(slot.address)
    members: dict[str, list[str]] = {}
    for lease in snapshot.leases:
        for text in lease.subnets:
            members.setdefault(text, []).append(lease.view.node)
    for text, network in sorted(networks(members)):
        nodes = []
        for node in sorted(set(members[text])):
            inside = {address for address in announced.get(node, ()) if address in network}
            nodes.append((node, tuple(str(ip) for ip in sorted(inside, key=sort_key))))
        yield Reach(subnet=text, nodes=tuple(nodes))


def _moves(snapshot: Snapshot) -> Iterator[Move]:
    events = [one for one in snapshot.events if one.reason in MOVES and one.at()]
    for event in sorted(events, key=lambda one: one.at(), reverse=True)[:MOST_MOVES]:
        about = event.involved_object
        yield Move(
            at=_utc(event.at()),
            service=f"{about.namespace}/{about.name}",
            reason=event.reason,
            message=" ".join(event.message.split()),
        )
