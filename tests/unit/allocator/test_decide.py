"""What a Service gets, keeps and gives back: single addresses, class, type, families, restarts."""

from dataclasses import replace

import pytest

from allocator.core.decide import Assign, Ignore, Keep, Refuse, Release
from allocator.core.request import NotOurs
from purelb.api.addresses import Family
from purelb.api.groups import GroupKind, GroupView
from purelb.api.identifiers import ServiceKey
from purelb.api.problems import Reason
from tests.unit.allocator.builders import OWNED, V4, V6, Cluster, external, group, ips

DEFAULT = group("default", "192.0.2.0/30", "2001:db8::/126")


def reasons(decision: object) -> list[str]:
    """Return the reasons of a decision's notices."""
    assert isinstance(decision, Keep | Assign | Release | Refuse)
    return [notice.reason for notice in decision.report.notices]


def test_a_service_gets_the_lowest_free_address_and_all_that_tells_of_it() -> None:
    """One write carries address and annotations; the Event names both address and pool."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    decision = cluster.step(web)
    assert isinstance(decision, Assign)
    assert decision.added == ips("192.0.2.0")
    assert cluster.ingress(web) == ("192.0.2.0",)
    assert cluster.annotations(web) == OWNED
    assert cluster.writes == 1
    (notice,) = decision.report.notices
    assert notice.reason == "AddressAssigned"
    assert "192.0.2.0" in notice.message
    assert "from pool default" in notice.message


def test_decided_again_after_the_write_it_is_kept() -> None:
    """The echo of our own write asks for nothing."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web", families=(V6, V4))
    cluster.step(web)
    assert isinstance(cluster.commit(web), Keep)
    assert isinstance(cluster.decide(web), Keep)


def test_decided_again_before_the_write_is_seen_it_is_the_same_assignment() -> None:
    """A conflict is retried with the address that the ledger holds, never with a second one."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web", families=(V4, V6))
    first = cluster.commit(web)
    other = cluster.create("other", families=(V4, V6))
    cluster.commit(other)
    again = cluster.decide(web)
    assert isinstance(first, Assign)
    assert isinstance(again, Assign)
    assert (again.change, again.added) == (first.change, first.added)
    assert again.report == replace(first.report, warnings=())


@pytest.mark.parametrize(
    ("families", "expected"),
    [
        pytest.param((V4,), ("192.0.2.0",), id="v4"),
        pytest.param((V6,), ("2001:db8::",), id="v6"),
        pytest.param((V4, V6), ("192.0.2.0", "2001:db8::"), id="dual-v4-first"),
        pytest.param((V6, V4), ("2001:db8::", "192.0.2.0"), id="dual-v6-first"),
        pytest.param((), ("2001:db8::",), id="no-families-means-v6-first"),
    ],
)
def test_addresses_follow_the_order_of_the_families(
    families: tuple[Family, ...], expected: tuple[str, ...]
) -> None:
    """The ingress has the order of spec.ipFamilies; old API servers leave that empty."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web", families=families)
    cluster.step(web)
    assert cluster.ingress(web) == expected
    assert isinstance(cluster.commit(web), Keep)


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        pytest.param(("192.0.2.0/30",), "192.0.2.0", id="no-v6-range"),
        pytest.param(("192.0.2.0/30", "2001:db8::/128"), "192.0.2.0", id="v6-full"),
    ],
)
def test_without_families_ipv4_is_given_when_ipv6_fails(
    ranges: tuple[str, ...], expected: str
) -> None:
    """IPv4 is the second choice only."""
    cluster = Cluster(group("default", *ranges))
    cluster.create("full", families=(V6,))
    cluster.converge()
    web = cluster.create("web", families=())
    cluster.converge()
    assert cluster.ingress(web) == (expected,)


def test_without_families_the_refusal_speaks_of_a_family_the_pool_has() -> None:
    """A text about a family that the pool never had would mislead."""
    cluster = Cluster(group("default", "192.0.2.0/32"))
    cluster.create("full")
    web = cluster.create("web", families=())
    cluster.converge()
    problem = cluster.ledger.problem(web)
    assert problem is not None
    assert "all 1 IPv4 addresses" in problem.detail


