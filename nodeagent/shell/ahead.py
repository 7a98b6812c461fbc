"""Elects before a pass needs it, and lets others have their turns.

A thousand candidates for ten thousand addresses are four seconds of hashing, which a pass would do
in one piece. Belongs here: the pace. Does not: the election (`nodeagent.core.election`).
"""

import asyncio
import time
from collections.abc import Mapping

from nodeagent.core.election import Electorate
from purelb.api.identifiers import ServiceKey
from purelb.api.views import ServiceView

SLICE_SECONDS = 0.005


class Ahead:
    """Fills what an electorate remembers; an electorate that follows another knows most of it."""

    def __init__(self) -> None:
        self._done: Electorate | None = None

    async def elect(
        self, electorate: Electorate | None, services: Mapping[ServiceKey, ServiceView]
    ) -> None:
        """Elect for all addresses of Services, once for each electorate."""
        if electorate is None or electorate is self._done:
            return
        self._done, begun = electorate, time.perf_counter()
        for service in services.values():
            for address in service.ingress if service.is_branded else ():
                electorate.winner(address)
            if time.perf_counter() - begun > SLICE_SECONDS:
                await asyncio.sleep(0)
                begun = time.perf_counter()
