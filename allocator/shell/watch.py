"""What the allocator watches, and whom each change concerns."""

import asyncio
import logging

from allocator.core.affected import affected, affected_by_subnets
from allocator.core.ledger import Ledger
from allocator.shell.groups import GroupStatusWriter
from allocator.shell.reporter import Reporter
from allocator.shell.worker import Worker
from allocator.shell.world import WorldStore
from purelb.api.resources import ServiceGroup, decode_lease, decode_service
from purelb.api.views import LeaseView, ServiceView, view_lease, view_service
from purelb.runtime.clock import Clock
from purelb.runtime.informer import Informer, Source
from purelb.runtime.kinds import SERVICE_GROUPS
from purelb.runtime.kopf_host import Mirror
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)


class Watches:
    """The informers and the mirror that keep the world true, and mark what changes concern."""

    def __init__(
        self, kube: Kube, store: WorldStore, ledger: Ledger, clock: Clock, namespace: str
    ) -> None:
        self.group_mirror: Mirror[ServiceGroup] = Mirror(SERVICE_GROUPS, self._groups_changed)
        self._store, self._ledger = store, ledger
        services: Source[ServiceView] = Source(
            # Of all types: a Service that left the type while we were away must be released.
            path="/api/v1/services",
            view=lambda body: view_service(decode_service(body)),
        )
        leases: Source[LeaseView] = Source(
            path=f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases",
            view=lambda body: view_lease(decode_lease(body)),
        )
        self._services = Informer(kube, services, self._service_changed, clock)
        # Without an install namespace nobody knows where the Leases are.
        self._leases = Informer(kube, leases, self._lease_changed, clock) if namespace else None
        self._parts: tuple[Worker, GroupStatusWriter, Reporter] | None = None

    def connect(self, worker: Worker, groups: GroupStatusWriter, reporter: Reporter) -> None:
        """Say who is to be told; before `run`."""
        self._parts = worker, groups, reporter

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._services.run())
            if self._leases is not None:
                tasks.create_task(self._leases.run())

    async def wait_complete(self) -> None:
        """Wait until Services and groups are known: nothing may be given out before.

        Leases are not waited for: PureLB's own RBAC does not let the allocator watch them, and only
        multi-pool Services need them.
        """
        await self._services.synced.wait()
        await self.group_mirror.synced.wait()

    def _service_changed(self, old: ServiceView | None, new: ServiceView | None) -> None:
        key = self._store.set_service(old, new)
        if old is not None and new is not None and old.without_slots() == new.without_slots():
            return
        if self._parts is not None:
            self._parts[0].mark([key])

    def _lease_changed(self, old: LeaseView | None, new: LeaseView | None) -> None:
        if self._store.set_lease(old, new) and self._parts is not None:
            self._parts[0].mark(affected_by_subnets(self._store.snapshot(), self._ledger))

    def _groups_changed(self) -> None:
        before = self._store.set_groups(self.group_mirror.objects.values())
        if self._parts is None:
            return
        worker, groups, reporter = self._parts
        reporter.groups_changed(before)
        worker.mark(affected(before, self._store.pools, self._ledger))
        groups.wake()
