"""Addresses that a Service asks for by number."""

import pytest

from allocator.core.decide import Keep, Refuse
from purelb.api.addresses import Family
from purelb.api.problems import Reason
from tests.unit.allocator.builders import V4, V6, Cluster, external, group, ips, reasons

ADDRESSES, SHARING = "purelb.io/addresses", "purelb.io/allow-shared-ip"
DEFAULT = group("default", "192.0.2.0/29", "2001:db8::/64")
OTHER = group("other", "198.51.100.0/24", "2001:db8:1::/64", skip_ipv6_dad=True)


def test_a_pinned_address_is_given_from_whatever_pool_has_it() -> None:
    """The service-group annotation is overridden, and a person is told."""
    cluster = Cluster(DEFAULT, OTHER)
    keys = {ADDRESSES: "198.51.100.7", "purelb.io/service-group": "default"}
    web = cluster.create("web", annotations=keys)
    decision = cluster.step(web)
    assert cluster.ingress(web) == ("198.51.100.7",)
    assert cluster.annotations(web)["purelb.io/allocated-from"] == "other"
    assert reasons(decision) == ["ConfigurationWarning", "AddressAssigned"]


def test_each_pinned_address_is_told_and_named_with_its_pool() -> None:
    """Blanks around the comma are fine; ingress follows the annotation."""
    cluster = Cluster(DEFAULT, OTHER)
    keys = {ADDRESSES: " 2001:DB8:1::7 , 192.0.2.3"}
    web = cluster.create("web", families=(V4, V6), annotations=keys)
    decision = cluster.step(web)
    assert cluster.ingress(web) == ("2001:db8:1::7", "192.0.2.3")
    found = cluster.annotations(web)
    assert found["purelb.io/allocated-from"] == "other, default"
    assert found["purelb.io/skip-ipv6-dad"] == "true"
    messages = [notice.message for notice in decision.report.notices]
    assert messages == [
        "shop/web: assigned 2001:db8:1::7 from pool other",
        "shop/web: assigned 192.0.2.3 from pool default",
    ]


def test_repeated_pool_names_are_kept() -> None:
    """One name for each pinned address, as PureLB writes it."""
    cluster = Cluster(DEFAULT)
    keys = {ADDRESSES: "192.0.2.3,2001:db8::3"}
    web = cluster.create("web", families=(V4, V6), annotations=keys)
    cluster.step(web)
    assert cluster.annotations(web)["purelb.io/allocated-from"] == "default, default"


def test_the_deprecated_field_pins_too() -> None:
    """With a warning that says what to use."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web", loadBalancerIP="192.0.2.3")
    decision = cluster.step(web)
    assert cluster.ingress(web) == ("192.0.2.3",)
    assert reasons(decision) == ["DeprecationWarning", "AddressAssigned"]
    assert ADDRESSES in decision.report.notices[0].message


def test_the_annotation_hides_the_deprecated_field() -> None:
    """Even an empty annotation does."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web", annotations={ADDRESSES: ""}, loadBalancerIP="192.0.2.3")
    decision = cluster.step(web)
    assert isinstance(decision, Refuse)
    assert "invalid user-specified address" in decision.problem.detail
    assert reasons(decision) == ["AllocationFailed"]


BAD = {
    "text": ("nonsense", (V4,), "'nonsense' is not an IP address"),
    "cidr": ("192.0.2.1/32", (V4,), "is not an IP address"),
    "leading-zero": ("192.0.2.01", (V4,), "is not an IP address"),
    "zone": ("2001:db8::1%eth0", (V6,), "has a zone"),
    "empty-part": ("192.0.2.1,", (V4,), "is not an IP address"),
    "blank": ("  ", (V4,), "is empty"),
    "family-not-asked": ("2001:db8::1", (V4,), "asks for IPv4 only"),
    "two-of-a-family": ("192.0.2.1,192.0.2.2", (V4,), "gets one IPv4 address"),
    "repeated": ("192.0.2.1,192.0.2.1", (V4,), "gets one IPv4 address"),
}


