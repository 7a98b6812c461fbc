"""Pools of several ranges: order, balance, and one address of each."""

import pytest

from allocator.core.decide import Assign, Keep, Refuse
from allocator.core.decisions import Metric
from purelb.api.groups import GroupKind, GroupView
from purelb.api.identifiers import ServiceKey
from purelb.api.problems import Reason
from tests.unit.allocator.builders import V4, V6, Cluster, entry, group, pools

MULTI = {"purelb.io/multi-pool": "true"}
TWO = ("10.0.0.0/30", "10.0.1.0/30")
ACTIVE = (*TWO, "2001:db8::/64", "2001:db8:1::/64")


def counted(decision: object) -> list[Metric]:
    """Return the counters that a decision moves."""
    assert isinstance(decision, Keep | Assign | Refuse)
    return [count.metric for count in decision.report.counts]


def problem_of(cluster: Cluster, key: ServiceKey) -> str:
    """Return what a Service was told."""
    problem = cluster.ledger.problem(key)
    return problem.detail if problem else ""


def test_the_next_range_is_used_when_the_first_is_full() -> None:
    """In order of declaration."""
    cluster = Cluster(group("default", "10.0.1.0/31", "10.0.0.0/31"))
    keys = [cluster.create(f"s{i}") for i in range(4)]
    cluster.converge()
    assert [cluster.ingress(key)[0] for key in keys] == [
        "10.0.1.0",
        "10.0.1.1",
        "10.0.0.0",
        "10.0.0.1",
    ]


def test_balanced_ranges_fill_evenly() -> None:
    """Ties in order of declaration; each allocation is counted."""
    cluster = Cluster(group("default", *TWO, balance=True))
    keys = [cluster.create(f"s{i}") for i in range(4)]
    decisions = [cluster.step(key) for key in keys]
    assert [cluster.ingress(key)[0] for key in keys] == [
        "10.0.0.0",
        "10.0.1.0",
        "10.0.0.1",
        "10.0.1.1",
    ]
    assert [counted(decision) for decision in decisions] == [[Metric.BALANCED]] * 4


def test_a_full_range_does_not_stop_a_balanced_pool() -> None:
    """A small range runs out first."""
    cluster = Cluster(group("default", "10.0.0.0/32", "10.0.1.0/30", balance=True))
    keys = [cluster.create(f"s{i}") for i in range(4)]
    cluster.converge()
    assert [cluster.ingress(key)[0] for key in keys][2:] == ["10.0.1.1", "10.0.1.2"]


def test_a_sharing_key_is_not_balanced() -> None:
    """Its address is bound; the first one is the lowest free in order."""
    cluster = Cluster(group("default", *TWO, balance=True))
    cluster.create("a")
    cluster.converge()
    shared = cluster.create("b", annotations={"purelb.io/allow-shared-ip": "k"})
    decision = cluster.step(shared)
    assert cluster.ingress(shared) == ("10.0.0.1",)
    assert counted(decision) == []


@pytest.mark.parametrize("by_group", [True, False])
def test_multi_pool_gives_one_address_of_each_range(by_group: bool) -> None:
    """By the group's flag or the Service's annotation."""
    cluster = Cluster(
        group("default", *TWO, "2001:db8::/64", multi_pool=by_group), active_subnets=ACTIVE
    )
    web = cluster.create("web", families=(V6, V4), annotations={} if by_group else MULTI)
    decision = cluster.step(web)
    assert cluster.ingress(web) == ("2001:db8::", "10.0.0.0", "10.0.1.0")
    assert cluster.annotations(web)["purelb.io/allocated-from"] == "default"
    assert counted(decision) == [Metric.MULTIPOOL]
    (notice,) = decision.report.notices
    assert "from pool default" in notice.message
    assert isinstance(cluster.commit(web), Keep)


@pytest.mark.parametrize("value", ["false", "", "True"])
def test_any_other_annotation_value_switches_multi_pool_off(value: str) -> None:
    """Presence overrides the group."""
    cluster = Cluster(group("default", *TWO, multi_pool=True), active_subnets=ACTIVE)
    web = cluster.create("web", annotations={"purelb.io/multi-pool": value})
    cluster.converge()
    assert cluster.ingress(web) == ("10.0.0.0",)


