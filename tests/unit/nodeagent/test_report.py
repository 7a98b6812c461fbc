"""What is told: once for each change, in the words that scripts search for."""

from collections import Counter
from dataclasses import replace

import pytest

from nodeagent.core import words
from nodeagent.core.election import Electorate
from nodeagent.core.gate import QUIET
from nodeagent.core.notices import Level, Line, Notice
from nodeagent.core.report import Report, report
from nodeagent.core.selection import GRACE
from nodeagent.core.slots import SlotWrite, Steal
from nodeagent.core.verdicts import DesiredState
from nodeagent.core.words import Count
from purelb.api.addresses import Family
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.core.lease import Drain, step
from tests.agent import Agent
from tests.unit.nodeagent.builders import (
    ETH0,
    NOW,
    OWN,
    VIP,
    VIP6,
    WEB,
    A,
    B,
    agent,
    facts,
    held,
    kernel,
    member,
    service,
)

HOST = f"{VIP}/32"
SLOT = f"node-a,eth0,{VIP}"
MINE = service(announcing_IPv4=SLOT)


def counts(found: Report) -> dict[str, int]:
    """Return how often each counter moved."""
    moved: Counter[str] = Counter()
    for count in found.counts:
        moved[count.metric] += count.amount
    return dict(moved)


def lines(found: Report) -> list[tuple[str, str]]:
    """Return each line's word and reason or address."""
    return [(line.op, str(line.fields.get("reason", line.fields["ip"]))) for line in found.lines]


def reasons(found: Report) -> list[str]:
    """Return the reasons of Events."""
    return [notice.reason for notice in found.notices]


def placed_agent() -> Agent:
    """Build a loop that has put the VIP in place and written its slot."""
    one = agent(host=kernel(OWN))
    one.run()
    one.facts = replace(one.facts, services={WEB: MINE})
    one.run()
    return one


def test_a_first_placement_is_told_in_full() -> None:
    """Counters, line, Event and slot, all in the pass that placed it."""
    found = agent(host=kernel(OWN)).run()
    assert counts(found) == {words.WINS: 1, words.ADDITIONS: 1}
    assert found.lines == (
        Line(
            op="electionWon",
            fields={
                "node": A,
                "service": WEB,
                "ip": str(VIP),
                "interface": "eth0",
                "memberCount": 1,
            },
        ),
    )
    (notice,) = found.notices
    assert (notice.key, notice.severity, notice.reason) == (WEB, "Normal", "AnnouncingLocal")
    assert all(word in notice.message for word in ("node-a", str(VIP), "eth0"))
    assert [write.text for write in found.slots] == [SLOT]
    assert found.told.held == {VIP: "eth0"}


def test_a_pass_that_changes_nothing_tells_nothing() -> None:
    """Whether the slot has been seen or not; until it is, the write is still wanted."""
    one = agent(host=kernel(OWN))
    first = one.run()
    second = one.run()
    assert (second.lines, second.notices, second.counts) == ((), (), ())
    assert second.slots == first.slots
    one.facts = replace(one.facts, services={WEB: MINE})
    assert one.run() == Report(told=one.told)


def test_the_return_of_a_silent_address_is_counted_only() -> None:
    """Somebody removes it again and again."""
    one = placed_agent()
    one.lose(ETH0, HOST)
    one.kernel.advance(NOW + 1)
    outcomes = one.kernel.run(one.decide())
    silent = [replace(outcome, is_silent=True) for outcome in outcomes]
    found = report(A, one.told, one.desired, silent, 1)
    assert (found.lines, found.notices) == ((), ())
    assert counts(found) == {words.WINS: 1, words.ADDITIONS: 1, words.DRIFT_REPAIRED: 1}
    assert reasons(report(A, one.told, one.desired, outcomes, 1)) == ["AnnouncingLocal"]


def test_what_is_found_in_place_at_the_start_is_told_like_a_placement() -> None:
    """Counters of the process begin at zero."""
    host = kernel(OWN)
    host.put(ETH0, HOST, mark=167, valid=8)
    found = agent(facts(MINE), host).run()
    assert counts(found) == {words.WINS: 1, words.ADDITIONS: 1}
    assert lines(found) == [("electionWon", str(VIP))]


def test_an_unknown_state_tells_nothing_and_forgets_nothing() -> None:
    """Until everything is known again."""
    one = placed_agent()
    unknown = DesiredState(is_whole=False)
    assert report(A, one.told, unknown, (), 1) == Report(told=one.told)


