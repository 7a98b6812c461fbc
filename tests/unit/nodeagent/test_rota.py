"""When the witness asks and tells: times, hysteresis, and what makes an answer count."""

from dataclasses import replace

from nodeagent.core.claims import Claim
from nodeagent.core.config import Garp
from nodeagent.core.election import Electorate, digest
from nodeagent.core.findings import Check
from nodeagent.core.identity import MacBook
from nodeagent.core.links import Nic, Selection
from nodeagent.core.peers import Reach
from nodeagent.core.rota import (
    DIGESTS,
    MOST_DEFERRED,
    MOST_TOLD,
    PERIOD,
    SETTLE,
    SOON,
    SPACING,
    WINDOW,
    Question,
    Rota,
    Sight,
)
from nodeagent.core.verdicts import Away, DesiredState, Reason
from nodeagent.core.vips import Vip
from nodeagent.core.witness import Answer, Bench
from purelb.api.addresses import IPAddress, parse_ip, parse_network
from purelb.api.identifiers import Instant, NodeName, ServiceKey
from purelb.api.links import DefaultRoute
from tests.unit.nodeagent.builders import ETH0, OWN, A, B, C, entry, link, member, route, service

HERS, STRANGE, ROUTERS = (bytes.fromhex(f"02000000000{n}") for n in "159")
GATEWAY = parse_ip("192.0.2.1")
MEMBERS = (member(A), member(B))
ELECTORATE = Electorate(MEMBERS)
ROUTES = (replace(route(), gateway=GATEWAY),)
# Addresses that node-b wins, so that node-a is the runner-up.
VIPS = [
    address
    for n in range(2, 250)
    if digest(B, address := parse_ip(f"192.0.2.{n}")) < digest(A, address)
]
VIP, OTHER = VIPS[:2]


def bench(
    *addresses: IPAddress,
    before: DesiredState | None = None,
    holder: NodeName = B,
    routes: tuple[DefaultRoute, ...] = ROUTES,
) -> Bench:
    """Build a pass of node-a after which node-b has these addresses."""
    nic = Nic(link=link(), own=(entry(OWN),), networks=(parse_network("192.0.2.0/24"),))
    verdicts = {
        a: Away(address=a, reason=Reason.LOST_ELECTION, winner=B, link=link()) for a in addresses
    }
    vips = {
        a: Vip(
            a,
            (
                service(
                    ServiceKey(f"shop/{a}"),
                    str(a),
                    **{"announcing_IPv4": f"{holder},eth0,{a}"},
                ),
            ),
        )
        for a in addresses
    }
    state = DesiredState(
        is_whole=True,
        verdicts=verdicts,
        vips=vips,
        selection=Selection(others=(nic,)),
        garp=Garp(),
        changed=frozenset(verdicts),
        before=before.verdicts if before is not None else None,
    )
    return Bench(state, ELECTORATE, routes, A)


class Stage:
    """A rota with a clock; node-b's Lease is renewed all the time unless told otherwise."""

    def __init__(self, *addresses: IPAddress) -> None:
        self.now: Instant = 1000.0
        self.book = MacBook()
        self.book.note(B, frozenset({HERS}))
        self.book.note(A, frozenset({link().mac}))
        self.rota = Rota(A, self.book)
        self.reach: dict[int, Reach] = {}
        self.is_renewed = True
        self.rota.follow(bench(*(addresses or (VIP,))))
        self.rota.survey(self.now)
        self.now += SETTLE

    @property
    def sight(self) -> Sight:
        """What is known of node-b now."""
        return Sight(reach=self.reach, renewed={B: self.now if self.is_renewed else 0.0})

    def take(self) -> Question | None:
        """Ask what is due now."""
        return self.rota.take(self.now, self.sight)

    def answer(self, *macs: bytes, address: IPAddress = VIP, is_reply: bool = True) -> None:
        """Let these MACs answer, and judge it."""
        for mac in macs:
            self.rota.hear(ETH0, Claim(address, mac), self.now, is_reply=is_reply)
        self.now += WINDOW
        self.rota.conclude(self.now, self.sight)

    def round(self, *macs: bytes) -> tuple[Check, ...]:
        """Ask for the VIP at the next time, let it be answered, and return what is told."""
        self.now = max(self.now, self.rota.next_at())
        question = self.take()
        assert question is not None
        assert question.charge.address == VIP
        for target in question.targets[1:]:  # the gateway answers
            self.rota.hear(ETH0, Claim(target, ROUTERS), self.now, is_reply=True)
        self.answer(*macs)
        return tuple(one.check for one in self.rota.findings())


def test_what_the_holder_answers_alone_is_right_at_once() -> None:
    """And asked again after a period."""
    stage = Stage()
    assert stage.round(HERS) == ()
    assert stage.rota.counts()[Answer.RIGHT] == 1
    assert stage.rota.next_at() == stage.now + PERIOD
    stage.now += PERIOD - 0.01
    assert stage.take() is None


def test_nothing_is_asked_before_the_holder_has_had_it_for_a_while() -> None:
    """A move may have several writes."""
    stage = Stage()
    stage.now -= 0.01
    assert stage.take() is None
    assert stage.rota.next_at() == stage.now + 0.01


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
