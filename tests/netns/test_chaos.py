"""A short play of random faults on real kernels, the same in every run; `make chaos` is longer."""

import asyncio

from playground.chaos import MOST_DOUBLE, Report, under_watch

SEED, SECONDS = 1, 75.0


async def play() -> Report:
    """Let faults happen under a witness."""
    async with under_watch(SEED) as chaos:
        return await chaos.run(SECONDS)


def test_two_never_answer_for_long_and_no_silence_is_without_a_reason() -> None:
    """Asked by a machine that knows nothing of the agents."""
    report = asyncio.run(play())
    told = "\n".join(report.lines())
    print(told)
    assert sum(report.faults.values()) >= 2, told
    assert report.longest_double <= MOST_DOUBLE, told
    assert report.unexplained == [], told
