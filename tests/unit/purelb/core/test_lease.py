"""The Lease's state machine, and when other nodes' Leases stop counting."""

import math
from dataclasses import replace

import pytest

from purelb.api.identifiers import NodeName, Uid
from purelb.api.views import LeaseView
from purelb.core.lease import (
    MARGIN,
    SKEW,
    Drain,
    Empty,
    Kept,
    Lease,
    LeaseFact,
    LeaseState,
    RenewFailed,
    RenewOk,
    Sightings,
    Superseded,
    Tick,
    step,
)

NEW = Lease(duration=10.0)
HELD = step(NEW, RenewOk(100.0))
FENCED = step(HELD, Tick(200.0))
DRAINING = step(HELD, Drain())
RELEASED = step(DRAINING, Empty())
B = NodeName("node-b")
SEEN = LeaseView(node=B, uid=Uid("u1"), duration=10.0, renewed="t1")


@pytest.mark.parametrize(
    ("lease", "fact", "state"),
    [
        pytest.param(NEW, RenewOk(100.0), LeaseState.HELD, id="first-renewal"),
        pytest.param(NEW, RenewFailed(), LeaseState.ABSENT, id="first-failure"),
        pytest.param(NEW, Tick(1e9), LeaseState.ABSENT, id="time-alone-fences-nobody-new"),
        pytest.param(NEW, Superseded(100.0), LeaseState.ABSENT, id="superseded-before-held"),
        pytest.param(NEW, Drain(), LeaseState.DRAINING, id="stopped-before-held"),
        pytest.param(HELD, RenewOk(103.0), LeaseState.HELD, id="renewal"),
        pytest.param(HELD, RenewFailed(), LeaseState.HELD, id="failure-while-valid"),
        pytest.param(HELD, Tick(108.4), LeaseState.HELD, id="just-before-the-end"),
        pytest.param(HELD, Tick(108.5), LeaseState.FENCED, id="the-end"),
        pytest.param(HELD, Superseded(101.0), LeaseState.FENCED, id="superseded"),
        pytest.param(HELD, Drain(), LeaseState.DRAINING, id="stop"),
        pytest.param(HELD, Empty(), LeaseState.HELD, id="empty-without-stop"),
        pytest.param(FENCED, RenewOk(201.0), LeaseState.HELD, id="healed"),
        pytest.param(FENCED, Tick(300.0), LeaseState.FENCED, id="fenced-stays"),
        pytest.param(FENCED, Drain(), LeaseState.DRAINING, id="stop-while-fenced"),
        pytest.param(DRAINING, RenewOk(103.0), LeaseState.DRAINING, id="renewal-in-flight"),
        pytest.param(DRAINING, Tick(200.0), LeaseState.DRAINING, id="draining-stays"),
        pytest.param(DRAINING, Empty(), LeaseState.RELEASED, id="emptied"),
        pytest.param(RELEASED, RenewOk(103.0), LeaseState.RELEASED, id="no-way-back"),
        pytest.param(RELEASED, Drain(), LeaseState.RELEASED, id="stop-twice"),
    ],
)
def test_states_follow_the_table(lease: Lease, fact: LeaseFact, state: LeaseState) -> None:
    """Every state with the facts that may reach it."""
    assert step(lease, fact).state is state


def test_the_right_counts_from_the_sending_and_ends_a_margin_early() -> None:
    """However late the answer was."""
    assert HELD.until == 100.0 + 10.0 - MARGIN
    assert HELD.is_leased(HELD.until - 0.001)
    assert not HELD.is_leased(HELD.until)


def test_an_answer_out_of_order_takes_nothing_back() -> None:
    """The later request already counts."""
    assert step(step(HELD, RenewOk(104.0)), RenewOk(102.0)).until == 104.0 + 10.0 - MARGIN


def test_failures_in_a_row_are_counted_until_a_success() -> None:
    """They are for the log; they end no right."""
    failed = step(step(HELD, RenewFailed()), RenewFailed())
    assert (failed.failures, failed.until) == (2, HELD.until)
    assert step(failed, RenewOk(103.0)).failures == 0


