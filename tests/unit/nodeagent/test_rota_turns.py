"""Whom the witness asks for, and when: each address in its turn, few at a time."""

from dataclasses import replace

from nodeagent.core.claims import Claim
from nodeagent.core.election import Electorate, digest
from nodeagent.core.identity import MacBook
from nodeagent.core.peers import Reach
from nodeagent.core.rota import (
    DIGESTS,
    MOST_DEFERRED,
    PERIOD,
    SETTLE,
    SOON,
    SPACING,
    Rota,
    Sight,
)
from nodeagent.core.witness import Answer
from purelb.api.addresses import IPAddress, parse_ip
from purelb.api.identifiers import Instant, NodeName
from tests.unit.nodeagent.builders import ETH0, A, B, C, member
from tests.unit.nodeagent.rotastage import (
    GATEWAY,
    HERS,
    MEMBERS,
    OTHER,
    STRANGE,
    VIP,
    VIPS,
    Stage,
    bench,
)


def test_nothing_is_asked_before_the_holder_has_had_it_for_a_while() -> None:
    """A move may have several writes."""
    stage = Stage()
    stage.now -= 0.01
    assert stage.take() is None
    assert stage.rota.next_at() == stage.now + 0.01


def test_the_gateway_is_asked_only_where_somebody_was_silent() -> None:
    """With that the next question waits for longer: frames are counted, not addresses."""
    stage = Stage()
    question = stage.take()
    assert question is not None
    assert question.targets == (VIP,)
    stage.answer()
    stage.now += SOON
    question = stage.take()
    assert question is not None
    assert question.targets == (VIP, GATEWAY)
    assert stage.rota.listened().keys() == {VIP, GATEWAY}
    stage.answer(STRANGE)
    stage.now += PERIOD
    question = stage.take()
    assert question is not None
    assert question.targets == (VIP,)


def test_all_addresses_together_are_asked_for_ten_times_a_second_at_most() -> None:
    """Each in its turn."""
    stage = Stage(*VIPS[:100])
    asked: list[IPAddress] = []
    times: list[Instant] = []
    end = stage.now + 3 * PERIOD
    while (at := max(stage.now, stage.rota.next_at())) < end:
        stage.now = at
        stage.rota.conclude(stage.now, stage.sight)
        if (question := stage.take()) is not None:
            asked.append(question.charge.address)
            times.append(stage.now)
            stage.rota.hear(ETH0, Claim(asked[-1], HERS), stage.now, is_reply=True)
            assert stage.take() is None
    assert set(asked[:100]) == set(VIPS[:100])
    assert max(sum(one <= at < one + 0.99 for at in times) for one in times) <= 1.0 / SPACING


def test_many_troubled_addresses_do_not_hide_others() -> None:
    """Both kinds have their turns."""
    stage = Stage(*VIPS[:60])
    while stage.take() is not None:  # nobody answers for any of them
        stage.now += SPACING
        stage.rota.conclude(stage.now, stage.sight)
    asked: list[IPAddress] = []
    fresh = VIPS[60:70]
    stage.rota.follow(bench(*VIPS[:70]))
    stage.rota.survey(stage.now)
    end = stage.now + 30.0
    while stage.now < end:
        if (question := stage.take()) is not None:
            asked.append(question.charge.address)
        stage.now += SPACING
        stage.rota.conclude(stage.now, stage.sight)
    assert set(fresh) <= set(asked)


def test_every_address_is_looked_at_though_members_change_all_the_time() -> None:
    """As in a rolling update of many nodes; there is time for two addresses in between."""
    crowd = [member(NodeName(f"n{n}"), "10.0.0.0/8") for n in range(DIGESTS // 2)]
    members = (*MEMBERS, member(C), *crowd)
    own = [a for a in VIPS if digest(A, a) < digest(C, a)][:5]
    others = [a for a in VIPS if digest(A, a) > digest(C, a)][:5]
    stage = Stage(others[0])
    for _ in range(10):
        passed = replace(bench(*own, *others), electorate=Electorate(members))
        stage.rota.follow(passed)
        stage.now += SPACING
        stage.rota.survey(stage.now)
    stage.now += SETTLE
    asked = set()
    while (question := stage.take()) is not None:
        asked.add(question.charge.address)
        stage.now += SPACING
    assert asked == set(own)


def test_what_is_nobodys_any_more_is_asked_for_no_more() -> None:
    """Whether its turn was to come, or a question is under way while nothing is sure."""
    for is_asked in (False, True):
        stage = Stage()
        if is_asked:
            assert stage.take() is not None
        stage.rota.follow(bench())
        stage.rota.survey(stage.now)
        stage.rota.pause(stage.now)
        assert stage.rota.next_at() == float("inf")
        stage.now += PERIOD
        assert stage.take() is None


def test_an_address_that_comes_back_begins_anew() -> None:
    """Though a question of before is still under way."""
    stage = Stage()
    assert stage.take() is not None
    for other in (bench(), bench(VIP)):
        stage.rota.follow(other)
        stage.now += SPACING
        stage.rota.survey(stage.now)
    stage.answer(STRANGE)
    assert stage.rota.counts()[Answer.FOREIGN] == 0
    stage.rota.pause(stage.now)
    stage.now += SETTLE
    assert stage.take() is not None


def test_a_pass_that_changes_one_address_costs_one_look() -> None:
    """Others are looked at when members or routes are others, or a pass was missed."""
    stage = Stage(VIP)
    first = bench(VIP)
    stage.rota.follow(first)
    stage.rota.survey(stage.now)
    second = bench(VIP, OTHER, before=first.state)
    only = replace(second, state=replace(second.state, changed=frozenset({OTHER})))
    stage.rota.follow(only)
    assert set(stage.rota._todo) == {OTHER}
    stage.rota.follow(second)
    assert set(stage.rota._todo) == {VIP, OTHER}
    stage.now += SPACING
    stage.rota.survey(stage.now)
    third = bench(VIP, OTHER, before=second.state, routes=())
    stage.rota.follow(third)
    assert set(stage.rota._todo) == {VIP, OTHER}


def test_to_find_ones_charges_takes_a_little_time_now_and_then() -> None:
    """A hash for each member and address is not computed in one go."""
    many = [parse_ip(f"192.0.{n // 256}.{n % 256}") for n in range(2, 2 + 2 * DIGESTS)]
    stage = Stage()
    stage.rota.follow(bench(*many))
    before = len(stage.rota._todo)
    stage.now += SPACING
    stage.rota.survey(stage.now)
    looked = before - len(stage.rota._todo)
    assert looked == -(-DIGESTS // (1 + len(MEMBERS)))
    assert stage.rota.next_at() <= stage.now + SPACING
    stage.rota.survey(stage.now)
    assert before - len(stage.rota._todo) == looked


def test_addresses_of_a_doubtful_holder_are_put_off_a_few_at_a_time() -> None:
    """A node that dies may have had thousands."""
    stage = Stage(*VIPS[: MOST_DEFERRED + 10])
    stage.reach = {ETH0: Reach(absent=frozenset({B}))}
    assert stage.take() is None
    assert stage.rota.next_at() == stage.now
    assert stage.take() is None
    assert stage.rota.next_at() == stage.now + SOON


def test_a_node_without_charges_has_nothing_to_do() -> None:
    """It sleeps."""
    rota = Rota(A, MacBook())
    rota.survey(0.0)
    assert rota.next_at() == float("inf")
    assert rota.take(0.0, Sight()) is None
    assert rota.findings() == ()
