"""All that keeps a Service from its addresses is told, once, by one write."""

from allocator.core.conditions import PENDING
from allocator.core.decide import Keep, Refuse
from purelb.api.identifiers import ServiceKey
from tests.unit.allocator.builders import V4, V6, Cluster, group, reasons

BOTH = group("default", "192.0.2.0/32", "2001:db8::/128")


def told(cluster: Cluster, key: ServiceKey) -> list[str]:
    """Return the parts of what a Service says about what it lacks."""
    conditions = cluster.services[key].conditions
    return [
        part for one in conditions if one.type == PENDING for part in one.message.split("; also: ")
    ]


def test_two_full_families_are_told_together_and_once() -> None:
    """Other holders, another look and a restart are no reason to write or to say it again."""
    cluster = Cluster(BOTH)
    one = cluster.create("one", families=(V4, V6))
    cluster.converge()
    late = cluster.create("late", families=(V4, V6), ipFamilyPolicy="RequireDualStack")
    cluster.converge()
    (v4, v6), written = told(cluster, late), cluster.writes
    cluster.delete(one)
    two = cluster.create("two", families=(V4, V6))
    cluster.dirty = dict.fromkeys([one, two, late])
    cluster.ledger.forget(late)
    cluster.converge()
    cluster.restart()
    decisions = cluster.converge()
    assert "exhausted: no available addresses for IPv4" in v4
    assert "exhausted: no available addresses for IPv6" in v6
    assert cluster.ingress(two) == ("192.0.2.0", "2001:db8::")
    assert cluster.writes == written + 1
    assert [reasons(decision) for decision in decisions] == [[], []]
    assert {type(decision) for decision in decisions} == {Keep, Refuse}


def test_two_bad_pins_are_told_together() -> None:
    """One has a holder, one is in no group."""
    cluster = Cluster(BOTH)
    cluster.create("holder")
    cluster.converge()
    pins = {"purelb.io/addresses": "192.0.2.0,2001:db8:1::1"}
    late = cluster.create("late", families=(V4, V6), annotations=pins)
    cluster.converge()
    held, outside = told(cluster, late)
    assert "192.0.2.0 is already in use by Service shop/holder" in held
    assert '"2001:db8:1::1" does not belong to any group' in outside


def test_a_reason_less_is_news() -> None:
    """What is left of them is true from now on."""
    cluster = Cluster(BOTH)
    cluster.create("v4")
    six = cluster.create("v6", families=(V6,))
    cluster.converge()
    late = cluster.create("late", families=(V4, V6), ipFamilyPolicy="RequireDualStack")
    cluster.converge()
    before = told(cluster, late)
    cluster.delete(six)
    cluster.converge()
    assert len(before) == 2
    assert told(cluster, late) == [before[0]]


def test_of_many_reasons_the_first_few_are_told() -> None:
    """A message is for people."""
    ranges = [f"10.0.{number}.0/32" for number in range(5)]
    cluster = Cluster(group("default", *ranges, multi_pool=True), active_subnets=ranges)
    cluster.create("holder")
    cluster.converge()
    late = cluster.create("late")
    cluster.converge()
    *full, more = told(cluster, late)
    assert [text.partition("in range ")[2].partition(":")[0] for text in full] == ranges[:3]
    assert more == "2 more"
