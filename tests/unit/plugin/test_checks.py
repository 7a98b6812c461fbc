"""Each check that PureLB's plugin has, with a cluster that fails it, and one that passes them all.

The texts are pieces that people and tools search for. What else the checks say, and their finer
cases, are with the commands.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta

import pytest

from plugin.core.allocation import allocator_of
from plugin.core.dataplane import Part, report_dataplane
from plugin.core.election import problems_of, report_election
from plugin.core.inspect import report_service
from plugin.core.sessions import report_sessions
from plugin.core.snapshot import Snapshot
from plugin.core.status import report_status
from plugin.core.validate import validate
from purelb.api.identifiers import ServiceKey
from tests.plugin import scenes
from tests.plugin.scenes import Object, agent, group, pool, service
from tests.unit.plugin.worlds import world

UP = scenes.session("192.0.2.1")
LATE = ServiceKey("shop/late")
ROUTE = {"prefix": "203.0.113.0/32", "nextHop": "0.0.0.0", "advertisedTo": ["192.0.2.1"]}
HERE = {"name": "kube-lb0", "exists": True, "operState": "up"}


def bgp(
    *sessions: Object,
    links: Iterable[Object] = (HERE,),
    address: str = "203.0.113.0/32",
    in_rib: bool = True,
    routes: Iterable[Object] = (ROUTE,),
    installed: bool = True,
    **more: object,
) -> Object:
    """Return a node's BGPNodeStatus with everything in order, but for what is given."""
    imported = {"address": address, "interface": "kube-lb0", "inRIB": in_rib}
    received = {"prefix": "10.9.0.0/16", "table": "main", "metric": 20, "installed": installed}
    status: dict[str, object] = {
        "netlinkImport": {
            "enabled": True,
            "interfaces": list(links),
            "importedAddresses": [imported],
        },
        "netlinkExport": {"enabled": True, "exportedRoutes": [received]},
        "rib": {"localRoutes": list(routes)},
    }
    return scenes.bgp_node("node-a", *(sessions or (UP,)), **(status | more))  # type: ignore[arg-type]


FRONT = {"matchLabels": {"zone": "front"}}
LINK = {"localInterface": "^eth0$"}


def whole() -> list[Object]:
    """Return a cluster that passes all checks, with BGP and a Service for every diagnosis."""
    return [
        *scenes.healthy(),
        scenes.bgp_config(scenes.neighbor("192.0.2.1")),
        bgp(),
        *(scenes.pod(f"gobgp-{n}", "k8gobgp", node=f"node-{n}") for n in "a"),
    ]


def but(*instead: Object) -> list[Object]:
    """Return the whole cluster with some objects in place of those of the same kind and name."""
    names = {(one["kind"], one["metadata"]["name"]) for one in instead}
    kept = [one for one in whole() if (one["kind"], one["metadata"]["name"]) not in names]
    return [*kept, *instead]


def without(*kinds: str) -> list[Object]:
    """Return the whole cluster without objects of some kinds."""
    return [one for one in whole() if one["kind"] not in kinds]


def tiny() -> Object:
    """Return a group of one address, which is in use by shop/web."""
    return group("tiny", local={"v4pool": pool("192.0.2.16/32", "192.0.2.0/24")})


def late(**annotations: str) -> Object:
    """Return a Service without an address."""
    found = {key.replace("_", "-"): value for key, value in annotations.items()}
    return service("shop/late", annotations=found)


def local(name: str, text: str, subnet: str = "192.0.2.0/24") -> Object:
    """Return a local group of one range."""
    return group(name, local={"v4pool": pool(text, subnet)})


def bound(name: str, text: str) -> Object:
    """Return a group that serves the namespace shop."""
    found = local(name, text)
    found["spec"]["namespaces"] = ["shop"]
    return found


DOWN = scenes.session("192.0.2.1", "Active", lastError="refused")
SELECTED = scenes.neighbor("192.0.2.1", nodeSelector={"matchLabels": {"zone": "none"}})
CROOKED = {"matchExpressions": [{"key": "a", "operator": "Nope"}]}

