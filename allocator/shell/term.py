"""One term of leadership: what a replica does while it leads, from adoption to deposition.

Everything that must not outlive a term is made for it anew: the ledger first of all, because what
the next leader gives is not in it.
"""

import asyncio
import logging

from allocator.core.ledger import Ledger
from allocator.shell.groups import GroupStatusWriter
from allocator.shell.metrics import AllocatorMetrics
from allocator.shell.reporter import Reporter
from allocator.shell.worker import Worker
from allocator.shell.world import WorldStore
from allocator.shell.writer import ServiceWriter
from purelb.runtime.clock import Clock
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)


class Term:
    """The parts of one term. Nothing runs before `run`."""

    def __init__(
        self,
        kube: Kube,
        store: WorldStore,
        reporter: Reporter,
        metrics: AllocatorMetrics,
        clock: Clock,
    ) -> None:
        self.ledger, self.reporter = Ledger(), reporter
        self.groups = GroupStatusWriter(kube, store, self.ledger, metrics, clock)
        self.worker = Worker(store, self.ledger, ServiceWriter(kube), reporter, self.groups.wake)

    def begin(self) -> None:
        """Adopt every address in use; only call it with a world that is complete and fresh."""
        self.worker.adopt()
        self.groups.wake()

    async def run(self, over: asyncio.Event) -> None:
        """Work until the term is over, then drop what is under way: it is the next leader's."""
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self.worker.run(), name="worker"),
                tasks.create_task(self.groups.run(), name="groups"),
            ]
            await over.wait()
            for task in running:
                task.cancel()
