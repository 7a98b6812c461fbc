"""Events of the real kernel, kept for tests that wait for them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from purelb.runtime.netlink.events import EVENT_BUFFER, Event, EventSocket

SECONDS = 10  # far more than anything here takes


class Seen:
    """Remembers events, and wakes whoever waits for some."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._more = asyncio.Event()

    def note(self, event: Event) -> None:
        """Remember one."""
        self.events.append(event)
        self._more.set()

    async def wait_until(self, holds: Callable[[list[Event]], bool]) -> list[Event]:
        """Return all events as soon as the condition holds."""
        async with asyncio.timeout(SECONDS):
            while not holds(self.events):
                self._more.clear()
                await self._more.wait()
        return self.events

    async def wait_for(self, event: Event) -> list[Event]:
        """Return all events once this one is among them."""
        return await self.wait_until(lambda events: event in events)


@asynccontextmanager
async def running(receive_buffer: int = EVENT_BUFFER) -> AsyncIterator[Seen]:
    """Deliver events until the end."""
    seen = Seen()
    async with EventSocket(seen.note, receive_buffer=receive_buffer) as events:
        task = asyncio.create_task(events.run())
        try:
            yield seen
        finally:
            task.cancel()
            await asyncio.wait([task])
