"""How one address changes hands: slots, affinity, duplicates."""

import math
from dataclasses import replace

import pytest

from nodeagent.core.election import Electorate, elect
from nodeagent.core.fence import HANDOVER_LIMIT
from nodeagent.core.judgement import ENDPOINTS_WAIT
from nodeagent.core.remote import read_groups
from nodeagent.core.verdicts import Away, Here, Verdict, Wait
from purelb.api.addresses import Family, IPAddress
from purelb.api.groups import GroupKind, GroupView, RangeEntry
from purelb.api.identifiers import PoolName, ServiceKey
from purelb.api.links import OUR_MARK
from purelb.api.views import ServiceView
from tests.agent import Agent
from tests.unit.nodeagent.builders import (
    ETH0,
    NOW,
    VIP,
    VIP6,
    WEB,
    A,
    B,
    C,
    agent,
    facts,
    kernel,
    member,
    renewed,
    service,
)

HOST, HOST6 = f"{VIP}/32", f"{VIP6}/128"
SLOT_B = {"announcing_IPv4": f"node-b,eth0,{VIP}"}
AFFINITY = {"node_affinity": "service-endpoints"}


def verdict(one: Agent, address: IPAddress = VIP) -> Verdict:
    """Look once and return what is decided about an address."""
    one.decide()
    return one.desired.verdicts[address]


def with_service(one: Agent, changed: ServiceView) -> None:
    """Let the API show a Service."""
    services = dict(one.facts.services or {}) | {changed.key: changed}
    one.facts = replace(one.facts, services=services)


def test_the_winner_waits_for_the_slot_of_a_live_node() -> None:
    """Once it is cleared there is nothing to wait for."""
    one = agent(facts(service(WEB, **SLOT_B), members=(member(A), member(B, "10.0.0.0/8"))))
    found = verdict(one)
    assert isinstance(found, Wait)
    assert (found.at, one.desired.next_change) == (NOW + HANDOVER_LIMIT, NOW + HANDOVER_LIMIT)
    one.kernel.advance(NOW + 0.1)
    with_service(one, service())
    assert isinstance(verdict(one), Here)


def test_a_slot_that_is_never_cleared_blocks_only_for_a_while() -> None:
    """PureLB's agents do not clear theirs."""
    one = agent(facts(service(WEB, **SLOT_B), members=(member(A), member(B, "10.0.0.0/8"))))
    one.decide()
    one.kernel.advance(NOW + HANDOVER_LIMIT)
    assert isinstance(verdict(one), Here)


def test_a_holder_that_has_not_renewed_since_is_waited_for_without_a_time() -> None:
    """It may not know that it has lost."""
    known = facts(service(WEB, **SLOT_B), members=(member(A), member(B, "10.0.0.0/8")))
    one = agent(replace(known, renewed={B: NOW - 1}))
    found = verdict(one)
    assert isinstance(found, Wait)
    assert math.isinf(found.at)
    assert one.desired.next_change == NOW + 8.5
    one.kernel.advance(NOW + 5)
    assert isinstance(verdict(one), Wait)
    one.facts = replace(one.facts, renewed={B: NOW + 1})
    assert isinstance(verdict(one), Here)


def test_a_node_that_sees_another_take_its_slot_yields() -> None:
    """Even though it is the winner by its own view; it waits as if it had just won."""
    one = agent(facts(members=(member(A), member(B, "10.0.0.0/8"))))
    one.run()
    assert HOST in one.kernel.listing(ETH0)
    one.kernel.advance(NOW + 5)
    renewed(one)
    with_service(one, service(WEB, **SLOT_B))
    one.run()
    assert HOST not in one.kernel.listing(ETH0)
    assert isinstance(one.desired.verdicts[VIP], Wait)


def test_the_own_slot_that_appears_changes_nothing() -> None:
    """It is the echo of our own write."""
    one = agent()
    one.run()
    with_service(one, service(announcing_IPv4=f"node-a,eth0,{VIP}"))
    assert isinstance(verdict(one), Here)
    assert one.ops == ()


def test_winning_anew_waits_anew() -> None:
    """The time as a loser does not count."""
    alone, both = (member(A), member(B, "10.0.0.0/8")), (member(A, "10.0.0.0/8"), member(B))
    one = agent(facts(members=alone))
    one.run()
    one.facts = replace(one.facts, electorate=Electorate(both))
    one.kernel.advance(NOW + 1)
    one.run()
    with_service(one, service(WEB, **SLOT_B))
    one.kernel.advance(NOW + 5)
    one.run()
    one.facts = replace(one.facts, electorate=Electorate(alone))
    found = verdict(one)
    assert isinstance(found, Wait)
    assert found.at == NOW + 5 + HANDOVER_LIMIT


