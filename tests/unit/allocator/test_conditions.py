"""What ServiceGroups and Services say about themselves."""

from allocator.core.conditions import dated, group_conditions, ready_condition
from allocator.core.ledger import Ledger
from allocator.core.pool import PoolSet
from purelb.api.groups import GroupView
from purelb.api.identifiers import PoolName
from purelb.api.resources import Condition
from tests.unit.allocator.builders import INSTALL, V4, V6, Cluster, external, group, pools


def reasons(found: PoolSet, view: GroupView, ledger: Ledger | None = None) -> dict[str, str]:
    """Return status and reason of each condition of a group."""
    conditions = group_conditions(found, ledger or Ledger(), view.key)
    return {one.type: f"{one.status} {one.reason}" for one in conditions}


def test_a_group_in_use_says_that_nothing_is_wrong() -> None:
    """All four are there, sorted, so that one can wait for any of them."""
    view = group("good", "192.0.2.0/24")
    assert list(reasons(pools(view), view).items()) == [
        ("Exhausted", "False AddressesLeft"),
        ("Invalid", "False Parsed"),
        ("Overlapping", "False NoSharedAddress"),
        ("Ready", "True Parsed"),
    ]


def test_a_faulty_group_is_invalid_and_has_the_cause_and_the_generation() -> None:
    """The message says what to do."""
    view = group("bad", generation=4)
    found = pools(view)
    assert reasons(found, view) == {
        "Invalid": "True ParseFailed",
        "Overlapping": "False NoSharedAddress",
        "Ready": "False ParseFailed",
    }
    assert ready_condition(found, view.key) == Condition(
        type="Ready",
        status="False",
        reason="ParseFailed",
        message="it has no range; add one to v4pools or v6pools",
        observed_generation=4,
    )


def test_a_nested_group_is_refused_as_overlapping_and_the_older_one_goes_on() -> None:
    """By creation, whatever the names."""
    old = group("z", "192.0.2.0/24", created="2026-01-01T00:00:00Z")
    new = group("a", "192.0.2.8/30", created="2026-01-02T00:00:00Z")
    found = pools(new, old)
    assert reasons(found, old)["Ready"] == "True Parsed"
    assert reasons(found, new) == {
        "Invalid": "False Parsed",
        "Overlapping": "True SharedAddresses",
        "Ready": "False ParseFailed",
    }


def test_a_group_out_of_scope_is_neither_invalid_nor_overlapping() -> None:
    """It is in the wrong namespace, that is all."""
    inside, outside = group("in", "192.0.2.0/24"), group("out", "192.0.2.0/24", namespace="shop")
    assert reasons(pools(inside, outside), outside) == {
        "Invalid": "False Parsed",
        "Overlapping": "False NoSharedAddress",
        "Ready": "False ServiceGroupOutOfScope",
    }


def test_a_group_is_exhausted_once_a_family_it_has_is_used_up() -> None:
    """A family without ranges is none of its business."""
    cluster = Cluster(group("default", "192.0.2.1/32", "2001:db8::/64"))
    view = group("default", "192.0.2.1/32", "2001:db8::/64")
    cluster.create("web", families=(V6,))
    cluster.converge()
    assert reasons(cluster.pools, view, cluster.ledger)["Exhausted"] == "False AddressesLeft"
    cluster.create("shop", families=(V4,))
    cluster.converge()
    assert reasons(cluster.pools, view, cluster.ledger)["Exhausted"] == "True NoAddressLeft"


def test_an_external_group_does_not_say_whether_it_is_exhausted() -> None:
    """Only its provider knows."""
    view = external("default")
    assert "Exhausted" not in reasons(pools(view), view)


def test_an_unknown_group_has_no_conditions() -> None:
    """Nor has a namesake in another namespace."""
    found = pools(group("good", "192.0.2.0/24"))
    assert group_conditions(found, Ledger(), (INSTALL, PoolName("none"))) == ()
    assert ready_condition(found, ("shop", PoolName("good"))) is None


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    """Another reason or message is no transition."""
    old = Condition(type="Ready", status="True", reason="Old", last_transition_time="t1")
    (same,) = dated([Condition(type="Ready", status="True", reason="New")], [old], "t2")
    (other,) = dated([Condition(type="Ready", status="False", reason="New")], [old], "t2")
    assert (same.last_transition_time, same.reason) == ("t1", "New")
    assert other.last_transition_time == "t2"