def test_a_freed_address_is_used_again_at_once() -> None:
    """Lowest free first, and deleting one Service moves no other."""
    cluster = Cluster(DEFAULT)
    first, second = cluster.create("first"), cluster.create("second")
    cluster.converge()
    cluster.delete(first)
    third = cluster.create("third")
    cluster.converge()
    assert cluster.ingress(second) == ("192.0.2.1",)
    assert cluster.ingress(third) == ("192.0.2.0",)


def test_a_full_pool_refuses_and_says_who_holds_what() -> None:
    """A person reads Service, pool, size, free count, holder and a way out."""
    cluster = Cluster(group("default", "192.0.2.7-192.0.2.8"))
    for name in ("a", "b"):
        cluster.create(name)
    cluster.converge()
    web = cluster.create("web")
    decision = cluster.step(web)
    assert isinstance(decision, Refuse)
    assert decision.problem.reason is Reason.EXHAUSTED
    assert decision.problem.pool == "default"
    (notice,) = decision.report.notices
    assert notice.reason == "AllocationFailed"
    for piece in (
        "shop/web",
        'pool "default" exhausted',
        "no available addresses",
        "all 2 IPv4 addresses of 192.0.2.7-192.0.2.8",
        "0 are free",
        "192.0.2.7 is held by shop/a",
        "add a range",
    ):
        assert piece in notice.message
    assert cluster.annotations(web) == {}
    assert cluster.ingress(web) == ()


def test_a_refusal_is_told_and_counted_once_as_long_as_it_is_the_same() -> None:
    """A resync must not repeat Events, nor count anew."""
    cluster = Cluster(group("default", "192.0.2.0/32"))
    cluster.create("a")
    cluster.converge()
    web = cluster.create("web")
    first = cluster.step(web)
    again = cluster.commit(web)
    assert reasons(first) == ["AllocationFailed"]
    assert len(first.report.counts) == 1
    assert isinstance(again, Refuse)
    assert (again.report.notices, again.report.counts) == ((), ())


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param("RequireDualStack", (), id="require-is-all-or-nothing"),
        pytest.param("", (), id="no-policy-is-all-or-nothing"),
        pytest.param("PreferDualStack", ("192.0.2.0",), id="prefer-takes-what-there-is"),
    ],
)
def test_a_family_that_cannot_be_served_is_reported(policy: str, expected: tuple[str, ...]) -> None:
    """Dual stack by policy: all or nothing, or as much as there is."""
    cluster = Cluster(group("default", "192.0.2.0/30"))
    web = cluster.create("web", families=(V4, V6), ipFamilyPolicy=policy)
    decision = cluster.step(web)
    assert cluster.ingress(web) == expected
    assert decision.report.problem is not None
    assert "it has no IPv6 range" in decision.report.problem.detail
    assert "AllocationFailed" in reasons(decision)
    assert decision.report.counts[-1].reason is Reason.EXHAUSTED


def test_the_missing_family_comes_when_it_can() -> None:
    """Best effort goes on: the second family is waited for."""
    cluster = Cluster(group("default", "192.0.2.0/30", "2001:db8::/128"))
    holder = cluster.create("holder", families=(V6,))
    web = cluster.create("web", families=(V4, V6), ipFamilyPolicy="PreferDualStack")
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.0",)
    cluster.delete(holder)
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.0", "2001:db8::")
    assert cluster.ledger.all_waiting() == ()


def test_a_second_family_comes_from_the_pool_of_today_and_renames_the_origin() -> None:
    """One to two families: the first address stays, the origin is the pool of the second."""
    cluster = Cluster(DEFAULT, group("other", "2001:db8:1::/64", skip_ipv6_dad=True))
    web = cluster.create("web")
    cluster.converge()
    cluster.edit(web, annotations={"purelb.io/service-group": "other"})
    assert isinstance(cluster.converge()[-1], Keep)
    cluster.edit(web, spec={"ipFamilies": ["IPv4", "IPv6"]})
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.0", "2001:db8:1::")
    found = cluster.annotations(web)
    assert found["purelb.io/allocated-from"] == "other"
    assert found["purelb.io/skip-ipv6-dad"] == "true"


