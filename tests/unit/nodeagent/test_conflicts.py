"""Another host has the address: asked for first, defended once, then left to it for a while."""

from dataclasses import replace

import pytest

from nodeagent.core.claims import Claim
from nodeagent.core.config import NodeConfig
from nodeagent.core.conflicts import (
    BACKOFF,
    MAX_CONFLICTS,
    MEMORY,
    MOST_TOLD,
    PEER_RETRY,
    WISH_RETRY,
    Conflict,
    claimed,
    complaints,
    is_conflict,
    met_peer,
)
from nodeagent.core.election import Electorate
from nodeagent.core.inquiry import standing
from nodeagent.core.ops import AddAddress, Announce, Probe, RemoveAddress
from nodeagent.core.verdicts import Here, Reason, Wait
from nodeagent.core.words import DAD_FAILURES, FOREIGN_CONFLICTS, Count
from purelb.api.annotations import Slot, encode_slots
from purelb.api.identifiers import LinkName
from purelb.api.links import IFA_F_DADFAILED, IFA_F_NODAD
from tests.agent import Agent
from tests.kernel import DAD_SECONDS
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
    kernel,
    link,
    member,
    service,
)

STRANGER, ANOTHER = b"\2\0\0\0\0\x66", b"\2\0\0\0\0\x67"
OPEN = Conflict(owner=STRANGER, noted_at=NOW, failures=1, retry_at=NOW + 5.0, is_open=True)


def asking(one: Agent | None = None, **parts: object) -> Agent:
    """Build a loop that may ask other hosts, and has not asked yet."""
    one = one or agent()
    one.facts = replace(one.facts, quiet={}, **parts)  # type: ignore[arg-type]  # per field
    return one


def test_an_address_that_is_not_held_is_left_to_its_owner_at_once() -> None:
    """It has just been asked for."""
    assert claimed(None, STRANGER, NOW, is_held=False) == (OPEN, False)


def test_a_held_address_is_defended_once_and_then_given_up() -> None:
    """RFC 5227, 2.4 (b): a second claim within ten seconds; frames of one claim count once."""
    defended, is_defended = claimed(None, STRANGER, NOW, is_held=True)
    assert is_defended
    assert not defended.is_open
    assert claimed(defended, STRANGER, NOW + 0.1, is_held=True) == (defended, False)
    given_up, is_defended = claimed(defended, ANOTHER, NOW + 2.0, is_held=True)
    assert not is_defended
    assert (given_up.is_open, given_up.owner, given_up.retry_at) == (True, ANOTHER, NOW + 7.0)


def test_claims_that_are_far_apart_are_each_defended() -> None:
    """A host that asks once a minute with the wrong source does not take an address away."""
    conflict, _ = claimed(None, STRANGER, NOW, is_held=True)
    for minute in range(1, 4):
        conflict, is_defended = claimed(conflict, STRANGER, NOW + 60.0 * minute, is_held=True)
        assert is_defended


def test_each_failure_in_a_row_doubles_the_wait_up_to_a_minute() -> None:
    """RFC 5227, 2.1.1: at most one attempt per RATE_LIMIT_INTERVAL."""
    conflict, now, waits = None, NOW, []
    for _ in range(6):
        conflict, _ = claimed(conflict, STRANGER, now, is_held=False)
        waits.append(conflict.retry_at - now)
        now = conflict.retry_at
    assert waits == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_what_is_heard_while_waiting_changes_nothing_and_old_failures_are_forgotten() -> None:
    """The owner goes on to use its address, of course."""
    assert claimed(OPEN, STRANGER, NOW + 1.0, is_held=False) == (OPEN, False)
    later, _ = claimed(OPEN, STRANGER, NOW + MEMORY, is_held=False)
    assert later.failures == 1
    assert BACKOFF.longest < MEMORY


def test_an_owner_that_is_not_known_has_no_mac_in_the_text() -> None:
    """The kernel does not say who answered its duplicate detection."""
    assert replace(OPEN, owner=b"").text == "another host has"
    assert OPEN.text == "another host, 02:00:00:00:00:66, has"


