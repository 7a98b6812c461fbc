"""Addresses that rest after their release: `spec.coolDown` of a ServiceGroup."""

import pytest

from allocator.core.conditions import group_conditions
from allocator.core.decide import Assign, Refuse
from allocator.core.explain import explain
from allocator.core.report import group_status
from purelb.api.identifiers import PoolName
from purelb.api.problems import Reason
from tests.unit.allocator.builders import INSTALL, OWNED, V4, V6, Cluster, group, pools

RESTING = group("default", "192.0.2.0/31", "2001:db8::/64", cool_down="10m")
FULL = group("default", "192.0.2.0/32", cool_down="10m")
KEYS = {"purelb.io/allow-shared-ip": "k"}


def test_a_released_address_goes_to_nobody_else_before_its_rest_is_over() -> None:
    """The next free one is given meanwhile; afterwards it is the lowest free one again."""
    cluster = Cluster(RESTING)
    first = cluster.create("first", families=(V4, V6))
    cluster.converge()
    cluster.delete(first)
    second = cluster.create("second", families=(V4, V6))
    cluster.converge()
    cluster.pass_time(600)
    third = cluster.create("third", families=(V4, V6))
    cluster.converge()
    assert cluster.ingress(second) == ("192.0.2.1", "2001:db8::1")
    assert cluster.ingress(third) == ("192.0.2.0", "2001:db8::")


def test_a_service_of_the_name_that_had_it_gets_it_back_at_once() -> None:
    """Although a lower one is free, and whoever waits."""
    cluster = Cluster(RESTING)
    other, web = cluster.create("other"), cluster.create("web")
    cluster.converge()
    cluster.delete(other)
    cluster.delete(web)
    cluster.pass_time(1)
    cluster.create("waits")
    cluster.create("web")
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.1",)


def test_whoever_waits_gets_the_address_when_its_rest_is_over_the_oldest_first() -> None:
    """Nobody has to look before."""
    cluster = Cluster(FULL)
    holder = cluster.create("z-holder")
    cluster.converge()
    old, young = cluster.create("old"), cluster.create("a-young")
    cluster.converge()
    cluster.delete(holder)
    cluster.converge()
    assert cluster.ingress(old) == ()
    cluster.pass_time(599)
    assert cluster.dirty == {}
    cluster.pass_time(1)
    cluster.converge()
    assert (cluster.ingress(old), cluster.ingress(young)) == (("192.0.2.0",), ())


def test_the_refusal_says_that_an_address_rests_and_so_do_group_and_explanation() -> None:
    """The group counts what can be given now."""
    cluster = Cluster(FULL)
    holder = cluster.create("holder")
    cluster.converge()
    cluster.delete(holder)
    cluster.converge()
    late = cluster.create("late")
    decision = cluster.step(late)
    assert isinstance(decision, Refuse)
    assert decision.problem.reason is Reason.EXHAUSTED
    assert "in use or, 1 of them, at rest after their release" in decision.problem.detail
    pool = cluster.pools.pools[PoolName("default")]
    status = group_status(pool, cluster.ledger)
    assert (status["allocatedIPv4"], status["availableIPv4"]) == (0, 0)
    conditions = group_conditions(cluster.pools, cluster.ledger, (INSTALL, "default"))
    assert {one.type: one.status for one in conditions}["Exhausted"] == "True"
    assert "0 of 1 IPv4" in explain(cluster.world, cluster.ledger, late).candidates[0].why


def test_a_pin_on_a_resting_address_is_refused_and_served_when_its_rest_is_over() -> None:
    """Unless it is by the name that had it."""
    cluster = Cluster(RESTING)
    holder = cluster.create("holder")
    cluster.converge()
    cluster.delete(holder)
    pin = {"purelb.io/addresses": "192.0.2.0"}
    other = cluster.create("other", annotations=pin)
    cluster.converge()
    problem = cluster.ledger.problem(other)
    assert problem is not None
    assert "192.0.2.0" in problem.detail
    assert "was released by Service shop/holder less than 10m ago" in problem.detail
    cluster.pass_time(600)
    cluster.converge()
    assert cluster.ingress(other) == ("192.0.2.0",)
    cluster.delete(other)
    cluster.create("other", annotations=pin)
    cluster.converge()
    assert cluster.ingress(other) == ("192.0.2.0",)


def test_an_address_rests_when_its_last_sharer_goes() -> None:
    """Before that whoever has the key may join."""
    cluster = Cluster(FULL)
    one = cluster.create("one", annotations=KEYS, ports=("TCP/1",))
    two = cluster.create("two", annotations=KEYS, ports=("TCP/2",))
    cluster.converge()
    cluster.delete(one)
    three = cluster.create("three", annotations=KEYS, ports=("TCP/3",))
    cluster.converge()
    assert cluster.ingress(three) == ("192.0.2.0",)
    cluster.delete(two)
    cluster.delete(three)
    late = cluster.create("late", annotations=KEYS, ports=("TCP/4",))
    cluster.converge()
    assert cluster.ingress(late) == ()