def test_an_answer_under_way_does_not_revive_a_superseded_lease() -> None:
    """Only a renewal sent after the other instance was seen does."""
    lost = step(HELD, Superseded(105.0))
    assert not lost.is_leased(105.1)
    assert step(lost, RenewOk(104.9)) == lost
    assert step(lost, RenewOk(105.1)).is_leased(105.2)


def test_a_draining_lease_protects_what_is_still_there() -> None:
    """Until its time is over, and not a moment after the release."""
    assert DRAINING.is_leased(108.0)
    assert not RELEASED.is_leased(108.0)


def names(sightings: Sightings, now: float, fresh_since: float | None = 0.0) -> list[str]:
    """Return the nodes that count."""
    return [lease.node for lease in sightings.live(now, fresh_since)]


def test_a_lease_counts_until_it_was_not_seen_to_change_for_its_duration() -> None:
    """Reading it again unchanged proves nothing, a new renewTime does."""
    sightings = Sightings()
    sightings.seen(SEEN, 100.0)
    sightings.seen(replace(SEEN, version="9"), 108.0)
    assert names(sightings, 109.9) == [B]
    assert sightings.next_expiry(0.0) == 110.0
    assert names(sightings, 110.0) == []
    assert sightings.expired() == {B}
    sightings.seen(replace(SEEN, renewed="t2"), 111.0)
    assert (names(sightings, 111.0), sightings.renewed_at()) == ([B], {B: 111.0})
    assert sightings.expired() == frozenset()


def test_what_a_lease_says_is_news_even_if_it_was_not_renewed() -> None:
    """Subnets may change between renewals."""
    sightings = Sightings()
    sightings.seen(SEEN, 100.0)
    sightings.seen(replace(SEEN, is_announcing=False), 101.0)
    assert [lease.is_announcing for lease in sightings.live(102.0, 0.0)] == [False]


def test_a_new_lease_under_an_old_name_is_a_renewal() -> None:
    """It was deleted and made again, with whatever time in it."""
    sightings = Sightings()
    sightings.seen(SEEN, 100.0)
    sightings.seen(replace(SEEN, uid=Uid("u2")), 109.0)
    assert names(sightings, 112.0) == [B]


def test_nobody_is_judged_before_the_own_view_was_whole_for_a_duration() -> None:
    """Neither after a restart nor when an API comes back."""
    sightings = Sightings()
    sightings.seen(SEEN, 100.0)
    assert names(sightings, 500.0, fresh_since=None) == [B]
    assert sightings.next_expiry(None) is None
    assert names(sightings, 509.9, fresh_since=500.0) == [B]
    assert names(sightings, 510.0, fresh_since=500.0) == []


def test_losing_sight_of_the_api_does_not_bring_the_dead_back() -> None:
    """Who was judged expired stays so until its Lease changes."""
    sightings = Sightings()
    sightings.seen(SEEN, 100.0)
    assert names(sightings, 120.0) == []
    assert names(sightings, 130.0, fresh_since=None) == []
    assert names(sightings, 131.0, fresh_since=130.5) == []


def test_a_deleted_lease_counts_no_longer_at_once() -> None:
    """Its holder gave it up; deleting one that is not known is nothing."""
    sightings = Sightings()
    sightings.seen(SEEN, 100.0)
    sightings.gone(B)
    sightings.gone(B)
    assert (names(sightings, 100.0, None), sightings.expired()) == ([], frozenset())
    assert sightings.next_expiry(0.0) is None


@pytest.mark.parametrize(
    ("age", "seconds"),
    [(None, 10.0), (0.0, 10.0), (-60.0, 10.0), (10.0 + SKEW - 1, 10.0), (10.0 + SKEW, 6.0)],
)
def test_wall_clocks_only_shorten_the_wait_for_a_relic(age: float | None, seconds: float) -> None:
    """It may be a neighbor whose clock is hours behind: that one is seen to be renewed by then."""
    sightings = Sightings()
    sightings.seen(SEEN, 100.0, age)
    assert sightings.next_expiry(50.0) == 100.0 + seconds
    assert names(sightings, 100.0 + seconds - 0.1) == [B]
    assert names(sightings, 100.0 + seconds) == []
    sightings.seen(replace(SEEN, renewed="t2"), 106.5)
    assert sightings.next_expiry(50.0) == 116.5


