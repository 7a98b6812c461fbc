"""Addresses that a group keeps for one Service each."""

from ipaddress import ip_address

import pytest

from allocator.core.decide import Assign, Refuse
from allocator.core.guards import guard_address, guards_of
from purelb.api.identifiers import PoolName, ServiceKey
from purelb.api.problems import Reason
from tests.unit.allocator.builders import OWNED, V4, V6, Cluster, group, pools

WEB = ServiceKey("shop/web")
KEPT = group(
    "default",
    "192.0.2.0/30",
    "2001:db8::/64",
    reservations=(("192.0.2.0", WEB), ("2001:db8::", WEB)),
)


def test_a_reserved_address_waits_for_its_service_and_goes_to_no_other() -> None:
    """In both families, whoever comes first."""
    cluster = Cluster(KEPT)
    other = cluster.create("other", families=(V4, V6))
    cluster.converge()
    cluster.create("web", families=(V4, V6))
    cluster.converge()
    assert cluster.ingress(other) == ("192.0.2.1", "2001:db8::1")
    assert cluster.ingress(WEB) == ("192.0.2.0", "2001:db8::")


def test_a_pin_on_an_address_reserved_for_another_service_is_refused() -> None:
    """The text names that Service."""
    cluster = Cluster(KEPT)
    other = cluster.create("other", annotations={"purelb.io/addresses": "192.0.2.0"})
    decision = cluster.step(other)
    assert isinstance(decision, Refuse)
    assert "192.0.2.0" in decision.problem.detail
    assert "is reserved for Service shop/web" in decision.problem.detail


def test_a_reserved_address_that_another_service_has_is_waited_for() -> None:
    """It was given before; as soon as it is free it goes where it belongs, to nobody who waits."""
    cluster = Cluster(group("default", "192.0.2.0/32", reservations=(("192.0.2.0", WEB),)))
    holder = cluster.create("holder", annotations=OWNED, ingress=["192.0.2.0"])
    cluster.restart()
    waiting = cluster.create("waiting")
    cluster.create("web")
    cluster.converge()
    problem = cluster.ledger.problem(WEB)
    assert problem is not None
    assert problem.reason is Reason.SHARING_KEY_CONFLICT
    cluster.delete(holder)
    cluster.converge()
    assert (cluster.ingress(WEB), cluster.ingress(waiting)) == (("192.0.2.0",), ())


def test_a_service_that_has_an_address_keeps_it_whatever_is_reserved() -> None:
    """An address once given is a fact."""
    cluster = Cluster(KEPT)
    web = cluster.create("web", annotations=OWNED, ingress=["192.0.2.3"])
    cluster.restart()
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.3",)


def test_a_multi_pool_service_gets_its_own_address_in_each_range() -> None:
    """And the lowest free one where none is kept for it."""
    view = group(
        "default",
        "192.0.2.0/30",
        "198.51.100.0/30",
        multi_pool=True,
        reservations=(("198.51.100.2", WEB),),
    )
    cluster = Cluster(view, active_subnets=("192.0.2.0/30", "198.51.100.0/30"))
    cluster.create("web")
    cluster.converge()
    assert cluster.ingress(WEB) == ("192.0.2.0", "198.51.100.2")


def test_a_service_without_a_reservation_in_a_family_gets_any_address_of_it() -> None:
    """What is kept in the other family is no hindrance."""
    cluster = Cluster(
        group("default", "192.0.2.0/30", "2001:db8::/64", reservations=(("2001:db8::7", WEB),))
    )
    cluster.create("web", families=(V4, V6))
    (decision, *_) = cluster.converge()
    assert isinstance(decision, Assign)
    assert cluster.ingress(WEB) == ("192.0.2.0", "2001:db8::7")


FAULTS = {
    "no-address": ("first", WEB, "'first' is not an IP address"),
    "outside": ("203.0.113.1", WEB, "no range of the group has the address"),
    "other-family": ("2001:db8::", WEB, "no range of the group has the address"),
    "guarded": ("192.0.2.3", WEB, "the address belongs to Node a"),
    "twice": ("192.0.2.1", WEB, "it is kept for shop/first"),
    "no-service": ("192.0.2.2", ServiceKey("web"), "written as namespace/name"),
}


@pytest.mark.parametrize(("text", "service", "piece"), FAULTS.values(), ids=FAULTS.keys())
def test_a_faulty_reservation_is_a_warning_and_the_group_goes_on(
    text: str, service: ServiceKey, piece: str
) -> None:
    """The first of two that contradict each other counts."""
    first = ("192.0.2.1", ServiceKey("shop/first"))
    view = group("default", "192.0.2.0/30", reservations=(first, (text, service)))
    guards = guards_of([guard_address(ip_address("192.0.2.3"), "Node a")])
    pool = pools(view, guards=guards).pools[PoolName("default")]
    (warning,) = pool.warnings
    assert piece in warning
    assert pool.reservations.kept == {ip_address("192.0.2.1"): "shop/first"}
