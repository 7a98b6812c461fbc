"""Which ServiceGroups become pools, and what is wrong with the others."""

import itertools
from dataclasses import replace

import pytest

from allocator.core.notices import group_notices
from allocator.core.pool import Fault, PoolType
from allocator.core.pools import build_pools
from purelb.api.addresses import AddressRange
from purelb.api.groups import GroupKind, GroupView, RangeEntry
from purelb.api.identifiers import PoolName
from tests.unit.allocator.builders import INSTALL, V4, V6, entry, external, group, ips, pools

A = PoolName("a")


def spans(*texts: str) -> tuple[AddressRange, ...]:
    """Build ranges of `first last` texts."""
    return tuple(AddressRange(*ips(*text.split())) for text in texts)


def test_a_pool_has_its_ranges_in_the_order_in_which_they_are_filled() -> None:
    """Declaration order inside a family; texts, subnets and aggregation as typed."""
    ten = entry("10.0.0.0/30", "10.0.0.0/8", "/32")
    pool = pools(group("a", "192.0.2.5/24", ten, "2001:db8::1-2001:db8::2")).pools[A]
    assert [found.text for found in pool.ranges[V4]] == ["192.0.2.5/24", "10.0.0.0/30"]
    assert [found.text for found in pool.ranges[V6]] == ["2001:db8::1-2001:db8::2"]
    assert pool.ranges[V4][1].aggregation == "/32"
    assert (pool.type, pool.is_external) == (PoolType.LOCAL, False)
    assert (pool.size(V4), pool.size(V6)) == (251 + 4, 2)


REJECTED = {
    "no-kind": (group("a", "192.0.2.0/24", kind=None), "exactly one of"),
    "no-range": (group("a"), "it has no range"),
    "bad-range": (group("a", entry("192.0.2.0", "192.0.2.0/24")), "no prefix length"),
    "bad-subnet": (group("a", entry("192.0.2.0/24", "192.0.2.0")), "no prefix length"),
    "reversed": (group("a", "192.0.2.9-192.0.2.1"), "comes after"),
    "mixed": (group("a", "192.0.2.9-2001:db8::1"), "of different families"),
    "start-outside": (group("a", entry("10.0.0.0/24", "10.0.0.128/25")), "not inside its subnet"),
    "end-outside": (group("a", entry("10.0.0.0/24", "10.0.0.0/25")), "not inside its subnet"),
    "wrong-slot": (
        group("a", RangeEntry(family=V6, text="10.0.0.0/24", subnet="10.0.0.0/24")),
        "stands among the IPv6 pools",
    ),
    "subnet-of-other-family": (
        group("a", entry("10.0.0.0/24", "2001:db8::/64")),
        "stands among the IPv4 pools",
    ),
    "one-bad-of-two": (group("a", "10.0.0.0/24", "10.0.1.0"), "no prefix length"),
    "announce": (external("a", announce="both"), 'must be "local" or "remote"'),
    "provider": (external("a", provider=""), "provider is empty"),
}


@pytest.mark.parametrize(("bad", "piece"), REJECTED.values(), ids=REJECTED.keys())
def test_a_group_that_cannot_be_read_is_rejected_alone(bad: GroupView, piece: str) -> None:
    """The others are accepted all the same; the text says what is wrong."""
    found = pools(bad, group("good", "198.51.100.0/24"))
    assert set(found.pools) == {"good"}
    problem = found.problems[bad.key]
    assert problem.fault is Fault.REJECTED
    assert piece in problem.detail


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("10.0.0.0/24", "10.0.0.0/24", id="equal"),
        pytest.param("10.0.0.0/24", "10.0.0.8/30", id="inside"),
        pytest.param("10.0.0.8/30", "10.0.0.0/24", id="around"),
        pytest.param("10.0.0.0-10.0.0.9", "10.0.0.9-10.0.0.20", id="last-is-first"),
        pytest.param("2001:db8::/64", "2001:db8::5/128", id="v6"),
    ],
)
def test_overlap_is_symmetric_and_the_older_group_wins(one: str, other: str) -> None:
    """Whichever is created first serves on; the text names the other one."""
    for old, new in (("a", "b"), ("b", "a")):
        first = group(old, one, created="2026-01-01T00:00:00Z")
        second = group(new, other, created="2026-01-01T00:00:01Z")
        found = pools(second, first)
        assert set(found.pools) == {old}
        assert f'"{old}"' in found.problems[second.key].detail


def test_all_partners_of_an_overlap_are_named_in_order() -> None:
    """One look tells which groups have to change."""
    found = pools(
        group("z", "10.0.0.0/25", created="1"),
        group("m", "10.0.0.128/25", created="2"),
        group("a", "10.0.0.0/24", created="3"),
    )
    assert '"m", "z"' in found.problems[INSTALL, "a"].detail


def test_a_rejected_group_reserves_nothing() -> None:
    """What overlaps only with a rejected group is accepted."""
    found = pools(
        group("a", "10.0.0.0/24", created="1"),
        group("b", "10.0.0.0/23", created="2"),
        group("c", "10.0.1.0/24", created="3"),
    )
    assert set(found.pools) == {"a", "c"}


@pytest.mark.parametrize(
    ("kind", "texts"),
    [(GroupKind.REMOTE, 1), (GroupKind.LOCAL, 0)],
    ids=["remote", "local, which has no use for it"],
)
def test_an_aggregation_longer_than_the_family_allows_is_a_warning(
    kind: GroupKind, texts: int
) -> None:
    """The range serves; nodes use the whole length of an address."""
    ranges = [entry("192.0.2.0/24", "192.0.2.0/24", "/64"), entry("2001:db8::/64", "", "/64")]
    pool = pools(group("a", *ranges, kind=kind)).pools[A]
    assert [text.partition(" of ")[0] for text in pool.warnings] == ["the aggregation /64"] * texts


