"""`inspect`: what is said of one Service, and why it has no address."""

from collections.abc import Iterable
from typing import Any

import pytest

from plugin.core.allocation import allocator_of
from plugin.core.inspect import InspectReport, report_service
from purelb.api.identifiers import ServiceKey
from tests.plugin import scenes
from tests.plugin.scenes import Object, pool
from tests.unit.plugin.worlds import world

BASE = (*scenes.NODES, *scenes.LEASES, scenes.ALLOCATOR, scenes.agent())
TINY = scenes.group("default", local={"v4pool": pool("192.0.2.16/32", "192.0.2.0/24")})
HOLDER = scenes.service("shop/holder", "192.0.2.16", slots=["node-b,eth0,192.0.2.16"])


def inspected(objects: Iterable[Object], key: str = "shop/web") -> InspectReport:
    """Return the report about one Service of a cluster."""
    found = world(objects)
    return report_service(found, allocator_of(found), found.by_key[ServiceKey(key)])


def waiting(annotations: dict[str, str] | None = None, **spec: object) -> Object:
    """Return a Service without an address."""
    more: dict[str, Any] = dict(spec)
    return scenes.service("shop/web", annotations=annotations, **more)


CASES: dict[str, tuple[list[Object], str]] = {
    "allocator": (
        [*(one for one in BASE if one is not scenes.ALLOCATOR), TINY, waiting()],
        "ALLOCATOR NOT RUNNING",
    ),
    "unknown group": (
        [*BASE, TINY, waiting({"service-group": "nope"})],
        'SERVICEGROUP "nope" NOT FOUND',
    ),
    "no default group": ([*BASE, waiting()], 'SERVICEGROUP "default" NOT FOUND'),
    "rejected group": (
        [*BASE, scenes.group("default", local={}), waiting()],
        'SERVICEGROUP "default" NOT USABLE',
    ),
    "exhausted": (
        [*BASE, TINY, HOLDER, waiting()],
        "POOL EXHAUSTED - no addresses available in default",
    ),
    "pinned outside": (
        [*BASE, TINY, waiting({"addresses": "10.1.2.3"})],
        "REQUESTED IP 10.1.2.3 IS OUTSIDE POOL RANGE",
    ),
    "pinned and taken": (
        [*BASE, TINY, HOLDER, waiting({"addresses": "192.0.2.16"})],
        "REFUSED - ",
    ),
    "namespace": (
        [
            *BASE,
            scenes.group(
                "default",
                local={"v4pool": pool("192.0.2.16/28", "192.0.2.0/24")},
                namespaces=["bank"],
                enforceNamespaces=True,
            ),
            waiting(),
        ],
        "REFUSED - namespace denied",
    ),
    "foreign class": (
        [*BASE, TINY, waiting(loadBalancerClass="example.com/other")],
        "NOT FOR PURELB: its spec.loadBalancerClass names another controller",
    ),
    "type": ([*BASE, TINY, waiting(type="ClusterIP")], "NOT FOR PURELB: it is not of type"),
    "unbranded": (
        [*BASE, TINY, {**HOLDER, "metadata": {"name": "web", "namespace": "shop"}}],
        "NOT FOR PURELB: it shows an address but no annotation",
    ),
    "external": (
        [
            *BASE,
            scenes.group("default", external={"provider": "x", "announce": "local"}),
            waiting(),
        ],
        "WAITING FOR THE PROVIDER OF default",
    ),
    "any moment": ([*BASE, TINY, waiting()], "UNKNOWN - it should have an address any moment"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_pending_service_is_told_the_first_reason_that_holds(case: str) -> None:
    """The words are the contract's; what they rest on is the allocator's own decision."""
    objects, reason = CASES[case]
    report = inspected(objects)
    assert report.diagnosis is not None
    assert report.diagnosis.reason.startswith(reason)
    assert report.status == "PENDING"


def test_what_the_allocator_would_answer_is_among_the_details() -> None:
    """So that nothing need be read in logs."""
    report = inspected(CASES["exhausted"][0])
    assert report.diagnosis is not None
    assert any("exhausted" in line for line in report.diagnosis.details)
    assert "Pool capacity: 1 IPv4 total, 1 used, 0 available" in report.diagnosis.details


def test_an_allocated_service_has_no_diagnosis() -> None:
    """Its addresses, their election and their announcement instead."""
    report = inspected([*BASE, scenes.DEFAULT_GROUP, scenes.WEB])
    assert report.diagnosis is None
    assert [one.winner for one in report.elections] == ["node-b", "node-b"]
    assert all(one.matches_announcer for one in report.elections)
    assert [one.range for one in report.allocations] == [
        "192.0.2.16/28",
        "2001:db8::100-2001:db8::1ff",
    ]


@pytest.mark.parametrize(
    ("slots", "matches"),
    [(["node-b,eth0,192.0.2.16"], True), (["node-a,eth0,192.0.2.16"], False), ([], True)],
    ids=["winner", "another", "nobody yet"],
)
def test_an_announcer_that_did_not_win_is_noticed(slots: list[str], matches: bool) -> None:
    """An absent slot counts as a match: somebody is about to write it."""
    service = scenes.service("shop/web", "192.0.2.16", slots=slots)
    report = inspected([*BASE, scenes.DEFAULT_GROUP, service])
    assert report.elections[0].matches_announcer is matches


@pytest.mark.parametrize(
    ("nodes", "winner", "method"),
    [
        (["node-a"], "node-a", "SHA256 hash, affinity to"),
        (["node-c"], "node-b", "SHA256 hash, affinity fell back"),
        ([], "node-b", "SHA256 hash"),
    ],
)
def test_affinity_prefers_nodes_with_endpoints(nodes: list[str], winner: str, method: str) -> None:
    """As the agents do, else a move would be called a split."""
    service = scenes.service(
        "shop/web", "192.0.2.16", annotations={"node-affinity": "service-endpoints"}
    )
    objects = [*BASE, scenes.DEFAULT_GROUP, service, scenes.endpoints("shop/web", *nodes)]
    (election,) = inspected(objects).elections
    assert election.winner == winner
    assert election.method.startswith(method)


def test_endpoints_are_counted_with_their_nodes() -> None:
    """Those that are not ready do not count."""
    ready = inspected([*BASE, waiting(), scenes.endpoints("shop/web", "node-a", "node-c")])
    unready = inspected([*BASE, waiting(), scenes.endpoints("shop/web", "node-a", ready=False)])
    assert (ready.endpoints.ready, ready.endpoints.nodes) == (2, ("node-a", "node-c"))
    assert (unready.endpoints.ready, unready.endpoints.nodes) == (0, ())


def test_sharers_are_named_with_their_ports() -> None:
    """Whoever else has the key."""
    report = inspected([*BASE, scenes.DEFAULT_GROUP, scenes.MAIL, scenes.CHAT], "shop/mail")
    assert report.sharing is not None
    assert report.sharing.co_tenants == ("shop/chat (TCP/5222)",)


@pytest.mark.parametrize(
    ("routes", "in_rib", "advertised", "node"),
    [
        (
            [{"prefix": "203.0.113.0/32", "nextHop": "0.0.0.0", "advertisedTo": ["192.0.2.1"]}],
            True,
            True,
            "node-a",
        ),
        ([{"prefix": "203.0.113.0/24", "nextHop": "0.0.0.0"}], True, False, "node-a"),
        ([{"prefix": "198.51.100.0/24", "nextHop": "0.0.0.0"}], False, False, "(none)"),
        ([{"prefix": "nonsense", "nextHop": "0.0.0.0"}], False, False, "(none)"),
    ],
    ids=["host route", "network", "another", "no prefix"],
)
def test_the_way_to_a_remote_address_is_looked_up_in_every_table(
    routes: list[Object], in_rib: bool, advertised: bool, node: str
) -> None:
    """A route of a network around it counts: aggregation is the user's choice."""
    status = scenes.bgp_node("node-a", scenes.session("192.0.2.1"), rib={"localRoutes": routes})
    (row,) = inspected([*BASE, scenes.ROUTED_GROUP, scenes.API, status], "shop/api").bgp
    assert (row.in_rib, row.advertised, row.node) == (in_rib, advertised, node)


def test_without_bgp_a_sentence_says_so() -> None:
    """Only for remote addresses."""
    report = inspected([*BASE, scenes.ROUTED_GROUP, scenes.API], "shop/api")
    assert report.bgp_note == "BGP not enabled."
    assert inspected([*BASE, scenes.DEFAULT_GROUP, scenes.WEB]).bgp_note == ""


def told(message: str) -> Object:
    """Return a waiting Service that the allocator has told why."""
    condition = {"type": "purelb.io/AddressPending", "status": "True", "message": message}
    return {**waiting(), "status": {"loadBalancer": {}, "conditions": [condition]}}


def test_what_the_allocator_has_told_a_service_counts_where_it_knows_more() -> None:
    """Which addresses rest after their release is in its memory only."""
    report = inspected([*BASE, TINY, told("192.0.2.16 rests for 10m")])
    assert report.diagnosis is not None
    assert report.diagnosis.reason == "REFUSED - 192.0.2.16 rests for 10m"
    assert "The allocator told it: 192.0.2.16 rests for 10m" in report.diagnosis.details
