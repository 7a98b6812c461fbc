"""What wakes the loop: some things at once, others together with more of their kind."""

import asyncio

from purelb.api.identifiers import Instant
from purelb.runtime.clock import Clock


class Waker:
    """Any number of calls between two passes ask for one pass."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._any, self._prompt = asyncio.Event(), asyncio.Event()

    def wake(self) -> None:
        """Ask for a pass now."""
        self._prompt.set()
        self._any.set()

    def wake_soon(self) -> None:
        """Ask for a pass that may wait for others of its kind while passes are expensive."""
        self._any.set()

    def begin(self) -> None:
        """Say that a pass begins: what is asked from now on is for the next."""
        self._any.clear()
        self._prompt.clear()

    async def wait(self, until: Instant, rested: Instant) -> None:
        """Wait for a call, or for `until`; what may wait waits for `rested` besides."""
        await self._clock.wait(self._any, until)
        await self._clock.wait(self._prompt, min(until, rested))