FAILING: dict[str, list[tuple[str, list[Object]]]] = {
    "status": [
        (
            "Allocator not fully ready",
            but(scenes.pod("allocator-1", "allocator", ready=False)),
        ),
        (
            "LBNodeAgent not fully ready",
            but(scenes.pod("lbnodeagent-a", "lbnodeagent", ready=False)),
        ),
        ("1 pool(s) EXHAUSTED", but(local("default", "192.0.2.16/31"))),
        (
            "1 node(s) unhealthy",
            but(scenes.lease("node-c", scenes.BACK, expired=timedelta(hours=1))),
        ),
        ("selected by no LBNodeAgent", but(agent(nodeSelector=FRONT, local=LINK))),
        ("with invalid localInterface", but(agent(local={"localInterface": "["}))),
        ("1 netlinkImport failure(s)", but(bgp(in_rib=False))),
        ("1 BGP peer(s) down", but(bgp(DOWN))),
        ("1 service(s) pending", but(late())),
        ("1 IP(s) not announced", but(service("shop/web", "192.0.2.16"))),
    ],
    "election": [
        ("UNHEALTHY", but(scenes.lease("node-c", scenes.BACK, expired=timedelta(hours=1)))),
        ("INVALID CONFIG", but(agent(local={"localInterface": "["}))),
        ("UNCOVERED", but(local("far", "10.0.0.0/28", "10.0.0.0/24"))),
    ],
    "drain": [
        (
            "NO CANDIDATES",
            but(service("shop/back", "198.51.100.9", slots=("node-c,e,198.51.100.9",))),
        )
    ],
    "sessions": [
        ("stale", but(bgp(updated=timedelta(minutes=4)))),
        ("refused", but(bgp(DOWN))),
    ],
    "dataplane": [
        ("interface kube-lb0 does not exist", but(bgp(links=[{**HERE, "exists": False}]))),
        ("import failure", but(bgp(in_rib=False))),
        ("was received, but is not in the kernel", but(bgp(installed=False))),
        ("NOT ON kube-lb0", but(bgp(address="203.0.113.9/32"))),
        ("IN RIB BUT NOT ADVERTISED", but(bgp(routes=[{**ROUTE, "advertisedTo": []}]))),
    ],
    "inspect": [
        ("ALLOCATOR NOT RUNNING", [*without("Pod"), late()]),
        ('SERVICEGROUP "nope" NOT FOUND', but(late(service_group="nope"))),
        ("POOL EXHAUSTED", but(local("default", "192.0.2.16/31"), late())),
        ("REQUESTED IP 10.9.9.9 IS OUTSIDE POOL RANGE", but(late(addresses="10.9.9.9"))),
        ("UNKNOWN", but(late())),
    ],
    "validate": [
        ("FAIL: not the PureLB install namespace", but(group("lost", "shop", local={}))),
        ("FAIL: empty spec", but(group("empty"))),
        (
            "FAIL: mutually exclusive",
            but(
                group(
                    "both",
                    local={
                        "v4pool": pool("192.0.2.64/28", "192.0.2.0/24"),
                        "multiPool": True,
                        "balancePools": True,
                    },
                )
            ),
        ),
        ("FAIL: invalid pool range", but(local("odd", "nonsense"))),
        ("FAIL: invalid subnet", but(local("odd", "192.0.2.64/28", "nonsense"))),
        ("FAIL: not contained", but(local("odd", "10.0.0.0/28"))),
        ("WARN: not covered by any node", but(local("far", "10.0.0.0/28", "10.0.0.0/24"))),
        ("FAIL: no local, remote, or external", but(group("odd", namespaces=["shop"]))),
        ("FAIL: is served by", but(bound("one", "192.0.2.64/28"), bound("two", "192.0.2.80/28"))),
        (
            "FAIL: exactly one must",
            but(bound("one", "192.0.2.64/28"), bound("two", "192.0.2.80/28")),
        ),
        ("FAIL: Overlapping ranges", but(tiny())),
        ("WARN: No LBNodeAgent", without("LBNodeAgent")),
        (
            "WARN: matches 0 of",
            but(agent("none", nodeSelector={"matchLabels": {"zone": "none"}}, local=LINK)),
        ),
        ("FAIL: is not a valid regex", but(agent(local={"localInterface": "["}))),
        ("WARN: unanchored", but(agent(local={"localInterface": "eth0"}))),
        ("WARN: selected by no LBNodeAgent", but(agent(nodeSelector=FRONT, local=LINK))),
        (
            "WARN: matched by multiple specific nodeSelectors",
            but(
                agent("a", nodeSelector=FRONT, local=LINK),
                agent("b", nodeSelector=FRONT, local=LINK),
            ),
        ),
        (
            "WARN: netlinkImport disabled",
            but(scenes.bgp_config(scenes.neighbor("192.0.2.1"), links=())),
        ),
        (
            "FAIL: but not the dummyInterface",
            but(scenes.bgp_config(scenes.neighbor("192.0.2.1"), links=["eth9"])),
        ),
        (
            "FAIL: has an invalid nodeSelector",
            but(scenes.bgp_config(scenes.neighbor("192.0.2.1", nodeSelector=CROOKED))),
        ),
        ("FAIL: matches 0 nodes", but(scenes.bgp_config(SELECTED))),
        ("FAIL: no BGPConfiguration is deployed", without("BGPConfiguration")),
    ],
}
# What `validate` says of a cluster that passes.
PASSING = {
    "PASS: No overlapping pool ranges": whole(),
    "PASS: configured, selects all nodes": whole(),
    "PASS: interfaceList covers kube-lb0": whole(),
    "PASS: using a scoped LBNodeAgent override": but(agent("a", nodeSelector=FRONT, local=LINK)),
}


