"""One term of leadership: what a replica does while it leads, from adoption to deposition.

Everything that must not outlive a term is made for it anew: the ledger first of all, because what
the next leader gives is not in it.
"""

import asyncio
import logging

from allocator.core.affected import affected
from allocator.core.decisions import Decision
from allocator.core.ledger import Ledger
from allocator.core.pool import PoolSet
from allocator.shell.groups import GroupStatusWriter
from allocator.shell.ipam import Providers
from allocator.shell.journal import Journal
from allocator.shell.reporter import Reporter
from allocator.shell.rests import RestKeeper
from allocator.shell.worker import FIRST, Worker
from allocator.shell.world import WorldStore
from allocator.shell.writer import ServiceWriter
from purelb.api.identifiers import ServiceKey
from purelb.runtime.kube import Kube
from purelb.runtime.leadership import Leadership

logger = logging.getLogger(__name__)


class Term:
    """The parts of one term. Nothing runs before `run`."""

    def __init__(
        self,
        kube: Kube,
        store: WorldStore,
        reporter: Reporter,
        leadership: Leadership,
    ) -> None:
        metrics, clock = reporter.metrics, reporter.clock
        self.ledger, self.reporter, self._store = Ledger(), reporter, store
        self.groups = GroupStatusWriter(kube, store, self.ledger, metrics, clock)
        journal = Journal(kube, leadership.namespace, clock)
        self.providers = Providers(store, self.ledger, journal, clock, leadership.right)
        self.worker = Worker(store, self.ledger, ServiceWriter(kube), reporter, self._decided)
        self.rests = RestKeeper(self.ledger, clock, self._rested)
        self.providers.connect(
            self.worker.mark,
            self.groups.wake,
            metrics.count_rpc,
        )

    def begin(self) -> None:
        """Adopt every address in use; only call it with a world that is complete and fresh."""
        self.rests.note(self._store.rests.values())
        self.worker.adopt()
        self.providers.adopt()
        self.groups.wake()

    def pools_changed(self, before: PoolSet) -> None:
        """Tell everybody whom a change of the groups concerns."""
        self.reporter.groups_changed(before)
        self.providers.pools_changed()
        self.worker.mark(affected(before, self._store.pools, self.ledger))
        self.groups.wake()

    def _rested(self, keys: tuple[ServiceKey, ...]) -> None:
        self.worker.mark(keys, FIRST)
        self.groups.wake()

    def _decided(self, decision: Decision) -> None:
        if decision.before != decision.after:
            self.groups.wake()
        self.providers.heed(decision)

    async def run(self, over: asyncio.Event) -> None:
        """Work until the term is over, then drop what is under way: it is the next leader's."""
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self.worker.run(), name="worker"),
                tasks.create_task(self.groups.run(), name="groups"),
                tasks.create_task(self.rests.run(), name="rests"),
                tasks.create_task(self.providers.run(), name="providers"),
            ]
            await over.wait()
            for task in running:
                task.cancel()
