"""What counts of what is heard, and what is told to others of it."""

from dataclasses import replace

from nodeagent.core.beats import Beat, Standing, node_id
from nodeagent.core.hearing import Hearing
from nodeagent.core.peers import Claim, survey
from purelb.api.identifiers import NodeName
from tests.unit.nodeagent.builders import NOW, VIP, VIP6, A, B, C

BEAT = Beat(node=B, incarnation=1, sequence=10, standing=Standing.HELD, fresh_for=9.0)


def hearing() -> Hearing:
    """Build node-a's record of a network with node-b and node-c."""
    one = Hearing(A, NOW)
    one.admit(frozenset({B, C}))
    return one


def later(beat: Beat, steps: int = 1, **others: object) -> Beat:
    """Build a later heartbeat of the same process."""
    return replace(beat, sequence=beat.sequence + steps, **others)  # type: ignore[arg-type]  # any


def test_the_first_heartbeat_of_a_member_is_news_and_the_next_is_not() -> None:
    """Most of them say only that their sender lives."""
    one = hearing()
    assert one.hear(BEAT, NOW)
    assert not one.hear(later(BEAT), NOW + 0.15)
    assert one.segment(NOW).peers[B].heard_at == NOW + 0.15


def test_strangers_and_our_own_heartbeats_do_not_count() -> None:
    """A key shared with another cluster, or a datagram that came back."""
    one = hearing()
    assert not one.hear(replace(BEAT, node=NodeName("stranger")), NOW)
    assert not one.hear(replace(BEAT, node=A), NOW)
    assert not one.segment(NOW).peers


def test_a_node_whose_lease_has_ended_is_still_heard_but_counts_for_nothing() -> None:
    """It may come back from a long pause and believe to have what others have taken."""
    one = hearing()
    one.admit(frozenset({C}), former=frozenset({B}))
    assert one.hear(replace(BEAT, claims={VIP: 4}), NOW)
    assert one.claims() == {VIP: Claim(epoch=4, node=B)}
    assert survey(one.segment(NOW), NOW).heard == frozenset()
    assert one.echoes(NOW) == {}


def test_a_replayed_heartbeat_changes_nothing_and_is_counted() -> None:
    """Its sequence was seen before."""
    one = hearing()
    one.hear(later(BEAT, 5), NOW)
    assert not one.hear(BEAT, NOW + 1.0)
    assert one.segment(NOW).peers[B].heard_at == NOW
    assert one.refused == 1


def test_an_echo_of_what_we_sent_tells_since_when_we_are_heard() -> None:
    """An echo of something older than our memory tells nothing."""
    one = hearing()
    one.sent(500, NOW)
    one.hear(replace(BEAT, hears={node_id(A): 500 & 0xFF}), NOW + 0.1)
    assert one.segment(NOW).peers[B].two_way_at == NOW
    one.sent(501, NOW + 1.0)
    one.hear(later(BEAT, hears={node_id(A): 500 & 0xFF}), NOW + 1.0)
    assert one.segment(NOW).peers[B].two_way_at == NOW


def test_standing_coming_back_and_losing_the_api_are_news() -> None:
    """Something may follow from each."""
    one = hearing()
    one.sent(1, NOW)
    heard = replace(BEAT, hears={node_id(A): 1})
    one.hear(heard, NOW)
    assert one.hear(later(heard, 1, standing=Standing.DRAINING), NOW + 0.1)
    assert not one.hear(later(heard, 2, standing=Standing.DRAINING), NOW + 0.1)
    assert one.hear(later(heard, 3, standing=Standing.DRAINING, fresh_for=0.0), NOW + 0.1)
    assert one.hear(later(heard, 4, standing=Standing.DRAINING, fresh_for=0.0), NOW + 5.0)


def test_a_member_that_left_is_forgotten() -> None:
    """With all that it said."""
    one = hearing()
    one.hear(replace(BEAT, claims={VIP: 1}), NOW)
    one.admit(frozenset({C}))
    assert not one.segment(NOW).peers
    assert not one.claims()


def test_those_heard_lately_are_echoed() -> None:
    """Whoever has fallen silent is not."""
    one = hearing()
    one.hear(BEAT, NOW)
    assert one.echoes(NOW + 0.1) == {node_id(B): 10}
    assert one.echoes(NOW + 5.0) == {}


def test_the_latest_claim_counts_whoever_made_it() -> None:
    """And the highest epoch is remembered, so that the next is higher."""
    one = hearing()
    one.hear(replace(BEAT, claims={VIP: 4}, epoch=4), NOW)
    one.hear(replace(BEAT, node=C, claims={VIP: 5}, epoch=5), NOW)
    assert one.claims() == {VIP: Claim(epoch=5, node=C)}
    assert one.epoch == 5


def test_a_claim_that_is_no_longer_told_has_ended() -> None:
    """Whoever tells all in one heartbeat leaves out what it gave up."""
    one = hearing()
    one.hear(replace(BEAT, claims={VIP: 1, VIP6: 2}), NOW)
    assert one.hear(later(BEAT, claims={VIP6: 2}), NOW + 0.1)
    assert one.claims() == {VIP6: Claim(epoch=2, node=B)}


def test_claims_told_in_portions_stay_until_they_were_left_out_again_and_again() -> None:
    """A lost datagram must not end a claim."""
    one = hearing()
    one.hear(replace(BEAT, claims={VIP: 1}, rounds=2), NOW)
    one.hear(later(BEAT, 1, claims={VIP6: 1}, rounds=2), NOW + 0.1)
    assert set(one.claims()) == {VIP, VIP6}
    one.hear(later(BEAT, 7, claims={VIP6: 1}, rounds=2), NOW + 0.2)
    assert set(one.claims()) == {VIP6}


def test_a_new_process_has_taken_nothing_yet() -> None:
    """What its predecessor claimed is over."""
    one = hearing()
    one.hear(replace(BEAT, claims={VIP: 1}, rounds=9), NOW)
    one.hear(replace(BEAT, incarnation=2, sequence=1, rounds=9), NOW + 0.1)
    assert not one.claims()


def test_whoever_stood_still_itself_begins_to_listen_anew() -> None:
    """What it did not hear meanwhile says nothing about others, nor about itself."""
    one = hearing()
    one.sent(1, NOW)
    one.hear(replace(BEAT, hears={node_id(A): 1}), NOW + 0.1)
    one.sent(2, NOW + 0.15)
    assert one.segment(NOW + 0.3).excused == {}
    assert one.segment(NOW + 0.5).excused == {A: NOW + 0.5, B: NOW + 0.5, C: NOW + 0.5}
    one.sent(3, NOW + 0.6)
    one.sent(4, NOW + 0.75)
    assert set(one.segment(NOW + 0.8).excused.values()) == {NOW + 0.6}


def test_whoever_was_gone_before_we_stood_still_is_still_gone() -> None:
    """Or what was taken from it would be given up, and nobody had it."""
    one = hearing()
    one.sent(1, NOW)
    one.hear(replace(BEAT, hears={node_id(A): 1}), NOW)
    for number in range(1, 10):
        one.sent(number + 1, NOW + 0.15 * number)
        if number < 8:
            one.hear(later(BEAT, number, hears={}), NOW + 0.15 * number)
    found = one.segment(NOW + 3.0)
    assert set(found.excused) == {B}
    assert C in survey(found, NOW + 3.0).suspects
