"""JSON bodies, labels and explanations."""

import pytest

from allocator.core.decisions import Count, Metric
from allocator.core.explain import explain
from allocator.core.report import (
    MOST_UNKNOWN,
    Labels,
    Writes,
    external_status,
    group_status,
    writes_of,
)
from purelb.api.groups import GroupKind
from purelb.api.identifiers import PoolName, ServiceKey
from purelb.api.ipam import PoolStats
from purelb.api.problems import Reason
from tests.unit.allocator.builders import (
    OWNED,
    V4,
    V6,
    Cluster,
    external,
    group,
    pools,
)

DEFAULT = PoolName("default")
NOW = "2026-01-01T00:00:00Z"


def test_address_and_annotations_are_one_conditional_patch_behind_that_of_the_policy() -> None:
    """Both name the version that was decided on; the ingress mode is VIP."""
    cluster = Cluster(group("default", "192.0.2.0/30", "2001:db8::/64"))
    web = cluster.create("web", families=(V6, V4), externalTrafficPolicy="Local")
    assert writes_of(cluster.commit(web), NOW) == Writes(
        spec={
            "metadata": {"resourceVersion": "1"},
            "spec": {"externalTrafficPolicy": "Cluster"},
        },
        status={
            "metadata": {"resourceVersion": "1", "annotations": OWNED},
            "status": {
                "loadBalancer": {
                    "ingress": [
                        {"ip": "2001:db8::", "ipMode": "VIP"},
                        {"ip": "192.0.2.0", "ipMode": "VIP"},
                    ]
                }
            },
        },
    )


def test_a_type_change_removes_what_is_there_and_names_nothing_else() -> None:
    """None in a merge patch removes a key."""
    cluster = Cluster(group("default", "192.0.2.0/30"))
    web = cluster.create("web", type="NodePort", annotations=OWNED, ingress=["192.0.2.1"])
    writes = writes_of(cluster.decide(web), NOW)
    assert writes.status == {
        "metadata": {"resourceVersion": "1", "annotations": dict.fromkeys(OWNED)},
        "status": {"loadBalancer": {"ingress": []}},
    }


def test_only_annotations_only_policy_or_nothing_is_written() -> None:
    """No write when nothing differs, and no part of it that does not."""
    cluster = Cluster(group("default", "192.0.2.0/30"))
    web = cluster.create("web", annotations=OWNED, ingress=["192.0.2.1"])
    cluster.restart()
    assert writes_of(cluster.commit(web), NOW) == Writes(spec=None, status=None)
    cluster.edit(web, annotations={"purelb.io/re-evaluate": "true"})
    assert writes_of(cluster.commit(web), NOW).status == {
        "metadata": {"resourceVersion": "2", "annotations": {"purelb.io/re-evaluate": None}}
    }
    cluster.edit(web, annotations={"purelb.io/re-evaluate": None})
    cluster.edit(web, spec={"externalTrafficPolicy": "Local"})
    writes = writes_of(cluster.commit(web), NOW)
    assert (writes.spec is not None, writes.status) == (True, None)
    cluster.delete(web)
    assert writes_of(cluster.commit(web), NOW) == Writes(spec=None, status=None)


def test_the_status_of_a_group_has_texts_as_typed_and_distinct_counts() -> None:
    """A shared address counts once, a foreign one too; IPv4 comes first."""
    cluster = Cluster(
        group(
            "default",
            "192.0.2.8/29",
            "192.0.2.1-192.0.2.2",
            "2001:DB8::/126",
            namespaces=("shop", "shop"),
            kind=GroupKind.REMOTE,
        )
    )
    for number in (1, 2):
        keys = {"purelb.io/allow-shared-ip": "k"}
        cluster.create(f"s{number}", annotations=keys, ports=[f"TCP/{number}"])
    cluster.create("foreign", ingress=["192.0.2.9"])
    cluster.converge()
    assert group_status(cluster.pools.pools[DEFAULT], cluster.ledger) == {
        "announce": "Remote",
        "ipam": "Cluster",
        "addresses": ["192.0.2.8/29", "192.0.2.1-192.0.2.2", "2001:DB8::/126"],
        "allocatedIPv4": 2,
        "allocatedIPv6": 0,
        "availableIPv4": 8,
        "availableIPv6": 4,
        "boundNamespaces": ["shop", "shop"],
    }


@pytest.mark.parametrize(("text", "free"), [("::/0", 2**63 - 1), ("2001:db8::/65", 2**63 - 1)])
def test_capacity_is_clamped_to_what_the_field_can_hold(text: str, free: int) -> None:
    """int64; never negative."""
    cluster = Cluster(group("default", text))
    cluster.create("web", families=(V6,))
    cluster.converge()
    status = group_status(cluster.pools.pools[DEFAULT], cluster.ledger)
    assert (status["availableIPv6"], status["allocatedIPv6"]) == (free, 1)


def test_the_capacity_of_an_external_group_is_unknown() -> None:
    """Absent is unknown, 0 would be full."""
    pool = pools(external("default", announce="local", namespaces=("shop",))).pools[DEFAULT]
    status = external_status(pool, PoolStats(in_use=(3, 2**64 - 1), size=None, shown=("x",)), {})
    assert status == {
        "announce": "Local",
        "ipam": "netbox",
        "addresses": ["x"],
        "allocatedIPv4": 3,
        "allocatedIPv6": 2**63 - 1,
        "boundNamespaces": ["shop"],
    }


