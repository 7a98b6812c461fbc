"""The allocator's loop: dirty Services → decide and commit → write.

Deciding and committing is one synchronous stretch per Service, so no two Services ever look at the
same free address. Writers work side by side; a Service is never in two of them.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import NoReturn

from allocator.core.decide import decide
from allocator.core.decisions import Decision
from allocator.core.ledger import Ledger
from allocator.core.report import Writes, writes_of
from allocator.shell.reporter import Reporter
from allocator.shell.world import WorldStore
from allocator.shell.writer import ServiceWriter
from purelb.api.identifiers import ServiceKey
from purelb.core.backoff import Backoff
from purelb.core.dirtyset import DirtySet
from purelb.runtime.clock import Clock, wall_seconds
from purelb.runtime.errors import ConflictError, NotFoundError, PermanentError, TransientError

logger = logging.getLogger(__name__)

WRITERS = 32
# Decisions made before a writer is free for them: enough that none waits, few enough that what was
# decided is fresh, and that decisions leave the loop to the writes under way.
AHEAD = WRITERS
FIRST = -3600.0  # due before all else: who waits for what was freed comes before newcomers
STRETCH_SECONDS = 0.01  # of deciding, before others have their turn
# Turns of the event loop in which the status of a group is sent before that of its Service: who
# sees the address finds it counted.
TURNS = 2
COMPARE_SECONDS = 600.0  # between two looks at everything, whatever the events said
BACKOFF = Backoff(first=0.02, longest=30.0)
REFUSED_SECONDS = 60.0  # after a definite refusal by the API server


class Worker:
    """Owns the ledger: nobody else commits."""

    def __init__(
        self,
        store: WorldStore,
        ledger: Ledger,
        writer: ServiceWriter,
        reporter: Reporter,
        on_decision: Callable[[Decision], None],
    ) -> None:
        self.is_adopted = False
        self._is_stopping = False
        # When the loop last looked for due Services, or a write came to an end.
        self._turned_at = reporter.clock.now()
        self._store, self._ledger, self._writer, self._reporter = store, ledger, writer, reporter
        self._on_decision = on_decision
        self._dirty: DirtySet[ServiceKey] = DirtySet()
        self._wake = asyncio.Event()
        self._jobs: asyncio.Queue[tuple[Decision, Writes]] = asyncio.Queue()
        self._failures: dict[ServiceKey, int] = {}
        # Decisions whose write got no answer: told of once the cluster shows that it happened.
        self._unconfirmed: dict[ServiceKey, Decision] = {}
        self._clock: Clock = reporter.clock

    def overdue(self) -> float:
        """Return for how many seconds a Service that is due has waited without any progress.

        0 for none. Writes that time out are progress: an API server that hangs is not our failure.
        """
        due = self._dirty.next_due()
        return 0.0 if due is None else max(0.0, self._clock.now() - max(due, self._turned_at))

    def mark(self, keys: Iterable[ServiceKey], delay: float = 0.0) -> None:
        """Ask for a look at Services, in this order."""
        if not self.is_adopted:
            return  # everything is looked at after adoption anyway
        due = self._clock.now() + delay
        for key in keys:
            self._dirty.mark(key, due)
        self._wake.set()

    def adopt(self) -> None:
        """Enter every address that any Service shows, before one is handed out; then look at all.

        Call it once, when the caches are complete.
        """
        by_age = sorted(self._store.services.values(), key=lambda view: (view.created, view.key))
        for service in by_age:
            self._ledger.adopt(service)
        self.is_adopted = True
        self.mark(service.key for service in by_age)
        logger.info("adopted", extra={"services": len(by_age)})

    async def wait_idle(self) -> bool:
        """Decide nothing more, and wait for the writes under way.

        Those that have not begun are dropped: the next leader decides for itself. Tells whether all
        of them were answered: one that was not may still happen.
        """
        self._is_stopping = True
        await self._jobs.join()
        return not self._unconfirmed

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        compare_at = self._clock.now() + COMPARE_SECONDS
        async with asyncio.TaskGroup() as tasks:
            for _ in range(WRITERS):
                tasks.create_task(self._write_jobs())
            while True:
                self._wake.clear()
                await self._decide_due()
                if self._clock.now() >= compare_at:
                    compare_at = self._clock.now() + COMPARE_SECONDS
                    self.mark(self._store.services)
                is_closed = self._is_stopping or self._is_full
                due = None if is_closed else self._dirty.next_due()
                await self._clock.wait(self._wake, min(compare_at, due or compare_at))

    @property
    def _is_full(self) -> bool:
        return self._jobs.qsize() >= AHEAD

    async def _decide_due(self) -> None:
        stretch_ends = time.monotonic() + STRETCH_SECONDS
        while not self._is_stopping and not self._is_full:
            self._turned_at = self._clock.now()
            if (key := self._dirty.take(self._turned_at)) is None:
                return
            self._decide(key)
            if time.monotonic() >= stretch_ends:
                await asyncio.sleep(0)
                stretch_ends = time.monotonic() + STRETCH_SECONDS

    def _decide(self, key: ServiceKey) -> None:
        try:
            decision = decide(self._store.snapshot(), self._ledger, key)
            woken = self._ledger.commit(decision)
        except Exception:  # a bug in one Service's case must not stop the others
            logger.exception("cannot decide", extra={"service": key})
            self._reporter.metrics.update_errors.inc()
            self._dirty.done(key)
            self.mark([key], REFUSED_SECONDS)
            return
        self._on_decision(decision)
        self._reporter.decided(decision)
        self.mark(woken, FIRST)
        writes = writes_of(decision, wall_seconds())
        if writes.spec is None and writes.status is None:
            if (unconfirmed := self._unconfirmed.pop(key, None)) is not None:
                self._reporter.written(unconfirmed)
            self._finish(key)
        else:
            self._jobs.put_nowait((decision, writes))

    async def _write_jobs(self) -> NoReturn:
        while True:
            decision, writes = await self._jobs.get()
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if not self._is_stopping:
                await self._write(decision, writes)
            self._turned_at = self._clock.now()
            self._jobs.task_done()

    async def _write(self, decision: Decision, writes: Writes) -> None:
        key = decision.key
        try:
            await self._reporter.warn_first(decision)
            await self._writer.write(key, writes)
        except ConflictError:
            self._retry(key)  # decided on an old version; the newer one is on its way to us
        except TransientError as error:
            # The write may have happened: what was decided stays, and the next look will tell.
            logger.info("write failed", extra={"service": key, "error": str(error)})
            self._unconfirmed.setdefault(key, decision)
            self._retry(key, error.retry_after)
        except NotFoundError:
            self.mark(self._ledger.revert(decision), FIRST)
            self._finish(key)
        except PermanentError as error:
            logger.error("write refused", extra={"service": key, "error": str(error)})
            self._reporter.metrics.update_errors.inc()
            self.mark(self._ledger.revert(decision), FIRST)
            self._finish(key)
            self.mark([key], REFUSED_SECONDS)
        except Exception:
            logger.exception("cannot write", extra={"service": key})
            self._retry(key, REFUSED_SECONDS)
        else:
            self._reporter.written(self._unconfirmed.pop(key, decision))
            self._finish(key)

    def _finish(self, key: ServiceKey) -> None:
        self._failures.pop(key, None)
        self._dirty.done(key)
        if self._jobs.qsize() <= AHEAD // 2:  # else whoever finishes next wakes the loop
            self._wake.set()

    def _retry(self, key: ServiceKey, least: float | None = None) -> None:
        self._reporter.metrics.update_errors.inc()
        count = self._failures[key] = self._failures.get(key, 0) + 1
        self._dirty.done(key)
        self.mark([key], max(BACKOFF.delay(count), least or 0.0))
