"""When the witness tells: hysteresis, and what makes an answer count."""

from nodeagent.core.claims import Claim
from nodeagent.core.findings import Check
from nodeagent.core.peers import Reach
from nodeagent.core.rota import (
    MOST_TOLD,
    PERIOD,
    SETTLE,
    SOON,
    SPACING,
    WINDOW,
)
from nodeagent.core.witness import Answer
from tests.unit.nodeagent.builders import ETH0, A, B
from tests.unit.nodeagent.rotastage import (
    GATEWAY,
    HERS,
    OTHER,
    ROUTERS,
    STRANGE,
    VIP,
    VIPS,
    Stage,
    bench,
)


def test_what_the_holder_answers_alone_is_right_at_once() -> None:
    """And asked again after a period."""
    stage = Stage()
    assert stage.round(HERS) == ()
    assert stage.rota.counts()[Answer.RIGHT] == 1
    assert stage.rota.next_at() == stage.now + PERIOD
    stage.now += PERIOD - 0.01
    assert stage.take() is None


def test_what_is_wrong_is_told_when_it_is_found_twice_in_a_row() -> None:
    """The second question comes soon; one that is right in between begins anew."""
    stage = Stage()
    assert stage.round(HERS) == ()
    assert stage.round(HERS, STRANGE) == ()
    assert stage.rota.next_at() == stage.now + SOON
    assert stage.round(HERS) == ()
    assert stage.round(HERS, STRANGE) == ()
    assert stage.round(HERS, STRANGE) == (Check.SEVERAL_ANSWERS,)
    assert stage.rota.counts() == {
        Answer.RIGHT: 0,
        Answer.NONE: 0,
        Answer.SEVERAL: 1,
        Answer.FOREIGN: 0,
    }
    assert stage.rota.next_at() == stage.now + PERIOD


def test_it_is_over_when_it_was_right_twice_in_a_row() -> None:
    """Each change is one revision."""
    stage = Stage()
    stage.round(STRANGE)
    assert stage.round(STRANGE) == (Check.FOREIGN_ANSWER,)
    told = stage.rota.revision
    assert stage.round(HERS) == (Check.FOREIGN_ANSWER,)
    assert stage.round(STRANGE) == (Check.FOREIGN_ANSWER,)
    assert stage.round(HERS) == (Check.FOREIGN_ANSWER,)
    assert stage.rota.revision == told
    assert stage.round(HERS) == ()
    assert stage.rota.revision == told + 1


def test_another_fault_replaces_the_one_before_when_it_lasts() -> None:
    """Answers that change all the time do not change what is told."""
    stage = Stage()
    stage.round(STRANGE)
    assert stage.round(HERS, STRANGE) == (Check.SEVERAL_ANSWERS,)
    assert stage.round(STRANGE) == (Check.SEVERAL_ANSWERS,)
    assert stage.round(HERS, STRANGE) == (Check.SEVERAL_ANSWERS,)
    assert stage.round(STRANGE) == (Check.SEVERAL_ANSWERS,)
    assert stage.round(STRANGE) == (Check.FOREIGN_ANSWER,)


def test_a_holder_whose_lease_is_not_renewed_is_not_blamed() -> None:
    """It may be dead, and is replaced when its Lease is over; asked it is all the same."""
    stage = Stage()
    stage.is_renewed = False
    for _ in range(4):
        assert stage.round() == ()
        assert stage.rota.next_at() == stage.now + SOON
    stage.is_renewed = True
    assert stage.round() == (Check.NO_ANSWER,)


def test_silence_counts_only_if_somebody_else_answers() -> None:
    """Who hears nobody may be cut off itself."""
    stage = Stage()
    for _ in range(4):
        stage.now = max(stage.now, stage.rota.next_at())
        assert stage.take() is not None
        stage.answer()
    assert stage.rota.findings() == ()
    assert stage.round() == (Check.NO_ANSWER,)


def test_silence_counts_where_heartbeats_go_both_ways() -> None:
    """The holder's come in, and a majority hears this node's."""
    for reach, told in (
        (Reach(has_quorum=True, heard=frozenset({B})), 1),
        (Reach(has_quorum=False, heard=frozenset({B})), 0),
        (Reach(has_quorum=True, heard=frozenset()), 0),
    ):
        stage = Stage()
        stage.reach = {ETH0: reach}
        for _ in range(2):
            stage.now = max(stage.now, stage.rota.next_at())
            assert stage.take() is not None
            stage.answer()
        assert len(stage.rota.findings()) == told


def test_a_claim_to_all_proves_nothing_about_this_nodes_questions() -> None:
    """The gateway asks for others all the time."""
    stage = Stage()
    for _ in range(3):
        stage.now = max(stage.now, stage.rota.next_at())
        assert stage.take() is not None
        stage.rota.hear(ETH0, Claim(GATEWAY, ROUTERS), stage.now, is_reply=False)
        stage.answer()
    assert stage.rota.findings() == ()


