"""Composition root of the allocator: builds every object once, owns every long-lived task."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

from allocator import settings as config
from allocator.settings import Settings
from allocator.shell.metrics import AllocatorMetrics
from allocator.shell.reporter import Reporter
from allocator.shell.term import Term
from allocator.shell.watch import Watches
from allocator.shell.world import WorldStore
from purelb import VERSION
from purelb.runtime import logs
from purelb.runtime.clock import BootClock
from purelb.runtime.credentials import Access, find_access
from purelb.runtime.errors import PurelbError, SettingsError
from purelb.runtime.events import EventPoster
from purelb.runtime.health import Health, serving
from purelb.runtime.kopf_host import KopfHost
from purelb.runtime.kube import Kube
from purelb.runtime.leadership import Candidacy, Leadership
from purelb.runtime.metrics import new_registry

logger = logging.getLogger(__name__)

LEASE = "purelb-allocator"  # must not look like a node's, which are `purelb-node-*`
STUCK_SECONDS = 60.0  # that a due Service may wait for the work loop
REFRESH_SECONDS = 0.5  # before reading everything anew is tried again
YOUNG = 10_000  # objects made before the collector looks at them: a burst makes millions
FINISH_SECONDS = 1.5  # at a stop, for the writes under way


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Connections to the API server: the Lease and Events never wait behind other requests."""

    kube: Kube
    lease: Kube
    events: Kube


class Allocator:
    """All parts of one allocator process. Nothing runs before `run`."""

    def __init__(self, settings: Settings, access: Access, clients: Clients) -> None:
        self._kube, self._clock = clients.kube, BootClock()
        self.term: Term | None = None
        candidacy = Candidacy(
            namespace=settings.namespace,
            name=LEASE,
            identity=settings.identity,
            duration=settings.lease_seconds,
        )
        self.leadership = Leadership(clients.lease, self._clock, candidacy)
        clients.kube.guard(self.leadership.right)
        clients.events.guard(self.leadership.right)
        self.registry = new_registry()
        self.store = WorldStore(
            settings.namespace, is_default_announcer=settings.is_default_announcer
        )
        self.metrics = AllocatorMetrics(
            self.registry, self.store, lambda: self.term.ledger if self.term else None
        )
        host = os.uname().nodename
        self.poster = EventPoster(clients.events, "purelb-allocator", host, self._clock)
        self.reporter = Reporter(self.store, self.metrics, self.poster, self._clock)
        self.watches = Watches(self._kube, self.store, self._clock, settings.namespace)
        self.kopf = KopfHost("allocator", self._kube, access, [self.watches.group_mirror])

    async def run(self) -> None:
        """Work until cancelled: watch always, and serve whenever it is our turn to lead."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.watches.run(), name="watches")
            tasks.create_task(self.kopf.run(), name="kopf")
            tasks.create_task(self.poster.run(), name="events")
            await self.watches.wait_complete()
            tasks.create_task(self.leadership.run(), name="leadership")
            logger.info("standing by", extra={"version": VERSION})
            while True:
                await self.leadership.elected.wait()
                await self._lead()

    async def leave(self) -> bool:
        """Finish what is under way; tells whether another replica may lead from now on."""
        if self.term is None:
            return True
        try:
            async with asyncio.timeout(FINISH_SECONDS):
                return await self.term.worker.wait_idle()
        except TimeoutError:
            return False

    async def _lead(self) -> None:
        """Serve for one term, once all that a predecessor gave is known."""
        number = self.leadership.terms
        try:
            await self.watches.refresh()
        except PurelbError as error:
            logger.warning("cannot read the cluster", extra={"error": str(error)})
            await asyncio.sleep(REFRESH_SECONDS)
            return
        if self.leadership.deposed.is_set() or self.leadership.terms != number:
            return  # what was read may be older than our new term
        term = Term(self._kube, self.store, self.reporter, self.leadership)
        term.begin()
        self.term = term
        self.metrics.terms.inc()
        logger.info("serving", extra={"version": VERSION})
        self.watches.begin(term)
        try:
            await term.run(over=self.leadership.deposed)
        finally:
            self.watches.end()
            self.term = None

    def health(self) -> Health:
        """Return what the health port asks."""
        return Health(registry=self.registry, is_alive=self._is_alive, is_ready=self._is_ready)

    def _is_alive(self) -> str | None:
        overdue = self.term.worker.overdue() if self.term else 0.0
        return f"Services wait for {overdue:.0f} s" if overdue > STUCK_SECONDS else None

    def _is_ready(self) -> str | None:
        """A replica that stands by is ready to take over; a leader is once it has adopted."""
        if not self.watches.is_complete:
            return "the cluster is not known completely yet"
        if self.leadership.is_leading and self.term is None:
            return "addresses in use are not adopted yet"
        return None


async def serve(settings: Settings) -> None:
    """Run one allocator until SIGTERM or SIGINT."""
    access = find_access(settings.kubeconfig, os.environ)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(connected(access, settings.lease_seconds))
        allocator = Allocator(settings, access, clients)
        await stack.enter_async_context(serving(allocator.health(), "", settings.port))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(allocator.run())
            await stop.wait()
            logger.info("stopping")
            is_done = await allocator.leave()
            running.cancel()
        if is_done:
            await allocator.leadership.resign()


@contextlib.asynccontextmanager
async def connected(access: Access, lease_seconds: float) -> AsyncIterator[Clients]:
    """Open the connections of one allocator."""
    name = "purelb-allocator"
    async with (
        Kube(access, name) as kube,
        # A renewal that is not answered by then is tried again while the right still lasts.
        Kube(access, name, connections=3, seconds=lease_seconds / 4) as lease,
        Kube(access, name, connections=2) as events,
    ):
        yield Clients(kube=kube, lease=lease, events=events)


def spare_collections() -> None:
    """Let the garbage collector look at less: it took a tenth of a burst's CPU time (measured).

    What was imported lives as long as the process, and almost nothing of ours is ever in a cycle.
    """
    gc.freeze()
    gc.set_threshold(YOUNG)


def main() -> int:
    """Read the settings and serve; returns the exit status."""
    try:
        settings = config.load(sys.argv[1:], os.environ)
        logs.set_up(settings.log_level)
        logs.switch_on_signal()
        spare_collections()
        asyncio.run(serve(settings))
    except SettingsError as error:
        print(f"allocator: {error}", file=sys.stderr)
        return 1
    return 0