def test_the_dad_mark_goes_with_the_next_allocation_from_a_pool_without_it() -> None:
    """skip-ipv6-dad belongs to the latest allocation."""
    cluster = Cluster(group("a", "2001:db8:1::/64", skip_ipv6_dad=True), DEFAULT)
    web = cluster.create("web", families=(V6,), annotations={"purelb.io/service-group": "a"})
    cluster.converge()
    cluster.edit(web, annotations={"purelb.io/service-group": None})
    cluster.edit(web, spec={"ipFamilies": ["IPv6", "IPv4"]})
    cluster.converge()
    assert "purelb.io/skip-ipv6-dad" not in cluster.annotations(web)


def test_a_failing_second_family_leaves_the_first_alone() -> None:
    """Neither address nor annotations change when a further family fails."""
    cluster = Cluster(group("default", "192.0.2.0/30"))
    web = cluster.create("web")
    cluster.converge()
    before = cluster.annotations(web)
    cluster.edit(web, spec={"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"})
    (decision,) = cluster.converge()
    assert isinstance(decision, Keep)
    assert reasons(decision) == ["AllocationFailed"]
    assert (cluster.ingress(web), cluster.annotations(web)) == (("192.0.2.0",), before)


def test_a_dropped_family_is_released_once_nobody_can_see_it() -> None:
    """Freed at the echo, not at the decision: nobody gets what is still shown elsewhere."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web", families=(V4, V6))
    cluster.converge()
    slots = {
        "purelb.io/announcing-IPv4": "node-a,eth0,192.0.2.0",
        "purelb.io/announcing-IPv6": "node-a,eth0,2001:db8::",
    }
    cluster.edit(web, spec={"ipFamilies": ["IPv4"]}, annotations=slots)
    decision = cluster.commit(web)
    assert isinstance(decision, Release)
    assert reasons(decision) == ["AddressReleased"]
    assert "2001:db8::" in decision.report.notices[0].message
    assert cluster.ledger.owners(ips("2001:db8::")[0]) == (web,)
    cluster.write(decision)
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.0",)
    assert cluster.ledger.owners(ips("2001:db8::")[0]) == ()
    assert cluster.annotations(web)["purelb.io/announcing-IPv4"] == "node-a,eth0,192.0.2.0"
    assert "purelb.io/announcing-IPv6" not in cluster.annotations(web)


def test_one_family_can_replace_the_other_in_one_edit() -> None:
    """The new family is added in the write that drops the old one."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    cluster.converge()
    cluster.edit(web, spec={"ipFamilies": ["IPv6"]})
    decision = cluster.converge()[0]
    assert isinstance(decision, Assign)
    assert sorted(reasons(decision)) == ["AddressAssigned", "AddressReleased"]
    assert cluster.ingress(web) == ("2001:db8::",)
    assert cluster.ledger.owners(ips("192.0.2.0")[0]) == ()


def test_a_replaced_family_goes_even_if_the_other_cannot_come() -> None:
    """What is not asked for any more goes, whatever else fails."""
    cluster = Cluster(group("default", "192.0.2.0/30"))
    web = cluster.create("web")
    cluster.converge()
    cluster.edit(web, spec={"ipFamilies": ["IPv6"]})
    first, second = cluster.converge()
    assert isinstance(first, Release)
    assert isinstance(second, Refuse)
    assert cluster.ingress(web) == ()


def test_a_service_left_without_address_keeps_its_policy() -> None:
    """There is nothing for which one node would have to serve."""
    cluster = Cluster(group("default", "192.0.2.0/30"))
    web = cluster.create("web")
    cluster.converge()
    cluster.edit(web, spec={"ipFamilies": ["IPv6"], "externalTrafficPolicy": "Local"})
    cluster.converge()
    assert cluster.ingress(web) == ()
    assert cluster.objects[web]["spec"]["externalTrafficPolicy"] == "Local"