def test_claims_about_other_things_are_no_answers() -> None:
    """Another address, another link, somebody who only asks, or too late."""
    stage = Stage()
    assert stage.take() is not None
    for index, claim in (
        (ETH0, Claim(OTHER, STRANGE)),
        (99, Claim(VIP, STRANGE)),
        (ETH0, Claim(VIP, STRANGE, is_probe=True)),
    ):
        stage.rota.hear(index, claim, stage.now, is_reply=True)
    stage.answer(HERS)
    stage.answer(STRANGE)
    assert stage.rota.counts()[Answer.RIGHT] == 1


def test_a_holder_that_heartbeats_doubt_is_not_asked_for() -> None:
    """Nor is an answer judged that was asked for before the doubt."""
    doubts = (
        Reach(heard=frozenset({A}), suspects=frozenset({B})),
        Reach(absent=frozenset({B})),
        Reach(yielding=frozenset({B})),
    )
    for doubt in doubts:
        stage = Stage()
        stage.reach = {ETH0: doubt}
        assert stage.take() is None
        assert stage.rota.next_at() == stage.now + SOON
        stage.now += SOON
        stage.reach = {}
        assert stage.take() is not None
        stage.reach = {ETH0: doubt}
        stage.answer(HERS)
        assert stage.rota.counts()[Answer.RIGHT] == 0


def test_heartbeats_that_never_came_cast_no_doubt() -> None:
    """Where multicast is filtered everybody is silent."""
    stage = Stage()
    stage.reach = {ETH0: Reach(suspects=frozenset({B}))}
    assert stage.round(HERS) == ()
    assert stage.rota.counts()[Answer.RIGHT] == 1


def test_no_more_are_told_than_a_lease_can_show() -> None:
    """The numbers are of all of them."""
    count = MOST_TOLD + 5
    stage = Stage(*VIPS[:count])
    begun = stage.now
    while stage.now < begun + 60.0:
        if (question := stage.take()) is not None:
            address = question.charge.address
            stage.rota.hear(ETH0, Claim(address, STRANGE), stage.now, is_reply=True)
        stage.now += SPACING
        stage.rota.conclude(stage.now, stage.sight)
    assert stage.rota.counts()[Answer.FOREIGN] == count
    assert [one.subject for one in stage.rota.findings()] == [str(a) for a in VIPS[:MOST_TOLD]]


def test_what_becomes_another_holders_is_forgotten() -> None:
    """What was told is over, and a question under way means nothing any more."""
    stage = Stage()
    stage.round(STRANGE)
    stage.round(STRANGE)
    told = stage.rota.revision
    stage.now = stage.rota.next_at()
    assert stage.take() is not None
    stage.rota.follow(bench(VIP, holder=A))
    stage.rota.survey(stage.now)
    assert stage.rota.findings() == ()
    assert stage.rota.revision == told + 1
    stage.answer(STRANGE)
    assert stage.rota.counts()[Answer.FOREIGN] == 0


def test_what_can_be_known_no_more_is_told_no_more() -> None:
    """And found anew, twice in a row, when it can."""
    stage = Stage()
    stage.round(STRANGE)
    stage.round(STRANGE)
    told = stage.rota.revision
    stage.rota.retract()
    stage.rota.retract()
    assert (stage.rota.findings(), stage.rota.revision) == ((), told + 1)
    assert set(stage.rota.counts().values()) == {0}
    assert stage.round(STRANGE) == ()
    assert stage.round(STRANGE) == (Check.FOREIGN_ANSWER,)


def test_nobody_is_asked_or_judged_by_who_had_the_address_before() -> None:
    """A survey of many addresses and nodes takes minutes; the old holder would be blamed."""
    stage = Stage()
    stage.rota.follow(bench(VIP, holder=A))
    assert stage.take() is None
    stage = Stage()
    for _ in range(2):
        assert stage.take() is not None
        stage.rota.follow(bench(VIP, holder=A))
        stage.answer(STRANGE)
        assert stage.rota.findings() == ()
        stage.rota.follow(bench(VIP))
        stage.now += PERIOD


def test_nothing_is_judged_across_a_time_in_which_nobody_knows() -> None:
    """What was asked is asked again later."""
    stage = Stage()
    stage.round(STRANGE)
    stage.now = stage.rota.next_at()
    assert stage.take() is not None
    stage.rota.pause(stage.now)
    stage.answer(STRANGE)
    assert stage.rota.findings() == ()
    assert stage.rota.next_at() >= stage.now - WINDOW + SETTLE
    assert stage.round(STRANGE) == ()
    assert stage.round(STRANGE) == (Check.FOREIGN_ANSWER,)
