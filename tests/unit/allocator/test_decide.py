"""What a Service gets: lowest free addresses, families, and refusals that help."""

from dataclasses import replace

import pytest

from allocator.core.affected import announced_by
from allocator.core.decide import Assign, Ignore, Keep, Refuse, Release
from purelb.api.addresses import Family
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.api.problems import Reason
from tests.unit.allocator.builders import OWNED, V4, V6, Cluster, group, ips, reasons

DEFAULT = group("default", "192.0.2.0/30", "2001:db8::/126")


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
    told, kept = cluster.converge()
    assert reasons(told) == ["AllocationFailed"]
    assert isinstance(kept, Keep)
    assert (cluster.ingress(web), cluster.annotations(web)) == (("192.0.2.0",), before)


def test_the_slot_of_a_node_that_is_gone_is_swept_and_those_of_others_stay() -> None:
    """A node without a Lease holds nothing; the address stays, and so does what it is written with.

    Only Services that name the node are looked at.
    """
    cluster = Cluster(DEFAULT)
    web, other = cluster.create("web", families=(V4, V6)), cluster.create("other")
    cluster.converge()
    slots = {
        "purelb.io/announcing-IPv4": "node-a,eth0,192.0.2.0",
        "purelb.io/announcing-IPv6": "node-b,eth0,2001:db8::",
    }
    cluster.edit(web, annotations=slots)
    cluster.edit(other, annotations={"purelb.io/announcing-IPv4": "node-b,eth0,192.0.2.1"})
    cluster.converge()
    cluster.departed = frozenset({NodeName("node-a")})
    assert announced_by(cluster.world, cluster.departed) == (web,)
    cluster.step(web)
    left = cluster.annotations(web)
    assert "purelb.io/announcing-IPv4" not in left
    assert left["purelb.io/announcing-IPv6"] == "node-b,eth0,2001:db8::"
    assert cluster.ingress(web) == ("192.0.2.0", "2001:db8::")
    assert isinstance(cluster.step(web), Keep)


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


def test_nothing_is_known_of_a_service_that_never_was() -> None:
    """A mark may come after the end of a Service."""
    cluster = Cluster(DEFAULT)
    assert isinstance(cluster.commit(ServiceKey("shop/none")), Ignore)
