"""Remote addresses: which they are, where they stand, and what becomes of their link."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from nodeagent.core.config import Lifetimes, NodeConfig
from nodeagent.core.dummy import RETRY
from nodeagent.core.installed import is_empty
from nodeagent.core.ops import AddAddress, DeleteLink, MakeLink, RaiseLink, RemoveAddress
from nodeagent.core.remote import Placement, RemotePools, read_groups
from nodeagent.core.verdicts import Away, Here, Reason, Wait
from nodeagent.core.vips import Vip
from purelb.api.addresses import Family, parse_ip
from purelb.api.groups import GroupKind, GroupView, RangeEntry
from purelb.api.identifiers import LinkName, NodeName, PoolName, ServiceKey
from purelb.api.links import (
    FOREVER,
    IFA_F_NOPREFIXROUTE,
    OUR_ALIAS,
    OUR_MARK,
    Link,
)
from purelb.core.lease import Drain, step
from tests.kernel import Agent
from tests.unit.nodeagent.builders import (
    ETH0,
    NOW,
    WEB,
    A,
    B,
    agent,
    facts,
    link,
    member,
    service,
)

INSTALL = "purelb-system"
FAR, FAR6 = "198.51.100.7", "2001:db8:f::7"
KUBE_LB0 = LinkName("kube-lb0")


def span(pool: str, subnet: str, aggregation: str = "default") -> RangeEntry:
    """Build a range."""
    family = Family.IPV6 if ":" in pool else Family.IPV4
    return RangeEntry(family=family, text=pool, subnet=subnet, aggregation=aggregation)


def group(
    name: str, *entries: RangeEntry, kind: GroupKind = GroupKind.REMOTE, announce: str = ""
) -> GroupView:
    """Build a ServiceGroup, by default a remote one."""
    return GroupView(
        namespace=INSTALL, name=PoolName(name), kind=kind, entries=entries, announce=announce
    )


FAR_AWAY = group(
    "far",
    span("198.51.100.0/24", "198.51.100.0/24"),
    span("2001:db8:f::/120", "2001:db8:f::/64"),
)


def placement(address: str, *groups: GroupView, **annotations: str) -> Placement | None:
    """Return where groups put an address of a Service with these annotations."""
    vip = Vip(parse_ip(address), (service(WEB, address, **annotations),))
    return read_groups(groups, INSTALL).placement(vip)


@pytest.mark.parametrize(
    ("aggregation", "prefix"), [("default", 24), ("/32", 32), ("/16", 16), ("/8", 8)]
)
def test_the_aggregation_says_the_prefix_length(aggregation: str, prefix: int) -> None:
    """`default` means the mask of the range's subnet."""
    far = group("far", span("198.51.100.0/28", "198.51.100.0/24", aggregation))
    assert placement(FAR, far) == Placement(PoolName("far"), prefix)


def test_every_range_has_its_own_aggregation() -> None:
    """The first range with the address counts."""
    far = group(
        "far",
        span("198.51.100.0-198.51.100.6", "198.51.100.0/24", "/30"),
        span("198.51.100.7-198.51.100.9", "198.51.100.0/24", "/31"),
        span("198.51.100.0/24", "198.51.100.0/24", "/32"),
    )
    found = [placement(f"198.51.100.{number}", far) for number in (0, 6, 7, 9, 10, 255)]
    assert [one.prefix for one in found if one is not None] == [30, 30, 31, 31, 32, 32]


@pytest.mark.parametrize("address", ["198.51.99.255", "198.51.101.0", "2001:db8:e::7", "0.0.0.0"])
def test_an_address_outside_every_remote_range_is_not_remote(address: str) -> None:
    """Whatever its pool was called."""
    assert placement(address, FAR_AWAY, pool_type="remote", allocated_from="far") is None


def test_a_local_range_with_a_remote_address_says_the_prefix_length() -> None:
    """Groups are searched local first for that, as PureLB does."""
    near = group("near", span("198.51.100.0/25", "198.51.100.0/25"), kind=GroupKind.LOCAL)
    assert placement(FAR, FAR_AWAY, near) == Placement(PoolName("near"), 25)
    assert placement(FAR, near) is None