def test_a_loser_counts_one_loss_even_if_it_held_nothing() -> None:
    """And says who won, at debug."""
    known = facts(members=(member(A, "10.0.0.0/8"), member(B)))
    one = agent(known)
    found = one.run()
    assert counts(found) == {words.LOSSES: 1, words.WITHDRAWALS: 1}
    assert [line.level for line in found.lines] == [Level.DEBUG, Level.INFO]
    assert found.lines[0].fields["winner"] == B
    assert found.lines[1] == Line(
        op="withdrawAddress",
        fields={"ip": str(VIP), "service": WEB, "reason": "lostElection", "removed": False},
    )
    assert one.run().lines == ()


def test_losing_what_was_held_withdraws_and_clears_the_slot() -> None:
    """The winner has changed."""
    one = placed_agent()
    one.facts = replace(one.facts, electorate=Electorate([member(A, "10.0.0.0/8"), member(B)]))
    found = one.run()
    assert counts(found) == {words.LOSSES: 1, words.WITHDRAWALS: 1, words.WINNER_CHANGES: 1}
    assert found.lines[-1].fields["removed"] is True
    assert [write.text for write in found.slots] == [None]
    assert found.told.held == {}


def test_a_change_between_two_others_counts_as_a_change_of_the_winner_only() -> None:
    """For us it is the same loss."""
    one = agent(facts(members=(member(B),)))
    one.run()
    one.facts = replace(one.facts, electorate=Electorate([member(NodeName("node-c"))]))
    found = one.run()
    assert found.counts == (Count(words.WINNER_CHANGES, (("service", WEB),)),)
    assert found.lines == ()


@pytest.mark.parametrize("how", ["service", "ingress"])
def test_an_address_no_service_has_any_more_is_told_with_its_last_service(how: str) -> None:
    """Deleted, or another address in its status."""
    one = placed_agent()
    changed = {} if how == "service" else {WEB: replace(MINE, ingress=())}
    one.facts = replace(one.facts, services=changed)
    found = one.run()
    assert [line.fields for line in found.lines] == [
        {"ip": str(VIP), "service": WEB, "reason": "cluster event", "removed": True}
    ]
    assert counts(found) == {words.WITHDRAWALS: 1}
    assert found.gone == {WEB}
    after = one.run()
    assert (after.lines, after.gone) == ((), frozenset())


def test_an_orphan_nobody_knows_is_told_without_a_service() -> None:
    """Left by a predecessor."""
    host = kernel(OWN)
    host.put(ETH0, HOST, mark=167)
    found = agent(replace(facts(), services={}), host).run()
    assert [(line.op, line.fields["service"]) for line in found.lines] == [("withdrawAddress", "")]


def test_every_address_is_told_when_the_node_leaves() -> None:
    """With PureLB's word for it."""
    one = placed_agent()
    one.facts = replace(one.facts, lease=step(held(), Drain()))
    found = one.run()
    assert lines(found) == [("withdrawAddress", "withdrawAll")]
    assert [write.text for write in found.slots] == [None]


def test_a_repair_counts_as_drift_and_as_a_placement() -> None:
    """And its slot is not touched in between."""
    one = placed_agent()
    one.kernel.advance(NOW + 1)
    one.change_own(ETH0, gone=OWN, back=OWN)
    one.lose(ETH0, HOST)
    waiting = one.run()
    assert (waiting.lines, waiting.slots, waiting.told.held) == ((), (), {})
    one.kernel.advance(NOW + 1 + QUIET)
    found = one.run()
    assert counts(found) == {words.DRIFT_REPAIRED: 1, words.WINS: 1, words.ADDITIONS: 1}
    assert Count(words.DRIFT_REPAIRED, (("reason", "reconfigured"),)) in found.counts
    assert (lines(found), found.slots) == ([("electionWon", str(VIP))], ())


def test_a_missing_own_address_is_told_once_as_a_warning() -> None:
    """The slot stays until the node gives up; then all is told."""
    one = placed_agent()
    one.kernel.advance(NOW + 1)
    one.run()
    one.change_own(ETH0, gone=OWN)
    one.lose(ETH0, HOST)
    found = one.run()
    assert [(line.op, line.level) for line in found.lines] == [("gateBlocked", Level.WARNING)]
    assert found.slots == ()
    assert one.run().lines == ()
    one.kernel.advance(NOW + 1 + GRACE)
    found = one.run()
    assert lines(found) == [("withdrawAddress", "noLocalInterface")]
    assert [write.text for write in found.slots] == [None]


def test_a_reordering_is_counted() -> None:
    """It is a placement, too: neighbors hear of it."""
    one = placed_agent()
    one.kernel.take(ETH0, OWN)
    one.kernel.put(ETH0, OWN)
    one.kernel.advance(NOW + 1)
    one.unrest = {}
    one.seen = None
    found = one.run()
    assert counts(found) == {words.ORDER_FIXED: 1, words.WINS: 1, words.ADDITIONS: 1}