def test_who_only_asks_for_an_address_is_waited_for_one_or_two_seconds() -> None:
    """RFC 5227, 2.1.1: the rate is limited from the tenth time on; only then people are told."""
    conflict, now, waits = None, NOW, []
    for _ in range(MAX_CONFLICTS):
        conflict, is_defended = claimed(conflict, STRANGER, now, is_held=False, is_probe=True)
        assert not is_defended
        assert (conflict.is_open, conflict.is_told, conflict.failures) == (True, False, 0)
        waits.append(conflict.retry_at - now)
        now = conflict.retry_at
    assert all(WISH_RETRY <= wait < WISH_RETRY + 1.0 for wait in waits)
    conflict, _ = claimed(conflict, STRANGER, now, is_held=False, is_probe=True)
    assert conflict.retry_at == now + BACKOFF.longest
    assert [one.subject for one in complaints({VIP: conflict})] == [str(VIP)]
    assert conflict.text == "another host, 02:00:00:00:00:66, wants"


def test_two_that_ask_in_step_do_not_do_so_for_ever() -> None:
    """Each of them waits by the other's MAC."""
    conflicts = [
        claimed(None, mac, NOW, is_held=False, is_probe=True)[0] for mac in (STRANGER, ANOTHER)
    ]
    assert abs(conflicts[0].retry_at - conflicts[1].retry_at) > 0.02


def test_who_asks_first_and_then_has_the_address_is_told_of() -> None:
    """And waited for as any owner."""
    wish, _ = claimed(None, STRANGER, NOW, is_held=False, is_probe=True)
    assert claimed(wish, STRANGER, wish.retry_at, is_held=False)[0] == Conflict(
        owner=STRANGER,
        noted_at=wish.retry_at,
        failures=1,
        retry_at=wish.retry_at + 5.0,
        is_open=True,
    )
    one = asking(conflicts={VIP: wish})
    quiet = one.run()
    assert [notice for notice in quiet.notices if notice.reason == "AnnouncementFailed"] == []
    one.facts = replace(one.facts, conflicts={VIP: OPEN})
    (notice,) = one.run().notices
    assert "another host, 02:00:00:00:00:66, has this address" in notice.message


def test_questions_of_others_count_only_while_the_address_is_asked_for() -> None:
    """RFC 5227, 2.1.1 and 2.4: who asks has not got it, and the kernel answers for what is held."""
    probe, word = Claim(VIP, STRANGER, is_probe=True), Claim(VIP, STRANGER)
    assert is_conflict(probe, is_asked=True, is_held=False)
    assert not is_conflict(probe, is_asked=False, is_held=True)
    assert is_conflict(word, is_asked=False, is_held=True)
    assert not is_conflict(word, is_asked=False, is_held=False)


def test_another_node_with_the_address_is_waited_for_and_not_told_of() -> None:
    """The kernel found a duplicate during a hand-over."""
    conflict = met_peer(replace(OPEN, failures=3), ANOTHER, NOW)
    assert (conflict.failures, conflict.retry_at) == (3, NOW + PEER_RETRY)
    assert met_peer(None, ANOTHER, NOW).text == "another node, 02:00:00:00:00:67, has"
    one = asking(agent(facts(service(WEB, str(VIP6)))), conflicts={VIP6: conflict})
    found = one.run()
    assert (one.ops, found.notices, found.counts) == ((), (), ())
    assert list(complaints({VIP6: conflict})) == []


def test_each_stranger_is_told_of_on_the_node_up_to_a_number() -> None:
    """A whole subnet may be taken; nothing is told of conflicts that are over."""
    (finding,) = complaints({VIP: OPEN, VIP6: replace(OPEN, is_open=False)})
    assert (finding.check, finding.subject) == ("AddressConflict", str(VIP))
    assert "02:00:00:00:00:66" in finding.message
    assert len(list(complaints({VIP + number: OPEN for number in range(99)}))) == MOST_TOLD


