"""Until when a node may hold, and from when the winner may take."""

import math
from dataclasses import replace

import pytest

from nodeagent.core.fence import (
    HANDOVER_LIMIT,
    VANISHED_GRACE,
    Hold,
    Neighbors,
    Withdraw,
    denial,
    hold,
    may_keep,
    take_at,
    unsure_until,
)
from nodeagent.core.peers import Reach
from purelb.api.annotations import Slot
from purelb.api.identifiers import LinkName, NodeName
from purelb.core.lease import Drain, Empty, Kept, Lease, RenewOk, Superseded, Tick, step
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


def heard(**others: object) -> Neighbors:
    """Build neighbors with heartbeats; a quorum is there."""
    return replace(NEIGHBORS, reach=replace(Reach(has_quorum=True), **others))  # type: ignore[arg-type]  # any


@pytest.mark.parametrize(
    ("reach", "may"),
    [
        ([], False),
        ([Reach()], False),
        ([Reach(has_quorum=True)], True),
        ([Reach(), Reach(has_quorum=True)], True),
        ([Reach(is_judged=True), Reach(has_quorum=True)], False),
    ],
)
def test_a_quorum_stands_in_for_a_renewal_unless_anybody_in_reach_has_the_api(
    reach: list[Reach], *, may: bool
) -> None:
    """On whichever network."""
    assert may_keep(reach) is may


@pytest.mark.parametrize(
    ("reach", "now", "is_denied"),
    [
        (None, NOW + 9.0, False),
        (Reach(), NOW, False),
        (Reach(is_cut_off=True), NOW, True),
        (Reach(has_quorum=True), NOW + 9.0, False),
        (Reach(), NOW + 9.0, True),
    ],
    ids=["no heartbeats", "confirmed", "cut off", "kept by a quorum", "kept, but by none here"],
)
def test_what_is_heard_on_a_network_can_deny_its_addresses(
    reach: Reach | None, now: float, *, is_denied: bool
) -> None:
    """A right that a quorum keeps is worth nothing where there is none."""
    kept = step(held(), Kept(NOW + 5.0))
    assert bool(denial(kept, reach, now)) is is_denied


@pytest.mark.parametrize(
    ("neighbors", "taken", "asks"),
    [
        (NEIGHBORS, slot(B), False),
        (heard(), slot(B), True),
        (heard(given_up=frozenset({B})), slot(B), False),
        (heard(), slot("dead"), False),
        (heard(heard=frozenset({NodeName("dead")})), slot("dead"), True),
        (heard(), None, False),
        (heard(absent=frozenset({B})), None, True),
        (heard(missed=frozenset({B})), None, True),
        (heard(yielding=frozenset({B}), given_up=frozenset({B})), None, False),
        (heard(), slot(A), True),
        (replace(heard(), has_api=False), slot(A), True),
    ],
)
def test_the_wire_is_asked_where_a_kernel_may_still_have_the_address(
    neighbors: Neighbors, taken: Slot | None, *, asks: bool
) -> None:
    """Not where its holder said that it has nothing, or its right has ended before our eyes."""
    assert neighbors.needs_silence(taken, A) is asks


def test_whoever_says_that_it_gave_up_is_not_waited_for() -> None:
    """A heartbeat is quicker than a slot."""
    assert take_at(slot(B), A, heard(given_up=frozenset({B})), won_at=NOW) < NOW


@pytest.mark.parametrize(
    ("neighbors", "taken", "is_unknown"),
    [
        (NEIGHBORS, slot(B), False),
        (heard(), slot(B), False),
        (heard(missed=frozenset({B})), slot(B), True),
        (heard(missed=frozenset({B})), slot(A), False),
        (heard(missed=frozenset({B})), None, False),
        (heard(missed=frozenset({NodeName("dead")})), slot("dead"), False),
    ],
)
def test_a_live_holder_that_is_not_heard_may_be_on_the_side_of_the_majority(
    neighbors: Neighbors, taken: Slot | None, *, is_unknown: bool
) -> None:
    """Its silence on the wire says nothing until a quorum misses it, too, or its Lease ends."""
    assert neighbors.is_out_of_sight(taken) is is_unknown


def test_after_a_gap_slots_are_believed_once_the_watch_has_said_anything() -> None:
    """Or for as long as a hand-over takes at most."""
    back = step(held(), RenewOk(200.0))
    assert unsure_until(held(), NOW - 50) == -math.inf
    assert unsure_until(back, 199.0) == 200.0 + HANDOVER_LIMIT
    assert unsure_until(back, 200.1) == -math.inf


def test_who_took_our_slot_lives_though_a_quorum_does_not_hear_it() -> None:
    """Until it is heard, or its Lease ends."""
    gone = heard(absent=frozenset({B}))
    assert gone.is_out_of_sight(slot(B), is_usurped=True)
    assert not gone.is_out_of_sight(slot(B))
    assert not heard(heard=frozenset({B})).is_out_of_sight(slot(B), is_usurped=True)
    assert not gone.is_out_of_sight(slot("dead"), is_usurped=True)
