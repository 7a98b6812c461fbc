"""The allocator under every interleaving: edits, groups, crashes, lost writes, half writes.

Random plays go deep and are repeatable by their seed; the state machine goes less deep and shrinks
what it finds.
"""

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from purelb.api.addresses import Family
from purelb.api.groups import GroupView
from tests.properties.allocator_stage import (
    ANNOTATIONS,
    FAMILIES,
    FATES,
    GROUPS,
    NAMES,
    POLICIES,
    PORTS,
    Stage,
)

STEPS = 300
TYPES = ("LoadBalancer", "ClusterIP")


def acts(stage: Stage, dice: random.Random) -> list[tuple[int, Callable[[], None]]]:
    """Return all that can happen next, each with its weight; work weighs as much as the rest."""
    name, keys, ports = dice.choice(NAMES), dice.choice(ANNOTATIONS), dice.choice(PORTS)
    families, policy = dice.choice(FAMILIES), dice.choice(POLICIES)
    kind, survivors = dice.choice(TYPES), [dice.random() < 0.5 for _ in NAMES]
    edited = {"ipFamilies": list(families or (Family.IPV4,))}
    return [
        (6, lambda: stage.create(name, families, policy, keys, ports)),
        (4, lambda: stage.delete(name)),
        (2, lambda: stage.edit(name, spec=edited)),
        (4, lambda: stage.edit(name, annotations=keys)),
        (2, lambda: stage.edit(name, ports=ports)),
        (2, lambda: stage.edit(name, spec={"type": kind})),
        (1, lambda: stage.change_groups(dice.choice(GROUPS))),
        (1, lambda: stage.crash(survivors)),
        (2, lambda: stage.reorder(dice)),
        (3, stage.settle),
        (2, lambda: stage.cluster.pass_time(20.0)),
        (8, lambda: stage.end_write(dice.choice(FATES))),
        (12, stage.decide_next),
    ]


@pytest.mark.parametrize("seed", range(60))
def test_a_random_play_gives_no_address_twice_loses_none_and_starves_nobody(seed: int) -> None:
    """Each seed is one long play; the checks are those of the stage."""
    play(seed)


def play(seed: int) -> None:
    """Play once from the beginning, repeatable by the seed."""
    dice = random.Random(seed)
    stage = Stage(dice.choice(GROUPS))
    for _ in range(STEPS):
        weights, choices = zip(*acts(stage, dice), strict=True)
        dice.choices(choices, weights)[0]()
        stage.check()
    stage.settle()


class AllocatorMachine(RuleBasedStateMachine):
    """The same stage, played by Hypothesis."""

    @initialize(groups=st.sampled_from(GROUPS))
    def start(self, groups: tuple[GroupView, ...]) -> None:
        """Begin with some groups and no Service."""
        self.stage = Stage(groups)

    @rule(
        name=st.sampled_from(NAMES),
        families=st.sampled_from(FAMILIES),
        policy=st.sampled_from(POLICIES),
        keys=st.sampled_from(ANNOTATIONS),
        ports=st.sampled_from(PORTS),
    )
    def create(
        self,
        name: str,
        families: tuple[Family, ...],
        policy: str,
        keys: dict[str, str | None],
        ports: tuple[str, ...],
    ) -> None:
        """Create a Service."""
        self.stage.create(name, families, policy, keys, ports)

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        """Delete a Service."""
        self.stage.delete(name)

    @rule(name=st.sampled_from(NAMES), families=st.sampled_from(FAMILIES[:4]))
    def edit_families(self, name: str, families: tuple[Family, ...]) -> None:
        """Add, drop or replace a family."""
        self.stage.edit(name, spec={"ipFamilies": list(families)})

    @rule(
        name=st.sampled_from(NAMES), keys=st.sampled_from(ANNOTATIONS), ports=st.sampled_from(PORTS)
    )
    def edit(self, name: str, keys: dict[str, str | None], ports: tuple[str, ...]) -> None:
        """Change annotations and ports."""
        self.stage.edit(name, annotations=keys, ports=ports)

    @rule(name=st.sampled_from(NAMES), kind=st.sampled_from(TYPES))
    def edit_type(self, name: str, kind: str) -> None:
        """Leave the type, or come back."""
        self.stage.edit(name, spec={"type": kind})

    @rule(groups=st.sampled_from(GROUPS))
    def change_groups(self, groups: tuple[GroupView, ...]) -> None:
        """Deliver another set of groups."""
        self.stage.change_groups(groups)

    @rule(count=st.integers(1, 4))
    def decide(self, count: int) -> None:
        """Decide, and leave the writes in flight."""
        for _ in range(count):
            self.stage.decide_next()

    @rule(fates=st.lists(st.sampled_from(FATES), min_size=1, max_size=4))
    def work(self, fates: list[str]) -> None:
        """Decide and end writes."""
        for fate in fates:
            self.stage.decide_next()
            self.stage.end_write(fate)

    @rule(applied=st.lists(st.booleans(), min_size=len(NAMES), max_size=len(NAMES)))
    def crash(self, applied: list[bool]) -> None:
        """Kill the allocator."""
        self.stage.crash(applied)

    @rule(seconds=st.sampled_from((20.0, 60.0)))
    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.stage.cluster.pass_time(seconds)

    @rule()
    def settle(self) -> None:
        """Come to rest."""
        self.stage.settle()

    @invariant()
    def what_is_shown_is_owned(self) -> None:
        """Holds at every moment."""
        self.stage.check()


AllocatorMachine.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestAllocatorMachine = AllocatorMachine.TestCase
