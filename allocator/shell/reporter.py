"""Tells people and dashboards what was decided: Events, log lines, counters.

Each decision is told once: those without a write when they are made, the others when the API server
has confirmed the write.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import assert_never

from allocator.core.conditions import ready_condition
from allocator.core.decisions import (
    Assign,
    Consult,
    Count,
    Decision,
    Ignore,
    Keep,
    Metric,
    Refuse,
    Release,
)
from allocator.core.notices import group_notices
from allocator.core.pool import PoolSet
from allocator.core.report import Labels
from allocator.shell.metrics import AllocatorMetrics
from allocator.shell.world import WorldStore
from purelb.api.identifiers import ServiceKey, split_key
from purelb.api.problems import Notice, NoticeType
from purelb.api.resources import ServiceGroup
from purelb.runtime.clock import Clock
from purelb.runtime.errors import PurelbError
from purelb.runtime.events import Event, EventPoster, Reference

logger = logging.getLogger(__name__)

WARN_SECONDS = 2.0  # for an Event that should be there before the address


class Reporter:
    """Where decisions become words and numbers."""

    def __init__(
        self, store: WorldStore, metrics: AllocatorMetrics, poster: EventPoster, clock: Clock
    ) -> None:
        self.metrics, self.clock = metrics, clock
        self._store, self._poster = store, poster
        self._labels = Labels()

    def decided(self, decision: Decision) -> None:
        """Tell of a decision that nothing has to be written for; count the look."""
        self.metrics.updates.inc()
        if isinstance(decision, Refuse) and decision.report.notices:
            problem = decision.problem
            logger.warning(
                "allocation refused",
                extra={
                    "op": "allocationFailed",
                    "service": decision.key,
                    "reason": problem.reason.value,
                    "error": problem.detail,
                },
            )
        for count in decision.report.counts:  # once: a decision that is repeated has none
            self._count(count)
        is_written_later = isinstance(decision, Assign | Release) and decision.change is not None
        if not is_written_later:
            self._post(decision.key, decision.report.warnings)
            self._tell(decision)

    async def warn_first(self, decision: Decision) -> None:
        """Send what a person must be able to read before the address appears."""
        for notice in decision.report.warnings:
            event = self._event(decision.key, notice)
            try:
                async with asyncio.timeout(WARN_SECONDS):
                    await self._poster.send(event)
            except (PurelbError, TimeoutError):  # an Event is no reason to withhold an address
                self._poster.post(event)

    def written(self, decision: Decision) -> None:
        """Tell of a decision whose write is confirmed."""
        match decision:
            case Assign(key=key, added=added) if added:
                text = ",".join(map(str, added))
                facts = {"op": "assigned", "service": key, "addresses": text}
                logger.info("address assigned", extra=facts)
                self._tell(decision)
            case Release(key=key):
                logger.info("address released", extra={"op": "released", "service": key})
                self._tell(decision)
            case Assign():
                self._tell(decision)
            case Keep() | Refuse() | Consult() | Ignore():
                pass  # told when it was made
            case _:
                assert_never(decision)

    def groups_changed(self, before: PoolSet) -> None:
        """Tell of each ServiceGroup whose outcome is another one than before."""
        after = self._store.pools
        for group in self._store.groups.values():
            meta = group.metadata
            key = (meta.namespace, meta.name)
            notices = group_notices(after, key)
            if notices == group_notices(before, key):
                continue
            for notice in notices:
                _log_group(notice)
            if self._is_shown(group):
                continue
            about = Reference("ServiceGroup", "purelb.io/v2", meta.namespace, meta.name, meta.uid)
            for notice in notices:
                self._poster.post(Event(about, notice.type.value, notice.reason, notice.message))

    def _is_shown(self, group: ServiceGroup) -> bool:
        """Tell whether the group's condition says so already: we were restarted, that is all."""
        key = (group.metadata.namespace, group.metadata.name)
        condition = ready_condition(self._store.pools, key)
        shown = (group.status or {}).get("conditions", ())
        return condition is not None and any(
            entry.get("reason") == condition.reason and entry.get("message") == condition.message
            for entry in shown
        )

    def _tell(self, decision: Decision) -> None:
        self._post(decision.key, decision.report.notices)

    def _post(self, key: ServiceKey, notices: Iterable[Notice]) -> None:
        for notice in notices:
            self._poster.post(self._event(key, notice))

    def _count(self, count: Count) -> None:
        pool = self._labels.pool_of(count, self._store.pools)
        match count.metric:
            case Metric.REJECTED:
                reason = count.reason.value if count.reason else "other"
                self.metrics.rejected.labels(pool, reason).inc()
            case Metric.MULTIPOOL:
                self.metrics.multipool.labels(pool).inc()
            case Metric.MULTIPOOL_PARTIAL:
                self.metrics.multipool_partial.labels(pool).inc()
            case Metric.BALANCED:
                self.metrics.balanced.labels(pool).inc()

    def _event(self, key: ServiceKey, notice: Notice) -> Event:
        namespace, name = split_key(key)
        service = self._store.services.get(key)
        about = Reference("Service", "v1", namespace, name, service.uid if service else "")
        return Event(about, notice.type.value, notice.reason, notice.message)


def _log_group(notice: Notice) -> None:
    """Log what became of a ServiceGroup; `event` is the Event's reason as tools search for it."""
    level = logging.WARNING if notice.type is NoticeType.WARNING else logging.INFO
    event = notice.reason[:1].lower() + notice.reason[1:]
    logger.log(level, "ServiceGroup read", extra={"event": event, "outcome": notice.message})