@pytest.mark.parametrize(
    ("broken", "part"),
    [
        (span("198.51.100.0/24", "198.51.100.0/24", "/64"), "aggregation /64"),
        (span("198.51.100.0/24", "198.51.100.0/24", "wide"), "wide"),
        (span("198.51.100.0/24", "2001:db8::/64"), "another family"),
        (span("198.51.100.0/24", "198.51.100.0"), "no prefix length"),
    ],
)
def test_a_range_that_gives_no_prefix_length_is_a_defect(broken: RangeEntry, part: str) -> None:
    """The defect names group and range."""
    found = placement(FAR, group("far", broken))
    assert found is not None
    assert part in found.defect
    assert "ServiceGroup far" in found.defect


def test_ranges_that_do_not_parse_are_left_out() -> None:
    """Nothing was allocated from them; the others count."""
    far = group("far", span("nonsense", ""), span("198.51.100.0/24", "198.51.100.0/24"))
    assert placement(FAR, far) == Placement(PoolName("far"), 24)


@pytest.mark.parametrize(
    ("announce", "allocated_from", "is_remote"),
    [
        ("remote", "ipam", True),
        ("remote", "other, ipam", True),
        ("remote", "other", False),
        ("local", "ipam", False),
    ],
)
def test_an_external_group_says_whether_its_addresses_are_remote(
    announce: str, allocated_from: str, is_remote: bool
) -> None:
    """It has no range, so the address is configured as a host address."""
    ipam = group("ipam", kind=GroupKind.EXTERNAL, announce=announce)
    found = placement("203.0.113.9", ipam, allocated_from=allocated_from)
    assert found == (Placement(PoolName("ipam"), 32) if is_remote else None)


def test_groups_outside_the_install_namespace_count_if_there_are_no_others() -> None:
    """As for the allocator."""
    stray = replace(FAR_AWAY, namespace="elsewhere")
    assert placement(FAR, stray) is not None
    assert placement(FAR, stray, group("other", span("10.0.0.0/24", "10.0.0.0/24"))) is None


POOLS = read_groups([FAR_AWAY], INSTALL)


def remote_agent(*addresses: str, policy: str = "Cluster", **others: object) -> Agent:
    """Build a node with a Service of the remote pool."""
    one = service(WEB, *addresses or (FAR,), pool_type="remote", allocated_from="far")
    known = facts(replace(one, external_policy=policy))
    return agent(replace(known, pools=POOLS, **others))  # type: ignore[arg-type]  # by field


def dummy_of(one: Agent) -> Link | None:
    """Return the link called kube-lb0, if there is one."""
    return next((link for link in one.kernel.links if link.name == KUBE_LB0), None)


def on_dummy(one: Agent) -> tuple[str, ...]:
    """Return what stands on kube-lb0."""
    found = dummy_of(one)
    assert found is not None
    return one.kernel.listing(found.index)


def test_a_remote_address_stands_on_a_link_made_for_it() -> None:
    """With the mask of its subnet, permanent, with its route, whoever else is in the election."""
    one = remote_agent(FAR, FAR6)
    one.facts = replace(one.facts, electorate=facts(members=(member(B),)).electorate)
    one.settle(NOW + 1)
    made = dummy_of(one)
    assert made is not None
    assert (made.is_up, made.alias) == (True, OUR_ALIAS)
    assert set(on_dummy(one)) == {f"{FAR}/24", f"{FAR6}/64"}
    for known in one.kernel.observe().addresses:
        if known.index == made.index:
            assert (known.valid_seconds, known.mark) == (FOREVER, OUR_MARK)
            assert not known.flags & IFA_F_NOPREFIXROUTE


def test_the_link_is_filled_while_it_is_down() -> None:
    """The kernel adds thousands of addresses several times faster then."""
    one = remote_agent()
    assert one.decide() == (MakeLink(KUBE_LB0),)
    one.execute(one.ops)
    add, rise = one.decide()
    assert isinstance(add, AddAddress)
    assert isinstance(rise, RaiseLink)


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