def test_a_wall_clock_that_jumps_later_changes_nothing() -> None:
    """From the second sight on only our clock counts."""
    sightings = Sightings()
    sightings.seen(SEEN, 100.0, 0.0)
    sightings.seen(replace(SEEN, renewed="t2"), 103.0, 1e6)
    assert names(sightings, 104.0) == [B]


@pytest.mark.parametrize("lease", [replace(SEEN, duration=0.0), replace(SEEN, renewed="")])
def test_a_lease_without_duration_or_renewal_counts_for_nothing(lease: LeaseView) -> None:
    """PureLB's rule for a live node."""
    sightings = Sightings()
    sightings.seen(lease, 100.0)
    assert names(sightings, 100.0, None) == []


def test_live_leases_are_sorted_by_node() -> None:
    """Whatever the order in which they were seen."""
    sightings = Sightings()
    for name in ("node-c", "node-a", "node-b"):
        sightings.seen(replace(SEEN, node=NodeName(name)), 100.0)
    assert names(sightings, 100.0) == ["node-a", "node-b", "node-c"]


def test_a_lease_that_was_never_renewed_ends_in_the_past() -> None:
    """So that no comparison can take it for valid."""
    assert NEW.until == -math.inf


def test_a_quorum_prolongs_what_the_server_confirmed_but_says_so() -> None:
    """From then on it is the quorum's word alone that counts."""
    kept = step(HELD, Kept(105.0))
    assert (kept.until, kept.confirmed_until) == (113.5, HELD.until)
    assert not kept.is_kept(108.4)
    assert kept.is_kept(108.5)
    assert not kept.is_kept(113.5)


@pytest.mark.parametrize("lease", [NEW, FENCED, DRAINING, RELEASED])
def test_a_quorum_gives_no_right_that_was_not_there(lease: Lease) -> None:
    """It stands in for a renewal, never for the first."""
    assert step(lease, Kept(105.0)) == lease


def test_a_late_word_of_a_quorum_revives_nothing() -> None:
    """The right has ended, whether anybody noticed or not."""
    assert step(HELD, Kept(108.5)) == HELD


@pytest.mark.parametrize(
    ("lease", "sent_at", "regained_at"),
    [
        pytest.param(NEW, 100.0, -math.inf, id="the-first-renewal-has-no-gap-before-it"),
        pytest.param(HELD, 105.0, -math.inf, id="in-time"),
        pytest.param(FENCED, 201.0, 201.0, id="after-the-right-had-ended"),
        pytest.param(HELD, 201.0, 201.0, id="as-a-process-that-was-stopped-meanwhile"),
        pytest.param(step(HELD, Superseded(101.0)), 102.0, 102.0, id="after-another-instance"),
    ],
)
def test_a_gap_in_the_right_is_remembered(lease: Lease, sent_at: float, regained_at: float) -> None:
    """Others may have taken over in it."""
    assert step(lease, RenewOk(sent_at)).regained_at == regained_at


def test_a_lease_out_of_sight_counts_until_its_patience_is_over() -> None:
    """A watch by a selector cannot tell what was deleted from what has other labels now."""
    sightings = Sightings()
    sightings.seen(SEEN, 100.0)
    sightings.left(B)
    sightings.left(NodeName("stranger"))
    assert names(sightings, 109.9) == [B]
    assert names(sightings, 110.0) == []
    assert sightings.expired() == {B}
    assert names(sightings, 110.1) == []
    assert sightings.expired() == frozenset()


def test_a_lease_that_comes_into_sight_again_stays_known() -> None:
    """Even if it is the same as before, and expires later."""
    sightings = Sightings()
    sightings.seen(SEEN, 100.0)
    sightings.left(B)
    sightings.seen(SEEN, 101.0)
    assert (names(sightings, 110.0), names(sightings, 110.1)) == ([], [])
    assert sightings.expired() == {B}


def test_nobody_is_judged_sooner_than_we_would_notice_to_be_blind() -> None:
    """Our own Lease is longer than that of the neighbor, and so is our patience."""
    sightings = Sightings(patience=38.0)
    sightings.seen(SEEN, 100.0)
    assert names(sightings, 137.9) == [B]
    assert sightings.next_expiry(0.0) == 138.0
    assert names(sightings, 138.0) == []
