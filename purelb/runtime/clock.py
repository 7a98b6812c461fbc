"""Time as a seam: the production clock. Tests bring their own."""

import asyncio
import contextlib
import datetime
import time
from typing import Protocol

from purelb.api.identifiers import Instant


class Clock(Protocol):
    """Seconds that never go back. `wait` returns at `until`, or before it if the event is set."""

    def now(self) -> Instant:
        """Return seconds on a clock that nobody sets."""
        ...

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        """Wait for the event, at most until the given time; None waits without end."""
        ...


class BootClock:
    """CLOCK_BOOTTIME, which keeps counting while the host is suspended."""

    def now(self) -> Instant:
        """Return seconds since boot."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        """Wait for the event, at most until the given time; None waits without end."""
        delay = None if until is None else max(0.0, until - self.now())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await event.wait()


def wall_clock() -> str:
    """Return the time as the API writes it (RFC 3339, microseconds, UTC): for people, not rules."""
    now = datetime.datetime.now(datetime.UTC)
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def wall_seconds() -> str:
    """Return the time as metav1.Time has it, without fractions."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
