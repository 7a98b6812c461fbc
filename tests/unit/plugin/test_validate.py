"""Each check of `validate`, with a cluster that fails it and one that passes."""

from collections.abc import Iterable
from typing import Any

import pytest

from plugin.core.validate import validate
from tests.plugin import scenes
from tests.plugin.scenes import Object, pool
from tests.unit.plugin.worlds import world

LOCAL = scenes.DEFAULT_GROUP
SIDECARS = tuple(scenes.pod(f"a-{n}", "lbnodeagent", "k8gobgp", node=f"node-{n}") for n in "abc")
PEER = scenes.neighbor("192.0.2.1")


def local(name: str, text: str, subnet: str = "192.0.2.0/24", **more: object) -> Object:
    """Return a local group with one IPv4 range."""
    own = ("multiPool", "balancePools")
    rest = {key: value for key, value in more.items() if key in own}
    spec: dict[str, Any] = {key: value for key, value in more.items() if key not in own}
    return scenes.group(name, local={"v4pools": [pool(text, subnet)], **rest}, **spec)


def cluster(*more: Object, agents: Iterable[Object] = (scenes.agent(),)) -> list[Object]:
    """Return three nodes with Leases, and these objects."""
    return [*scenes.NODES, *scenes.LEASES, scenes.ALLOCATOR, *agents, *more]


def verdicts(objects: Iterable[Object], grade: str) -> list[str]:
    """Return the messages of one grade."""
    return [row.message for row in validate(world(objects)).checks if row.status == grade]


def front(name: str = "front", **spec: object) -> Object:
    """Return an LBNodeAgent for the two nodes in front."""
    selected: dict[str, Any] = {"nodeSelector": {"matchLabels": {"zone": "front"}}, "local": {}}
    return scenes.agent(name, **(selected | spec))