def test_a_provider_that_knows_its_capacity_says_what_is_available() -> None:
    """Numbers that cannot be are not shown."""
    pool = pools(external("default", announce="remote")).pools[DEFAULT]
    status = external_status(pool, PoolStats(in_use=(3, 5), size=(8, 4)), {})
    assert (status["availableIPv4"], status["availableIPv6"]) == (5, 0)


def test_without_news_of_the_provider_the_numbers_shown_stay() -> None:
    """An allocator that starts while the provider is down knows no better."""
    pool = pools(external("default", announce="remote")).pools[DEFAULT]
    shown = {"ipam": "other", "addresses": ["x"], "allocatedIPv4": 3, "availableIPv4": 5}
    assert external_status(pool, None, shown) == {
        "announce": "Remote",
        "ipam": "netbox",
        "addresses": ["x"],
        "allocatedIPv4": 3,
        "allocatedIPv6": 0,
        "availableIPv4": 5,
    }


def test_labels_are_names_of_groups_and_a_few_other_texts() -> None:
    """Whatever users write, the number of series has a bound."""
    labels, found = Labels(), pools(group("good", "192.0.2.0/24"), group("bad"))

    def label(text: str | None) -> str:
        return labels.pool_of(Count(metric=Metric.REJECTED, pool=text, reason=Reason.OTHER), found)

    assert [label(text) for text in (None, "good", "bad")] == ["<none>", "good", "bad"]
    assert {label(text) for text in ("x" * 99_999, "good,bad")} == {"<other>"}
    assert [label(f"x{i}") for i in range(MOST_UNKNOWN)][-1] == f"x{MOST_UNKNOWN - 1}"
    assert [label(text) for text in ("one-more", "x0", "good")] == ["<other>", "x0", "good"]


COUNTED = {
    "in-pool": ({}, "default", Reason.EXHAUSTED),
    "named": ({"purelb.io/service-group": "none"}, "none", Reason.UNKNOWN_POOL),
    "pinned": ({"purelb.io/addresses": "no"}, None, Reason.OTHER),
}


@pytest.mark.parametrize(("keys", "pool", "reason"), COUNTED.values(), ids=COUNTED.keys())
def test_each_refusal_is_counted_once(
    keys: dict[str, str], pool: str | None, reason: Reason
) -> None:
    """In-pool reasons under the pool's name, the others under what the user wrote."""
    cluster = Cluster(group("default", "192.0.2.0/32"))
    cluster.create("full")
    cluster.converge()
    web = cluster.create("web", annotations=keys)
    decision = cluster.commit(web)
    assert decision.report.counts == (Count(metric=Metric.REJECTED, pool=pool, reason=reason),)


def test_an_explanation_has_every_group_and_why_it_serves_or_not() -> None:
    """Sorted by name; the decision is the one that would be taken, and nothing is changed."""
    cluster = Cluster(
        group("default", "192.0.2.0/30"),
        group("bank", "10.0.0.0/24", namespaces=("bank",), enforces=True),
        group("bad"),
        external("ipam"),
    )
    cluster.create("other")
    cluster.converge()
    web = cluster.create("web")
    found = explain(cluster.world, cluster.ledger, web)
    assert found.summary == "gets 192.0.2.1"
    rows = {c.name: (c.may_serve, c.is_chosen, c.why) for c in found.candidates}
    assert list(rows) == ["bad", "bank", "default", "ipam"]
    assert rows[DEFAULT] == (
        True,
        True,
        "3 of 4 IPv4 addresses free, 0 of 0 IPv6 addresses free",
    )
    assert "namespace denied" in rows[PoolName("bank")][2]
    assert "it has no range" in rows[PoolName("bad")][2]
    assert "external provider netbox" in rows[PoolName("ipam")][2]
    assert cluster.ledger.holding(web) is None


def summary(cluster: Cluster, key: ServiceKey) -> str:
    """Return the sentence of an explanation."""
    return explain(cluster.world, cluster.ledger, key).summary


def test_every_kind_of_decision_has_a_sentence() -> None:
    """For people who ask why."""
    cluster = Cluster(group("default", "192.0.2.0/32"))
    foreign = cluster.create("foreign", loadBalancerClass="other")
    holder = cluster.create("holder", families=(V4, V6), ipFamilyPolicy="PreferDualStack")
    assert "gets 192.0.2.0; " in summary(cluster, holder)
    cluster.converge()
    pending = cluster.create("pending")
    assert "names another controller" in summary(cluster, foreign)
    assert "holds 192.0.2.0; " in summary(cluster, holder)
    assert "exhausted" in summary(cluster, pending)
    assert summary(cluster, ServiceKey("shop/none")) == "there is no such Service"
    cluster.edit(holder, spec={"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"})
    assert summary(cluster, holder) == "holds 192.0.2.0"
    cluster.edit(holder, spec={"type": "ClusterIP"})
    assert "gives back" in summary(cluster, holder)
