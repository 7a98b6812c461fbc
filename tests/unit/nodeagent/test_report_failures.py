"""What is told of what went wrong, or cannot be."""

from collections import Counter
from dataclasses import replace

from nodeagent.core import words
from nodeagent.core.installed import Outcome
from nodeagent.core.notices import Level
from nodeagent.core.ops import AddAddress, RefreshAddress, RemoveAddress, ReorderAddress
from nodeagent.core.report import Report, Told, report
from nodeagent.core.verdicts import DesiredState
from purelb.api.views import NodeView
from tests.agent import Agent
from tests.unit.nodeagent.builders import (
    ETH0,
    NOW,
    OWN,
    VIP,
    VIP6,
    WEB,
    A,
    agent,
    facts,
    kernel,
    link,
    renewed,
    service,
)

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


def test_a_refused_address_is_told_with_its_cause() -> None:
    """The slot is not written, and cleared if it is ours."""
    one = agent(facts(MINE), kernel(OWN))
    ops = one.decide()
    assert isinstance(ops[0], AddAddress)
    found = report(A, Told(), one.desired, [Outcome(ops[0], "no buffer space")], 1)
    assert reasons(found) == ["AnnouncementFailed"]
    assert all(word in found.notices[0].message for word in ("node-a", "eth0", "no buffer space"))
    assert [(line.op, line.level) for line in found.lines] == [("announcementFailed", Level.ERROR)]
    assert (counts(found), found.told.held) == ({}, {})
    assert [write.text for write in found.slots] == [None]


def test_a_duplicate_takes_everything_back() -> None:
    """Slot, gauge and record; counted. Its owner is asked for, and named later."""
    host = kernel()
    host.taken = {VIP6}
    known = facts(service(WEB, str(VIP6), announcing_IPv6=f"node-a,eth0,{VIP6}"))
    one = agent(known, host)
    one.run()
    one.kernel.advance(NOW + 2)
    renewed(one)
    found = one.run()
    assert counts(found) == {words.DAD_FAILURES: 1}
    assert reasons(found) == []
    assert [write.text for write in found.slots] == [None]
    assert found.told.held == {}


def test_renewals_and_their_errors_are_counted() -> None:
    """An error says nothing else: the next pass tries again."""
    one = placed_agent()
    one.kernel.advance(NOW + 3.3)
    renewed(one)
    (op,) = one.decide()
    assert isinstance(op, RefreshAddress)
    failed = report(A, one.told, one.desired, [Outcome(op, "busy")], 1)
    assert (counts(failed), failed.lines) == ({words.RENEWAL_ERRORS: 1}, ())
    assert counts(one.execute([op])) == {words.RENEWALS: 1}


def test_a_failed_reordering_has_lost_the_address() -> None:
    """It was deleted and could not be added again."""
    one = placed_agent()
    (add, _) = agent(host=kernel(OWN)).decide()
    assert isinstance(add, AddAddress)
    op = ReorderAddress(add.link, add.entry)
    found = report(A, one.told, one.desired, [Outcome(op, "invalid")], 1)
    assert found.told.held == {}
    assert reasons(found) == ["AnnouncementFailed"]


def test_an_address_thought_lost_that_is_there_after_all_is_told_in_the_next_pass() -> None:
    """The error was about the deletion, so the kernel shows the same as before."""
    one = placed_agent()
    one.run()
    (add, _) = agent(host=kernel(OWN)).decide()
    assert isinstance(add, AddAddress)
    op = ReorderAddress(add.link, add.entry)
    one.told = report(A, one.told, one.desired, [Outcome(op, "busy")], 1).told
    found = one.run()
    assert (one.desired.changed, found.told.held) == (frozenset(), {VIP: "eth0"})
    assert reasons(found) == ["AnnouncingLocal"]


def test_a_failed_removal_is_a_warning() -> None:
    """The next pass tries again."""
    op = RemoveAddress(link().name, ETH0, VIP, 32, "cluster event")
    found = report(A, Told(), DesiredState(is_whole=True), [Outcome(op, "busy")], 1)
    assert [(line.op, line.level) for line in found.lines] == [("removeFailed", Level.WARNING)]


def test_a_node_address_is_refused_with_its_owner() -> None:
    """Never announced."""
    own = service(WEB, "192.0.2.7")
    known = replace(facts(own), node=NodeView(name=A, addresses=own.ingress))
    found = agent(known, kernel(OWN)).run()
    assert "this node's own address" in found.notices[0].message


def test_a_service_without_a_place_here_is_told_without_an_event() -> None:
    """Remote addresses have none on any node."""
    found = agent(facts(service(WEB, "203.0.113.9", pool_type="remote"))).run()
    assert (lines(found), found.notices) == ([("withdrawAddress", "noLocalInterface")], ())