def test_a_family_dropped_before_its_write_was_seen_is_free_at_once() -> None:
    """What was never shown needs no write to be free."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web", families=(V6,))
    cluster.commit(web)
    cluster.edit(web, spec={"ipFamilies": ["IPv4"]})
    decision = cluster.commit(web)
    assert isinstance(decision, Assign)
    assert decision.added == ips("192.0.2.0")
    assert cluster.ledger.owners(ips("2001:db8::")[0]) == ()


CLASSES = {
    "long": ("purelb.io/purelbv2", False, None),
    "short": ("purelb.io/purelb", False, None),
    "foreign": ("metallb", True, NotOurs.FOREIGN_CLASS),
    "none-and-default": (None, True, None),
    "none-and-not-default": (None, False, NotOurs.NO_CLASS),
}


@pytest.mark.parametrize(
    ("lb_class", "is_default", "expected"), CLASSES.values(), ids=CLASSES.keys()
)
def test_the_class_says_whose_service_it_is(
    lb_class: str | None, is_default: bool, expected: NotOurs | None
) -> None:
    """Both our classes, foreign ones, and the default announcer."""
    cluster = Cluster(DEFAULT, is_default_announcer=is_default)
    web = cluster.create("web", loadBalancerClass=lb_class)
    decision = cluster.step(web)
    assert (decision.why if isinstance(decision, Ignore) else None) == expected
    assert bool(cluster.ingress(web)) == (expected is None)


@pytest.mark.parametrize(
    ("name", "spec", "why"),
    [
        pytest.param("web", {"type": "ClusterIP"}, NotOurs.NOT_LOAD_BALANCER, id="type"),
        pytest.param("web", {"clusterIP": "None"}, NotOurs.NO_CLUSTER_IP, id="headless"),
        pytest.param("web", {"clusterIP": ""}, NotOurs.NO_CLUSTER_IP, id="no-cluster-ip"),
        pytest.param("kube-system/kube-dns", {}, NotOurs.SYSTEM, id="system"),
        pytest.param("default/kubernetes", {}, NotOurs.SYSTEM, id="api-server"),
    ],
)
def test_other_services_are_left_alone(name: str, spec: dict[str, str], why: NotOurs) -> None:
    """No write, and the reason is known."""
    cluster = Cluster(DEFAULT)
    web = cluster.create(name)
    cluster.edit(web, spec=spec)
    decision = cluster.step(web)
    assert isinstance(decision, Ignore)
    assert decision.why is why
    assert cluster.writes == 0


def test_what_another_controller_gave_is_neither_touched_nor_given_away() -> None:
    """Foreign addresses inside our ranges count as taken."""
    cluster = Cluster(DEFAULT)
    foreign = cluster.create("foreign", ingress=["192.0.2.0"], loadBalancerClass="metallb")
    unbranded = cluster.create("unbranded", ingress=["192.0.2.1"])
    web = cluster.create("web")
    decisions = cluster.converge()
    assert isinstance(decisions[1], Ignore)
    assert decisions[1].why is NotOurs.UNBRANDED
    assert cluster.ingress(web) == ("192.0.2.2",)
    assert cluster.annotations(foreign) == cluster.annotations(unbranded) == {}
    assert cluster.writes == 1


def test_an_address_that_another_controller_wrote_over_our_pending_one_is_not_branded() -> None:
    """Without the brand, an ingress that we did not write is not ours."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    cluster.commit(web)
    cluster.edit(web, ingress=["203.0.113.9"])
    decision = cluster.commit(web)
    assert isinstance(decision, Ignore)
    assert cluster.ledger.owners(ips("192.0.2.0")[0]) == ()
    assert cluster.ledger.owners(ips("203.0.113.9")[0]) == (web,)


