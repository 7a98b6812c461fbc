"""This node's kernel as the loop sees it: one observation, a list of operations, and wake-ups.

Belongs here: what is read when, and which events are news. Does not: what follows from them
(`nodeagent.core`), netlink itself (`purelb.runtime.netlink`).
"""

import logging
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from types import TracebackType
from typing import NoReturn, Self, assert_never

from nodeagent.core.gate import Record, compare, is_known, is_news, note_change, note_loss
from nodeagent.core.installed import Outcome
from nodeagent.core.links import Announced, Observed, Placed
from nodeagent.core.ops import (
    AddAddress,
    Announce,
    DeleteLink,
    LinkOp,
    MakeLink,
    Op,
    Probe,
    RaiseLink,
    RefreshAddress,
    RemoveAddress,
    ReorderAddress,
)
from nodeagent.core.struggles import Struggle, is_over, lost, put_back
from nodeagent.shell.dummy import change_link
from purelb.api.addresses import Family, IPAddress, family_of
from purelb.api.identifiers import Instant
from purelb.api.links import OUR_MARK, DefaultRoute, Link, NewAddress
from purelb.core.steps import chunks
from purelb.runtime.clock import Clock
from purelb.runtime.errors import PermanentError, PurelbError
from purelb.runtime.netlink import filters, links, listing
from purelb.runtime.netlink.addresses import AddressSocket, Change
from purelb.runtime.netlink.events import (
    AddressGone,
    AddressSeen,
    Event,
    EventSocket,
    LinkChanged,
    Lost,
    RouteChanged,
    SettingChanged,
)
from purelb.runtime.netlink.wire import DeadAddress, Refresh

logger = logging.getLogger(__name__)

LINKS, ROUTES = "links", "routes"
AUDIT_SECONDS = 5.0  # between two looks at everything, whatever the events said
AUDIT_SPREAD = 0.8, 1.2  # times that, so that the nodes of a cluster do not look all at once
AUDIT_LEAD = 2.0  # seconds by which it may come early with a pass that is made anyway
LONGEST_SECONDS = 0.5  # for the operations of one pass, about
TRIES = 3  # a list of addresses is incomplete when others change some meanwhile


@dataclass(slots=True)
class LookCounts:
    """How often everything was looked at, and how often events had been lost."""

    audits: int = 0
    losses: int = 0


