"""The queue of one external pool: asks its provider, gives back to it, and counts.

Belongs here: order, concurrency, deadlines' consequences. Does not: what is to be done about a
Service (`allocator.core.accounts`), who is told (`allocator.shell.ipam`). Each pool has a queue of
its own, so that a provider that is down or slow delays nobody else's Services.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import NoReturn, Protocol

from allocator.core.accounts import GiveBack, Step
from allocator.core.answers import FULL, OUTAGES, PASSING
from allocator.core.asks import Ask
from purelb.api.identifiers import Instant, PoolName, ServiceKey
from purelb.api.ipam import PoolStats
from purelb.core.backoff import Backoff
from purelb.core.dirtyset import DirtySet
from purelb.runtime.clock import Clock
from purelb.runtime.ipam import IpamClient
from purelb.runtime.rpc import RpcError

logger = logging.getLogger(__name__)

ROOM = 8  # calls at a time; one while the provider is known not to answer
OUTAGE = Backoff(first=0.5, longest=30.0)  # of the whole pool
SOON = Backoff(first=1.0, longest=60.0)  # of one Service whose refusal may pass by itself
LATE = Backoff(first=30.0, longest=600.0)  # of one whose refusal needs a person
STATS_SECONDS = 60.0  # between two counts while nothing happens
STATS_PAUSE = 1.0  # between two counts under a burst


class Desk(Protocol):
    """Whoever knows what is to be done, and is told what came of it."""

    def client(self, pool: PoolName) -> IpamClient:
        """Return the connection to a pool's provider."""
        ...

    def is_in_use(self, pool: PoolName) -> bool:
        """Tell whether anybody wants to know how full the pool is."""
        ...

    def next_step(self, pool: PoolName, key: ServiceKey) -> Step | None:
        """Return what is to be done about a Service."""
        ...

    async def wait_on_record(self, ask: Ask) -> None:
        """Put on record that a question is about to be sent."""
        ...

    def answered(self, ask: Ask, texts: Sequence[str]) -> None:
        """Take in a reply."""
        ...

    def refused(self, ask: Ask, error: RpcError) -> None:
        """Take in that there was no reply."""
        ...

    def gave_back(self, pool: PoolName, key: ServiceKey, step: GiveBack) -> None:
        """Take in that something went back."""
        ...

    def counted(self, pool: PoolName, stats: PoolStats) -> None:
        """Take in how full the pool is."""
        ...

    def called(self, pool: PoolName, *, is_up: bool) -> None:
        """Take in whether the provider is there."""
        ...


