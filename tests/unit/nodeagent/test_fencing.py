"""What a group's choice of fencing changes: when an address is taken, and when it is let go."""

from dataclasses import replace

import pytest

from nodeagent.core.facts import Facts
from nodeagent.core.peers import Reach
from nodeagent.core.remote import RemotePools, read_groups
from nodeagent.core.verdicts import Away, Here, Verdict, Wait
from purelb.api.addresses import Family
from purelb.api.groups import Fencing, GroupKind, GroupView, RangeEntry
from purelb.api.identifiers import NodeName, PoolName
from purelb.core.lease import Drain, Tick, step
from tests.agent import Agent
from tests.unit.nodeagent.builders import (
    ETH0,
    NOW,
    VIP,
    WEB,
    A,
    B,
    C,
    agent,
    facts,
    member,
    service,
)

HOST = f"{VIP}/32"
SLOT_A = {"announcing_IPv4": f"node-a,eth0,{VIP}"}
SLOT_B = {"announcing_IPv4": f"node-b,eth0,{VIP}"}
CUT_OFF = Reach(is_cut_off=True)
B_IS_GONE = Reach(has_quorum=True, absent=frozenset({B}))


def pools(fencing: Fencing) -> RemotePools:
    """Read one local group."""
    entry = RangeEntry(family=Family.IPV4, text="192.0.2.96/27", subnet="192.0.2.0/24")
    group = GroupView(
        namespace="purelb-system",
        name=PoolName("web"),
        kind=GroupKind.LOCAL,
        entries=(entry,),
        fencing=fencing,
    )
    return read_groups([group], "purelb-system")


def known(fencing: Fencing, *nodes: NodeName, reach: Reach, **slots: str) -> Facts:
    """Build what node-a knows of a Service in a group with this choice."""
    found = facts(service(WEB, **slots), members=tuple(member(node) for node in nodes))
    free = frozenset({VIP})  # nobody answers on the wire
    return replace(found, pools=pools(fencing), reach={ETH0: reach}, is_fresh=True, silent=free)


def verdict(one: Agent) -> Verdict:
    """Decide once."""
    one.decide()
    return one.desired.verdicts[VIP]


def test_another_choice_than_the_default_is_found_by_the_address() -> None:
    """Only of local groups, and a Service's own annotation has no say."""
    assert pools(Fencing.STRICT).fencing_of(VIP) is Fencing.STRICT
    assert pools(Fencing.FAST) == replace(pools(Fencing.STRICT), fencing={})
    assert RemotePools().fencing_of(VIP) is Fencing.FAST


@pytest.mark.parametrize(("fencing", "is_taken"), [(Fencing.FAST, True), (Fencing.STRICT, False)])
def test_a_silent_node_loses_a_strict_address_only_with_its_lease(
    fencing: Fencing, *, is_taken: bool
) -> None:
    """Though a quorum does not hear it, and nobody answers for the address."""
    heard = known(fencing, A, B, reach=B_IS_GONE, **SLOT_B)
    assert isinstance(verdict(agent(heard)), Here) is is_taken
    ended = replace(heard, electorate=facts().electorate, expired=frozenset({B}))
    assert isinstance(verdict(agent(ended)), Here)


def test_the_winner_of_a_strict_address_waits_for_the_lease_of_a_silent_holder() -> None:
    """Silence alone is enough where it is heard, and lets go in order."""
    third = NodeName("node-z")  # no candidate here, but its slot is there
    slots = {"announcing_IPv4": f"{third},eth0,{VIP}"}
    gone = Reach(has_quorum=True, absent=frozenset({third}))
    found = known(Fencing.STRICT, A, reach=gone, **slots)
    assert isinstance(verdict(agent(found)), Wait)
    heard = replace(found, reach={ETH0: Reach(has_quorum=True, heard=frozenset({third}))})
    assert isinstance(verdict(agent(heard)), Here)


@pytest.mark.parametrize("fencing", list(Fencing))
def test_an_isolated_node_keeps_only_what_prefers_availability(fencing: Fencing) -> None:
    """Neither another node nor the gateway answers."""
    one = agent(known(fencing, A, C, reach=Reach(), **SLOT_A))
    one.facts = replace(one.facts, electorate=facts().electorate)
    one.run()
    assert HOST in one.kernel.listing(ETH0)
    one.facts = replace(one.facts, reach={ETH0: CUT_OFF})
    one.run()
    assert (HOST in one.kernel.listing(ETH0)) is (fencing is Fencing.AVAILABLE)


def placed(fencing: Fencing = Fencing.AVAILABLE) -> Agent:
    """Build an agent that has the address and whose Lease has ended."""
    one = agent(known(fencing, A, reach=Reach(), **SLOT_A))
    one.run()
    while (at := one.desired.next_change or NOW) < NOW + 8.5:
        one.kernel.advance(at)
        one.run()
    one.kernel.advance(NOW + 8.5)
    one.facts = replace(one.facts, lease=step(one.facts.lease, Tick(NOW + 8.5)))
    return one


def test_an_available_address_outlasts_the_right_while_the_agent_lives() -> None:
    """Its kernel lifetime is prolonged as if the Lease had been renewed."""
    one = placed()
    for _ in range(20):
        one.run()
        assert HOST in one.kernel.listing(ETH0)
        at = one.desired.next_change
        assert at is not None
        assert at <= one.kernel.now + 2.0
        one.kernel.advance(max(at, one.kernel.now + 0.5))
    one.kernel.advance(one.kernel.now + 10.0)  # the agent is dead
    assert HOST not in one.kernel.listing(ETH0)


def test_the_default_does_not_outlast_the_right() -> None:
    """Whatever is in place goes."""
    one = placed(Fencing.FAST)
    one.run()
    assert HOST not in one.kernel.listing(ETH0)


def test_an_available_address_is_given_up_as_soon_as_another_node_is_seen_to_have_it() -> None:
    """By its slot, once the API is back, or by its claim."""
    one = placed()
    one.run()
    one.facts = replace(one.facts, services={WEB: service(WEB, **SLOT_B)})
    assert isinstance(verdict(one), Away)


def test_an_available_address_is_not_taken_without_a_right_nor_kept_by_a_node_that_leaves() -> None:
    """Only what was here stays."""
    fenced = replace(facts().lease, until=NOW)
    empty = agent(
        replace(known(Fencing.AVAILABLE, A, reach=Reach()), lease=step(fenced, Tick(NOW)))
    )
    assert isinstance(verdict(empty), Away)
    one = placed()
    one.run()
    one.facts = replace(one.facts, lease=step(one.facts.lease, Drain()))
    assert isinstance(verdict(one), Away)