def test_a_dropped_family_and_a_left_type_release_as_well() -> None:
    """Back to both, the Service gets the same addresses."""
    cluster = Cluster(RESTING)
    web = cluster.create("web", families=(V4, V6))
    cluster.converge()
    cluster.edit(web, spec={"ipFamilies": [V6.value]})
    cluster.converge()
    other = cluster.create("other")
    cluster.converge()
    cluster.edit(web, spec={"type": "ClusterIP"})
    cluster.converge()
    cluster.edit(web, spec={"type": "LoadBalancer", "ipFamilies": [V4.value, V6.value]})
    cluster.converge()
    assert cluster.ingress(other) == ("192.0.2.1",)
    assert cluster.ingress(web) == ("192.0.2.0", "2001:db8::")


def test_a_multi_pool_service_gets_back_what_it_had_in_each_range() -> None:
    """And no other Service does."""
    view = group("default", "192.0.2.0/30", "198.51.100.0/30", multi_pool=True, cool_down="1h")
    cluster = Cluster(view, active_subnets=("192.0.2.0/30", "198.51.100.0/30"))
    other, web = cluster.create("other"), cluster.create("web")
    cluster.converge()
    cluster.delete(other)
    cluster.delete(web)
    third = cluster.create("third")
    cluster.create("web")
    cluster.converge()
    assert cluster.ingress(third) == ("192.0.2.2", "198.51.100.2")
    assert cluster.ingress(web) == ("192.0.2.1", "198.51.100.1")


def test_the_next_leader_lets_rest_what_its_predecessor_did() -> None:
    """Every replica sees what is released; what is owned again does not rest."""
    cluster = Cluster(RESTING)
    gone, back = cluster.create("gone"), cluster.create("back")
    cluster.converge()
    cluster.delete(gone)
    cluster.delete(back)
    cluster.create("back")
    cluster.converge()
    cluster.restart()
    late = cluster.create("late")
    cluster.converge()
    assert cluster.ingress(back) == ("192.0.2.1",)
    assert cluster.ingress(late) == ()
    cluster.pass_time(600)
    cluster.converge()
    assert cluster.ingress(late) == ("192.0.2.0",)


def test_the_ledger_says_when_the_next_rest_ends() -> None:
    """Of two that rest the one that was released first."""
    cluster = Cluster(RESTING)
    one, other = cluster.create("one"), cluster.create("other")
    cluster.converge()
    assert cluster.ledger.next_rest_end() is None
    cluster.delete(one)
    cluster.pass_time(100)
    cluster.delete(other)
    assert cluster.ledger.next_rest_end() == cluster.now + 500
    cluster.pass_time(500)
    assert cluster.ledger.next_rest_end() == cluster.now + 100


def test_without_a_cool_down_and_for_strangers_addresses_an_address_is_free_at_once() -> None:
    """An address that nobody of ours gave does not rest either."""
    cluster = Cluster(group("default", "192.0.2.0/31"))
    first = cluster.create("first")
    cluster.converge()
    cluster.delete(first)
    second = cluster.create("second")
    cluster.converge()
    assert cluster.ingress(second) == ("192.0.2.0",)
    strangers = Cluster(RESTING)
    stranger = strangers.create("stranger", ingress=["192.0.2.0"])
    strangers.converge()
    strangers.delete(stranger)
    third = strangers.create("third")
    strangers.converge()
    assert strangers.ingress(third) == ("192.0.2.0",)


@pytest.mark.parametrize("text", ["10", "soon", "-10m"])
def test_a_cool_down_that_is_no_duration_is_a_warning(text: str) -> None:
    """The group goes on serving, and addresses do not rest."""
    view = group("default", "192.0.2.0/32", cool_down=text)
    pool = pools(view).pools[PoolName("default")]
    assert (len(pool.warnings), pool.cool_down) == (1, 0.0)
    assert repr(text) in pool.warnings[0]
    cluster = Cluster(view)
    web = cluster.create("web", annotations=OWNED, ingress=["192.0.2.0"])
    cluster.restart()
    cluster.delete(web)
    cluster.step(web)
    assert isinstance(cluster.step(cluster.create("other")), Assign)


def test_a_longer_rest_takes_the_place_of_a_shorter_one() -> None:
    """Released twice, an address rests from the second time on."""
    cluster = Cluster(RESTING)
    web = cluster.create("web")
    cluster.converge()
    cluster.delete(web)
    cluster.converge()
    cluster.pass_time(500)
    cluster.create("web")
    cluster.converge()
    cluster.delete(web)
    cluster.converge()
    cluster.pass_time(500)
    other = cluster.create("other")
    cluster.converge()
    assert cluster.ingress(other) == ("192.0.2.1",)
