"""Groups that a Service names for the case that its own is full."""

import pytest

from allocator.core.decide import Assign, Refuse
from tests.unit.allocator.builders import V4, V6, Cluster, external, group

FULL = group("default", "192.0.2.0/32", "2001:db8::/126")
SECOND = group("second", "198.51.100.0/31", "2001:db8:2::/126")
THIRD = group("third", "203.0.113.0/32")
DENIED = group("denied", "10.0.0.0/24", namespaces=("other",), enforces=True)


def filled(first: str = "second, third") -> tuple[Cluster, dict[str, str]]:
    """Build a cluster whose default group has no IPv4 address left."""
    cluster = Cluster(FULL, SECOND, THIRD, DENIED, external("ipam"))
    cluster.create("holder")
    cluster.converge()
    return cluster, {"purelb.io/fallback-groups": first}


def refusal(cluster: Cluster) -> Refuse:
    """Let the allocator work, and return its one new refusal."""
    decisions = cluster.converge()
    (found,) = [one for one in decisions if isinstance(one, Refuse) and one.report.counts]
    return found


def test_a_full_group_is_passed_over_only_by_who_asks_for_it() -> None:
    """The next one in the Service's own order serves, and the annotation says which."""
    cluster, named = filled("third,second")
    plain, web = cluster.create("plain"), cluster.create("web", annotations=named)
    cluster.converge()
    assert cluster.ingress(plain) == ()
    assert cluster.ingress(web) == ("203.0.113.0",)
    assert cluster.annotations(web)["purelb.io/allocated-from"] == "third"


def test_a_group_with_room_is_never_passed_over() -> None:
    """Nor does an address move back or on later."""
    cluster = Cluster(FULL, SECOND)
    web = cluster.create("web", annotations={"purelb.io/fallback-groups": "second"})
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.0",)
    late = cluster.create("late", annotations={"purelb.io/fallback-groups": "second"})
    cluster.converge()
    cluster.delete(web)
    cluster.converge()
    assert cluster.ingress(late) == ("198.51.100.0",)


def test_each_family_falls_through_by_itself() -> None:
    """The group has IPv6 addresses left."""
    cluster, named = filled()
    web = cluster.create("web", families=(V4, V6), annotations=named)
    cluster.converge()
    assert cluster.ingress(web) == ("198.51.100.0", "2001:db8::")
    assert cluster.annotations(web)["purelb.io/allocated-from"] == "second, default"


def test_a_family_that_comes_later_from_another_group_is_named_beside_the_first() -> None:
    """Else nobody could tell where the first address is from."""
    cluster, named = filled()
    web = cluster.create("web", annotations=named)
    cluster.converge()
    cluster.edit(web, spec={"ipFamilies": ["IPv4", "IPv6"]})
    cluster.converge()
    assert cluster.ingress(web) == ("198.51.100.0", "2001:db8::")
    assert cluster.annotations(web)["purelb.io/allocated-from"] == "second, default"


def test_without_families_a_full_group_falls_through_too() -> None:
    """On API servers that fill none in, IPv6 comes first."""
    cluster = Cluster(group("default", "192.0.2.0/32"), group("second", "2001:db8:2::/126"))
    cluster.create("holder")
    cluster.converge()
    web = cluster.create("web", families=(), annotations={"purelb.io/fallback-groups": "second"})
    cluster.converge()
    assert cluster.ingress(web) == ("2001:db8:2::",)


def test_where_all_are_full_the_service_waits_for_any_of_them() -> None:
    """The reason names all, and is counted once, for the first."""
    cluster, named = filled("third")
    other = cluster.create("other", annotations={"purelb.io/service-group": "third"})
    cluster.converge()
    web = cluster.create("web", annotations=named)
    (refused,) = [
        one for one in cluster.converge() if isinstance(one, Refuse) and one.report.counts
    ]
    assert 'pool "default" exhausted' in refused.problem.detail
    assert 'pool "third" exhausted' in refused.problem.detail
    assert [count.pool for count in refused.report.counts] == ["default"]
    cluster.delete(other)
    cluster.converge()
    assert cluster.ingress(web) == ("203.0.113.0",)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("nowhere", 'unknown pool "nowhere"', id="unknown"),
        pytest.param("denied", 'namespace denied: pool "denied"', id="denied"),
        pytest.param("ipam", 'pool "ipam" is external', id="external"),
    ],
)
def test_a_name_of_no_use_is_told_and_the_next_one_counts(name: str, words: str) -> None:
    """Told only where it would have been needed."""
    cluster, named = filled(name)
    web = cluster.create("web", annotations=named)
    (refused,) = [
        one for one in cluster.converge() if isinstance(one, Refuse) and one.report.counts
    ]
    assert words in refused.problem.detail
    cluster.edit(web, annotations={"purelb.io/fallback-groups": f"{name},second"})
    (assigned,) = [one for one in cluster.converge() if isinstance(one, Assign)]
    assert assigned.key == web
    assert cluster.ingress(web) == ("198.51.100.0",)


def test_what_is_not_lack_of_room_is_not_passed_over() -> None:
    """The sharing key stands for an address of the group, and the port is taken there."""
    cluster, named = filled()
    key = {"purelb.io/allow-shared-ip": "key"}
    cluster.create("one", annotations={**key, "purelb.io/service-group": "second"})
    cluster.converge()
    web = cluster.create("web", annotations={**named, **key})
    refused = [one for one in cluster.converge() if isinstance(one, Refuse)]
    assert "already in use" in refused[0].problem.detail
    assert cluster.ingress(web) == ()
