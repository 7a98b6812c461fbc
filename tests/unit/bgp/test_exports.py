"""Which learned routes belong into the kernel, and how they get there."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from bgp.core.exportrules import Device, Place, Policy, Rule, Source
from bgp.core.exports import (
    Exported,
    FibPlan,
    Table,
    Ways,
    exported,
    fib_plan,
    place_of,
    questions,
)
from bgp.core.observed import LearnedPath
from purelb.api.addresses import parse_ip, parse_network
from purelb.api.identifiers import LinkName
from purelb.api.links import RouteAnswer, RouteQuery
from purelb.api.routes import MAIN_TABLE, Hop, KernelRoute, RouteKey, hop_order

ALL = Rule(name="all", table=MAIN_TABLE, metric=20)
POLICY = Policy(protocol=186, rules=(ALL,))
NET = parse_network("198.51.100.0/24")
R1, R2 = "192.0.2.1", "192.0.2.2"
RED, RED_LINK = Device(index=30, table=100), 7
RED_RULE = Rule(
    name="vrf:red",
    table=RED.table,
    metric=20,
    source=Source(name="red", distinguisher="64512:1", targets=frozenset({"64512:9"})),
    device=RED,
)
RED_POLICY = Policy(protocol=186, rules=(RED_RULE,))


def path(prefix: str = str(NET), hop: str = R1, **parts: object) -> LearnedPath:
    """Return a path by way of a router that sent it itself."""
    base = LearnedPath(
        prefix=parse_network(prefix), next_hops=(parse_ip(hop),), neighbor=hop, is_best=True
    )
    return replace(base, **parts)  # type: ignore[arg-type]


def answer(index: int = 2, gateway: str | None = None) -> RouteAnswer:
    """Return the kernel's answer for a router on the link, or beyond a gateway."""
    hop = parse_ip(gateway) if gateway is not None else None
    return RouteAnswer(index=index, source=None, gateway=hop)


def asked(hop: str, link: int = 0) -> RouteQuery:
    """Return the question about a next hop, of a VRF if there is a link."""
    return RouteQuery(to=parse_ip(hop), link=link)


def ways(**links: int) -> Ways:
    """Return a kernel that reaches both routers directly."""
    answers: Mapping[RouteQuery, RouteAnswer | None] = {
        asked(R1): answer(),
        asked(R2): answer(),
        asked("203.0.113.9"): None,
        asked("203.0.113.1"): answer(gateway=R1),
        asked("198.51.100.9"): answer(gateway=R1),
        asked(R1, RED.index): replace(answer(RED_LINK), table=RED.table),
        asked(R2, RED.index): replace(answer(), table=MAIN_TABLE),
    }
    return Ways(answers=answers, links={LinkName(name): index for name, index in links.items()})


def found(*paths: LearnedPath, policy: Policy = POLICY, **links: int) -> tuple[Exported, ...]:
    """Return what paths give."""
    table = Table()
    table.take(paths)
    return exported(policy, table, ways(**links))


def route(*hops: tuple[str | None, int], prefix: str = str(NET)) -> KernelRoute:
    """Return a route of ours in the main table."""
    return KernelRoute(
        prefix=parse_network(prefix),
        table=MAIN_TABLE,
        metric=20,
        protocol=186,
        hops=tuple(Hop(None if text is None else parse_ip(text), index) for text, index in hops),
    )


def test_paths_to_a_prefix_become_one_route_with_all_next_hops() -> None:
    """They share the traffic."""
    (one,) = found(path(), path(hop=R2))
    assert one.route == route((R1, 2), (R2, 2))


def test_a_router_beyond_another_is_reached_by_that_one() -> None:
    """The kernel takes neighbors only."""
    (one,) = found(path(hop="203.0.113.1"))
    assert one.route == route((R1, 2))


@pytest.mark.parametrize("hop", ["203.0.113.9", "198.51.100.9"], ids=["no way", "by itself"])
def test_a_next_hop_without_a_way_is_the_reason(hop: str) -> None:
    """So is one whose way might be the route itself."""
    (one,) = found(path(hop=hop))
    assert one.route is None
    assert one.reason == f"its next hop cannot be reached: {hop}"


def test_a_rule_may_trust_next_hops() -> None:
    """Then only a way is needed, whichever."""
    trusting = replace(POLICY, rules=(replace(ALL, checks_next_hop=False),))
    (one,) = found(path(hop="198.51.100.9"), policy=trusting)
    assert one.route == route((R1, 2))


