"""Who is there: quorums, the gateway, and who may be judged."""

import math
from dataclasses import replace

import pytest

from nodeagent.core.beats import Standing, node_id
from nodeagent.core.peers import (
    ANSWERED,
    EARLY,
    LOST,
    MISSED,
    SETTLE,
    SHORTEST,
    Peer,
    Reach,
    Segment,
    interval,
    survey,
)
from purelb.api.identifiers import Instant, NodeName
from tests.unit.nodeagent.builders import NOW, A, B, C

SILENT = LOST * SHORTEST + 0.01


def peer(at: Instant = NOW, **others: object) -> Peer:
    """Build a peer that is heard, hears us and has lost the API."""
    return replace(Peer(heard_at=at, two_way_at=at), **others)  # type: ignore[arg-type]  # any


def segment(*, gateway_at: Instant | None = None, **peers: Peer) -> Segment:
    """Build node-a's network with node-b and node-c, of which these were heard."""
    found = {NodeName(f"node-{name}"): one for name, one in peers.items()}
    return Segment(
        me=A,
        members=frozenset({A, B, C}),
        since=0.0,
        peers=found,
        gateway_at=gateway_at,
        answered_at=-math.inf if gateway_at is None else gateway_at,
    )


def pair(*, gateway_at: Instant | None = None, **peers: Peer) -> Segment:
    """Build node-a's network with node-b alone."""
    return replace(segment(gateway_at=gateway_at, **peers), members=frozenset({A, B}))


@pytest.mark.parametrize(("members", "seconds"), [(1, 0.15), (14, 0.15), (19, 0.2), (247, 2.6)])
def test_the_interval_grows_so_that_a_network_never_gets_more_than_its_share(
    members: int, seconds: float
) -> None:
    """At most a hundred heartbeats a second are on one network, though they come early."""
    assert interval(members) == pytest.approx(seconds)
    assert members / (interval(members) * (1.0 - EARLY / 2)) < 100.1


def test_one_of_two_peers_makes_a_quorum_that_misses_the_other() -> None:
    """Two of three; nobody of them hears the third."""
    found = survey(segment(b=peer(), c=peer(NOW - SILENT)), NOW)
    assert found.has_quorum
    assert found.absent == {C}
    assert found.excluded == {C}
    assert found.suspects == {C}
    assert not found.missed


def test_without_a_quorum_members_are_only_missed() -> None:
    """They may be where the majority is. One that sends no heartbeats is none of them."""
    alone = segment(b=peer(NOW - SILENT), c=peer(NOW - SILENT))
    assert survey(alone, NOW).missed == {B, C}
    assert survey(replace(alone, mute=frozenset({C})), NOW).missed == {B}
    assert survey(replace(alone, gone=frozenset({C})), NOW).missed == {B}


def test_whoever_is_gone_stays_so_without_a_quorum_until_it_is_heard() -> None:
    """Nothing is handed back to a dead node because a third one is not heard for a moment."""
    gone = replace(segment(b=peer(NOW - 1.0), c=peer(NOW - 1.0)), gone=frozenset({C}))
    assert survey(gone, NOW).absent == {C}
    assert C not in survey(replace(gone, peers={C: peer()}), NOW).absent


def test_a_member_that_another_one_hears_is_not_absent() -> None:
    """The way from it to us alone is broken."""
    found = survey(segment(b=peer(hears=frozenset({node_id(C)})), c=peer(NOW - SILENT)), NOW)
    assert not found.absent


def test_a_peer_that_does_not_hear_us_counts_for_no_quorum() -> None:
    """Its word could not reach whoever needs ours."""
    found = survey(segment(b=peer(two_way_at=-math.inf)), NOW)
    assert found.heard == {B}
    assert not found.has_quorum


@pytest.mark.parametrize(
    ("gateway_at", "has_quorum"),
    [(NOW, True), (NOW - ANSWERED, False), (None, False)],
    ids=["answers", "answered long ago", "not known"],
)
def test_the_gateway_decides_between_two_nodes(
    gateway_at: Instant | None, *, has_quorum: bool
) -> None:
    """Half of the members are a quorum only together with it."""
    alone = pair(gateway_at=gateway_at, b=peer(NOW - SILENT))
    found = survey(replace(alone, silent=frozenset({B})), NOW)
    assert found.has_quorum is has_quorum
    assert found.is_cut_off is not has_quorum
    assert found.absent == ({B} if has_quorum else frozenset())
    assert found.asks_around


def test_the_gateway_decides_nothing_while_the_other_kernel_answers() -> None:
    """Heartbeats are filtered then, and the other one could say the same."""
    assert not survey(pair(gateway_at=NOW, b=peer(NOW - SILENT)), NOW).has_quorum
    both = replace(pair(gateway_at=NOW, b=peer(two_way_at=-math.inf)), silent=frozenset({B}))
    assert not survey(both, NOW).has_quorum


def test_a_lone_member_is_its_own_quorum_and_never_cut_off() -> None:
    """Nobody could go on without it."""
    found = survey(Segment(me=A, members=frozenset({A}), since=0.0), NOW)
    assert found == Reach(has_quorum=True)
    assert math.isinf(found.next_change)


