"""When a replica may try to take the leader's place."""

import math
from dataclasses import replace

from purelb.api.identifiers import Uid
from purelb.api.views import LeaderView
from purelb.core.leadership import EMPTY, Place, free_at, seen

HELD = LeaderView(holder="a", version="1", uid=Uid("u"), duration=10.0, renewed="t1")
PLACE = seen(EMPTY, HELD, 100.0)


def test_a_place_that_nobody_ever_had_is_free() -> None:
    """A first install waits for nobody."""
    assert free_at(EMPTY, "b") < -1e9
    assert seen(EMPTY, None, 5.0) == EMPTY


def test_a_holder_keeps_the_place_for_its_duration_by_our_clock() -> None:
    """Counted from when we saw the renewal."""
    assert free_at(PLACE, "b") == 110.0


def test_ones_own_place_and_one_given_back_are_free_at_once() -> None:
    """A container restarted in its Pod goes on; a clean stop makes nobody wait."""
    assert free_at(PLACE, "a") == -math.inf
    assert free_at(seen(PLACE, replace(HELD, holder=""), 101.0), "b") == -math.inf


def test_only_a_renewal_makes_it_last_longer() -> None:
    """An annotation changes the version, and with it the condition of the next write, no more."""
    touched = seen(PLACE, replace(HELD, version="2"), 105.0)
    assert (free_at(touched, "b"), touched.lease) == (110.0, replace(HELD, version="2"))
    assert free_at(seen(PLACE, replace(HELD, renewed="t2"), 105.0), "b") == 115.0


def test_a_lease_that_somebody_deleted_protects_its_holder_all_the_same() -> None:
    """Its holder may still write: it learns of the deletion later than we do."""
    gone = seen(PLACE, None, 105.0)
    assert gone == Place(changed_at=105.0, duration=10.0)
    assert free_at(gone, "b") == 115.0
    assert seen(gone, None, 109.0) == gone


def test_a_deleted_lease_that_was_given_back_is_free() -> None:
    """Nobody had it any more."""
    free = seen(PLACE, replace(HELD, holder=""), 101.0)
    assert free_at(seen(free, None, 105.0), "b") == 105.0