def test_a_link_local_next_hop_leaves_by_the_neighbors_link() -> None:
    """As for IPv4 on an unnumbered session."""
    hops = (IPv6Address("fe80::1"),)
    (one,) = found(path(next_hops=hops, neighbor="fe80::1%eth0"), eth0=7)
    assert one.route == route(("fe80::1", 7))
    (lost,) = found(path(next_hops=hops, neighbor="fe80::1%eth9"), eth0=7)
    assert lost.route is None


def test_rules_choose_by_communities() -> None:
    """Any of those listed; each rule has its place, and the first one of a place counts."""
    green = Rule(name="green", table=100, metric=5, communities=frozenset({"1:1", "1:2"}))
    large = Rule(name="large", table=200, metric=5, large_communities=frozenset({"1:1:1"}))
    again = replace(large, name="again", table=100)
    policy = Policy(protocol=186, rules=(green, large, again))
    both = path(communities=("1:2",), large_communities=("1:1:1",))
    assert [one.key.table for one in found(both, policy=policy)] == [100, 200]
    assert [one.key.table for one in found(path(communities=("1:3",)), policy=policy)] == []


def test_nothing_is_exported_where_it_is_off() -> None:
    """Its places are known all the same."""
    off = replace(POLICY, is_on=False)
    assert found(path(), policy=off) == ()
    assert place_of(route((R1, 2))) in off.places
    assert off.places == {Place(protocol=186, table=MAIN_TABLE, metric=20)}


def test_the_table_follows_what_is_told() -> None:
    """A prefix has what was told of it last; our own routes are none of it."""
    table = Table()
    assert table.take([path(), path(hop=R2)])
    assert not table.take([path(hop=R2), path()])
    assert table.take([path()])
    assert [one.neighbor for one in table.paths[NET]] == [R1]
    assert questions(POLICY, table) == {asked(R1)}
    assert table.take([path(is_withdrawn=True)])
    assert not table.take([path(is_withdrawn=True)])
    assert not table.take([path("10.0.0.1/32", neighbor="")])
    assert table.paths == {}


def test_only_what_differs_is_changed_and_only_ours_is_removed() -> None:
    """While little is known yet, what is there stays."""
    wanted = found(path(), path("203.0.113.0/24"))
    there = [
        route((R1, 2)),
        route((R2, 2), prefix="203.0.113.0/24"),
        route((R1, 2), prefix="10.0.0.0/8"),
    ]
    install = (route((R1, 2), prefix="203.0.113.0/24"),)
    assert fib_plan(wanted, there, keeps_unknown=False) == FibPlan(
        install=install, remove=(there[2],)
    )
    assert fib_plan(wanted, there, keeps_unknown=True) == FibPlan(install=install)
    assert fib_plan((), [route((None, 2))], keeps_unknown=False).remove == (route((None, 2)),)
    done = [one.route for one in wanted if one.route is not None]
    assert fib_plan(wanted, done, keeps_unknown=False) == FibPlan()


def test_next_hops_are_in_a_fixed_order() -> None:
    """By link, what is on it before its routers."""
    hops = [Hop(parse_ip(R2), 2), Hop(None, 2), Hop(parse_ip("::1"), 1), Hop(parse_ip(R1), 2)]
    assert [(hop.index, str(hop.gateway)) for hop in sorted(hops, key=hop_order)] == [
        (1, "::1"),
        (2, "None"),
        (2, R1),
        (2, R2),
    ]


def test_routes_are_in_the_order_of_their_prefixes() -> None:
    """Default routes and both families among them."""
    everything = [path("0.0.0.0/0"), path("10.0.0.0/8"), path("2001:db8::/32", R1)]
    keys = [one.key for one in found(*reversed(everything))]
    assert keys == [RouteKey(MAIN_TABLE, one.prefix, 20) for one in everything]


def labeled(
    hop: str = R1, *, distinguisher: str = "64512:1", prefix: str = str(NET), **parts: object
) -> LearnedPath:
    """Return a path in a VRF."""
    return path(prefix, hop, distinguisher=distinguisher, **parts)


def test_of_metric_0_the_kernel_makes_another_for_ipv6() -> None:
    """Such a route is ours and installed all the same."""
    none = replace(POLICY, rules=(replace(ALL, metric=0),))
    keys = [one.key for one in found(path(), path("2001:db8::/32"), policy=none)]
    assert [key.metric for key in keys] == [0, 1024]
    assert {place.metric for place in none.places} == {0, 1024}