def test_without_families_multi_pool_is_ipv4_only() -> None:
    """API servers that do not fill ipFamilies."""
    cluster = Cluster(group("default", *TWO, "2001:db8::/64"), active_subnets=ACTIVE)
    web = cluster.create("web", families=(), annotations=MULTI)
    cluster.converge()
    assert cluster.ingress(web) == ("10.0.0.0", "10.0.1.0")


def test_local_ranges_take_part_on_active_subnets_only() -> None:
    """Compared as networks: a subnet may be typed with host bits."""
    typed = entry("10.0.0.0/30", "10.0.0.7/24")
    cluster = Cluster(
        group("default", typed, entry("10.0.1.0/30", "10.0.1.0/24")), active_subnets=["10.0.0.0/24"]
    )
    web = cluster.create("web", annotations=MULTI)
    cluster.converge()
    assert cluster.ingress(web) == ("10.0.0.0",)


def test_remote_ranges_always_take_part() -> None:
    """Every node announces them."""
    cluster = Cluster(group("default", *TWO, kind=GroupKind.REMOTE))
    web = cluster.create("web", annotations=MULTI)
    cluster.converge()
    assert cluster.ingress(web) == ("10.0.0.0", "10.0.1.0")


def test_no_active_range_at_all_is_a_refusal_that_ends_with_the_first() -> None:
    """The shell marks it when subnets become active."""
    cluster = Cluster(group("default", *TWO))
    web = cluster.create("web", annotations=MULTI)
    decision = cluster.step(web)
    assert isinstance(decision, Refuse)
    assert decision.problem.reason is Reason.NO_USABLE_POOL
    cluster.active_subnets = Cluster(active_subnets=TWO[:1]).active_subnets
    cluster.step(web)
    assert cluster.ingress(web) == ("10.0.0.0",)


def test_a_range_added_later_reaches_the_service_by_itself() -> None:
    """And one removed takes nothing away."""
    cluster = Cluster(group("default", TWO[0], multi_pool=True), active_subnets=ACTIVE)
    web = cluster.create("web")
    cluster.converge()
    cluster.pools = pools(group("default", *TWO, multi_pool=True))
    cluster.step(web)
    assert cluster.ingress(web) == ("10.0.0.0", "10.0.1.0")
    cluster.pools = pools(group("default", *TWO[1:], "10.0.0.0/31", multi_pool=True))
    cluster.commit(web)
    assert isinstance(cluster.step(web), Keep)
    assert cluster.ingress(web) == ("10.0.0.0", "10.0.1.0")


def test_a_full_range_is_skipped_counted_and_filled_when_it_can_be() -> None:
    """Partial at first, then whole, without a resync."""
    cluster = Cluster(group("default", "10.0.0.0/32", "10.0.1.0/30"), active_subnets=ACTIVE)
    cluster.active_subnets = Cluster(active_subnets=["10.0.0.0/32", "10.0.1.0/30"]).active_subnets
    holder = cluster.create("holder")
    cluster.converge()
    web = cluster.create("web", annotations=MULTI)
    decision = cluster.step(web)
    assert cluster.ingress(web) == ("10.0.1.0",)
    assert counted(decision) == [Metric.MULTIPOOL, Metric.MULTIPOOL_PARTIAL, Metric.REJECTED]
    assert "no available addresses in range 10.0.0.0/32" in problem_of(cluster, web)
    cluster.delete(holder)
    cluster.converge()
    assert cluster.ingress(web) == ("10.0.1.0", "10.0.0.0")


def test_nothing_in_any_range_is_a_refusal() -> None:
    """All ranges full."""
    cluster = Cluster(group("default", "10.0.0.0/32"), active_subnets=["10.0.0.0/32"])
    cluster.create("holder")
    cluster.converge()
    web = cluster.create("web", annotations=MULTI)
    decision = cluster.step(web)
    assert isinstance(decision, Refuse)
    assert decision.problem.reason is Reason.EXHAUSTED


REFUSALS = {
    "sharing": (
        group("default", *TWO),
        {"purelb.io/allow-shared-ip": "k"},
        "cannot be combined with IP sharing",
        Reason.OTHER,
    ),
    "balance": (group("default", *TWO, balance=True), {}, "mutually exclusive", Reason.OTHER),
    "unknown": (group("a", *TWO), {}, 'unknown pool "default"', Reason.UNKNOWN_POOL),
}


