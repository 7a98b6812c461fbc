"""Whose Service it is: class, type, other controllers, deletion."""

import pytest

from allocator.core.decide import Assign, Ignore, Keep, Release
from allocator.core.request import NotOurs
from tests.unit.allocator.builders import OWNED, V4, Cluster, group, ips, reasons

DEFAULT = group("default", "192.0.2.0/30", "2001:db8::/126")


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


def test_many_foreign_services_on_one_address_are_looked_at_once_each() -> None:
    """Ours that shows it as well is told of each newcomer; strangers are not looked at again."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web", ingress=["192.0.2.0"], annotations=OWNED)
    cluster.converge()
    for number in range(5):
        cluster.create(f"foreign-{number}", ingress=["192.0.2.0"], loadBalancerClass="metallb")
    looked_at = [decision.key for decision in cluster.converge()]
    assert looked_at.count(web) == 5
    assert len(looked_at) == 10


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