def test_leaving_withdraws_remote_addresses_and_deletes_the_link() -> None:
    """At the end of a graceful stop."""
    one = remote_agent()
    one.settle(NOW + 1)
    one.facts = replace(one.facts, is_leaving=True)
    assert [type(op) for op in one.decide()] == [DeleteLink, RemoveAddress]
    one.execute(one.ops)
    assert dummy_of(one) is None
    assert [line.fields["reason"] for line in one.reports[-1].lines] == ["withdrawAll"]


def test_an_unwanted_address_is_withdrawn_and_the_link_stays_for_the_pool() -> None:
    """Without the pool the link goes as well."""
    one = remote_agent()
    one.settle(NOW + 1)
    one.facts = replace(one.facts, services={})
    one.settle(NOW + 2)
    assert on_dummy(one) == ()
    one.facts = replace(one.facts, pools=RemotePools())
    one.settle(NOW + 3)
    assert dummy_of(one) is None


def test_a_link_that_somebody_deletes_is_made_again_with_its_addresses() -> None:
    """The repair is counted as one."""
    one = remote_agent(FAR, FAR6)
    one.settle(NOW + 1)
    one.kernel.drop(KUBE_LB0)
    one.settle(NOW + 2)
    assert set(on_dummy(one)) == {f"{FAR}/24", f"{FAR6}/64"}
    repairs = [
        count
        for report in one.reports
        for count in report.counts
        if count.metric == "purelb_lbnodeagent_drift_repaired_total"
    ]
    assert len(repairs) == 2


def test_a_link_that_somebody_switches_off_is_switched_on() -> None:
    """Nothing else is done about it."""
    one = remote_agent()
    one.settle(NOW + 1)
    one.kernel.links = tuple(replace(known, is_up=False) for known in one.kernel.links)
    assert [op for op in one.decide() if isinstance(op, RaiseLink)]


def test_a_link_provided_by_the_user_is_used_and_never_deleted() -> None:
    """It bears no alias of ours; what somebody adds later does not make it somebody else's."""
    one = remote_agent()
    provided = link(9, "kube-lb0", kind="ifb")
    one.kernel.links = (*one.kernel.links, provided)
    one.settle(NOW + 1)
    assert one.announced == frozenset(), "a frame went out by a link that has a MAC"
    one.kernel.put(9, "10.9.9.9/24")
    one.settle(NOW + 2)
    assert set(on_dummy(one)) == {f"{FAR}/24", "10.9.9.9/24"}
    one.kernel.take(9, "10.9.9.9/24")
    one.facts = replace(one.facts, is_leaving=True)
    one.settle(NOW + 3)
    assert dummy_of(one) == provided
    assert on_dummy(one) == ()


@pytest.mark.parametrize(
    ("other", "part"),
    [
        (link(9, "kube-lb0"), "kind hardware"),
        (link(9, "kube-lb0", kind="bridge"), "kind bridge"),
        (link(9, "kube-lb0", is_loopback=True), "kind loopback"),
        (link(9, "kube-lb0", kind="dummy"), "somebody else's addresses"),
    ],
)
def test_a_link_of_somebody_else_is_left_alone_and_told(other: Link, part: str) -> None:
    """The node goes on with the rest; what is wrong is told on the Service, too."""
    one = remote_agent(FAR, "192.0.2.100")
    one.kernel.links = (*one.kernel.links, other)
    one.kernel.put(9, "10.9.9.9/24")
    one.settle(NOW + 1)
    assert on_dummy(one) == ("10.9.9.9/24",)
    assert "192.0.2.100/32" in one.kernel.listing(ETH0)
    assert part in one.desired.dummy.trouble
    told = [notice for report in one.reports for notice in report.notices if FAR in notice.message]
    assert [notice.reason for notice in told] == ["AnnouncementFailed"]


