"""Random incidents on real kernels, judged on the wire; `make chaos` is an hour of it.

The seed is printed and may be set: PURELB_SEED.
"""

import asyncio
import os
import random

import pytest

from playground.chaos import play

SECONDS = 90.0


@pytest.mark.timeout(SECONDS + 400)
def test_whatever_happens_two_answer_only_briefly_and_every_silence_is_explained() -> None:
    """Agents, machines, cables and the API server, one or two at a time."""
    seed = int(os.environ.get("PURELB_SEED", random.randrange(1 << 32)))
    print(f"PURELB_SEED={seed}")
    assert asyncio.run(play(SECONDS, seed)).is_good