def test_a_node_that_hears_nobody_is_cut_off_before_others_may_start() -> None:
    """The difference is the time in which it withdraws."""
    alone = segment(b=peer(NOW), c=peer(NOW))
    assert not survey(alone, NOW + MISSED * SHORTEST - 0.01).is_cut_off
    assert survey(alone, NOW + MISSED * SHORTEST).is_cut_off
    assert MISSED < LOST


def test_whoever_hears_us_not_lately_leaves_us_cut_off_though_we_hear_it() -> None:
    """What we send is lost: to all others we are gone."""
    found = survey(segment(b=peer(NOW, two_way_at=NOW - 1.0)), NOW)
    assert found.is_cut_off


def test_a_node_to_which_kernels_still_answer_is_not_cut_off() -> None:
    """Heartbeats may be filtered while everything else works."""
    alone = replace(segment(b=peer(), c=peer()), answered_at=NOW + 0.9)
    assert not survey(alone, NOW + 1.0).is_cut_off
    assert survey(alone, NOW + 2.0).is_cut_off


def test_where_heartbeats_never_got_through_their_absence_means_nothing() -> None:
    """As where a switch filters them from the beginning."""
    never = segment(b=peer(NOW - 60.0, two_way_at=-math.inf))
    assert not survey(never, NOW).is_cut_off
    assert not survey(segment(), NOW).is_cut_off


def test_one_of_two_nodes_may_stay_where_the_other_has_no_gateway_to_decide() -> None:
    """Alone it could not start early."""
    lone = pair(b=peer(NOW - 1.0, knows_gateway=False))
    assert not survey(lone, NOW).is_cut_off


def test_a_member_that_sends_no_heartbeats_is_never_absent() -> None:
    """It runs another version, or has no key; yet it counts for the majority."""
    found = survey(replace(segment(b=peer()), mute=frozenset({C})), NOW)
    assert found.has_quorum
    assert not found.absent | found.suspects
    assert not survey(replace(segment(), mute=frozenset({B, C})), NOW).has_quorum


def test_a_peer_with_the_api_may_judge_us() -> None:
    """It sees our Lease end."""
    assert survey(segment(b=peer(fresh_for=0.1)), NOW).is_judged
    assert not survey(segment(b=peer()), NOW).is_judged


@pytest.mark.parametrize(
    ("one", "is_alarmed"),
    [
        (peer(), True),
        (peer(fresh_for=1.0), False),
        (peer(standing=Standing.STARTING), False),
        (peer(NOW - SILENT), False),
    ],
)
def test_a_holder_that_has_lost_the_api_alarms_those_that_hear_it(
    one: Peer, *, is_alarmed: bool
) -> None:
    """One that starts has not had it yet."""
    assert survey(segment(b=one), NOW).is_alarmed is is_alarmed


@pytest.mark.parametrize(
    ("standing", "is_empty", "is_yielding", "has_given_up"),
    [
        (Standing.HELD, True, False, False),
        (Standing.FENCED, False, True, False),
        (Standing.FENCED, True, True, True),
        (Standing.DRAINING, True, True, True),
        (Standing.STARTING, True, True, False),
    ],
)
def test_a_peer_says_itself_that_it_holds_nothing(
    standing: Standing, *, is_empty: bool, is_yielding: bool, has_given_up: bool
) -> None:
    """One that starts does not know yet what its kernel has."""
    found = survey(segment(b=peer(standing=standing, is_empty=is_empty)), NOW)
    assert (B in found.yielding, B in found.given_up) == (is_yielding, has_given_up)


def test_each_time_at_which_something_ends_by_itself_is_named() -> None:
    """The next pass must not come later."""
    one = segment(b=peer(), c=peer(), gateway_at=NOW)
    at, seen = NOW, set()
    for _ in range(20):
        found = survey(one, at)
        if math.isinf(found.next_change):
            break
        assert found == survey(one, found.next_change - 0.0001)
        seen.add(round(found.next_change - NOW, 3))
        at = found.next_change
    assert {0.225, 0.3, 0.45, 0.5, 0.6} <= seen


def test_a_node_that_joined_is_known_once_every_other_candidate_has_echoed_it_since() -> None:
    """Nobody waits for those that are no candidates, and for nobody for longer than a second."""
    joined = replace(segment(b=peer(NOW - 0.1), c=peer(NOW - 0.3)), joined_at=NOW - 0.2)
    assert survey(joined, NOW).known_since == -math.inf
    assert survey(joined, NOW).next_change <= NOW - 0.2 + SETTLE
    assert survey(joined, NOW - 0.2 + SETTLE).known_since == NOW - 0.2
    drained = replace(joined, peers={**joined.peers, C: peer(standing=Standing.DRAINING)})
    assert survey(drained, NOW).known_since == NOW - 0.2
    known = replace(joined, peers={**joined.peers, C: peer(NOW - 0.2)})
    assert survey(known, NOW).known_since == NOW - 0.2
    assert survey(segment(), NOW).known_since == -math.inf


def test_who_has_the_api_judges_even_if_we_believe_its_lease_to_be_over() -> None:
    """It may have come back and renewed it since we lost sight of that."""
    returned = replace(pair(b=peer(fresh_for=3.0)), members=frozenset({A}))
    assert survey(returned, NOW).is_judged
    assert not survey(returned, NOW).heard
