"""What a Service has stays, and what tells of it is repaired: edits, lost writes, restarts."""

import pytest

from allocator.core.decide import Assign, Keep
from purelb.api.groups import GroupKind, GroupView
from tests.unit.allocator.builders import OWNED, V4, V6, Cluster, group, ips, reasons

DEFAULT = group("default", "192.0.2.0/30", "2001:db8::/126")


def test_an_address_given_is_not_judged_again_by_groups_namespaces_or_annotations() -> None:
    """Group edits, enforcement and annotations concern new allocations only."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    cluster.converge()
    strict = group("mine", "198.51.100.0/24", namespaces=("shop",), enforces=True)
    cluster.pools = Cluster(group("default", "192.0.2.128/25"), strict).pools
    cluster.edit(web, annotations={"purelb.io/service-group": "nonsense"})
    cluster.edit(web, annotations={"purelb.io/addresses": "also nonsense"})
    (decision,) = cluster.converge()
    assert isinstance(decision, Keep)
    assert decision.report.problem is None
    assert cluster.ingress(web) == ("192.0.2.0",)


def test_re_evaluate_is_consumed_and_changes_nothing_else() -> None:
    """The key goes, the address stays."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    cluster.converge()
    cluster.edit(web, annotations={"purelb.io/re-evaluate": "true"})
    decision = cluster.converge()[0]
    assert isinstance(decision, Assign)
    assert (decision.added, decision.report.notices) == ((), ())
    assert cluster.annotations(web) == OWNED
    assert cluster.ingress(web) == ("192.0.2.0",)


@pytest.mark.parametrize(
    ("spec", "is_consumed"),
    [
        pytest.param({"type": "ClusterIP"}, True, id="no-load-balancer"),
        pytest.param({"clusterIP": "None"}, True, id="headless"),
        pytest.param({"loadBalancerClass": "metallb"}, False, id="foreign-class"),
        pytest.param({"ipFamilies": ["IPv6"]}, True, id="refused"),
    ],
)
def test_re_evaluate_is_consumed_wherever_the_service_may_be_ours(
    spec: dict[str, object], is_consumed: bool
) -> None:
    """A refused Service stays untouched but for this key."""
    cluster = Cluster(group("default", "192.0.2.0/30"))
    asked = {"purelb.io/re-evaluate": "true"}
    web = cluster.create("web", annotations=asked)
    cluster.edit(web, spec=spec)
    cluster.converge()
    assert cluster.annotations(web) == ({} if is_consumed else asked)
    assert cluster.ingress(web) == ()


def test_any_other_value_of_re_evaluate_stays() -> None:
    """Only the exact text true is a request."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web", annotations={"purelb.io/re-evaluate": "yes"})
    cluster.converge()
    assert cluster.annotations(web)["purelb.io/re-evaluate"] == "yes"


def test_annotations_that_a_server_dropped_are_written_again() -> None:
    """The ledger knows that the address shown is ours."""
    cluster = Cluster(group("default", "192.0.2.0/30", skip_ipv6_dad=True))
    web = cluster.create("web")
    cluster.converge()
    whole = cluster.annotations(web)
    cluster.edit(web, annotations=dict.fromkeys(whole))
    decision = cluster.converge()[0]
    assert isinstance(decision, Assign)
    assert decision.change.ingress is None
    assert cluster.annotations(web) == whole


def test_annotations_dropped_by_the_very_first_write_are_written_again() -> None:
    """Half-written: ingress there, annotations dropped by the server."""
    cluster = Cluster(group("default", "192.0.2.0/32", "2001:db8::/64"))
    pins = {"purelb.io/addresses": "192.0.2.0,2001:db8::7"}
    web = cluster.create("web", families=(V4, V6), annotations=pins)
    decision = cluster.commit(web)
    assert isinstance(decision, Assign)
    cluster.edit(web, ingress=["192.0.2.0", "2001:db8::7"])
    cluster.converge()
    assert cluster.annotations(web)["purelb.io/allocated-from"] == "default, default"


def test_a_brand_is_restored_even_if_the_pool_is_gone() -> None:
    """Where an address came from is unknown then; that it is ours is not."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    cluster.converge()
    cluster.pools = Cluster().pools
    cluster.edit(web, annotations=dict.fromkeys(OWNED))
    cluster.converge()
    assert cluster.annotations(web) == {"purelb.io/allocated-by": "PureLB"}


@pytest.mark.parametrize("lost", ["purelb.io/allocated-from", "purelb.io/pool-type"])
def test_a_single_lost_annotation_is_filled_in(lost: str) -> None:
    """Derived from where the address lies."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    cluster.converge()
    cluster.edit(web, annotations={lost: None})
    cluster.converge()
    assert cluster.annotations(web) == OWNED


def test_annotations_that_are_there_are_facts_too() -> None:
    """Services of an older PureLB are read as they are."""
    cluster = Cluster(DEFAULT)
    found = {**OWNED, "purelb.io/allocated-from": "old", "purelb.io/pool-type": "remote"}
    web = cluster.create("web", ingress=["192.0.2.1"], annotations=found)
    cluster.restart()
    assert isinstance(cluster.converge()[-1], Keep)
    assert cluster.annotations(web) == found


def test_an_ingress_that_somebody_cleared_is_restored() -> None:
    """The Service gets the same addresses back."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web", families=(V4, V6))
    cluster.converge()
    cluster.edit(web, ingress=[])
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.0", "2001:db8::")


