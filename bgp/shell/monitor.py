"""How the sessions are doing: events of the engine, and what it lists after them.

Belongs here: when to ask. Does not: judging the answers (`bgp.core.health`).
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import NoReturn

from bgp.core.enginelog import Line, note, read_line
from bgp.core.model import AfiSafi, Route
from bgp.core.observed import SessionFacts
from bgp.shell.engine import UNICAST
from bgp.shell.exports import Exporter
from bgp.shell.metrics import BgpMetrics
from purelb.api.addresses import IPNetwork
from purelb.runtime.clock import Clock
from purelb.runtime.rpc import RpcError

logger = logging.getLogger(__name__)
engine_logger = logging.getLogger("gobgpd")

POLL_SECONDS = 15.0  # what nothing tells of: counts
REST_SECONDS = 0.2  # between two looks
SENT_SECONDS = 2.0  # between two looks at what neighbors are sent, which are expensive
RETRY_SECONDS = 0.2


class Monitor:
    """Sessions of the engine that speaks now, and what went wrong with them last.

    `errors` by neighbor's address; `sent` by address, too, out of `sent_of`; `counts` of prefixes
    by family.
    """

    def __init__(
        self,
        exporter: Exporter,
        clock: Clock,
        metrics: BgpMetrics,
        on_change: Callable[[], None],
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.sessions: tuple[SessionFacts, ...] = ()
        self.sent: Mapping[str, frozenset[IPNetwork]] = {}
        self.sent_of: frozenset[Route] = frozenset()
        self.counts: dict[AfiSafi, int] = {}
        self.errors: Mapping[str, str] = {}
        self._engine, self._exporter, self._clock = exporter.engine, exporter, clock
        self._poll_seconds = poll_seconds
        self._metrics, self._on_change = metrics, on_change
        self._wake, self._speaks, self._is_silent = (asyncio.Event() for _ in range(3))
        self._is_silent.set()
        self._routes: frozenset[Route] = frozenset()
        self._sent_at = -SENT_SECONDS
        self._is_sent_stale = True

    def begin(self) -> None:
        """Note that an engine begins to speak."""
        self._is_silent.clear()
        self._speaks.set()

    def end(self) -> None:
        """Note that there is none that speaks."""
        self._speaks.clear()
        self._is_silent.set()
        self.sessions, self.sent, self.sent_of = (), {}, frozenset()

    def look(self, routes: frozenset[Route] | None = None) -> None:
        """Look again soon: something was changed in the engine, which now has these routes."""
        if routes is not None:
            self._routes = routes
        self._is_sent_stale = True
        self._wake.set()

    def note(self, text: str) -> None:
        """Take in a line of the engine's log, and hand it on to ours."""
        line = read_line(text)
        errors = note(self.errors, line)
        if errors != self.errors:
            self.errors = errors
            self._wake.set()
        _log(line)

    async def run(self) -> NoReturn:
        """Watch one engine after the other until cancelled."""
        while True:
            await self._wait_engine()
            async with asyncio.TaskGroup() as tasks:
                jobs = [
                    tasks.create_task(work)
                    for work in (self._watch(), self._watch_paths(), self._poll())
                ]
                await self._is_silent.wait()
                for job in jobs:
                    job.cancel()

    async def _wait_engine(self) -> None:
        while not self._speaks.is_set():
            await self._clock.wait(self._speaks, self._clock.now() + self._poll_seconds)
            if not self._speaks.is_set():
                self._metrics.collection_skipped.inc()

    async def _watch(self) -> NoReturn:
        while True:
            with contextlib.suppress(RpcError):
                async with contextlib.aclosing(self._engine.watch_sessions()) as changes:
                    async for _ in changes:
                        self.look()
            await asyncio.sleep(RETRY_SECONDS)

    async def _watch_paths(self) -> NoReturn:
        while True:
            await self._exporter.watch()
            await asyncio.sleep(RETRY_SECONDS)

    async def _poll(self) -> NoReturn:
        while True:
            self._wake.clear()
            due = self._clock.now() + self._poll_seconds
            try:
                with self._metrics.collection_seconds.time():
                    await self._read()
                    due = min(due, await self._read_sent())
            except RpcError as error:
                self._metrics.collection_errors.inc()
                due = self._clock.now() + RETRY_SECONDS
                logger.info("engine is not asked", extra={"error": str(error)})
            await asyncio.sleep(REST_SECONDS)
            await self._clock.wait(self._wake, due)

    async def _read(self) -> None:
        found = tuple(sorted(await self._engine.sessions(), key=lambda one: one.address))
        self.counts = {family: await self._engine.count(family) for family in AfiSafi}
        if found != self.sessions:
            # What is sent is asked of sessions that are up, and one may just have come up.
            self._is_sent_stale |= [one.is_up for one in found] != [
                one.is_up for one in self.sessions
            ]
            self.sessions = found
            self._on_change()

    async def _read_sent(self) -> float:
        """Ask what neighbors are sent, if it is time; returns when to ask again."""
        now = self._clock.now()
        if not self._is_sent_stale and now < self._sent_at + self._poll_seconds:
            return now + self._poll_seconds
        if now < self._sent_at + SENT_SECONDS:
            return self._sent_at + SENT_SECONDS
        self._is_sent_stale, self._sent_at = False, now
        asked = self._routes
        try:
            found = await self._ask_sent()
        except BaseException:
            self._is_sent_stale = True
            raise
        if (found, asked) != (self.sent, self.sent_of):
            self.sent, self.sent_of = found, asked
            self._on_change()
        return now + self._poll_seconds

    async def _ask_sent(self) -> dict[str, frozenset[IPNetwork]]:
        found: dict[str, frozenset[IPNetwork]] = {}
        for session in self.sessions:
            if session.is_up:
                families = [one.family for one in session.counts if one.family in UNICAST]
                prefixes = [
                    path.prefix
                    for family in families
                    for path in await self._engine.advertised(family, session.address)
                ]
                found[session.address] = frozenset(prefixes)
        return found


def _log(line: Line) -> None:
    level = logging.getLevelNamesMapping()[line.level.upper()]
    engine_logger.log(level, line.message, extra={f"engine_{k}": v for k, v in line.facts.items()})