def test_a_strangers_address_on_our_link_changes_nothing_and_keeps_the_link() -> None:
    """Nothing is deleted that is not ours."""
    one = remote_agent()
    one.settle(NOW + 1)
    made = dummy_of(one)
    assert made is not None
    one.kernel.put(made.index, "10.9.9.9/24")
    one.settle(NOW + 2)
    assert set(on_dummy(one)) == {f"{FAR}/24", "10.9.9.9/24"}
    one.facts = replace(one.facts, is_leaving=True)
    one.settle(NOW + 3)
    assert on_dummy(one) == ("10.9.9.9/24",)


def test_a_kernel_without_the_kind_of_link_is_told_once_and_tried_again() -> None:
    """Somebody may load the module."""
    one = remote_agent()
    one.kernel.lacks_dummy = True
    one.settle(NOW + 35)
    told = [notice.message for report in one.reports for notice in report.notices]
    assert told == [f"node node-a cannot announce {FAR}: this kernel has no such kind"]
    one.kernel.lacks_dummy = False
    one.settle(NOW + 46)
    assert on_dummy(one) == (f"{FAR}/24",)
    assert one.facts.failure is None


def test_a_link_that_was_deleted_while_it_was_made_is_made_again_at_once() -> None:
    """Only what goes on failing is waited with."""
    one = remote_agent()
    one.kernel.loses_dummy = True
    one.run()
    one.kernel.loses_dummy = False
    assert one.decide() == ()
    one.settle(NOW + RETRY)
    assert on_dummy(one) == (f"{FAR}/24",)


def test_a_link_that_cannot_be_made_is_told_of_only_if_that_lasts() -> None:
    """Somebody who deletes it again and again mostly stops within two seconds."""
    one = remote_agent()
    one.kernel.loses_dummy = True
    one.settle(NOW + 1.9)
    assert [report for report in one.reports if report.notices] == []
    one.settle(NOW + 4)
    told = [notice.message for report in one.reports for notice in report.notices]
    assert told == [f"node node-a cannot announce {FAR}: somebody deleted it"]


def test_a_new_name_moves_the_addresses_and_deletes_our_old_link() -> None:
    """The LBNodeAgent was edited."""
    one = remote_agent()
    one.settle(NOW + 1)
    other = NodeConfig(source="purelb-system/default", dummy=LinkName("lb9"))
    one.facts = replace(one.facts, config=other)
    one.settle(NOW + 2)
    assert dummy_of(one) is None
    (made,) = [known for known in one.kernel.links if known.name == "lb9"]
    assert one.kernel.listing(made.index) == (f"{FAR}/24",)


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


def test_thousands_of_ranges_are_searched_in_logarithmic_time() -> None:
    """Overlaps included, each address finds the first range that has it, as a search would."""
    texts = (f"10.0.{n % 250}.{n % 7}-10.0.{n % 250 + 3}.{n % 11}" for n in range(600))
    entries = [span(text, "10.0.0.0/8") for text in texts]
    spans = read_groups([group("far", *entries)], INSTALL).remote
    for number in range(0, 65536, 97):
        address = ip_network("10.0.0.0/16")[number]
        first = next((one for one in spans.spans if address in one.range), None)
        assert spans.find(address) == (first.placement if first is not None else None)


def test_a_link_that_cannot_be_switched_on_is_told() -> None:
    """The addresses stay on it meanwhile."""
    one = remote_agent()
    one.run()
    (*_, rise) = one.decide()
    assert one.seen is not None
    one.kernel.links = tuple(known for known in one.kernel.links if known.name != KUBE_LB0)
    told = one.execute((rise,))
    assert [line.op for line in told.lines] == ["linkFailed"]
    assert one.facts.failure is not None


def test_the_dummy_may_be_left_out_when_a_node_is_asked_whether_it_is_empty() -> None:
    """At a stop local addresses go first."""
    one = remote_agent(FAR, "192.0.2.100")
    one.settle(NOW + 1)
    one.facts = replace(one.facts, lease=step(one.facts.lease, Drain()))
    one.settle(NOW + 2)
    observed = one.kernel.observe()
    assert is_empty(observed, besides=one.desired.dummy)
    assert not is_empty(observed)
