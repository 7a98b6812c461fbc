"""What ServiceGroups and Services say about themselves."""

from allocator.core.conditions import PENDING, ailments, dated, group_conditions, ready_condition
from allocator.core.decide import Refuse
from allocator.core.ledger import Ledger
from allocator.core.pool import PoolSet
from purelb.api.groups import GroupView
from purelb.api.identifiers import PoolName, ServiceKey
from purelb.api.resources import Condition
from tests.unit.allocator.builders import INSTALL, OWNED, V4, V6, Cluster, external, group, pools

NOW = "2026-01-01T00:00:00Z"  # of all writes


def reasons(found: PoolSet, view: GroupView, ledger: Ledger | None = None) -> dict[str, str]:
    """Return status and reason of each condition of a group."""
    conditions = group_conditions(found, ledger or Ledger(), view.key)
    return {one.type: f"{one.status} {one.reason}" for one in conditions}


def test_a_group_is_not_ready_while_its_provider_is_silent() -> None:
    """Its Services wait."""
    view = external("ipam", socket="/run/x.sock")
    found = pools(view)
    ailing = ailments(found, {view.name}, {})
    (ready,) = [
        one for one in group_conditions(found, Ledger(), view.key, ailing) if one.type == "Ready"
    ]
    assert (ready.status, ready.reason) == ("False", "ProviderUnavailable")
    assert "/run/x.sock" in ready.message


def test_a_provider_that_nothing_can_be_recorded_of_is_named_with_the_reason() -> None:
    """It is not asked, so that its silence is no news."""
    view = external("ipam")
    found = pools(view, group("a", "10.0.0.0/24"))
    ailing = ailments(found, {view.name}, {view.name: "413 too large"})
    assert {name: one.reason for name, one in ailing.items()} == {"ipam": "RecordUnavailable"}
    assert "413 too large" in ailing[view.name].message


def test_a_group_in_use_says_that_nothing_is_wrong() -> None:
    """All four are there, sorted, so that one can wait for any of them."""
    view = group("good", "192.0.2.0/24")
    assert list(reasons(pools(view), view).items()) == [
        ("Exhausted", "False AddressesLeft"),
        ("Guarded", "False NoClusterAddress"),
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


OTHER = {
    "type": "example.com/Probed",
    "status": "True",
    "reason": "Fine",
    "message": "all well",
    "lastTransitionTime": "2025-01-01T00:00:00Z",
}


def told(cluster: Cluster, key: ServiceKey) -> dict[str, str]:
    """Return the reason of each condition of a Service."""
    return {one.type: one.reason for one in cluster.services[key].conditions}


def test_a_service_that_waits_says_why_until_it_is_served() -> None:
    """The condition goes with the write that brings the address; others' conditions stay."""
    cluster = Cluster(group("default", "192.0.2.1/32"))
    holder, web = cluster.create("holder"), cluster.create("web")
    cluster.objects[web]["status"]["conditions"] = [OTHER]
    cluster.edit(web)
    cluster.converge()
    assert told(cluster, web) == {"example.com/Probed": "Fine", PENDING: "Exhausted"}
    assert cluster.objects[web]["status"]["conditions"][1]["lastTransitionTime"] == NOW
    before = cluster.writes
    cluster.delete(holder)
    cluster.converge()
    assert (cluster.ingress(web), cluster.writes) == (("192.0.2.1",), before + 1)
    assert cluster.objects[web]["status"]["conditions"] == [OTHER]


def test_what_a_waiting_service_says_is_not_written_again_because_a_holder_changed() -> None:
    """Nor after a restart, and no Event says again what the condition says already."""
    cluster = Cluster(group("default", "192.0.2.1/32"))
    holder, web = cluster.create("holder"), cluster.create("web")
    cluster.converge()
    before = cluster.writes
    cluster.delete(holder)
    cluster.create("other", annotations=OWNED, ingress=["192.0.2.1"])
    cluster.restart()
    decisions = {decision.key: decision for decision in cluster.converge()}
    assert cluster.writes == before
    assert isinstance(decisions[web], Refuse)
    assert decisions[web].report.notices == ()


def test_another_reason_is_told_and_keeps_the_time_since_when_it_waits() -> None:
    """The status of the condition has not changed."""
    cluster = Cluster(group("default", "192.0.2.1/32"))
    web = cluster.create("web", annotations={"purelb.io/service-group": "none"})
    cluster.converge()
    assert told(cluster, web) == {PENDING: "UnknownPool"}
    cluster.objects[web]["status"]["conditions"][0]["lastTransitionTime"] = "2025-01-01T00:00:00Z"
    cluster.edit(web, annotations={"purelb.io/service-group": "gone"})
    cluster.converge()
    (condition,) = cluster.services[web].conditions
    assert 'unknown pool "gone"' in condition.message
    assert condition.last_transition_time == "2025-01-01T00:00:00Z"


def test_a_missing_second_family_is_told_beside_the_address_that_is_there() -> None:
    """Best effort gives what it can, and says what is lacking."""
    cluster = Cluster(group("default", "192.0.2.1/32"))
    web = cluster.create("web", families=(V4, V6), ipFamilyPolicy="PreferDualStack")
    cluster.converge()
    assert (cluster.ingress(web), told(cluster, web)) == (("192.0.2.1",), {PENDING: "Exhausted"})
    cluster.edit(web, spec={"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"})
    cluster.converge()
    assert told(cluster, web) == {}


def test_a_service_that_gave_up_waiting_says_nothing_any_more() -> None:
    """It is no LoadBalancer now."""
    cluster = Cluster()
    web = cluster.create("web")
    cluster.converge()
    assert told(cluster, web) == {PENDING: "UnknownPool"}
    cluster.edit(web, spec={"type": "ClusterIP"})
    cluster.objects[web]["status"]["conditions"] = [
        {"type": PENDING, "status": "True", "reason": "UnknownPool", "message": "m"}
    ]
    cluster.edit(web)
    cluster.converge()
    assert told(cluster, web) == {}
