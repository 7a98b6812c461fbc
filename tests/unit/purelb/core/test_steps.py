"""Computations that pause."""

import asyncio
import time

from purelb.core.steps import STEP, Steps, chunks, finished
from purelb.runtime.turns import in_turns


def counting(steps: int, seconds: float = 0.0) -> Steps[int]:
    """Count, with a pause after each number."""
    total = 0
    for _ in range(steps):
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends:
            pass
        total += 1
        yield
    return total


def test_a_computation_ends_with_its_result() -> None:
    """However often it pauses, even never."""
    assert [finished(counting(steps)) for steps in (0, 1, 7)] == [0, 1, 7]


def test_items_come_in_chunks_in_their_order() -> None:
    """The last one may be short, and there may be none."""
    assert list(chunks([])) == []
    found = list(chunks(range(2 * STEP + 1)))
    assert [len(one) for one in found] == [STEP, STEP, 1]
    assert [number for one in found for number in one] == list(range(2 * STEP + 1))


def test_others_have_turns_while_a_long_computation_is_driven() -> None:
    """And the result is the same."""

    async def run() -> tuple[int, int]:
        turns = 0
        async with asyncio.TaskGroup() as tasks:
            driving = tasks.create_task(in_turns(counting(100, 0.001)))
            while not driving.done():
                await asyncio.sleep(0)
                turns += 1
        return driving.result(), turns

    result, turns = asyncio.run(run())
    assert result == 100
    assert turns >= 10