@pytest.mark.parametrize(("text", "families", "piece"), BAD.values(), ids=BAD.keys())
def test_pins_that_cannot_be_meant_are_refused_as_a_whole(
    text: str, families: tuple[Family, ...], piece: str
) -> None:
    """Nothing is given; the text says what is wrong, and so does the Service's condition."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web", families=families, annotations={ADDRESSES: text})
    decision = cluster.step(web)
    assert isinstance(decision, Refuse)
    assert decision.problem.reason is Reason.OTHER
    assert decision.problem.detail.startswith("invalid user-specified address: ")
    assert piece in decision.problem.detail
    (condition,) = cluster.services[web].conditions
    assert condition.message == decision.problem.detail
    assert (cluster.ingress(web), cluster.annotations(web)) == ((), {ADDRESSES: text})


@pytest.mark.parametrize(
    ("address", "piece"),
    [
        pytest.param("203.0.113.1", '"203.0.113.1" does not belong to any group', id="outside"),
        pytest.param("203.0.113.1", "ServiceGroup (bank, default)", id="outside-ways-out"),
        pytest.param("10.5.0.1", "namespace denied", id="confined"),
    ],
)
def test_a_pin_obeys_pools_and_namespaces(address: str, piece: str) -> None:
    """External pools have no range and satisfy no pin."""
    bank = group("bank", "10.5.0.0/24", namespaces=("bank",), enforces=True)
    cluster = Cluster(DEFAULT, bank, external("ipam"))
    web = cluster.create("web", annotations={ADDRESSES: address})
    decision = cluster.step(web)
    assert isinstance(decision, Refuse)
    assert piece in decision.problem.detail


def test_a_pin_that_another_holds_waits_for_it_and_the_holder_keeps_it() -> None:
    """Neither the pool's other addresses nor a resync help; the holder's end does."""
    cluster = Cluster(DEFAULT)
    holder = cluster.create("holder")
    cluster.converge()
    web = cluster.create("web", annotations={ADDRESSES: "192.0.2.0"})
    decision = cluster.step(web)
    assert isinstance(decision, Refuse)
    assert decision.problem.reason is Reason.SHARING_KEY_CONFLICT
    for piece in ("192.0.2.0", "already in use", "shop/holder", "sharing key"):
        assert piece in decision.problem.detail
    cluster.delete(holder)
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.0",)


def test_one_bad_pin_refuses_both_and_leaves_everything_as_it_was() -> None:
    """Validated as a whole, before anything changes."""
    cluster = Cluster(DEFAULT)
    keys = {ADDRESSES: "192.0.2.3,2001:db8:9::1"}
    web = cluster.create("web", families=(V4, V6), annotations=keys)
    for _ in range(3):
        assert isinstance(cluster.step(web), Refuse)
    assert cluster.ingress(web) == ()
    assert cluster.ledger.owners(ips("192.0.2.3")[0]) == ()


def test_a_family_without_pin_comes_from_the_pool() -> None:
    """Pins are for the families that they name."""
    cluster = Cluster(DEFAULT, OTHER)
    web = cluster.create("web", families=(V4, V6), annotations={ADDRESSES: "198.51.100.7"})
    cluster.step(web)
    assert cluster.ingress(web) == ("198.51.100.7", "2001:db8::")
    assert cluster.annotations(web)["purelb.io/allocated-from"] == "other, default"


@pytest.mark.parametrize(
    ("policy", "expected"), [("RequireDualStack", ()), ("PreferDualStack", ("192.0.2.3",))]
)
def test_a_family_without_pin_that_fails_counts_as_the_policy_says(
    policy: str, expected: tuple[str, ...]
) -> None:
    """All or nothing includes the pinned one."""
    cluster = Cluster(group("default", "192.0.2.0/29"))
    keys = {ADDRESSES: "192.0.2.3"}
    web = cluster.create("web", families=(V4, V6), annotations=keys, ipFamilyPolicy=policy)
    cluster.converge()
    assert cluster.ingress(web) == expected


def test_an_unknown_pool_for_the_other_family_is_a_refusal() -> None:
    """The pool is resolved as without pins."""
    cluster = Cluster(OTHER)
    web = cluster.create("web", families=(V4, V6), annotations={ADDRESSES: "198.51.100.3"})
    decision = cluster.step(web)
    assert isinstance(decision, Refuse)
    assert 'unknown pool "default"' in decision.problem.detail


def test_without_families_the_pins_are_all_that_is_given() -> None:
    """API servers that do not fill ipFamilies."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web", families=(), annotations={ADDRESSES: "192.0.2.3"})
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.3",)


def test_pins_edited_after_the_allocation_do_nothing() -> None:
    """Valid or not."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    cluster.converge()
    for text in ("192.0.2.5", "nonsense", ""):
        cluster.edit(web, annotations={ADDRESSES: text})
        (decision,) = cluster.converge()
        assert isinstance(decision, Keep)
    assert cluster.ingress(web) == ("192.0.2.0",)


def test_a_family_added_later_takes_its_pin_and_the_first_address_stays() -> None:
    """A pin of a family that is held is no longer read."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    cluster.converge()
    cluster.edit(
        web,
        spec={"ipFamilies": ["IPv4", "IPv6"]},
        annotations={ADDRESSES: "203.0.113.1,2001:db8::5"},
    )
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.0", "2001:db8::5")


def test_a_pin_may_be_shared_under_one_key() -> None:
    """If key and ports allow it."""
    cluster = Cluster(DEFAULT)
    keys = {ADDRESSES: "192.0.2.3", SHARING: "k"}
    one = cluster.create("a", annotations=keys, ports=["TCP/1"])
    two = cluster.create("b", annotations=keys, ports=["TCP/2"])
    three = cluster.create("c", annotations=keys, ports=["TCP/2"])
    cluster.converge()
    assert cluster.ingress(one) == cluster.ingress(two) == ("192.0.2.3",)
    problem = cluster.ledger.problem(three)
    assert problem is not None
    assert problem.reason is Reason.PORT_CONFLICT


def test_a_pin_that_contradicts_the_binding_of_its_key_is_refused() -> None:
    """One key, one address in a pool; the waiting ends with the binding."""
    cluster = Cluster(DEFAULT)
    one = cluster.create("a", annotations={SHARING: "k"})
    cluster.converge()
    two = cluster.create("b", annotations={SHARING: "k", ADDRESSES: "192.0.2.3"})
    cluster.converge()
    problem = cluster.ledger.problem(two)
    assert problem is not None
    assert problem.reason is Reason.SHARING_KEY_CONFLICT
    assert 'sharing key "k" is bound to 192.0.2.0' in problem.detail
    cluster.delete(one)
    cluster.converge()
    assert cluster.ingress(two) == ("192.0.2.3",)


def test_an_address_beyond_the_lowest_free_is_skipped_later() -> None:
    """Lowest free first, around what was pinned."""
    cluster = Cluster(DEFAULT)
    cluster.create("pinned", annotations={ADDRESSES: "192.0.2.1"})
    plain = [cluster.create(name) for name in ("a", "b")]
    cluster.converge()
    assert [cluster.ingress(key) for key in plain] == [("192.0.2.0",), ("192.0.2.2",)]