@pytest.mark.parametrize(
    ("found", "keys", "piece", "reason"), REFUSALS.values(), ids=REFUSALS.keys()
)
def test_what_does_not_go_with_multi_pool_is_refused(
    found: GroupView, keys: dict[str, str], piece: str, reason: Reason
) -> None:
    """In the words that tools match."""
    cluster = Cluster(found, active_subnets=ACTIVE)
    web = cluster.create("web", annotations={**MULTI, **keys})
    decision = cluster.step(web)
    assert isinstance(decision, Refuse)
    assert piece in decision.problem.detail
    assert decision.problem.reason is reason


def test_one_address_stands_for_all_ranges_that_have_it() -> None:
    """Ranges of a group may overlap; the Service gets no second address for that."""
    subnets = ["10.0.0.0/24", "10.0.0.0/25"]
    cluster = Cluster(group("default", *subnets), active_subnets=subnets)
    web = cluster.create("web", annotations=MULTI)
    cluster.converge()
    assert cluster.ingress(web) == ("10.0.0.0",)


def test_a_wrong_origin_is_repaired() -> None:
    """The pool is derived from the addresses held."""
    cluster = Cluster(group("default", *TWO, multi_pool=True), active_subnets=ACTIVE)
    web = cluster.create("web")
    cluster.converge()
    cluster.edit(web, annotations={"purelb.io/allocated-from": "wrong"})
    cluster.converge()
    assert cluster.annotations(web)["purelb.io/allocated-from"] == "default"


@pytest.mark.parametrize("is_gone", [True, False])
def test_addresses_of_several_pools_are_not_added_to(is_gone: bool) -> None:
    """Nothing is guessed; a person is told once, and nothing is taken away."""
    cluster = Cluster(group("default", *TWO), group("other", "10.9.0.0/30"))
    pins = {"purelb.io/addresses": "10.9.0.1"}
    web = cluster.create("web", annotations=pins)
    cluster.converge()
    cluster.edit(web, ingress=["10.9.0.1", "10.0.0.1"])
    cluster.edit(web, annotations={**MULTI, "purelb.io/addresses": None})
    if is_gone:
        cluster.pools = pools(group("default", *TWO))
    cluster.step(web)
    problem = cluster.ledger.problem(web)
    assert problem is not None
    assert problem.reason is Reason.MULTIPOOL_POOL_MISMATCH
    assert isinstance(cluster.decide(web), Keep)
    assert cluster.ingress(web) == ("10.9.0.1", "10.0.0.1")
    assert cluster.commit(web).report.counts == ()


def test_a_dropped_family_is_released_of_all_ranges() -> None:
    """Family reduction works for many addresses too."""
    cluster = Cluster(
        group("default", *TWO, "2001:db8::/64", "2001:db8:1::/64", multi_pool=True),
        active_subnets=ACTIVE,
    )
    web = cluster.create("web", families=(V4, V6))
    cluster.converge()
    assert len(cluster.ingress(web)) == 4
    cluster.edit(web, spec={"ipFamilies": ["IPv4"]})
    cluster.converge()
    assert cluster.ingress(web) == ("10.0.0.0", "10.0.1.0")


def test_pins_count_more_than_multi_pool() -> None:
    """Who names addresses gets exactly these."""
    cluster = Cluster(group("default", *TWO, multi_pool=True), active_subnets=ACTIVE)
    web = cluster.create("web", annotations={**MULTI, "purelb.io/addresses": "10.0.1.2"})
    cluster.converge()
    assert cluster.ingress(web) == ("10.0.1.2",)
    assert isinstance(cluster.commit(web), Keep)


def test_an_ambiguous_fallback_is_told_for_multi_pool_too() -> None:
    """Before the address is visible."""
    one = group("one", "10.7.0.0/30", namespaces=("shop",))
    two = group("two", "10.8.0.0/30", namespaces=("shop",))
    cluster = Cluster(group("default", *TWO), one, two, active_subnets=ACTIVE)
    web = cluster.create("web", annotations=MULTI)
    decision = cluster.step(web)
    assert len(decision.report.warnings) == 1
    assert cluster.ingress(web) == ("10.0.0.0", "10.0.1.0")
