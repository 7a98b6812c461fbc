"""Writes ServiceGroup status by server-side apply: coalesced, and only what differs.

Allocation never waits for it. What was written last is remembered by uid, because names are used
again within milliseconds.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, NoReturn

from allocator.core.conditions import dated, group_conditions
from allocator.core.ledger import Ledger
from allocator.core.report import external_status, group_status
from allocator.shell.metrics import AllocatorMetrics
from allocator.shell.world import WorldStore
from purelb.api.identifiers import PoolName
from purelb.api.resources import Condition, DecodeError, ServiceGroup, convert, to_json
from purelb.runtime.clock import Clock, wall_seconds
from purelb.runtime.errors import ConflictError, ForbiddenError, PurelbError
from purelb.runtime.kube import Kube, PatchType
from purelb.runtime.reconciler import Reconciler

logger = logging.getLogger(__name__)

MANAGER = "purelb-allocator"
PAUSE_SECONDS = 1.0  # between two rounds of writes under a burst


class GroupStatusWriter:
    """Brings the status of every ServiceGroup up to date whenever it is woken."""

    def __init__(
        self,
        kube: Kube,
        store: WorldStore,
        ledger: Ledger,
        metrics: AllocatorMetrics,
        clock: Clock,
    ) -> None:
        self._kube, self._store, self._ledger, self._metrics = kube, store, ledger, metrics
        self._begun, self._is_pausing, self._is_due = asyncio.Event(), False, False
        self._written: dict[str, Mapping[str, Any]] = {}  # by uid
        self._is_told = False  # of a CRD without conditions: once is enough
        self._writes: Reconciler[str] = Reconciler("group status", self._write, clock, room=4)

    def wake(self) -> None:
        """Say that counts or groups may have changed; the first time after a pause acts at once."""
        if self._is_pausing:
            self._is_due = True
            return
        self._is_pausing = True
        self._mark_all()
        self._begun.set()

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._writes.run())
            while True:
                await self._begun.wait()
                self._begun.clear()
                await asyncio.sleep(PAUSE_SECONDS)
                while self._is_due:
                    self._is_due = False
                    self._mark_all()
                    await asyncio.sleep(PAUSE_SECONDS)
                self._is_pausing = False

    def _mark_all(self) -> None:
        groups = self._store.groups
        self._written = {uid: done for uid, done in self._written.items() if uid in groups}
        for uid in groups:
            self._writes.mark(uid)

    async def _write(self, uid: str) -> None:
        group = self._store.groups.get(uid)
        if group is None:
            return
        written = self._written.get(uid, group.status or {})
        status = self._status(group, written)
        if status == written:
            return
        try:
            await self._apply(group, status)
        except PurelbError as error:
            self._metrics.status_writes.labels(_outcome(error)).inc()
            raise
        self._metrics.status_writes.labels("success").inc()
        self._written[uid] = status

    def _status(self, group: ServiceGroup, written: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the status should be; `written` is what it is."""
        key = (group.metadata.namespace, group.metadata.name)
        pools = self._store.pools
        pool = pools.pools.get(PoolName(group.metadata.name))
        # A rejected group's status stays blank but for what the schema requires, and the reason.
        status: dict[str, Any] = {"allocatedIPv4": 0, "allocatedIPv6": 0}
        if pool is not None and pool.group.key == key:
            stats = self._store.providers.stats.get(pool.name)
            found = (
                external_status(pool, stats, written)
                if pool.is_external
                else group_status(pool, self._ledger)
            )
            status = dict(found)
        ailing = self._store.providers.ailing(pools)
        conditions = group_conditions(pools, self._ledger, key, ailing)
        if conditions:
            have = dated(conditions, _shown(written), wall_seconds())
            status["conditions"] = [to_json(one) for one in have]
        return status

    async def _apply(self, group: ServiceGroup, status: Mapping[str, Any]) -> None:
        try:
            await self._send(group, status)
        except PurelbError as error:
            if "conditions" not in str(error):
                raise
            # PureLB's own CRD does not declare them, and apply refuses a status with an undeclared
            # field as a whole. Asked anew at each write: the CRD may be upgraded at any time.
            if not self._is_told:
                self._is_told = True
                logger.info("the ServiceGroup CRD has no conditions; upgrade it to see them")
            await self._send(group, {k: v for k, v in status.items() if k != "conditions"})

    async def _send(self, group: ServiceGroup, status: Mapping[str, Any]) -> None:
        meta = group.metadata
        path = f"/apis/purelb.io/v2/namespaces/{meta.namespace}/servicegroups/{meta.name}/status"
        body = {
            "apiVersion": "purelb.io/v2",
            "kind": "ServiceGroup",
            "metadata": {"name": meta.name, "namespace": meta.namespace},
            "status": dict(status),
        }
        params = {"fieldManager": MANAGER, "force": "true"}
        await self._kube.patch(path, body, patch_type=PatchType.APPLY, params=params)


def _shown(status: Mapping[str, Any]) -> tuple[Condition, ...]:
    try:
        return tuple(convert(entry, Condition) for entry in status.get("conditions") or ())
    except DecodeError:
        return ()  # whatever wrote it, ours replaces it


def _outcome(error: PurelbError) -> str:
    match error:
        case ConflictError():
            return "conflict"
        case ForbiddenError():
            return "forbidden"
        case _:
            return "other"
