"""Random incidents on real kernels, judged on the wire; `make chaos` is an hour of it.

The incidents are the same each time, when they happen is not; PURELB_SEED plays others.
"""

import asyncio
import os

import pytest

from playground.chaos import play

SECONDS = 90.0


@pytest.mark.alone
@pytest.mark.timeout(SECONDS + 400)
def test_whatever_happens_two_answer_only_briefly_and_every_silence_is_explained() -> None:
    """Agents, machines, cables and the API server, one or two at a time."""
    assert asyncio.run(play(SECONDS, int(os.environ.get("PURELB_SEED", "1")))).is_good
