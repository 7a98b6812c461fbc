"""Calls one coroutine for dirty keys: level-triggered, bounded, with back-off per key."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, NoReturn, TypeVar

from purelb.core.backoff import Backoff
from purelb.core.dirtyset import DirtySet
from purelb.runtime.clock import Clock
from purelb.runtime.errors import PurelbError, TransientError

logger = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)

BACKOFF = Backoff(first=0.1, longest=30.0)


class Reconciler(Generic[Key]):
    """Runs `reconcile(key)` for marked keys, `room` of them at a time; events only ever mark.

    A call that raises is repeated with back-off, whatever it raised; the others go on.
    """

    def __init__(
        self,
        name: str,
        reconcile: Callable[[Key], Awaitable[None]],
        clock: Clock,
        *,
        room: int = 16,
    ) -> None:
        self._name, self._reconcile, self._clock, self._room = name, reconcile, clock, room
        self._dirty: DirtySet[Key] = DirtySet()
        self._failures: dict[Key, int] = {}
        self._wake, self._finished = asyncio.Event(), asyncio.Event()

    async def wait_idle(self) -> None:
        """Wait until no key waits or runs."""
        while len(self._dirty):
            self._finished.clear()
            await self._finished.wait()

    def mark(self, key: Key, delay: float = 0.0) -> None:
        """Note that something about the key may have changed; cheap and synchronous."""
        self._dirty.mark(key, self._clock.now() + delay)
        self._wake.set()

    async def run(self) -> NoReturn:
        """Work until cancelled; cancellation reaches every running call and waits for it."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()  # nothing awaits between here and `wait`: no wake-up is lost
                while self._room and (key := self._dirty.take(self._clock.now())) is not None:
                    self._room -= 1
                    tasks.create_task(self._look(key))
                await self._clock.wait(self._wake, self._dirty.next_due() if self._room else None)

    async def _look(self, key: Key) -> None:
        try:
            await self._reconcile(key)
            self._failures.pop(key, None)
        except Exception as error:  # one key's failure, even a bug, must not stop the others
            count = self._failures[key] = self._failures.get(key, 0) + 1
            delay = BACKOFF.delay(count)
            if isinstance(error, TransientError) and error.retry_after is not None:
                delay = max(delay, error.retry_after)
            is_bug = not isinstance(error, PurelbError)
            logger.log(
                logging.ERROR if is_bug else logging.INFO,
                "attempt failed",
                exc_info=is_bug,
                extra={"loop": self._name, "key": key, "error": str(error), "seconds": delay},
            )
            self._dirty.mark(key, self._clock.now() + delay)
        finally:
            self._dirty.done(key)
            self._room += 1
            self._wake.set()
            self._finished.set()
