"""Random plays for as long as you like, each different from those of other runs.

    python -m tests.properties.soak machine --seconds 3600
    python -m tests.properties.soak heartbeats --times 2000

Prints one line a minute and a last one; ends at the first fault with its traceback and, where a
play has one, its seed.
"""

import argparse
import itertools
import random
import sys
import time
from collections.abc import Callable, Iterator

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties import heartbeat_faults
from tests.properties.allocator_stage import Stage
from tests.properties.test_allocator_machine import AllocatorMachine, play

REPORT_SECONDS = 60.0
PLAYS = 20  # between two rounds of the state machine
ROUND = settings(
    max_examples=50,
    stateful_step_count=60,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def machine() -> Iterator[str]:
    """Play the allocator's stage by dice and by Hypothesis in turn; yields what was done so far."""
    plays = rounds = 0
    while True:
        for _ in range(PLAYS):
            seed = random.getrandbits(48)
            try:
                play(seed)
            except BaseException:
                print(f"seed {seed}", file=sys.stderr)
                raise
            plays += 1
        run_state_machine_as_test(AllocatorMachine, settings=ROUND)
        rounds += 1
        yield f"{Stage.steps} steps, {plays} plays, {rounds * ROUND.max_examples} examples"


def heartbeats() -> Iterator[str]:
    """Play schedules of several agents with heartbeats; yields how many."""
    first = random.getrandbits(48)
    for number in itertools.count(1):
        heartbeat_faults.play(first + number)  # a fault names its seed
        yield f"{number} schedules from seed {first + 1} on"


SOAKS: dict[str, Callable[[], Iterator[str]]] = {"machine": machine, "heartbeats": heartbeats}


def main() -> None:
    """Run one kind of soak until the time is over."""
    parser = argparse.ArgumentParser(prog="python -m tests.properties.soak")
    parser.add_argument("what", choices=SOAKS)
    parser.add_argument("--seconds", type=float, default=0.0, help="at least")
    parser.add_argument("--times", type=int, default=1, help="at least, whatever one time is")
    given = parser.parse_args()
    begun = told = time.monotonic()
    for number, done in enumerate(SOAKS[given.what](), 1):
        now = time.monotonic()
        is_over = now - begun >= given.seconds and number >= given.times
        if is_over or now - told >= REPORT_SECONDS:
            told = now
            print(f"{given.what}: no fault in {now - begun:.0f} s: {done}", flush=True)
        if is_over:
            return


if __name__ == "__main__":
    main()