def test_neighbors_do_not_overlap() -> None:
    """Ranges may touch."""
    found = pools(group("a", "10.0.0.0/25"), group("b", "10.0.0.128/25"))
    assert (set(found.pools), found.problems) == ({"a", "b"}, {})


def test_a_group_that_counts_only_because_all_are_elsewhere_says_so() -> None:
    """Before its owner finds out by the first group at the right place, or by its refusal."""
    stray = group("a", "10.0.0.0/24", namespace="shop")
    (text,) = pools(stray).pools[A].warnings
    for piece in ("namespace shop", "the first one there", f"create it in {INSTALL}"):
        assert piece in text
    assert build_pools([stray], None).pools[A].warnings == ()


def test_the_order_in_which_groups_are_listed_does_not_matter() -> None:
    """Same creation time: namespace and name break the tie."""
    groups = [group(name, "10.0.0.0/24") for name in ("c", "a", "b")]
    results = [build_pools(order, INSTALL) for order in itertools.permutations(groups)]
    assert all(result == results[0] for result in results)
    assert set(results[0].pools) == {"a"}


def test_ranges_of_one_group_may_overlap_and_count_once() -> None:
    """A warning, because users have such groups; sizes are of the union."""
    found = pools(group("a", "10.0.0.0/24", "10.0.0.128-10.0.1.3", "10.0.0.3-10.0.0.4"))
    pool = found.pools[A]
    assert pool.extents[V4] == spans("10.0.0.0 10.0.1.3")
    assert pool.size(V4) == 260
    assert "overlap" in pool.warnings[0]


def test_ranges_that_touch_are_one_extent() -> None:
    """So that counting takes one step."""
    found = pools(group("a", "10.0.1.0/24", "10.0.0.0/24", "10.0.9.0/24"))
    assert found.pools[A].extents[V4] == spans("10.0.0.0 10.0.1.255", "10.0.9.0 10.0.9.255")


def test_only_the_install_namespace_counts() -> None:
    """The text names namespace, kind and the place to move to."""
    outside = group("b", "10.0.1.0/24", namespace="shop")
    found = pools(group("a", "10.0.0.0/24"), outside)
    problem = found.problems[outside.key]
    assert (set(found.pools), problem.fault) == ({"a"}, Fault.OUT_OF_SCOPE)
    for piece in ("local", "namespace shop", INSTALL, "no Service gets an address"):
        assert piece in problem.detail


@pytest.mark.parametrize("install", [None, "", "elsewhere"])
def test_scope_is_not_applied_where_it_is_unknown_or_would_drop_all(install: str | None) -> None:
    """Better all groups than none."""
    found = build_pools([group("a", "10.0.0.0/24"), group("b", "10.0.1.0/24")], install)
    assert (set(found.pools), found.problems) == ({"a", "b"}, {})


def test_a_name_belongs_to_the_older_of_two_namespaces() -> None:
    """Inside the suite a group goes by its name alone."""
    old = group("a", "10.0.0.0/24", namespace="x", created="1")
    new = group("a", "10.0.1.0/24", namespace="b", created="2")
    found = build_pools([new, old], None)
    assert found.pools[A].group == old
    assert 'the name "a" is taken by the older ServiceGroup x/a' in found.problems[new.key].detail


def test_an_external_group_is_a_pool_without_ranges() -> None:
    """It exists, although this version does not serve it."""
    pool = pools(external("a", announce="remote")).pools[A]
    assert (pool.is_external, pool.type, pool.size(V4)) == (True, PoolType.REMOTE, 0)


def test_addresses_are_found_in_their_pool_and_range() -> None:
    """Binary search over all extents, gaps included."""
    found = pools(
        group("b", "10.0.1.0/24", "2001:db8::/64"),
        group("a", "10.0.0.0-10.0.0.9", "10.0.5.0/24", kind=GroupKind.REMOTE),
    )
    names = {
        text: pool.name if (pool := found.locate(ips(text)[0])) else None
        for text in ("9.9.9.9", "10.0.0.9", "10.0.0.10", "10.0.1.0", "10.0.6.0", "2001:db8::f")
    }
    assert list(names.values()) == [None, "a", None, "b", None, "b"]


def test_what_became_of_a_group_is_told_in_the_words_tools_know() -> None:
    """Parsed, ParseFailed, ServiceGroupOutOfScope, and a warning for overlap within."""
    good = group("good", "10.0.0.0/24", "10.0.0.0/25")
    bad, far = group("bad"), group("far", "10.1.0.0/24", namespace="shop")
    found = pools(good, bad, far)
    told = {
        name: [(notice.type.value, notice.reason) for notice in group_notices(found, key)]
        for name, key in {
            "good": good.key,
            "bad": bad.key,
            "far": far.key,
            "none": (INSTALL, "none"),
        }.items()
    }
    assert told == {
        "good": [("Normal", "Parsed"), ("Warning", "ConfigurationWarning")],
        "bad": [("Warning", "ParseFailed")],
        "far": [("Warning", "ServiceGroupOutOfScope")],
        "none": [],
    }


def test_a_pool_is_equal_to_itself_read_again() -> None:
    """A config delivery that changes nothing concerns nobody."""
    one = group("a", "10.0.0.0/24", "2001:db8::/64")
    assert pools(one) == pools(replace(one))
