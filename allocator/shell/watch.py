"""What the allocator watches, and whom each change concerns."""

import asyncio
import contextlib
import logging

from allocator.core.affected import affected_by_subnets, announced_by, with_addresses
from allocator.core.guarding import lease_guards
from allocator.core.guards import Guards
from allocator.core.pool import PoolSet
from allocator.core.pools import build_pools
from allocator.shell.guards import GuardWatch
from allocator.shell.term import Term
from allocator.shell.world import WorldStore
from purelb.api.resources import ServiceGroup, decode_lease, decode_service
from purelb.api.views import LeaseView, ServiceView, view_lease, view_service
from purelb.runtime.clock import Clock
from purelb.runtime.informer import Informer, Source
from purelb.runtime.kinds import SERVICE_GROUPS
from purelb.runtime.kopf_host import Mirror
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

LEASES_SILENCE = 5.0  # seconds without a word of any Lease, after which some may have been missed
LEASES_SECONDS = 2.0  # at the start of a term, for a fresh list of the nodes' Leases


class Watches:
    """The informers and the mirror that keep the world true, and mark what changes concern.

    A replica that does not lead keeps its world just as true, and marks nothing.
    """

    def __init__(self, kube: Kube, store: WorldStore, clock: Clock, namespace: str) -> None:
        self.group_mirror: Mirror[ServiceGroup] = Mirror(SERVICE_GROUPS, self._groups_changed)
        self._kube, self._store, self._clock = kube, store, clock
        services: Source[ServiceView] = Source(
            # Of all types: a Service that left the type while we were away must be released.
            path="/api/v1/services",
            view=lambda body: view_service(decode_service(body)),
        )
        leases: Source[LeaseView] = Source(
            path=f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases",
            view=lambda body: view_lease(decode_lease(body)),
            longest_silence=LEASES_SILENCE,
        )
        self._services = Informer(kube, services, self._service_changed, clock)
        # Without an install namespace nobody knows where the Leases are.
        self._leases = Informer(kube, leases, self._lease_changed, clock) if namespace else None
        self._guards = GuardWatch(kube, clock, self._guards_changed)
        self._term: Term | None = None

    def begin(self, term: Term) -> None:
        """Say who is to be told from now on, and tell it what became of the groups so far."""
        self._term = term
        term.reporter.groups_changed(build_pools((), None))

    def end(self) -> None:
        """Tell nobody any more."""
        self._term = None

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._services.run())
            tasks.create_task(self._guards.run())
            if self._leases is not None:
                tasks.create_task(self._leases.run())

    async def wait_complete(self) -> None:
        """Wait until Services and groups are known: nothing may be given out before.

        Leases are not waited for: PureLB's own RBAC does not let the allocator watch them, and only
        multi-pool Services need them.
        """
        await self._services.synced.wait()
        await self.group_mirror.synced.wait()
        await self._guards.wait_settled()

    @property
    def is_complete(self) -> bool:
        """Whether Services and groups are known."""
        return self._services.synced.is_set() and self.group_mirror.synced.is_set()

    async def refresh(self) -> None:
        """Read everything anew, past what the watches have told so far.

        What a former leader wrote last may not have come by watch yet. Raises the runtime's errors.
        """
        await self.group_mirror.relist(self._kube)
        await self._services.wait_listed()
        if self._leases is not None:
            with contextlib.suppress(TimeoutError):  # addresses do not wait for Leases
                async with asyncio.timeout(LEASES_SECONDS):
                    await self._leases.wait_listed()
                    self._store.note_departed()
                    self._store.trust_statements()

    def _service_changed(self, old: ServiceView | None, new: ServiceView | None) -> None:
        rests = self._store.note_released(old, new, self._clock.now())
        key = self._store.set_service(old, new)
        if old is not None and new is not None and _differ_in_slots_only(old, new):
            return
        if self._term is not None:
            self._term.rests.note(rests)
            self._term.worker.mark([key])

    def _lease_changed(self, old: LeaseView | None, new: LeaseView | None) -> None:
        self._statement_changed(old, new)
        guarded = (lease_guards(lease) if lease is not None else None for lease in (old, new))
        self._guards.note(*guarded)
        if self._store.set_lease(old, new) and self._term is not None:
            world, ledger = self._store.snapshot(), self._term.ledger
            self._term.worker.mark(affected_by_subnets(world, ledger))
        if new is None and old is not None and self._term is not None:
            self._term.worker.mark(announced_by(self._store.snapshot(), {old.node}))

    def _statement_changed(self, old: LeaseView | None, new: LeaseView | None) -> None:
        lease = new or old
        if lease is None or self._leases is None:
            return
        is_listed = self._leases.synced.is_set()
        changed = self._store.note_statement(
            lease,
            self._clock.now(),
            is_gone=new is None,
            whole_since=self._leases.whole_since if is_listed else None,
        )
        if is_listed:
            changed |= self._store.trust_statements()
        if changed and self._term is not None:
            self._term.worker.mark(with_addresses(self._term.ledger, changed))

    def _groups_changed(self) -> None:
        before = self._store.set_groups(self.group_mirror.objects.values())
        if before != self._store.pools:  # else it was a status, ours most of all
            self._pools_changed(before)

    def _guards_changed(self, guards: Guards) -> None:
        self._pools_changed(self._store.set_guards(guards))

    def _pools_changed(self, before: PoolSet) -> None:
        if self._term is None:
            return
        self._term.pools_changed(before)


def _differ_in_slots_only(old: ServiceView, new: ServiceView) -> bool:
    # Most changes are new addresses: told apart without a copy of either view.
    return old.ingress == new.ingress and old.without_slots() == new.without_slots()
