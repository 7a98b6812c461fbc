"""How a node begins that joins: not before the others know it, or had the time to."""

import math
from dataclasses import replace
from ipaddress import ip_network

import pytest

from nodeagent.core.election import Electorate
from nodeagent.core.links import Nic
from nodeagent.core.peers import SETTLE, Reach
from nodeagent.core.settling import joined_after, settled_at
from nodeagent.core.verdicts import Away, Here, Joined, Wait
from tests.agent import Agent
from tests.unit.nodeagent.builders import (
    ETH0,
    NETWORKS,
    NOW,
    VIP,
    WEB,
    A,
    C,
    agent,
    facts,
    kernel,
    link,
    member,
    service,
)

HERE, HERE6, THERE = map(ip_network, (*NETWORKS, "10.0.0.0/8"))
NIC = Nic(link=link(), networks=(HERE, HERE6))
OTHER = Nic(link=link(9, "eth1"), networks=(THERE,))
BOTH = (member(A), member(C))  # the formula gives the address to node-a


def joining(*, reach: Reach | None = None, is_slotted: bool = False) -> Agent:
    """Build an agent on a node that becomes a candidate now, beside another one."""
    slots = {"announcing_IPv4": f"node-c,eth0,{VIP}"} if is_slotted else {}
    known = facts(service(WEB, **slots), members=BOTH)
    heard = {} if reach is None else {ETH0: reach}
    return Agent(kernel=kernel(), facts=replace(known, reach=heard))


@pytest.mark.parametrize(
    ("before", "members", "after"),
    [
        ({}, BOTH, {(ETH0, HERE): NOW, (ETH0, HERE6): NOW}),
        ({(ETH0, HERE): 7.0}, BOTH, {(ETH0, HERE): 7.0, (ETH0, HERE6): NOW}),
        ({(ETH0, HERE): 7.0}, (member(C),), {}),
        ({(ETH0, HERE): 7.0}, (member(A, announcing=False),), {}),
        ({(ETH0, HERE): 7.0}, (member(A, "10.0.0.0/8"),), {(9, THERE): NOW}),
    ],
)
def test_a_node_is_a_candidate_from_when_its_membership_says_so_on_each_network(
    before: Joined, members: tuple[object, ...], after: Joined
) -> None:
    """And begins anew when it was none in between."""
    electorate = Electorate(members)  # type: ignore[arg-type]  # members
    assert joined_after(before, (NIC, OTHER), electorate, A, NOW) == after


def test_what_the_others_prove_to_know_needs_no_time() -> None:
    """A proof for an earlier time is none: it may be from before this node was away."""
    known, late = Reach(known_since=NOW), Reach(known_since=NOW - 1)
    assert settled_at(NOW, known, is_handed_over=False) == -math.inf
    assert settled_at(NOW, late, is_handed_over=True) == NOW + SETTLE
    assert settled_at(NOW, None, is_handed_over=False) == NOW + SETTLE
    assert settled_at(NOW, None, is_handed_over=True) == -math.inf


@pytest.mark.parametrize(("reach", "is_here"), [(None, False), (Reach(known_since=NOW), True)])
def test_a_node_that_joins_waits_with_what_nobody_is_on_record_to_have(
    reach: Reach | None, *, is_here: bool
) -> None:
    """Another one may just have taken it. Time is enough where nothing is heard."""
    one = joining(reach=reach)
    one.decide()
    assert isinstance(one.desired.verdicts[VIP], Here) is is_here
    assert is_here or one.desired.next_change == NOW + SETTLE
    one.kernel.advance(NOW + SETTLE)
    one.decide()
    assert isinstance(one.desired.verdicts[VIP], Here)


def test_a_node_that_joins_alone_or_finds_its_addresses_in_place_waits_for_nothing() -> None:
    """Nobody else can have them."""
    alone = Agent(kernel=kernel(), facts=facts())
    alone.run()
    assert f"{VIP}/32" in alone.kernel.listing(ETH0)
    again = Agent(kernel=alone.kernel, facts=facts(members=BOTH))
    again.decide()
    assert isinstance(again.desired.verdicts[VIP], Here)


def test_a_node_that_joins_takes_at_once_what_is_handed_over_before_its_eyes() -> None:
    """Whoever cleared the entry has withdrawn, and had seen that it lost."""
    one = joining(is_slotted=True)
    one.decide()
    assert isinstance(one.desired.verdicts[VIP], Wait)
    one.facts = replace(one.facts, services={WEB: service()})
    one.decide()
    assert isinstance(one.desired.verdicts[VIP], Here)


@pytest.mark.parametrize("reach", [None, Reach(known_since=NOW - 60.0)])
def test_a_node_that_gets_another_network_on_a_link_joins_there_anew(reach: Reach | None) -> None:
    """Others have heard it on that link for long, but may not know of the network yet."""
    heard = {} if reach is None else {ETH0: reach}
    one = agent(replace(facts(members=(member(A, str(HERE6)), member(C))), reach=heard))
    one.memory = replace(one.memory, joined={(ETH0, HERE6): NOW - 60.0})
    one.decide()
    assert isinstance(one.desired.verdicts[VIP], Away)
    one.facts = replace(one.facts, electorate=Electorate(BOTH))
    one.decide()
    assert isinstance(one.desired.verdicts[VIP], Wait)
    one.kernel.advance(NOW + SETTLE)
    one.decide()
    assert isinstance(one.desired.verdicts[VIP], Here)


def test_a_node_that_has_been_there_for_a_while_waits_for_nothing() -> None:
    """A new Service is announced as fast as ever."""
    one = agent(facts(members=BOTH))
    one.decide()
    assert isinstance(one.desired.verdicts[VIP], Here)
