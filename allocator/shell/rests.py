"""Ends the rest of released addresses in time, and tells whom that concerns."""

import asyncio
from collections.abc import Callable, Iterable
from typing import NoReturn

from allocator.core.ledger import Ledger
from allocator.core.rests import Rest
from purelb.api.identifiers import ServiceKey
from purelb.runtime.clock import Clock


class RestKeeper:
    """Enters rests into the ledger, and ends them; `on_end` gets those who waited for them."""

    def __init__(
        self, ledger: Ledger, clock: Clock, on_end: Callable[[tuple[ServiceKey, ...]], None]
    ) -> None:
        self._ledger, self._clock, self._on_end = ledger, clock, on_end
        self._wake = asyncio.Event()

    def note(self, rests: Iterable[Rest]) -> None:
        """Let addresses rest; before the Services that had them are decided about."""
        for rest in rests:
            self._ledger.rest(rest)
            self._wake.set()

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        while True:
            self._wake.clear()
            until = self._ledger.next_rest_end()
            if until is not None and until <= self._clock.now():
                self._on_end(self._ledger.end_rests(self._clock.now()))
                continue
            await self._clock.wait(self._wake, until)