def test_only_conflicts_about_addresses_that_belong_here_are_told() -> None:
    """Not when the Service is gone, another node is elected, or the address came back."""
    one = asking(conflicts={VIP: OPEN})
    one.run()
    assert standing({VIP: OPEN}, one.desired.verdicts, one.told.held) == {VIP: OPEN}
    assert standing({VIP: OPEN}, one.desired.verdicts, {VIP}) == {}
    one.facts = replace(one.facts, electorate=Electorate((member(B),)))
    one.run()
    assert standing({VIP: OPEN}, one.desired.verdicts, one.told.held) == {}
    one.facts = replace(one.facts, services={})
    one.run()
    assert standing({VIP: OPEN}, one.desired.verdicts, one.told.held) == {}


def test_an_ipv4_address_is_asked_for_before_it_is_added() -> None:
    """First the question, then the wait for an answer, then the address."""
    one = asking()
    assert one.decide() == (Probe(link(), VIP),)
    one.facts = replace(one.facts, quiet={VIP: NOW + 0.01})
    assert one.decide() == ()
    assert one.desired.next_change == NOW + 0.01
    one.kernel.advance(NOW + 0.01)
    assert [type(op) for op in one.decide()] == [AddAddress, Announce]


def test_what_was_in_place_a_moment_ago_is_put_back_without_asking() -> None:
    """Repairs are a matter of milliseconds."""
    one = asking()
    one.facts = replace(one.facts, quiet={VIP: NOW})
    one.settle(NOW + 1.0)
    one.facts = replace(one.facts, quiet={})
    one.lose(ETH0, f"{VIP}/32")
    one.kernel.advance(NOW + 1.1)
    assert any(isinstance(op, AddAddress) for op in one.decide())


@pytest.mark.parametrize(
    "one",
    [
        agent(replace(facts(), shown=None)),
        agent(facts(service(WEB, str(VIP6)))),
        agent(replace(facts(), config=NodeConfig(source="a/b", garp=None))),
        agent(
            replace(facts(), electorate=facts(members=(member(A), member(B))).electorate),
        ),
    ],
    ids=[
        "MACs of some node are not known",
        "the kernel asks for IPv6",
        "nothing is ever sent",
        "MACs of the holder are not known",
    ],
)
def test_nobody_is_asked_where_the_answer_would_not_help(one: Agent) -> None:
    """The address is added as if there were no question."""
    slot = encode_slots([Slot(B, LinkName("eth0"), VIP)])
    known = {
        key: replace(s, annotations={**s.annotations, "purelb.io/announcing-IPv4": slot})
        for key, s in (one.facts.services or {}).items()
        if VIP in s.ingress
    }
    expired = frozenset({B})
    one.facts = replace(one.facts, services=known or one.facts.services, expired=expired, quiet={})
    one.facts = replace(one.facts, electorate=facts().electorate)
    assert any(isinstance(op, AddAddress) for op in one.decide())


def test_the_holder_in_the_slot_is_told_from_strangers_if_its_macs_are_known() -> None:
    """Then an address is asked for on take-over, too."""
    slot = encode_slots([Slot(B, LinkName("eth0"), VIP)])
    known = facts(service(WEB, announcing_IPv4=slot))
    one = asking(agent(known), expired=frozenset({B}), shown=frozenset({B}))
    assert one.decide() == (Probe(link(), VIP),)


def test_an_ipv6_address_of_another_node_is_asked_for_shortly_not_by_the_kernel() -> None:
    """Its detection would keep the address away for a second or two more."""
    slot = encode_slots([Slot(B, LinkName("eth0"), VIP6)])
    known = facts(service(WEB, str(VIP6), announcing_IPv6=slot))
    one = asking(agent(known), expired=frozenset({B}), shown=frozenset({B}))
    assert one.decide() == (Probe(link(), VIP6),)
    one.facts = replace(one.facts, quiet={VIP6: NOW})
    added = [op for op in one.decide() if isinstance(op, AddAddress)]
    assert [bool(op.entry.flags & IFA_F_NODAD) for op in added] == [True]