def test_a_new_burst_is_told_like_a_placement() -> None:
    """After a change of the configuration or of the link."""
    one = placed_agent()
    one.announced = frozenset()
    found = one.run()
    assert counts(found) == {words.WINS: 1, words.ADDITIONS: 1}
    assert reasons(found) == ["AnnouncingLocal"]


def test_the_burst_after_duplicate_detection_is_not_told_again() -> None:
    """It belongs to the placement."""
    one = agent(facts(service(WEB, str(VIP6))))
    assert counts(one.run()) == {words.WINS: 1, words.ADDITIONS: 1}
    one.kernel.advance(NOW + 2)
    found = one.run()
    assert len(one.ops) == 1
    assert found.counts == ()


def test_yielding_is_a_withdrawal() -> None:
    """The reason is the election: another node has it."""
    one = placed_agent()
    taken = service(announcing_IPv4=f"node-z,eth0,{VIP}")
    one.facts = replace(one.facts, services={WEB: taken})
    found = one.run()
    assert lines(found)[-1] == ("withdrawAddress", "lostElection")
    assert one.run().lines == ()


def test_waiting_for_another_to_let_go_is_told_at_debug() -> None:
    """Nothing was withdrawn, for nothing was held."""
    taken = service(WEB, announcing_IPv4=f"node-z,eth0,{VIP}")
    found = agent(facts(taken)).run()
    assert [(line.op, line.level) for line in found.lines] == [("handover", Level.DEBUG)]
    assert found.counts == ()


def test_a_service_that_joins_a_shared_address_is_told_alone() -> None:
    """And gets its slot."""
    one = placed_agent()
    joins = service(ServiceKey("shop/second"))
    one.facts = replace(one.facts, services={WEB: MINE, joins.key: joins})
    found = one.run()
    assert [notice.key for notice in found.notices] == ["shop/second"]
    assert [(write.service, write.text) for write in found.slots] == [("shop/second", SLOT)]
    assert found.counts == ()


def test_a_fallback_of_the_affinity_is_counted_once() -> None:
    """Under the address, as PureLB does."""
    known = facts(service(WEB, node_affinity="service-endpoints"))
    one = agent(replace(known, endpoints={WEB: frozenset({B})}))
    assert Count(words.AFFINITY_FALLBACKS, (("service", str(VIP)),)) in one.run().counts
    assert one.run().counts == ()


@pytest.mark.parametrize(
    ("others", "overrides", "told"),
    [
        ({"allow_local": ""}, 0, ["AnnouncingLocal", "LocalOverride"]),
        ({"pool_type": "remote"}, 1, ["AnnouncingLocal"]),
        ({}, 0, ["AnnouncingLocal"]),
        ({"pool_type": "remote", "allow_local": "x"}, 0, ["AnnouncingLocal", "LocalOverride"]),
    ],
)
def test_policy_local_on_an_address_here(
    others: dict[str, str], overrides: int, told: list[str]
) -> None:
    """Local pools are the allocator's; who allows it is only told so."""
    local = replace(service(WEB, **others), external_policy="Local")
    one = agent(facts(local), kernel(OWN))
    found = one.run()
    assert (len(found.overrides), reasons(found)) == (overrides, told)
    again = one.run()
    assert (len(again.overrides), again.notices) == (overrides, ())


def test_an_override_says_what_to_tell_once_it_is_written() -> None:
    """And on which version it was decided."""
    local = replace(service(WEB, pool_type="remote"), external_policy="Local")
    (override,) = agent(facts(local), kernel(OWN)).run().overrides
    assert (override.service, override.version) == (WEB, "7")
    assert (override.notice.reason, "Cluster" in override.notice.message) == ("LocalOverride", True)


def test_names_that_users_write_into_slots_mint_few_series() -> None:
    """A node with a Lease always has its own."""
    labels = words.NodeLabels()
    names = [NodeName(f"made-up-{number}") for number in range(100)]
    found = {labels.of(name, {B}) for name in (*names, *names, NodeName("x" * 99_999))}
    assert len(found) == words.MOST_STRANGERS + 1
    assert words.OTHER_NODES in found
    assert labels.of(B, {B}) == B


def test_a_stolen_slot_is_told_with_both_nodes() -> None:
    """After it has been written."""
    steal = SlotWrite(
        service=WEB, version="7", family=Family.IPV4, text=SLOT, steals=(Steal(VIP, B),)
    )
    ((notice, count),) = words.stolen(steal, A, str)
    assert isinstance(notice, Notice)
    assert (notice.reason, notice.severity) == ("AnnounceSlotSteal", "Normal")
    assert all(word in notice.message for word in (A, B, str(VIP)))
    assert count == Count(words.SLOT_STEALS, (("from", B), ("to", A)))
