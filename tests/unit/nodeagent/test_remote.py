"""Remote addresses: which they are, where they stand, and what becomes of their link."""

from dataclasses import replace

import pytest

from nodeagent.core.config import Lifetimes, NodeConfig
from nodeagent.core.ops import RemoveAddress
from nodeagent.core.remote import read_groups
from nodeagent.core.verdicts import Away, Here, Reason, Wait
from purelb.api.addresses import parse_ip
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.api.links import (
    FOREVER,
    IFA_F_NOPREFIXROUTE,
)
from purelb.core.lease import Drain, step
from tests.unit.nodeagent.builders import (
    ETH0,
    NOW,
    WEB,
    A,
    B,
    agent,
    facts,
    service,
)
from tests.unit.nodeagent.remotepools import (
    FAR,
    FAR6,
    INSTALL,
    KUBE_LB0,
    POOLS,
    dummy_of,
    group,
    on_dummy,
    remote_agent,
    span,
)


def test_a_remote_address_is_told_without_slot_and_packets() -> None:
    """Event, line and count of its own kind; nobody is told by the wire."""
    one = remote_agent()
    one.settle(NOW + 1)
    notices = [notice.reason for report in one.reports for notice in report.notices]
    lines = [line.op for report in one.reports for line in report.lines]
    metrics = [count.metric for report in one.reports for count in report.counts]
    assert notices == ["AnnouncingNonLocal"]
    assert lines == ["announcingNonLocal"]
    assert metrics == ["purelb_lbnodeagent_address_additions_total"]
    assert not any(report.slots or report.overrides for report in one.reports)
    assert one.announced == frozenset()
    assert one.told.held == {parse_ip(FAR): KUBE_LB0}


def test_an_address_that_a_link_reaches_is_local_whatever_its_pool() -> None:
    """The node wins the election for it, as for any other."""
    near = group("near", span("192.0.2.0/24", "192.0.2.0/24"))
    one = agent(replace(facts(), pools=read_groups([near], INSTALL)))
    one.settle(NOW + 1)
    assert "192.0.2.100/32" in one.kernel.listing(ETH0)
    assert on_dummy(one) == ()


def test_a_remote_address_stays_without_a_right_to_hold_local_ones() -> None:
    """The Lease expired or is being given up: others cannot take what all have."""
    one = remote_agent()
    one.settle(NOW + 60)
    assert on_dummy(one) == (f"{FAR}/24",)
    one.facts = replace(one.facts, lease=step(one.facts.lease, Drain()))
    one.settle(NOW + 61)
    assert on_dummy(one) == (f"{FAR}/24",)


def test_a_new_aggregation_replaces_the_entry_with_the_old_mask() -> None:
    """For both families, although IPv6 takes an address only once per link."""
    one = remote_agent(FAR, FAR6)
    one.settle(NOW + 1)
    wide = group(
        "far",
        span("198.51.100.0/24", "198.51.100.0/24", "/16"),
        span("2001:db8:f::/120", "2001:db8:f::/64", "/56"),
    )
    one.facts = replace(one.facts, pools=read_groups([wide], INSTALL))
    one.settle(NOW + 2)
    assert set(on_dummy(one)) == {f"{FAR}/16", f"{FAR6}/56"}
    assert one.decide() == ()


def test_a_prefix_route_is_taken_away_by_adding_the_address_anew() -> None:
    """The kernel cannot take it from an address that is there. Both in one pass."""
    one = remote_agent()
    one.settle(NOW + 1)
    bare = Lifetimes(valid=FOREVER, preferred=FOREVER, has_prefix_route=False)
    config = NodeConfig(source="purelb-system/default", remote=bare)
    one.facts = replace(one.facts, config=config)
    one.run()
    made = dummy_of(one)
    assert made is not None
    (known,) = [e for e in one.kernel.observe().addresses if e.index == made.index]
    assert known.flags & IFA_F_NOPREFIXROUTE
    assert one.decide() == ()


def test_a_lifetime_that_the_user_limits_is_renewed_at_half_of_it() -> None:
    """The right to hold local addresses has no say in it."""
    one = remote_agent()
    short = Lifetimes(valid=60, preferred=60, has_prefix_route=True)
    config = NodeConfig(source="purelb-system/default", remote=short)
    one.facts = replace(one.facts, config=config)
    one.settle(NOW + 300)
    assert on_dummy(one) == (f"{FAR}/24",)
    renewals = [
        count
        for report in one.reports
        for count in report.counts
        if count.metric == "purelb_lbnodeagent_address_renewals_total"
    ]
    assert 9 <= len(renewals) <= 11