CASES: dict[str, tuple[str, str, list[Object], list[Object]]] = {
    "group outside the install namespace": (
        "FAIL",
        "not the PureLB install namespace",
        cluster(
            LOCAL, scenes.group("far", "shop", remote={"v4pool": pool("9.0.0.0/8", "9.0.0.0/8")})
        ),
        cluster(LOCAL),
    ),
    "empty spec": ("FAIL", "empty spec", cluster(scenes.group("empty")), cluster(LOCAL)),
    "no kind": (
        "FAIL",
        "no local, remote, or external spec",
        cluster(scenes.group("none", namespaces=["shop"])),
        cluster(LOCAL),
    ),
    "several kinds": (
        "FAIL",
        "several of local, remote, external",
        cluster(scenes.group("both", local={}, remote={})),
        cluster(LOCAL),
    ),
    "multi-pool and balance": (
        "FAIL",
        "mutually exclusive",
        cluster(local("x", "192.0.2.16/28", multiPool=True, balancePools=True)),
        cluster(local("x", "192.0.2.16/28", multiPool=True)),
    ),
    "range": (
        "FAIL",
        'invalid pool range "192.0.2.16"',
        cluster(local("x", "192.0.2.16")),
        cluster(local("x", "192.0.2.16/32")),
    ),
    "singular range": (
        "FAIL",
        'invalid pool range "nonsense"',
        cluster(scenes.group("x", local={"v6pool": pool("nonsense", "2001:db8::/64")})),
        cluster(LOCAL),
    ),
    "subnet": (
        "FAIL",
        'invalid subnet "192.0.2.0"',
        cluster(local("x", "192.0.2.16/28", "192.0.2.0")),
        cluster(local("x", "192.0.2.16/28")),
    ),
    "containment": (
        "FAIL",
        "is not contained by subnet 192.0.2.0/28",
        cluster(local("x", "192.0.2.8-192.0.2.20", "192.0.2.0/28")),
        cluster(local("x", "192.0.2.8-192.0.2.15", "192.0.2.0/28")),
    ),
    "family": (
        "FAIL",
        "of the other family",
        cluster(scenes.group("x", local={"v6pool": pool("192.0.2.16/28", "192.0.2.0/24")})),
        cluster(scenes.group("x", local={"v4pool": pool("192.0.2.16/28", "192.0.2.0/24")})),
    ),
    "no range at all": (
        "FAIL",
        "has no range",
        cluster(scenes.group("x", local={})),
        cluster(LOCAL),
    ),
    "coverage": (
        "WARN",
        "is not covered by any node",
        cluster(local("x", "203.0.113.0/29", "203.0.113.0/24")),
        # A subnet that is written otherwise is the same network.
        cluster(local("x", "192.0.2.16/28", "192.0.2.9/24")),
    ),
    "overlap inside a group": (
        "WARN",
        "their common addresses count once",
        cluster(
            scenes.group(
                "x",
                local={
                    "v4pools": [
                        pool("192.0.2.16/28", "192.0.2.0/24"),
                        pool("192.0.2.20/32", "192.0.2.0/24"),
                    ]
                },
            )
        ),
        cluster(LOCAL),
    ),
    "ambiguous default": (
        "FAIL",
        "exactly one must",
        cluster(
            local("x", "192.0.2.16/28", namespaces=["shop"]),
            local("y", "192.0.2.32/28", namespaces=["shop"]),
        ),
        cluster(
            local("x", "192.0.2.16/28", namespaces=["shop"], namespaceDefault=True),
            local("y", "192.0.2.32/28", namespaces=["shop"]),
        ),
    ),
    "overlap between groups": (
        "FAIL",
        "Overlapping ranges: x/192.0.2.16/28 and y/192.0.2.20/30",
        cluster(local("x", "192.0.2.16/28"), local("y", "192.0.2.20/30")),
        cluster(local("x", "192.0.2.16/28"), local("y", "192.0.2.32/30")),
    ),
    "no agent": ("WARN", "No LBNodeAgent configured", cluster(LOCAL, agents=()), cluster(LOCAL)),
    "selector of no node": (
        "WARN",
        "matches 0 of 3 nodes",
        cluster(front(nodeSelector={"matchLabels": {"zone": "moon"}})),
        cluster(front()),
    ),
    "selector that does not convert": (
        "WARN",
        "is not a label selector operator",
        cluster(front(nodeSelector={"matchExpressions": [{"key": "zone", "operator": "Like"}]})),
        cluster(front()),
    ),
    "regular expression": (
        "FAIL",
        "is not a valid regex",
        cluster(agents=[scenes.agent(local={"localInterface": "["})]),
        cluster(agents=[scenes.agent(local={"localInterface": "^eth0$"})]),
    ),
    "unanchored": (
        "WARN",
        'write "^eth0$"',
        cluster(agents=[scenes.agent(local={"localInterface": "eth0"})]),
        cluster(agents=[scenes.agent(local={"localInterface": "^eth0$"})]),
    ),
    "field that cannot be used": (
        "WARN",
        "spec.local.dummyInterface",
        cluster(agents=[scenes.agent(local={"dummyInterface": "much/too/long"})]),
        cluster(agents=[scenes.agent(local={"dummyInterface": "lb0"})]),
    ),
    "node that nobody selects": (
        "WARN",
        "selected by no LBNodeAgent, announcing nothing: node-c",
        cluster(agents=[front()]),
        cluster(agents=[front(), scenes.agent()]),
    ),
    "contested nodes": (
        "WARN",
        "multiple specific nodeSelectors",
        cluster(agents=[front("x"), front("y"), scenes.agent()]),
        cluster(agents=[front("x"), scenes.agent()]),
    ),
    "import switched off": (
        "WARN",
        "netlinkImport disabled",
        cluster(scenes.bgp_config(PEER, links=())),
        cluster(scenes.bgp_config(PEER)),
    ),
    "import of other links": (
        "FAIL",
        "not the dummyInterface kube-lb0",
        cluster(scenes.bgp_config(PEER, links=["eth*"])),
        cluster(scenes.bgp_config(PEER, links=["kube-*"])),
    ),
    "neighbor's selector": (
        "FAIL",
        "has an invalid nodeSelector",
        cluster(
            scenes.bgp_config(
                scenes.neighbor("192.0.2.1", nodeSelector={"matchLabels": {"zone": "no such!"}})
            )
        ),
        cluster(scenes.bgp_config(PEER)),
    ),
    "neighbor of no node": (
        "FAIL",
        "nodeSelector matches 0 nodes",
        cluster(
            scenes.bgp_config(
                scenes.neighbor("192.0.2.1", nodeSelector={"matchLabels": {"zone": "moon"}})
            )
        ),
        cluster(
            scenes.bgp_config(
                scenes.neighbor("192.0.2.1", nodeSelector={"matchLabels": {"zone": "back"}})
            )
        ),
    ),
    "field of BGP that cannot be used": (
        "FAIL",
        "spec.global.asn",
        cluster(scenes.bgp_config(PEER, **{"global": {"asn": 0}})),
        cluster(scenes.bgp_config(PEER)),
    ),
    "remote group without BGP": (
        "FAIL",
        "no BGPConfiguration is deployed",
        cluster(scenes.ROUTED_GROUP, *SIDECARS),
        cluster(scenes.ROUTED_GROUP, *SIDECARS, scenes.bgp_config(PEER)),
    ),
    "remote group with another router": (
        "WARN",
        "another router must know",
        cluster(scenes.ROUTED_GROUP),
        cluster(LOCAL),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_cluster_that_fails_a_check_is_told_so_and_one_that_passes_is_not(case: str) -> None:
    """Every check of the contract, and ours."""
    grade, piece, failing, passing = CASES[case]
    assert any(piece in message for message in verdicts(failing, grade))
    assert not any(piece in message for message in verdicts(passing, grade))


def test_a_healthy_cluster_has_neither_failures_nor_warnings() -> None:
    """Else `--strict` could never pass."""
    report = validate(world([*scenes.healthy(), *SIDECARS, scenes.bgp_config(PEER)]))
    assert (report.fail, report.warn) == (0, 0)
    assert report.pass_ > 0
    assert report.failure(is_strict=True) == ""


def test_a_scoped_override_is_no_reason_to_warn() -> None:
    """A default and exceptions to it is what the documentation recommends."""
    objects = cluster(LOCAL, agents=[front(), scenes.agent()])
    assert verdicts(objects, "WARN") == []
    assert any("scoped LBNodeAgent override" in message for message in verdicts(objects, "PASS"))


def test_one_fault_is_told_once() -> None:
    """The allocator's own words are for what no other check has named."""
    for objects in (CASES["range"][2], CASES["overlap between groups"][2]):
        assert len(verdicts(objects, "FAIL")) == 1


def test_only_failures_count_unless_it_is_strict() -> None:
    """The exit code follows."""
    report = validate(world(CASES["coverage"][2]))
    assert report.failure(is_strict=False) == ""
    assert "1 warning(s)" in report.failure(is_strict=True)


def test_without_nodes_agents_are_not_called_useless() -> None:
    """Nodes may not be listed by everybody."""
    objects = [one for one in cluster(LOCAL, scenes.bgp_config(PEER)) if one["kind"] != "Node"]
    assert verdicts(objects, "WARN") == []