def test_a_stranger_is_told_once_and_each_attempt_counted() -> None:
    """An Event and a log line with its MAC; nothing is added until it is silent."""
    one = asking(conflicts={VIP: OPEN})
    first = one.run()
    assert one.ops == ()
    (notice,) = first.notices
    assert notice.reason == "AnnouncementFailed"
    assert "another host, 02:00:00:00:00:66, has this address" in notice.message
    assert first.counts == (Count(FOREIGN_CONFLICTS),)

    one.kernel.advance(OPEN.retry_at)
    assert one.run().notices == ()
    assert list(one.ops) == [Probe(link(), VIP)]
    again = replace(OPEN, failures=2, retry_at=NOW + 15.0)
    one.facts = replace(one.facts, conflicts={VIP: again})
    second = one.run()
    assert (second.notices, second.counts) == ((), (Count(FOREIGN_CONFLICTS),))


def test_an_address_is_used_again_once_its_stranger_is_silent() -> None:
    """Silence closes the conflict; the failures are remembered."""
    one = asking(conflicts={VIP: OPEN})
    one.run()
    one.kernel.advance(NOW + 6.0)
    closed = replace(OPEN, is_open=False)
    one.facts = replace(one.facts, conflicts={VIP: closed}, quiet={VIP: NOW + 6.0})
    assert [type(op) for op in one.decide()] == [AddAddress, Announce]


def test_a_held_address_with_a_stranger_is_withdrawn() -> None:
    """With its own reason in the log; the slot goes as well."""
    one = agent()
    one.run()
    one.facts = replace(one.facts, quiet={}, conflicts={VIP: OPEN})
    found = one.run()
    (removal,) = one.ops
    assert isinstance(removal, RemoveAddress)
    assert removal.reason == Reason.FOREIGN_OWNER
    assert isinstance(one.desired.verdicts[VIP], Wait)
    (line,) = [line for line in found.lines if line.op == "withdrawAddress"]
    assert line.fields["reason"] == "foreignOwner"
    assert found.left == (VIP,)
    assert one.kernel.listing(ETH0)[-1] == OWN


def test_a_defended_claim_leaves_the_address_where_it_is() -> None:
    """The record changes, the verdict does not."""
    one = agent()
    one.run()
    defended, _ = claimed(None, STRANGER, NOW, is_held=True)
    one.facts = replace(one.facts, quiet={}, conflicts={VIP: defended})
    assert one.decide() == ()
    assert isinstance(one.desired.verdicts[VIP], Here)


def test_the_owner_of_a_duplicate_ipv6_address_is_asked_for() -> None:
    """The kernel only says that there is one."""
    host = kernel()
    host.taken = {VIP6}
    one = asking(agent(facts(service(WEB, str(VIP6))), host))
    one.run()
    host.advance(NOW + DAD_SECONDS)
    found = one.run()
    removal, question = one.ops
    assert isinstance(removal, RemoveAddress)
    assert question == Probe(link(), VIP6, is_duplicate=True)
    assert Count(DAD_FAILURES) in found.counts
    assert not any(entry.flags & IFA_F_DADFAILED for entry in one.look().addresses)


def test_while_a_duplicates_owner_is_asked_for_nothing_is_put_back() -> None:
    """Although the address was in place a moment ago."""
    one = agent(facts(service(WEB, str(VIP6))))
    one.run()
    one.kernel.take(ETH0, f"{VIP6}/128")
    one.kernel.advance(NOW + 1.0)
    one.facts = replace(one.facts, quiet={VIP6: NOW + 1.01})
    assert one.decide() == ()
    closed = replace(OPEN, retry_at=NOW)
    one.facts = replace(one.facts, quiet={}, conflicts={VIP6: closed})
    one.run()
    assert one.ops == (Probe(link(), VIP6),)