def test_a_service_that_turns_to_a_foreign_class_keeps_its_address() -> None:
    """We let go of the Service, and its address stays taken."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    cluster.converge()
    cluster.edit(web, spec={"loadBalancerClass": "metallb"})
    (decision,) = cluster.converge()
    other = cluster.create("other")
    cluster.converge()
    assert isinstance(decision, Ignore)
    assert (cluster.ingress(web), cluster.annotations(web)) == (("192.0.2.0",), OWNED)
    assert cluster.ingress(other) == ("192.0.2.1",)


@pytest.mark.parametrize("lb_class", ["purelb.io/purelbv2", None])
def test_a_service_that_leaves_the_type_is_cleaned_whatever_becomes_of_its_class(
    lb_class: str | None,
) -> None:
    """Kubernetes removes the class with the type, so the brand decides."""
    cluster = Cluster(DEFAULT, is_default_announcer=lb_class is None)
    own = {"team": "shop", "purelb.io/service-group": "default"}
    web = cluster.create("web", annotations=own, loadBalancerClass=lb_class)
    cluster.converge()
    slot = {"purelb.io/announcing-IPv4": "a,eth0,192.0.2.0", "purelb.io/announcing": "a,eth0"}
    cluster.edit(web, spec={"type": "ClusterIP"}, annotations=slot)
    released, ignored = cluster.converge()
    assert isinstance(released, Release)
    assert reasons(released) == ["AddressReleased"]
    assert "192.0.2.0" in released.report.notices[0].message
    assert "ClusterIP" in released.report.notices[0].message
    assert isinstance(ignored, Ignore)
    assert cluster.annotations(web) == own
    assert cluster.ledger.owners(ips("192.0.2.0")[0]) == ()


def test_a_type_change_that_was_missed_is_made_good() -> None:
    """A Service may leave the type while no allocator runs."""
    cluster = Cluster(DEFAULT)
    web = cluster.create(
        "web", type="NodePort", annotations=OWNED, ingress=["192.0.2.3"], families=(V4,)
    )
    cluster.restart()
    first = cluster.commit(web)
    assert isinstance(first, Release)
    assert cluster.ledger.owners(ips("192.0.2.3")[0]) == (web,)
    cluster.write(first)
    assert cluster.ingress(web) == ()
    assert cluster.annotations(web) == {}
    cluster.converge()
    assert cluster.ledger.holding(web) is None


def test_an_address_given_up_before_it_was_written_leaves_nothing_to_write() -> None:
    """Only the ledger knew of it."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    cluster.commit(web)
    cluster.edit(web, spec={"type": "ClusterIP"})
    decision = cluster.commit(web)
    assert isinstance(decision, Release)
    assert decision.change is None
    assert cluster.ledger.holding(web) is None


def test_annotations_left_on_another_type_go_without_an_event() -> None:
    """There was no address to release."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web", type="ClusterIP", annotations=OWNED)
    decision = cluster.step(web)
    assert isinstance(decision, Release)
    assert reasons(decision) == []
    assert cluster.annotations(web) == {}


def test_back_to_load_balancer_is_a_new_allocation() -> None:
    """Nothing is remembered for a Service that left the type."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    cluster.converge()
    cluster.edit(web, spec={"type": "ClusterIP"})
    cluster.converge()
    cluster.create("other")
    cluster.converge()
    cluster.edit(web, spec={"type": "LoadBalancer"})
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.1",)


def test_a_deleted_service_frees_its_address_without_a_write() -> None:
    """There is no object left to write."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    cluster.converge()
    cluster.delete(web)
    released, gone = cluster.commit(web), cluster.commit(web)
    assert isinstance(released, Release)
    assert (released.after, released.change) == (None, None)
    assert isinstance(gone, Ignore)
    assert gone.why is None


def test_a_namesake_created_at_once_starts_anew() -> None:
    """Another uid is another Service, even if the deletion was never seen."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    cluster.converge()
    cluster.delete(web)
    assert cluster.create("web") == web
    released, assigned, kept = cluster.converge()
    assert isinstance(released, Release)
    assert released.is_renewed
    assert isinstance(assigned, Assign)
    assert isinstance(kept, Keep)
    assert cluster.ingress(web) == ("192.0.2.0",)


@pytest.mark.parametrize("has_address", [True, False])
def test_a_service_that_is_being_deleted_keeps_what_it_has_and_gets_nothing(
    has_address: bool,
) -> None:
    """Its address is free when it is gone, not earlier."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    if has_address:
        cluster.converge()
    cluster.objects[web]["metadata"]["deletionTimestamp"] = "2026-01-02T00:00:00Z"
    cluster.edit(web, spec={"ipFamilies": ["IPv4", "IPv6"]})
    decision = cluster.step(web)
    assert isinstance(decision, Keep if has_address else Ignore)
    assert cluster.ingress(web) == (("192.0.2.0",) if has_address else ())


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


def test_a_request_to_an_external_pool_is_refused_in_clear_words() -> None:
    """The group exists, so the text must not say that it is unknown."""
    cluster = Cluster(external("ipam"))
    web = cluster.create("web", annotations={"purelb.io/service-group": "ipam"})
    decision = cluster.step(web)
    assert isinstance(decision, Refuse)
    assert decision.problem.reason is Reason.OTHER
    assert "external provider" in decision.problem.detail
    assert decision.report.counts[0].pool == "ipam"


def test_nothing_is_known_of_a_service_that_never_was() -> None:
    """A mark may come after the end of a Service."""
    cluster = Cluster(DEFAULT)
    assert isinstance(cluster.commit(ServiceKey("shop/none")), Ignore)