class Kernel:
    """Reads addresses at each look, links and routes when something has happened to them."""

    def __init__(
        self,
        clock: Clock,
        wake: Callable[[], None],
        dummy_kind: str,
        longest: float = LONGEST_SECONDS,
    ) -> None:
        self.unrest: Record = {}
        self.struggles: dict[IPAddress, Struggle] = {}
        self.counts = LookCounts()
        self._clock, self._wake, self._dummy_kind = clock, wake, dummy_kind
        self._longest = longest
        self._addresses = AddressSocket()
        self._events = EventSocket(self._note)
        self._last: Observed | None = None
        self._links: tuple[Link, ...] = ()
        self._routes: tuple[DefaultRoute, ...] = ()
        self._stale = {LINKS, ROUTES}  # what is to be read again
        self._audit_at: Instant = 0.0
        self._lost: dict[IPAddress, Instant] = {}  # ours that somebody else removed
        self._leaving: set[Placed] = set()  # ours that we take away ourselves
        self._duplicates: dict[IPAddress, int] = {}  # ours that other hosts have, and the links
        self._interrupted: set[int] = set()  # links that did not work at some moment

    @property
    def has_marks(self) -> bool:
        """Whether this kernel stores our mark; assumed until the first address is read back."""
        return self._addresses.has_marks is not False

    async def __aenter__(self) -> Self:
        """Open the sockets; events queue from here on."""
        self._events.attach(filters.without_refreshes(OUR_MARK, of_ipv6=False))
        self._events.open()
        self._addresses.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the sockets."""
        self._events.close()
        self._addresses.close()

    async def run(self) -> NoReturn:
        """Take in events until cancelled."""
        await self._events.run()

    def repair_seconds(self, outcomes: Iterable[Outcome]) -> Iterator[float]:
        """Yield how long each address that is back now was gone, if we saw it go."""
        for outcome in outcomes:
            if isinstance(outcome.op, AddAddress) and not outcome.error:
                lost_at = self._lost.pop(outcome.op.entry.address, None)
                if lost_at is not None:
                    yield self._clock.now() - lost_at

    def next_audit(self) -> Instant:
        """Return when everything is to be looked at again."""
        return self._audit_at

    def take_interrupted(self) -> frozenset[int]:
        """Return the links that went down since the last call, even if they are up again."""
        found, self._interrupted = frozenset(self._interrupted), set()
        return found

    def take_duplicates(self) -> Mapping[IPAddress, int]:
        """Return the addresses that the kernel took away as duplicates since the last call.

        Each with the index of its link.
        """
        found, self._duplicates = self._duplicates, {}
        return found

    async def observe(
        self, record: frozenset[Placed], announced: frozenset[Announced]
    ) -> Observed | None:
        """Return what the kernel shows now; None if it could not be read completely.

        `record` and `announced` are what this process knows beyond it.
        """
        now = self._clock.now()
        if now >= self._audit_at - AUDIT_LEAD:
            self._stale = {LINKS, ROUTES}
            self._audit_at = now + AUDIT_SECONDS * random.uniform(*AUDIT_SPREAD)
            self.counts.audits += 1
            over = [known for known, one in self.struggles.items() if is_over(one, now)]
            for address in over:
                del self.struggles[address]
        await self._read_stale()
        for _ in range(TRIES):
            read_at = self._clock.now()
            addresses = await self._addresses.dump()
            if addresses is not None:
                break
        else:
            return None
        observed = Observed(
            links=self._links,
            addresses=addresses,
            routes=self._routes,
            read_at=read_at,
            record=record,
            announced=announced,
            has_marks=self.has_marks,
        )
        if self._last is not None:
            self.unrest = compare(self.unrest, self._last, observed)
        self._last = observed
        self._expect(detection=any(entry.flags & filters.UNSETTLED for entry in addresses))
        return observed

    def _expect(self, *, detection: bool) -> None:
        """Say whether the end of duplicate address detection may come: only its events tell.

        They look like those of refreshes, which are dropped unread at any other time.
        """
        self._events.attach(filters.without_refreshes(OUR_MARK, of_ipv6=not detection))

    async def _read_stale(self) -> None:
        """Read what has changed; an event that comes meanwhile asks for another reading."""
        wanted, self._stale = self._stale, set()
        try:
            if LINKS in wanted:
                self._links = await listing.links()
            if ROUTES in wanted:
                self._routes = await links.default_routes()
        except BaseException:
            self._stale |= wanted
            raise

    async def execute(self, ops: Sequence[Op]) -> tuple[Outcome, ...]:
        """Try operations, in order, until they have taken long; then ask for another pass.

        What is not tried has no outcome. Announcements are left to the announcer. Thousands of
        addresses may take the kernel many seconds, and others must be refreshed meanwhile.
        """
        if any(isinstance(op, AddAddress | ReorderAddress) for op in ops):
            self._expect(detection=True)
        outcomes: list[Outcome] = []
        ends_at = self._clock.now() + self._longest
        for portion in _portions(ops):
            if outcomes and self._clock.now() >= ends_at:
                self._wake()
                break
            outcomes += await self._change(portion)
        return tuple(outcomes)

    async def _change(self, ops: Sequence[Op]) -> tuple[Outcome, ...]:
        first = ops[0]
        if isinstance(first, LinkOp):
            return (await self._change_link(first),)
        for op in ops:
            if isinstance(op, RemoveAddress | ReorderAddress):
                await self._prepare(op)
        return await self._change_addresses(ops)

    async def _change_link(self, op: LinkOp) -> Outcome:
        try:
            await change_link(op, self._dummy_kind)
        except PurelbError as error:
            return Outcome(op, str(error), is_lasting=isinstance(error, PermanentError))
        return Outcome(op)

    async def _change_addresses(self, ops: Sequence[Op]) -> tuple[Outcome, ...]:
        changes: list[Change] = []
        spans: list[tuple[Op, int]] = []
        for op in ops:
            wanted = _changes(op)
            changes += wanted
            spans.append((op, len(wanted)))
        numbers = await self._addresses.apply(changes)
        if any(numbers):
            errors = iter(numbers)
            outcomes = tuple(
                Outcome(op, _error([next(errors) for _ in range(count)])) for op, count in spans
            )
        else:
            outcomes = tuple(map(Outcome, ops))
        return tuple(map(self._put_back, outcomes)) if self.struggles else outcomes

    def _put_back(self, outcome: Outcome) -> Outcome:
        """Note that an address is back; tells if it has been so often."""
        match outcome:
            case Outcome(AddAddress(entry=new), error="") if new.address in self.struggles:
                struggle = put_back(self.struggles[new.address], self._clock.now())
                self.struggles[new.address] = struggle
                return replace(outcome, is_silent=struggle.is_silent)
            case _:
                return outcome

    async def _prepare(self, op: RemoveAddress | ReorderAddress) -> None:
        """Note what we are about to take away ourselves; it is no loss when the event comes."""
        match op:
            case RemoveAddress():
                self._leaving.add(Placed(op.index, op.address, op.prefix))
                if op.needs_promotion:
                    await links.promote_secondaries(op.index)
            case ReorderAddress(entry=entry):
                self._leaving.add(_placed(entry))
            case _:
                assert_never(op)

    def _note(self, event: Event) -> None:
        match event:
            case AddressGone():
                self._note_gone(event)
            case AddressSeen(address=entry):
                last = self._last
                if last is not None and not is_news(last, entry):
                    return  # lifetimes only: our own refreshes, or an RA's
                if entry.mark == OUR_MARK and entry.family is Family.IPV4:
                    return  # our own; IPv6 goes on to find out whether it is a duplicate
                if entry.mark != OUR_MARK and not (last is not None and is_known(last, entry)):
                    now = self._clock.now()
                    self.unrest = note_change(self.unrest, entry.index, entry.family, now)
            case LinkChanged():
                self._note_link(event)
            case RouteChanged() | SettingChanged():  # the latter is not subscribed to
                self._stale.add(ROUTES)
            case Lost():
                self._stale |= {LINKS, ROUTES}
                self.counts.losses += 1
            case _:
                assert_never(event)
        self._wake()

    def _note_link(self, event: LinkChanged) -> None:
        self._stale.add(LINKS)
        if not event.works:
            self._interrupted.add(event.index)
        if event.gone:
            self.unrest = {k: v for k, v in self.unrest.items() if k[0] != event.index}

    def _note_gone(self, event: AddressGone) -> None:
        place, mark = Placed(event.index, event.address, event.prefix), event.mark
        now, family = self._clock.now(), family_of(place.address)
        record = self._last.record if self._last is not None else frozenset()
        if mark != OUR_MARK and place not in record:
            self.unrest = note_change(self.unrest, place.index, family, now)
        elif place in self._leaving:
            self._leaving.discard(place)
        elif event.is_duplicate:
            self._duplicates[event.address] = event.index
        else:
            self.unrest = note_loss(self.unrest, place.index, family, now)
            self._lost[place.address] = now
            before = self.struggles.get(place.address)
            self.struggles[place.address] = lost(before, place.index, event.by, now)


def _changes(op: Op) -> list[Change]:
    match op:
        case AddAddress(entry=entry):
            return [entry]
        case RefreshAddress(entry=entry):
            return [Refresh(to=entry)]
        case ReorderAddress(entry=entry):
            return [
                DeadAddress(index=entry.index, address=entry.address, prefix=entry.prefix),
                entry,
            ]
        case RemoveAddress(index=index, address=address, prefix=prefix):
            return [DeadAddress(index=index, address=address, prefix=prefix)]
        case MakeLink() | RaiseLink() | DeleteLink() | Announce() | Probe():
            return []
        case _:
            assert_never(op)


def _portions(ops: Sequence[Op]) -> Iterator[Sequence[Op]]:
    """Yield links by themselves, and others some at a time."""
    for is_link, some in groupby(ops, lambda op: isinstance(op, LinkOp)):
        if is_link:
            yield from ([op] for op in some)
        else:
            yield from chunks(some)


def _placed(entry: NewAddress) -> Placed:
    return Placed(entry.index, entry.address, entry.prefix)


def _error(errors: Sequence[int]) -> str:
    number = next((number for number in errors if number), 0)
    return os.strerror(number) if number else ""
