"""Turns a pass's report into log lines, counters and Events."""

import asyncio
import logging
from collections.abc import Iterable

from nodeagent.core.notices import Kind, Line, Notice
from nodeagent.core.report import Override, Report
from nodeagent.core.slots import SlotWrite
from nodeagent.core.words import NodeLabels, stolen
from nodeagent.shell.metrics import AgentMetrics
from nodeagent.shell.world import WorldStore
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.core.steps import chunks
from purelb.runtime.events import Event, EventPoster, Reference

logger = logging.getLogger(__name__)


class Reporter:
    """Where the agent's passes become words and numbers."""

    def __init__(
        self, me: NodeName, world: WorldStore, metrics: AgentMetrics, poster: EventPoster
    ) -> None:
        self._me, self._world, self._metrics, self._poster = me, world, metrics, poster
        self._config_notices: tuple[Notice, ...] = ()
        self._labels = NodeLabels()

    async def tell(self, report: Report) -> None:
        """Tell of one pass; of thousands of addresses it takes a while."""
        for count in report.counts:
            self._metrics.count(count)
        for key in report.gone:
            self._metrics.forget(key)
        for lines in chunks(report.lines):
            for line in lines:
                self._log(line)
            await asyncio.sleep(0)
        for notices in chunks(report.notices):
            self._post(notices)
            await asyncio.sleep(0)

    def tell_config(self) -> None:
        """Tell what the choice of a configuration has to say, if it says something else now."""
        config = self._world.config
        notices = config.notices if config is not None else ()
        before, self._config_notices = self._config_notices, notices
        if notices is not before:
            self._post(notice for notice in notices if notice not in before)

    def tell_found(self, notices: Iterable[Notice], lines: Iterable[Line]) -> None:
        """Tell what is wrong with the node, or no longer."""
        for line in lines:
            self._log(line)
        self._post(notices)

    def written(self, write: SlotWrite | Override) -> None:
        """Tell of slots taken over from other nodes, and of changed policies."""
        match write:
            case SlotWrite():
                known = self._world.sightings.renewed_at()
                for notice, count in stolen(
                    write, self._me, lambda node: self._labels.of(node, known)
                ):
                    self._metrics.count(count)
                    self._post([notice])
            case Override(notice=notice):
                self._post([notice])

    def _log(self, line: Line) -> None:
        level = logging.getLevelNamesMapping()[line.level.upper()]
        logger.log(level, line.op, extra={"op": line.op, **line.fields})

    def _post(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            about = self._about(notice)
            event = Event(about, notice.severity.value, notice.reason, notice.message)
            self._poster.post(event)

    def _about(self, notice: Notice) -> Reference:
        namespace, _, name = notice.key.partition("/")
        if notice.kind is Kind.SERVICE:
            service = self._world.services.get(ServiceKey(notice.key))
            return Reference("Service", "v1", namespace, name, service.uid if service else "")
        if notice.kind is Kind.NODE:
            node = self._world.node
            return Reference("Node", "v1", namespace, name, node.uid if node else "")
        uid = next(
            (
                agent.metadata.uid
                for agent in self._world.agents.objects.values()
                if (agent.metadata.namespace, agent.metadata.name) == (namespace, name)
            ),
            "",
        )
        return Reference(notice.kind.value, "purelb.io/v2", namespace, name, uid)