def test_affinity_prefers_nodes_with_endpoints() -> None:
    """It falls back to everybody, and says so."""
    known = facts(service(WEB, **AFFINITY), members=(member(A), member(B)))
    for nodes, is_here, fallbacks in (
        ({A}, True, ()),
        ({B}, False, ()),
        ({ServiceKey("node-x")}, None, (VIP,)),
    ):
        one = agent(replace(known, endpoints={WEB: frozenset(nodes)}))  # type: ignore[arg-type]
        found = verdict(one)
        assert one.desired.fallbacks == fallbacks
        assert is_here is None or isinstance(found, Here) is is_here


def test_a_service_may_name_the_node_that_is_to_announce_it() -> None:
    """If that is a candidate; else it is as without. No endpoints need to be known for it."""
    everybody = (member(A), member(B), member(C, "198.51.100.0/24"))
    by_formula = elect(VIP, everybody)
    other = A if by_formula == B else B
    for wish, expected in ((other, other), (C, by_formula), ("x" * 9999, by_formula), ("", None)):
        keys = {"announce_node": wish} | (AFFINITY if expected == other else {})
        one = agent(facts(service(WEB, **keys), members=everybody))
        found = verdict(one)
        winner = A if isinstance(found, Here) else getattr(found, "winner", None)
        assert winner == (expected or by_formula)


def test_of_services_that_share_an_address_the_first_that_names_a_node_counts() -> None:
    """By their keys, as everywhere."""
    names = {"shop/a": {}, "shop/b": {"announce_node": "node-b"}, "shop/c": {"announce_node": "x"}}
    services = [service(ServiceKey(key), **keys) for key, keys in names.items()]
    one = agent(facts(*services, members=(member(A), member(B))))
    found = verdict(one)
    assert isinstance(found, Away)
    assert found.winner == B


def test_the_holder_of_a_moved_address_lets_go_before_the_named_node_begins() -> None:
    """It goes with its slot, and comes back when the Service names nobody."""
    keys = {"announcing_IPv4": f"node-a,eth0,{VIP}"}
    one = agent(facts(service(WEB, announce_node="node-a", **keys), members=(member(A), member(B))))
    one.settle(NOW + 1.0)
    assert HOST in one.kernel.listing(ETH0)
    with_service(one, service(WEB, announce_node="node-b", **keys))
    one.settle(NOW + 2.0)
    assert HOST not in one.kernel.listing(ETH0)
    assert any(write.text is None for write in one.reports[-1].slots)


@pytest.mark.parametrize("stays", [True, False])
def test_an_address_of_a_group_that_wants_it_stays_on_its_node(*, stays: bool) -> None:
    """On whichever; nobody else takes it while that is a candidate."""
    entry = RangeEntry(family=Family.IPV4, text="192.0.2.96/27", subnet="192.0.2.0/24")
    kind, name = GroupKind.LOCAL, PoolName("web")
    group = GroupView(namespace="x", name=name, kind=kind, entries=(entry,), is_non_revertive=stays)
    everybody = (member(A), member(B))
    by_formula = elect(VIP, everybody)
    holder = A if by_formula == B else B
    known = facts(
        service(WEB, announcing_IPv4=f"{holder},eth0,{VIP}"),
        service(ServiceKey("shop/new"), "192.0.2.101"),
        members=everybody,
    )
    one = agent(replace(known, pools=read_groups([group], "x")))
    found = verdict(one)
    assert (A if not isinstance(found, Away) else found.winner) == (holder if stays else by_formula)


def test_affinity_waits_a_moment_for_endpoints() -> None:
    """So that the plain winner does not take the address first and hand it over."""
    one = agent(facts(service(WEB, **AFFINITY)))
    found = verdict(one)
    assert isinstance(found, Wait)
    assert found.at == NOW + ENDPOINTS_WAIT
    one.kernel.advance(NOW + ENDPOINTS_WAIT)
    assert isinstance(verdict(one), Here)


def test_an_address_in_place_is_kept_while_endpoints_are_not_known() -> None:
    """After a restart."""
    host = kernel()
    host.put(ETH0, HOST, mark=OUR_MARK, valid=5)
    assert isinstance(verdict(agent(facts(service(WEB, **AFFINITY)), host)), Here)


@pytest.mark.parametrize("others", [{"allow_shared_ip": ""}, {"allow_shared_ip": "key"}])
def test_a_sharing_key_switches_affinity_off(others: dict[str, str]) -> None:
    """Its presence alone."""
    assert isinstance(verdict(agent(facts(service(WEB, **AFFINITY, **others)))), Here)


def test_a_shared_address_has_no_affinity() -> None:
    """Its Services could want different nodes."""
    services = (service(ServiceKey("a/one"), **AFFINITY), service(ServiceKey("b/two")))
    assert isinstance(verdict(agent(facts(*services))), Here)