def _validated(found: Snapshot) -> list[str]:
    return [f"{row.status}: {row.message}" for row in validate(found).checks]


def _drained(found: Snapshot) -> list[str]:
    return [one.warning for one in report_election(found, drained="node-c").drain_simulation]


def _dataplane(found: Snapshot) -> list[str]:
    report = report_dataplane(found, Part())
    return [*report.problems, *(one.status for one in report.cross_reference)]


def _inspected(found: Snapshot) -> list[str]:
    one = found.by_key.get(LATE)
    if one is None:
        return []
    diagnosis = report_service(found, allocator_of(found), one).diagnosis
    return [diagnosis.reason] if diagnosis is not None else []


SAID: dict[str, Callable[[Snapshot], Iterable[str]]] = {
    "status": lambda found: report_status(found, allocator_of(found)).warnings,
    "election": lambda found: problems_of(report_election(found)),
    "drain": _drained,
    "sessions": lambda found: report_sessions(found).problems,
    "dataplane": _dataplane,
    "inspect": _inspected,
    "validate": _validated,
}


def says(command: str, objects: list[Object], piece: str) -> bool:
    """Tell whether a line has the piece; before a colon stands how the line begins."""
    mark, colon, text = piece.rpartition(": ")
    lines = SAID[command](world(objects))
    return any(line.startswith(mark + colon) and text in line for line in lines)


@pytest.mark.parametrize(
    ("command", "piece", "objects"),
    [(command, *row) for command, rows in FAILING.items() for row in rows],
)
def test_a_cluster_that_fails_a_check_is_told_so(
    command: str, piece: str, objects: list[Object]
) -> None:
    """And the one that passes is not."""
    assert says(command, objects, piece)
    assert not says(command, whole(), piece)


@pytest.mark.parametrize("piece", PASSING)
def test_what_is_right_is_said_as_well(piece: str) -> None:
    """Else nobody knows that it was looked at."""
    assert says("validate", PASSING[piece], piece)


def test_a_cluster_that_passes_has_neither_failures_nor_warnings() -> None:
    """By any command."""
    found = world(whole())
    assert {name: list(say(found)) for name, say in SAID.items() if name != "validate"} == {
        "status": [],
        "election": [],
        "drain": [""] * 4,
        "sessions": [],
        "dataplane": ["OK"],
        "inspect": [],
    }
    report = validate(found)
    assert (report.fail, report.warn, report.pass_ > 0) == (0, 0, True)