def test_an_ingress_that_somebody_replaced_is_the_truth() -> None:
    """A write of a former leader may win; what it wrote is a fact."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web", families=(V4, V6))
    cluster.converge()
    cluster.edit(web, ingress=["192.0.2.3"])
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.3", "2001:db8::")
    assert cluster.ledger.owners(ips("192.0.2.0")[0]) == ()


def test_an_address_listed_twice_is_listed_once() -> None:
    """PureLB could append an address again and again."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web", annotations=OWNED, ingress=["192.0.2.1", "192.0.2.1"])
    cluster.restart()
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.1",)


def test_a_full_pool_is_no_news_when_another_service_holds_it() -> None:
    """The text names a holder, who may change between two looks."""
    cluster = Cluster(group("default", "192.0.2.0/32"))
    first = cluster.create("first")
    cluster.converge()
    web, other = cluster.create("web"), cluster.create("other")
    cluster.converge()
    cluster.delete(first)
    cluster.converge()
    again = cluster.commit(other)
    assert cluster.ingress(web) == ("192.0.2.0",)
    assert again.report.problem is not None
    assert "held by shop/web" in again.report.problem.detail
    assert (again.report.notices, again.report.counts) == ((), ())


POLICIES = {
    "local-pool": ({}, GroupKind.LOCAL, "Cluster"),
    "allowed": ({"purelb.io/allow-local": ""}, GroupKind.LOCAL, "Local"),
    "remote-pool": ({}, GroupKind.REMOTE, "Local"),
}


@pytest.mark.parametrize(("keys", "kind", "expected"), POLICIES.values(), ids=POLICIES.keys())
def test_a_local_address_needs_the_cluster_policy_before_it_is_seen(
    keys: dict[str, str], kind: GroupKind, expected: str
) -> None:
    """The policy is written first, so that the address is never seen with the wrong one."""
    cluster = Cluster(group("default", "192.0.2.0/30", kind=kind))
    web = cluster.create("web", annotations=keys, externalTrafficPolicy="Local")
    decision = cluster.step(web)
    assert cluster.objects[web]["spec"]["externalTrafficPolicy"] == expected
    assert ("LocalOverride" in reasons(decision)) == (expected == "Cluster")
    assert cluster.annotations(web)["purelb.io/pool-type"] == kind
    assert isinstance(cluster.commit(web), Keep)


@pytest.mark.parametrize(
    ("group_left", "pool_type", "expected"),
    [
        pytest.param(DEFAULT, "remote", "Cluster", id="pool-decides"),
        pytest.param(None, "local", "Cluster", id="annotation-where-the-pool-is-gone"),
        pytest.param(None, "remote", "Local", id="annotation-says-remote"),
    ],
)
def test_a_policy_flipped_later_is_set_back(
    group_left: GroupView | None, pool_type: str, expected: str
) -> None:
    """Also long after the allocation."""
    cluster = Cluster(*([DEFAULT] if group_left else []))
    keys = {**OWNED, "purelb.io/pool-type": pool_type}
    web = cluster.create(
        "web", annotations=keys, ingress=["192.0.2.1"], externalTrafficPolicy="Local"
    )
    cluster.restart()
    cluster.converge()
    assert cluster.objects[web]["spec"]["externalTrafficPolicy"] == expected
    assert cluster.ingress(web) == ("192.0.2.1",)


def test_held_addresses_are_adopted_before_any_is_given() -> None:
    """A pending Service never steals the address of a Service that sorts behind it."""
    cluster = Cluster(group("default", "192.0.2.0/30"))
    pending = cluster.create("a-pending")
    cluster.create("held", annotations=OWNED, ingress=["192.0.2.0"])
    cluster.restart()
    cluster.converge()
    assert cluster.ingress(pending) == ("192.0.2.1",)
    assert cluster.writes == 1


def test_two_services_with_one_address_both_keep_it_and_both_are_told() -> None:
    """Nothing is taken away; a person is told on both."""
    cluster = Cluster(DEFAULT)
    first = cluster.create("first", annotations=OWNED, ingress=["192.0.2.0"])
    second = cluster.create("second", annotations=OWNED, ingress=["192.0.2.0"])
    cluster.restart()
    decisions = cluster.converge()
    told = {d.key: notice.message for d in decisions for notice in d.report.notices}
    assert "shop/second" in told[first]
    assert "shop/first" in told[second]
    assert cluster.ingress(first) == cluster.ingress(second) == ("192.0.2.0",)
    assert cluster.writes == 0


def test_the_warning_about_a_doubly_held_address_ends_with_it() -> None:
    """The other owner's end is noticed without a resync."""
    cluster = Cluster(DEFAULT)
    first = cluster.create("first", annotations=OWNED, ingress=["192.0.2.0"])
    second = cluster.create("second", annotations=OWNED, ingress=["192.0.2.0"])
    cluster.restart()
    cluster.converge()
    cluster.delete(second)
    cluster.converge()
    assert cluster.ledger.problem(first) is None
    assert cluster.ledger.owners(ips("192.0.2.0")[0]) == (first,)
