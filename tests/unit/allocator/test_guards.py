"""What belongs to the cluster itself is given to no Service."""

import itertools
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.core.affected import affected
from allocator.core.conditions import group_conditions
from allocator.core.decide import Refuse
from allocator.core.guards import Guard, Guards, guard_address, guard_network, guards_of
from allocator.core.notices import group_notices
from allocator.core.report import group_status
from purelb.api.addresses import AddressRange, parse_range
from purelb.api.identifiers import PoolName
from tests.unit.allocator.builders import OWNED, V4, V6, Cluster, group, pools

DEFAULT = PoolName("default")
NODE = guard_address(ip_address("192.0.2.0"), "Node a")


def guarded(*guards: Guard) -> Guards:
    """Put guards in order."""
    return guards_of(guards)


def cluster_with(view_text: str, *guards: Guard) -> Cluster:
    """Return a cluster with one group and some guards."""
    cluster = Cluster()
    cluster.pools = pools(group("default", view_text), guards=guarded(*guards))
    return cluster


def test_a_guarded_address_is_passed_over() -> None:
    """The lowest address that is nobody's is given."""
    cluster = cluster_with("192.0.2.0/30", NODE, guard_address(ip_address("192.0.2.1"), "Node b"))
    web = cluster.create("web")
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.2",)


def test_a_guarded_network_of_any_size_costs_one_step() -> None:
    """Nothing is scanned: half of a /64 is passed over."""
    pods = guard_network(ip_network("2001:db8::/65"), "the Pods of Node a")
    cluster = cluster_with("2001:db8::/64", pods)
    web = cluster.create("web", families=(V6,))
    cluster.converge()
    assert cluster.ingress(web) == ("2001:db8:0:0:8000::",)


def test_a_pin_on_a_guarded_address_is_refused_by_the_name_of_its_owner() -> None:
    """The Service says so, and takes no other address instead."""
    cluster = cluster_with("192.0.2.0/30", NODE)
    web = cluster.create("web", annotations={"purelb.io/addresses": "192.0.2.0"})
    decision = cluster.step(web)
    assert isinstance(decision, Refuse)
    assert "192.0.2.0" in decision.problem.detail
    assert "belongs to Node a" in decision.problem.detail


def test_an_address_that_became_a_nodes_is_shared_with_nobody_more_and_stays() -> None:
    """What was given is a fact; another Service with its key does not join."""
    key = {"purelb.io/allow-shared-ip": "k"}
    cluster = cluster_with("192.0.2.0/30", NODE)
    old = cluster.create("old", annotations={**OWNED, **key}, ingress=["192.0.2.0"])
    cluster.restart()
    new = cluster.create("new", annotations=key, ports=["TCP/81"])
    cluster.converge()
    assert (cluster.ingress(old), cluster.ingress(new)) == (("192.0.2.0",), ())


def test_each_range_of_a_multi_pool_group_passes_over_what_is_guarded() -> None:
    """One that is guarded as a whole is full."""
    cluster = Cluster()
    view = group("default", "192.0.2.0/31", "198.51.100.0/32", multi_pool=True)
    guards = guarded(NODE, guard_address(ip_address("198.51.100.0"), "the API server"))
    cluster.pools = pools(view, guards=guards)
    cluster.active_subnets = frozenset({ip_network("192.0.2.0/31"), ip_network("198.51.100.0/32")})
    web = cluster.create("web")
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.1",)


def test_counts_condition_and_one_warning_tell_of_guarded_addresses() -> None:
    """The warning is the same whichever nodes there are, so that it is sent once."""
    many = [guard_address(ip_address(f"192.0.2.{n}"), f"Node {n}") for n in range(7)]
    view = group("default", "192.0.2.0/29")
    found = pools(view, guards=guarded(*many))
    cluster = Cluster()
    status = group_status(found.pools[DEFAULT], cluster.ledger)
    (condition,) = (
        one for one in group_conditions(found, cluster.ledger, view.key) if one.type == "Guarded"
    )
    assert status["availableIPv4"] == 1
    assert condition.status == "True"
    assert "192.0.2.0 (Node 0), 192.0.2.1 (Node 1)" in condition.message
    assert "and 2 more" in condition.message
    fewer = pools(view, guards=guarded(*many[:3]))
    assert group_notices(found, view.key) == group_notices(fewer, view.key)
    assert len(group_notices(found, view.key)) == 2


def test_a_full_pool_says_that_some_addresses_are_the_clusters_own() -> None:
    """Else its numbers could not be understood; a network is told as from-to."""
    cluster = cluster_with("192.0.2.0/30", guard_network(ip_network("192.0.2.0/31"), "the Pods"))
    for name in ("a", "b", "c"):
        cluster.create(name)
    *_, decision = cluster.converge()
    assert isinstance(decision, Refuse)
    assert "all 2 IPv4 addresses of 192.0.2.0/30 that are neither" in decision.problem.detail
    view = cluster.pools.pools[DEFAULT].group
    texts = [one.message for one in group_conditions(cluster.pools, cluster.ledger, view.key)]
    assert any("192.0.2.0-192.0.2.1 (the Pods)" in text for text in texts)


def test_a_node_that_leaves_makes_room_for_those_that_wait() -> None:
    """The pool has changed, so whoever waits is looked at again."""
    cluster = cluster_with("192.0.2.0/32", NODE)
    web = cluster.create("web")
    cluster.converge()
    before, cluster.pools = cluster.pools, pools(group("default", "192.0.2.0/32"))
    assert affected(before, cluster.pools, cluster.ledger) == (web,)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8),
    st.tuples(st.integers(0, 40), st.integers(0, 40)),
)
def test_what_is_left_of_a_range_is_all_that_no_guard_has(
    spans: list[tuple[int, int]], span: tuple[int, int]
) -> None:
    """Against a scan, which is what the code never does."""

    def spread(ends: tuple[int, int]) -> AddressRange:
        first, last = sorted(ends)
        return AddressRange(ip_address(first + 2**24), ip_address(last + 2**24))

    whole, taken = spread(span), [Guard(spread(ends), "x") for ends in spans]
    guards = guards_of(taken)
    left = [
        number
        for rest in guards.rest(whole)
        for number in range(int(rest.first), int(rest.last) + 1)
    ]
    every = range(int(whole.first), int(whole.last) + 1)
    free = [n for n in every if not any(ip_address(n) in guard.span for guard in taken)]
    assert left == free
    assert bool(guards.within(whole)) == (len(free) < len(every))
    ends = [int(guard.span.last) for guard in guards.found[V4]]
    assert all(one < other for one, other in itertools.pairwise(ends))


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0"])
def test_the_ends_of_all_addresses_can_be_guarded(text: str) -> None:
    """No address before the first and after the last is made."""
    whole = parse_range(text)
    guards = guarded(guard_address(whole.first, "a"), guard_address(whole.last, "b"))
    (rest,) = guards.rest(whole)
    assert rest.size == whole.size - 2