def test_a_defect_of_the_range_is_told_on_the_service() -> None:
    """The address is on no link."""
    odd = group("far", span("198.51.100.0/24", "198.51.100.0/24", "/64"))
    one = remote_agent()
    one.facts = replace(one.facts, pools=read_groups([odd], INSTALL))
    one.settle(NOW + 1)
    verdict = one.desired.verdicts[parse_ip(FAR)]
    assert isinstance(verdict, Away)
    assert (verdict.reason, "aggregation /64" in verdict.detail) == (
        Reason.NO_LOCAL_INTERFACE,
        True,
    )


def test_nothing_is_decided_before_the_groups_are_known() -> None:
    """What a predecessor left stays until then."""
    one = remote_agent()
    one.facts = replace(one.facts, pools=None)
    assert one.decide() == ()
    assert not one.desired.is_whole


HERE, THERE = frozenset({A}), frozenset({B})


@pytest.mark.parametrize(
    ("nodes", "has_endpoints", "expected"),
    [
        ({WEB: HERE}, True, Here),
        ({WEB: frozenset({B, NodeName("")})}, True, Here),
        ({WEB: THERE}, True, Away),
        ({WEB: frozenset()}, True, Away),
        ({}, True, Away),
        ({}, False, Wait),
    ],
)
def test_policy_local_asks_for_an_endpoint_on_this_node(
    nodes: dict[ServiceKey, frozenset[NodeName]], has_endpoints: bool, expected: type[object]
) -> None:
    """One that says no node is on every node; while slices may be missing, nothing is widened."""
    one = remote_agent(policy="Local")
    one.facts = replace(one.facts, endpoints=nodes, has_endpoints=has_endpoints)
    one.settle(NOW + 5)
    verdict = one.desired.verdicts[parse_ip(FAR)]
    assert isinstance(verdict, expected)
    assert on_dummy(one) == ((f"{FAR}/24",) if expected is Here else ())
    if isinstance(verdict, Away):
        assert verdict.reason is Reason.NO_ENDPOINTS


def test_an_address_in_place_stays_until_the_endpoints_are_known() -> None:
    """A restarted agent takes nothing away that it may have to put back."""
    one = remote_agent(policy="Local")
    one.facts = replace(one.facts, endpoints={WEB: HERE}, has_endpoints=True)
    one.settle(NOW + 1)
    one.facts = replace(one.facts, endpoints={}, has_endpoints=False)
    one.settle(NOW + 2)
    assert on_dummy(one) == (f"{FAR}/24",)
    one.facts = replace(one.facts, has_endpoints=True)
    one.settle(NOW + 3)
    assert on_dummy(one) == ()


def test_a_shared_address_stays_while_one_of_its_services_may_announce_it() -> None:
    """The other one has policy Local and no endpoint here."""
    mine = service(WEB, FAR, pool_type="remote")
    other = replace(
        service(ServiceKey("shop/api"), FAR, pool_type="remote"), external_policy="Local"
    )
    one = agent(replace(facts(mine, other), pools=POOLS, has_endpoints=True))
    one.settle(NOW + 1)
    assert on_dummy(one) == (f"{FAR}/24",)


def test_policy_local_of_a_remote_address_is_not_overridden_on_the_dummy() -> None:
    """That is for addresses that only one node has."""
    one = remote_agent(policy="Local")
    one.facts = replace(one.facts, endpoints={WEB: HERE}, has_endpoints=True)
    one.settle(NOW + 1)
    assert not any(report.overrides for report in one.reports)


def test_primaries_are_removed_after_the_addresses_of_their_network() -> None:
    """Each removal of a primary makes the kernel promote all the others."""
    texts = tuple(f"198.51.100.{number}" for number in range(1, 6))
    one = remote_agent(*texts)
    one.settle(NOW + 1)
    one.facts = replace(one.facts, services={})
    removals = [op for op in one.decide() if isinstance(op, RemoveAddress)]
    assert [str(op.address) for op in removals] == [*texts[1:], texts[0]]
    assert [op.is_secondary for op in removals] == [True, True, True, True, False]


def test_a_strangers_entry_of_an_ipv6_address_blocks_ours() -> None:
    """IPv6 takes an address only once per link."""
    one = remote_agent(FAR6)
    one.settle(NOW + 1)
    made = dummy_of(one)
    assert made is not None
    one.kernel.take(made.index, f"{FAR6}/64")
    one.kernel.put(made.index, f"{FAR6}/48")
    one.settle(NOW + 2)
    assert on_dummy(one) == (f"{FAR6}/48",)
    assert "gateBlocked" in [line.op for report in one.reports for line in report.lines]
