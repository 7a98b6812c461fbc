"""Until when a node may hold, and from when the winner may take."""

import math

import pytest

from nodeagent.core.fence import (
    HANDOVER_LIMIT,
    VANISHED_GRACE,
    Hold,
    Neighbors,
    Withdraw,
    hold,
    take_at,
)
from purelb.api.annotations import Slot
from purelb.api.identifiers import LinkName, NodeName
from purelb.core.lease import Drain, Empty, Lease, Superseded, Tick, step
from tests.unit.nodeagent.builders import NOW, VIP, A, B, held

NEIGHBORS = Neighbors(live=frozenset({A, B}), expired=frozenset({NodeName("dead")}))


def slot(node: str) -> Slot:
    """Build a slot of the VIP."""
    return Slot(NodeName(node), LinkName("eth0"), VIP)


@pytest.mark.parametrize(
    ("lease", "now", "is_held"),
    [
        (held(), NOW, True),
        (held(), held().until - 0.01, True),
        (held(), held().until, False),
        (step(held(), Tick(200.0)), NOW, False),
        (step(held(), Superseded(NOW)), NOW, False),
        (step(held(), Drain()), NOW, False),
        (step(step(held(), Drain()), Empty()), NOW, False),
        (Lease(duration=10.0), NOW, False),
    ],
)
def test_only_a_valid_lease_gives_a_right_to_hold(
    lease: Lease, now: float, *, is_held: bool
) -> None:
    """A draining node withdraws although its Lease is valid."""
    right = hold(lease, now)
    assert right == Hold(held().until) if is_held else isinstance(right, Withdraw)


@pytest.mark.parametrize("taken", [None, slot(A)])
def test_what_nobody_else_ever_had_may_be_taken_at_once(taken: Slot | None) -> None:
    """Or what is our own already."""
    assert take_at(taken, A, NEIGHBORS, won_at=NOW) < NOW


def test_an_expired_holders_right_has_ended_before_we_could_see_it() -> None:
    """There is nothing to wait for."""
    assert take_at(slot("dead"), A, NEIGHBORS, won_at=NOW) < NOW


def test_a_holder_whose_lease_vanished_gets_a_moment_to_make_it_again() -> None:
    """Somebody may have deleted it by hand."""
    assert take_at(slot("vanished"), A, NEIGHBORS, won_at=NOW) == NOW + VANISHED_GRACE


@pytest.mark.parametrize(
    ("renewed", "at"),
    [
        (None, NOW + HANDOVER_LIMIT),
        ({B: NOW + 1.0}, NOW + HANDOVER_LIMIT),
        ({B: NOW}, math.inf),
        ({}, math.inf),
    ],
)
def test_a_live_holder_that_never_clears_blocks_only_for_a_while(
    renewed: dict[NodeName, float] | None, at: float
) -> None:
    """But one that did not renew since may not know that it has lost."""
    known = Neighbors(live=NEIGHBORS.live, expired=NEIGHBORS.expired, renewed=renewed)
    assert take_at(slot(B), A, known, won_at=NOW) == at
