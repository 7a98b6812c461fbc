"""Drives long computations on the loop so that others have their turns."""

import asyncio
import time
from typing import TypeVar

from purelb.core.steps import Steps

T = TypeVar("T")
LONGEST = 0.005  # seconds between two turns of others, as far as the steps allow


async def in_turns(steps: Steps[T]) -> T:
    """Return the result of a computation; it holds the loop for some milliseconds at a time."""
    begun = time.perf_counter()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if time.perf_counter() - begun > LONGEST:
            await asyncio.sleep(0)
            begun = time.perf_counter()