def test_routes_of_a_vrf_go_into_its_table_and_those_outside_do_not() -> None:
    """By next hops that its own table leads to; and none of them goes anywhere else."""
    (one,) = found(path("203.0.113.0/24"), labeled(), policy=RED_POLICY)
    assert one == Exported(
        key=RouteKey(RED.table, NET, 20),
        route=replace(route((R1, RED_LINK)), table=RED.table),
        vrf="red",
    )
    assert found(labeled()) == ()


def test_a_vrf_has_what_its_neighbors_send_and_what_carries_a_target_of_its_own() -> None:
    """Of several routes to a prefix its own counts, then that of the least distinguisher."""
    taken = ("64512:7", "64512:9")
    second, third = "203.0.113.0/24", "10.0.0.0/8"
    everything = (
        labeled(),
        labeled(R2, distinguisher="64512:0", targets=taken),
        labeled(distinguisher="64512:2", prefix=second, targets=("64512:7",)),
        labeled(distinguisher="64512:3", prefix=second, targets=taken),
        labeled(R2, distinguisher="64512:4", prefix=second, targets=taken),
        labeled(distinguisher="64512:3", prefix=third, targets=("64512:7",)),
    )
    for paths in (everything, everything[::-1]):
        assert [
            (str(one.key.prefix), one.route is not None) for one in found(*paths, policy=RED_POLICY)
        ] == [(str(NET), True), (second, True)]


@pytest.mark.parametrize("hop", [R2, "203.0.113.1"], ids=["out of the VRF", "no answer"])
def test_a_next_hop_that_the_vrf_itself_does_not_reach_is_none(hop: str) -> None:
    """The kernel goes on to the host's tables where a VRF's own has no route."""
    (one,) = found(labeled(hop), policy=RED_POLICY)
    assert (one.route, one.vrf) == (None, "red")
    assert one.reason == f"its next hop cannot be reached: {hop}"


def test_a_vrfs_rule_may_trust_next_hops_too() -> None:
    """Whichever way there is."""
    trusting = replace(RED_POLICY, rules=(replace(RED_RULE, checks_next_hop=False),))
    (one,) = found(labeled(R2), policy=trusting)
    assert one.route == replace(route((R2, 2)), table=RED.table)


def test_a_table_without_a_vrf_takes_next_hops_as_the_host_reaches_them() -> None:
    """Such as a table that policy rules of the host lead to."""
    tabled = replace(RED_POLICY, rules=(replace(RED_RULE, device=None),))
    (one,) = found(labeled(R2), policy=tabled)
    assert one.route == replace(route((R2, 2)), table=RED.table)


def test_the_kernel_is_asked_only_for_next_hops_that_count() -> None:
    """Each in its VRF; those of what no rule takes, and link-local ones, need no answer."""
    table = Table()
    table.take([path(communities=("1:1",)), path("10.0.0.0/8", R2), labeled(R2)])
    table.take([path("203.0.113.0/24", next_hops=(IPv6Address("fe80::1"),), communities=("1:1",))])
    some = replace(ALL, communities=frozenset({"1:1"}))
    both = Policy(protocol=186, rules=(some, RED_RULE))
    assert questions(both, table) == {asked(R1), asked(R2, RED.index)}
    assert questions(replace(both, is_on=False), table) == frozenset()
    assert questions(replace(both, rules=(replace(some, is_on=False),)), table) == frozenset()


def test_routes_of_vrfs_come_and_go_apart() -> None:
    """By distinguisher: the same prefix may be in several."""
    table = Table()
    assert table.take([labeled(), labeled(R2, distinguisher="64512:2")])
    assert not table.take([labeled()])
    assert not table.take([labeled(neighbor="", distinguisher="64512:5")])
    assert table.take([labeled(is_withdrawn=True)])
    assert list(table.labeled) == [("64512:2", NET)]
    assert table.paths == {}


def test_a_rule_that_is_off_exports_nothing_and_tells_its_place() -> None:
    """Others go on."""
    policy = replace(POLICY, rules=(ALL, replace(RED_RULE, is_on=False)))
    assert [one.vrf for one in found(path(), labeled(), policy=policy)] == [""]
    assert Place(protocol=186, table=RED.table, metric=20) in policy.places
