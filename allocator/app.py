"""Composition root of the allocator: builds every object once, owns every long-lived task."""

import asyncio
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack

from allocator import settings as config
from allocator.core.ledger import Ledger
from allocator.settings import Settings
from allocator.shell.groups import GroupStatusWriter
from allocator.shell.metrics import AllocatorMetrics
from allocator.shell.reporter import Reporter
from allocator.shell.watch import Watches
from allocator.shell.worker import Worker
from allocator.shell.world import WorldStore
from allocator.shell.writer import ServiceWriter
from purelb import VERSION
from purelb.runtime import logs
from purelb.runtime.clock import BootClock
from purelb.runtime.credentials import Access, find_access
from purelb.runtime.errors import SettingsError
from purelb.runtime.events import EventPoster
from purelb.runtime.health import Health, serving
from purelb.runtime.kopf_host import KopfHost
from purelb.runtime.kube import Kube
from purelb.runtime.metrics import new_registry

logger = logging.getLogger(__name__)

STUCK_SECONDS = 60.0  # that a due Service may wait for the work loop


class Allocator:
    """All parts of one allocator process. Nothing runs before `run`."""

    def __init__(self, settings: Settings, access: Access, kube: Kube, events: Kube) -> None:
        clock = BootClock()
        self.registry = new_registry()
        self.ledger = Ledger()
        self.store = WorldStore(
            settings.namespace, is_default_announcer=settings.is_default_announcer
        )
        metrics = AllocatorMetrics(self.registry, self.store, self.ledger)
        self.poster = EventPoster(events, "purelb-allocator", os.uname().nodename, clock)
        reporter = Reporter(self.store, metrics, self.poster, clock)
        self.groups = GroupStatusWriter(kube, self.store, self.ledger, metrics, clock)
        writer = ServiceWriter(kube)
        self.worker = Worker(self.store, self.ledger, writer, reporter, self.groups.wake)
        self.watches = Watches(kube, self.store, self.ledger, clock, settings.namespace)
        self.watches.connect(self.worker, self.groups, reporter)
        self.kopf = KopfHost("allocator", kube, access, [self.watches.group_mirror])

    async def run(self) -> None:
        """Work until cancelled: watch, adopt what is held, then serve."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.watches.run(), name="watches")
            tasks.create_task(self.kopf.run(), name="kopf")
            tasks.create_task(self.poster.run(), name="events")
            await self.watches.wait_complete()
            self.worker.adopt()
            self.groups.wake()
            tasks.create_task(self.worker.run(), name="worker")
            tasks.create_task(self.groups.run(), name="groups")
            logger.info("serving", extra={"version": VERSION})

    def health(self) -> Health:
        """Return what the health port asks."""
        return Health(registry=self.registry, is_alive=self._is_alive, is_ready=self._is_ready)

    def _is_alive(self) -> str | None:
        overdue = self.worker.overdue()
        return f"Services wait for {overdue:.0f} s" if overdue > STUCK_SECONDS else None

    def _is_ready(self) -> str | None:
        return None if self.worker.is_adopted else "addresses in use are not adopted yet"


async def serve(settings: Settings) -> None:
    """Run one allocator until SIGTERM or SIGINT."""
    access = find_access(settings.kubeconfig, os.environ)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        kube = await stack.enter_async_context(Kube(access, "purelb-allocator"))
        # Events have connections of their own, so that they delay no allocation.
        events = await stack.enter_async_context(Kube(access, "purelb-allocator", connections=2))
        allocator = Allocator(settings, access, kube, events)
        await stack.enter_async_context(serving(allocator.health(), "", settings.port))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(allocator.run())
            await stop.wait()
            logger.info("stopping")
            running.cancel()


def main() -> int:
    """Read the settings and serve; returns the exit status."""
    try:
        settings = config.load(sys.argv[1:], os.environ)
        logs.set_up(settings.log_level)
        asyncio.run(serve(settings))
    except SettingsError as error:
        print(f"allocator: {error}", file=sys.stderr)
        return 1
    return 0