class Provider:
    """One pool's queue. Services are served in order of arrival; one is never in two calls.

    While the provider does not answer a single call at a time finds out whether it is back, with
    growing pauses. A question that was refused for good waits on its own and holds nobody up.
    """

    def __init__(self, pool: PoolName, desk: Desk, clock: Clock) -> None:
        self.pool = pool
        self._desk, self._clock = desk, clock
        self._dirty: DirtySet[ServiceKey] = DirtySet()
        self._arrived: dict[ServiceKey, Instant] = {}
        self._refusals: dict[ServiceKey, tuple[Ask, int, Instant]] = {}  # count, and when to retry
        self._full: dict[ServiceKey, None] = {}  # refused because the pool is, oldest first
        self._busy = 0
        self._silences = 0  # calls without an answer, in a row
        self._resume_at = self._stats_at = self._stats_earliest = clock.now()
        self._is_counting = False
        self._wake = asyncio.Event()

    def mark(self, key: ServiceKey, delay: float = 0.0) -> None:
        """Say that something about a Service may have to be done."""
        now = self._clock.now()
        self._dirty.mark(key, now + delay if delay else self._arrived.setdefault(key, now))
        self._wake.set()

    def hurry(self) -> None:
        """Forget all pauses: the provider is not the same any more."""
        self._silences, self._resume_at = 0, self._clock.now()
        self._stats_at = self._resume_at
        refused, self._refusals = self._refusals, {}
        for key in refused:
            self.mark(key)
        self._wake.set()

    def look(self) -> None:
        """Say that the group may be another, or gone."""
        self._wake.set()

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                now = self._clock.now()
                if self._may_count() and now >= max(self._stats_at, self._resume_at):
                    self._is_counting = True
                    tasks.create_task(self._count())
                while now >= self._resume_at and self._busy < (1 if self._silences else ROOM):
                    key = self._dirty.take(now)
                    if key is None:
                        break
                    self._busy += 1
                    tasks.create_task(self._serve(key))
                await self._clock.wait(self._wake, self._next_turn())

    def _may_count(self) -> bool:
        return not self._is_counting and self._desk.is_in_use(self.pool)

    def _next_turn(self) -> Instant | None:
        turns = [self._stats_at] if self._may_count() else []
        due = self._dirty.next_due()
        if due is not None and self._busy < (1 if self._silences else ROOM):
            turns.append(due)
        return max(self._resume_at, min(turns)) if turns else None

    async def _serve(self, key: ServiceKey) -> None:
        try:
            while (step := self._desk.next_step(self.pool, key)) is not None:
                if not await self._take(key, step):
                    return
            self._refusals.pop(key, None)
            self._full.pop(key, None)
            self._arrived.pop(key, None)
        except Exception:  # a bug in one Service's case must not stop the others
            logger.exception("cannot serve", extra={"pool": self.pool, "service": key})
            self._dirty.mark(key, self._clock.now() + LATE.first)
        finally:
            self._busy -= 1
            self._dirty.done(key)
            self._wake.set()

    async def _take(self, key: ServiceKey, step: Step) -> bool:
        """Take one step; tells whether to look for the next one now."""
        if isinstance(step, GiveBack):
            return await self._give_back(key, step)
        known = self._refusals.get(key)
        if known is not None and known[0] == step and known[2] > self._clock.now():
            self._dirty.mark(key, known[2])
            return False
        await self._desk.wait_on_record(step)
        if self._desk.next_step(self.pool, key) != step:
            return True
        return await self._ask(key, step)

    async def _ask(self, key: ServiceKey, ask: Ask) -> bool:
        client = self._desk.client(self.pool)
        texts = tuple(map(str, ask.pins))
        try:
            if texts:
                reply = await client.allocate_explicit(self.pool, key, ask.sharing, texts)
            else:
                reply = await client.allocate_families(self.pool, key, ask.sharing, ask.families)
        except RpcError as error:
            self._failed(key, "Allocate", error)
            if error.status not in OUTAGES:
                self._postpone(ask, error.status)
            self._desk.refused(ask, error)
            return False
        self._succeeded()
        # If the answer will not do, the question stands and is asked again, but not at once.
        self._postpone(ask, "OK")
        self._desk.answered(ask, reply)
        return not isinstance(self._desk.next_step(self.pool, key), Ask)

    async def _give_back(self, key: ServiceKey, step: GiveBack) -> bool:
        text = None if step.address is None else str(step.address)
        try:
            await self._desk.client(self.pool).release(self.pool, key, text)
        except RpcError as error:
            self._failed(key, "Release", error)
            if error.status not in OUTAGES:
                self._dirty.mark(key, self._clock.now() + LATE.first)
            return False
        self._succeeded()
        self._desk.gave_back(self.pool, key, step)
        self._room_was_made()
        return True

    async def _count(self) -> None:
        self._stats_at = self._clock.now() + STATS_SECONDS
        try:
            stats = await self._desk.client(self.pool).stats(self.pool)
        except RpcError as error:
            self._failed(None, "Stats", error)
            if error.status in OUTAGES:
                self._stats_at = self._resume_at
        else:
            self._desk.counted(self.pool, stats)
            self._answered()
        finally:
            self._is_counting = False
            self._stats_earliest = self._clock.now() + STATS_PAUSE
            self._wake.set()

    def _succeeded(self) -> None:
        self._stats_at = min(self._stats_at, max(self._clock.now(), self._stats_earliest))
        self._answered()

    def _answered(self) -> None:
        self._silences, self._resume_at = 0, self._clock.now()
        self._desk.called(self.pool, is_up=True)
        self._wake.set()

    def _failed(self, key: ServiceKey | None, method: str, error: RpcError) -> None:
        facts = {"pool": self.pool, "method": method, "error": str(error), "service": key}
        if error.status not in OUTAGES:
            logger.info("provider refused", extra=facts)
            self._answered()
            return
        now = self._clock.now()
        if now >= self._resume_at:  # calls that end in silence together are one sign, not many
            self._silences += 1
            self._resume_at = now + OUTAGE.delay(self._silences)
            if self._silences == 1:
                logger.warning("provider does not answer", extra=facts)
        self._desk.called(self.pool, is_up=False)
        if key is not None:
            self.mark(key)  # in its old place: it has waited longest

    def _postpone(self, ask: Ask, status: str) -> None:
        """Let a question that stands wait before it is asked again."""
        known = self._refusals.get(ask.key)
        count = known[1] + 1 if known is not None and known[0] == ask else 1
        delay = (SOON if status in PASSING else LATE).delay(count)
        due = self._clock.now() + delay
        self._refusals[ask.key] = ask, count, due
        self._dirty.mark(ask.key, due)
        if status == FULL:
            self._full.setdefault(ask.key)

    def _room_was_made(self) -> None:
        """Let the one that has waited longest for room ask again at once."""
        key = next(iter(self._full), None)
        if key is not None:
            del self._full[key]
            self._refusals.pop(key, None)
            self.mark(key)
