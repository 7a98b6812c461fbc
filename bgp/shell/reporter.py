"""Tells people: Events about the BGPConfiguration, and log lines."""

import logging
from collections.abc import Iterable

from bgp.shell.world import WorldStore
from purelb.api.bgp import API_VERSION
from purelb.api.problems import Notice, NoticeType
from purelb.runtime.errors import PurelbError
from purelb.runtime.events import Event, EventPoster, Reference

logger = logging.getLogger(__name__)


class Reporter:
    """Sends Events about the first BGPConfiguration of the namespace; without one it only logs."""

    def __init__(self, world: WorldStore, poster: EventPoster) -> None:
        self._world, self._poster = world, poster

    def tell(self, notices: Iterable[Notice]) -> None:
        """Tell of what has happened."""
        for notice in notices:
            self._log(notice)
            if (event := self._event(notice)) is not None:
                self._poster.post(event)

    async def announce(self, notices: Iterable[Notice]) -> None:
        """Tell of what is about to happen; returns once it is told, or cannot be for now."""
        for notice in notices:
            self._log(notice)
            if (event := self._event(notice)) is None:
                continue
            try:
                await self._poster.send(event)
            except PurelbError:
                self._poster.post(event)

    def _event(self, notice: Notice) -> Event | None:
        meta = next((one.metadata for one in self._world.objects), None)
        if meta is None:
            return None
        about = Reference("BGPConfiguration", API_VERSION, meta.namespace, meta.name, meta.uid)
        return Event(about, notice.type.value, notice.reason, notice.message)

    def _log(self, notice: Notice) -> None:
        level = logging.WARNING if notice.type is NoticeType.WARNING else logging.INFO
        logger.log(level, notice.message, extra={"reason": notice.reason})
