"""`explain`: each link of the chain, broken and whole."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from plugin.core.allocation import allocator_of
from plugin.core.explain import Explanation, explain_service
from plugin.core.snapshot import Gap
from purelb.api.identifiers import ServiceKey
from tests.plugin import scenes
from tests.plugin.scenes import Object
from tests.unit.plugin.worlds import world

BASE = (
    *scenes.NODES,
    *scenes.LEASES,
    scenes.ALLOCATOR,
    scenes.agent(),
    scenes.DEFAULT_GROUP,
    scenes.ROUTED_GROUP,
)
READY = scenes.endpoints("shop/web", "node-a")
SLOT = "node-b,eth0,192.0.2.16"
FINDING = (
    '[{"type":"ReversePathFilter","subject":"eth1","severity":"Warning",'
    '"message":"rp_filter is 1","since":"2026-01-01T00:00:00Z"}]'
)

CLAIM = (
    '[{"type":"%s","subject":"192.0.2.16","severity":"Warning",'
    '"message":"host 02:00:00:00:00:99 has it","since":"2026-05-31T23:00:00Z"}]'
)


def leases(*, conditions: str = "", heartbeats: str = "") -> list[Object]:
    """Return the members; node-a says what is wrong."""
    return [
        scenes.lease("node-a", scenes.FRONT, conditions=conditions, heartbeats=heartbeats),
        scenes.lease("node-b", scenes.FRONT, heartbeats=heartbeats),
        scenes.LEASES[2],
    ]


FRESH = scenes.lease("node-d", "192.0.2.0/24")
FRESH["spec"]["renewTime"] = None


def web(*addresses: str, **more: object) -> Object:
    """Return the Service that is asked about; by default as it should be."""
    given: dict[str, object] = {"slots": [SLOT], **more}
    return scenes.service("shop/web", *(addresses or ("192.0.2.16",)), **given)  # type: ignore[arg-type]


def explained(objects: Iterable[Object]) -> Explanation:
    """Return the explanation of shop/web."""
    found = world(objects)
    service = found.by_key[ServiceKey("shop/web")]
    return explain_service(found, allocator_of(found), service)


def without(*removed: Object) -> list[Object]:
    """Return the base without some objects."""
    return [one for one in BASE if one not in removed]


def wrongly_answered() -> Object:
    """Return the Service with the allocator's word about the wire."""
    found = web()
    message = "host 02:00:00:00:00:98 answers"
    found["status"]["conditions"] = [
        {"type": "purelb.io/WrongAnswers", "status": "True", "message": message}
    ]
    return found


BROKEN: dict[str, tuple[list[Object], str]] = {
    "class": (
        [*BASE, scenes.service("shop/web", loadBalancerClass="x/y")],
        "PureLB leaves this Service alone",
    ),
    "allocator": ([*without(scenes.ALLOCATOR), web(), READY], "no allocator runs"),
    "address": (
        [*BASE, scenes.service("shop/web", annotations={"service-group": "nope"})],
        'SERVICEGROUP "nope" NOT FOUND; The allocator\'s answer: unknown pool "nope"',
    ),
    "withdrawn": (
        [*BASE, web("203.0.113.99", pool="routed", via="remote", slots=()), READY],
        "nodes withdraw it",
    ),
    "local policy without endpoints": (
        [
            *BASE,
            web(
                "203.0.113.0",
                pool="routed",
                via="remote",
                slots=(),
                externalTrafficPolicy="Local",
            ),
        ],
        "no node has an endpoint",
    ),
    "no candidate": (
        [*without(*scenes.LEASES), scenes.LEASES[2], web(), READY],
        "no node is a candidate",
    ),
    "nobody announces": ([*BASE, web(slots=()), READY], "no node announces it; node-b should"),
    "dead announcer": (
        [*BASE, web(slots=["node-x,eth0,192.0.2.16"]), READY],
        "node-x announced it, but its Lease is over",
    ),
    "a stranger has it": (
        [*without(*scenes.LEASES), *leases(conditions=CLAIM % "AddressConflict"), web(slots=())],
        "192.0.2.16: host 02:00:00:00:00:99 has it (for 1h0m)",
    ),
    "nobody answers": (
        [*without(*scenes.LEASES), *leases(conditions=CLAIM % "NoAnswer"), web(), READY],
        "192.0.2.16: host 02:00:00:00:00:99 has it (for 1h0m)",
    ),
    "the Service says so": ([*BASE, wrongly_answered(), READY], "host 02:00:00:00:00:98 answers"),
    "no endpoint": ([*BASE, web()], "no endpoint is ready"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_the_first_broken_link_is_the_verdict(case: str) -> None:
    """One command tells the cause."""
    objects, verdict = BROKEN[case]
    found = explained(objects)
    assert verdict in found.verdict
    assert not found.reachable


@pytest.mark.parametrize(
    "service",
    [
        web(),
        web("203.0.113.0", pool="routed", via="remote", slots=()),
        web("203.0.113.0", pool="routed", via="remote", slots=(), externalTrafficPolicy="Local"),
    ],
    ids=["local", "remote", "remote with policy Local"],
)
def test_a_whole_chain_ends_with_the_address(service: Object) -> None:
    """Nothing that is in order is called broken."""
    found = explained([*BASE, service, READY])
    assert found.reachable
    assert "as far as the API tells" in found.verdict


def test_what_the_announcing_node_says_of_its_host_belongs_to_the_chain() -> None:
    """A filter drops what the API shows as announced."""
    note = FINDING.replace("Warning", "Normal")
    lease = scenes.lease("node-b", scenes.FRONT, conditions=f"{FINDING[:-1]},{note[1:]}")
    found = explained([*without(scenes.LEASES[1]), lease, web(), READY])
    assert [s.message for s in found.steps if s.stage == "Host"] == ["node-b: eth1: rp_filter is 1"]


def stage_of(found: Explanation, stage: str) -> list[tuple[str, str]]:
    """Return the links of one kind, with their marks."""
    return [(one.status, one.message) for one in found.steps if one.stage == stage]


def test_the_wire_is_as_it_should_be_as_long_as_no_other_node_tells_of_it() -> None:
    """The dead are not believed, and other addresses are others' matter."""
    told = CLAIM % "SeveralAnswers"
    other = scenes.lease(
        "node-c", scenes.BACK, conditions=told.replace("2.16", "2.17"), announces="true"
    )
    dead = scenes.lease("node-d", scenes.FRONT, expired=timedelta(hours=2), conditions=told)
    found = explained([*without(scenes.LEASES[2]), other, dead, web(), READY])
    text = "192.0.2.16: no node tells of another answer than node-b's"
    assert stage_of(found, "Wire") == [("OK", text)]


@pytest.mark.parametrize(
    ("objects", "mark", "text"),
    [
        (leases(), "OK", "if node-b fails, node-a takes over when its Lease ends (30d0h)"),
        (
            leases(heartbeats="true"),
            "OK",
            "if node-b fails, node-a takes over once a majority misses its heartbeats, or when its"
            " Lease ends (30d0h)",
        ),
        (scenes.LEASES[1:], "WARN", "no other node could announce it if node-b failed"),
    ],
    ids=["Leases", "heartbeats", "alone"],
)
def test_who_would_be_next_is_told(objects: list[Object], mark: str, text: str) -> None:
    """And by what."""
    found = explained([*without(*scenes.LEASES), *objects, web(), READY])
    assert stage_of(found, "Failover") == [(mark, f"192.0.2.16: {text}")]
    if mark == "WARN":
        assert "no other node is in its network" in stage_of(found, "Wire")[0][1]


def test_a_strict_group_waits_for_the_lease() -> None:
    """Whatever heartbeats tell."""
    local = {"v4pool": scenes.pool("192.0.2.16/28", "192.0.2.0/24"), "fencing": "strict"}
    base = [one for one in without(*scenes.LEASES) if one["kind"] != "ServiceGroup"]
    members = leases(heartbeats="true")
    found = explained([*base, *members, scenes.group("default", local=local), web(), READY])
    assert "majority" not in stage_of(found, "Failover")[0][1]


def test_a_dead_holder_has_no_heir_but_a_successor() -> None:
    """The election tells who that is."""
    assert not stage_of(explained([*BASE, web(slots=["node-x,eth0,192.0.2.16"])]), "Failover")


def test_every_node_has_a_reason_for_a_remote_address_too() -> None:
    """It is on every node that may have it."""
    service = web(
        "203.0.113.0", pool="routed", via="remote", slots=(), externalTrafficPolicy="Local"
    )
    leaving = scenes.node("node-a")
    leaving["metadata"]["annotations"] = {"purelb.io/evacuate": "true"}
    nodes = [leaving, *scenes.NODES[1:], scenes.node("node-d")]
    found = explained([*without(*scenes.NODES), *nodes, service, READY])
    assert [(one.node, one.winner, one.why) for one in found.nodes] == [
        (
            "node-a",
            True,
            "has it on its dummy interface; it is evacuated, so the BGP sidecar there tells nobody",
        ),
        ("node-b", False, "has no endpoint, and externalTrafficPolicy is Local"),
        ("node-c", False, "has no endpoint, and externalTrafficPolicy is Local"),
        ("node-d", False, "has no Lease: no node agent runs there"),
    ]


def test_an_address_on_its_way_to_the_winner_is_a_warning() -> None:
    """It answers where it is."""
    found = explained([*BASE, web(slots=["node-a,eth0,192.0.2.16"]), READY])
    assert found.reachable
    assert any("it is about to move" in step.message for step in found.steps)


EVACUATED = scenes.node("node-d")
EVACUATED["metadata"]["annotations"] = {"purelb.io/evacuate": "true"}
OUT = {**scenes.node("node-d"), "spec": {"taints": [{"key": "node.kubernetes.io/out-of-service"}]}}


@pytest.mark.parametrize(
    ("objects", "node", "why"),
    [
        ([], "node-a", "loses to node-b, whose hash is smaller"),
        ([], "node-b", "wins: its hash is the smallest"),
        ([], "node-c", "none of its networks has 192.0.2.16: 198.51.100.0/24"),
        ([scenes.node("node-d")], "node-d", "no node agent runs there"),
        ([scenes.lease("node-d", "192.0.2.0/24", announces="false")], "node-d", "only shows its"),
        ([scenes.lease("node-d", "", expired=timedelta(hours=2))], "node-d", "is over for 2h0m"),
        ([FRESH], "node-d", "was never renewed"),
        ([EVACUATED, scenes.lease("node-d", "", announces="false")], "node-d", "is evacuated; "),
        ([OUT, scenes.lease("node-d", "", announces="false")], "node-d", "has the taint node.kub"),
    ],
)
def test_every_node_has_its_reason(objects: list[Object], node: str, why: str) -> None:
    """Winner, candidate or neither."""
    found = explained([*BASE, *objects, web(), READY])
    (choice,) = [one for one in found.nodes if one.node == node]
    assert why in choice.why


def test_a_holder_that_stays_is_a_reason() -> None:
    """Its group says so."""
    local = {"v4pool": scenes.pool("192.0.2.16/28", "192.0.2.0/24"), "nonRevertive": True}
    base = [one for one in BASE if one["kind"] != "ServiceGroup"]
    service = web(slots=["node-a,eth0,192.0.2.16"])
    found = explained([*base, scenes.group("default", local=local), service, READY])
    nodes = {one.node: one.why for one in found.nodes}
    assert nodes["node-a"] == "keeps it: it is nonRevertive"
    assert nodes["node-b"] == "node-a has it, and keeps it"


def test_affinity_is_a_reason() -> None:
    """A node without an endpoint stands back."""
    service = web(annotations={"node-affinity": "service-endpoints"})
    nodes = {one.node: one.why for one in explained([*BASE, service, READY]).nodes}
    assert nodes["node-a"] == "wins among the nodes with endpoints"
    assert nodes["node-b"] == "has no endpoint, so node-a is preferred"


def test_groups_have_the_allocators_own_reasons() -> None:
    """Chosen, free, denied."""
    bound = scenes.group(
        "bank",
        local={"v4pool": scenes.pool("192.0.2.64/30", "192.0.2.0/24")},
        namespaces=["bank"],
        enforceNamespaces=True,
    )
    found = {one.group: one for one in explained([*BASE, bound, web(), READY]).groups}
    assert found["default"].chosen
    assert found["routed"].serves
    assert "namespace denied" in found["bank"].why


def test_what_cannot_be_read_is_no_link_of_the_chain() -> None:
    """Not everybody may list Pods and EndpointSlices."""
    gaps = tuple(Gap(what=kind, why="forbidden", kind=kind) for kind in ("pods", "slices"))
    found = replace(world([*without(scenes.ALLOCATOR), web()]), gaps=gaps)
    service = found.by_key[ServiceKey("shop/web")]
    explanation = explain_service(found, allocator_of(found), service)
    assert explanation.reachable
    assert {"Allocator", "Endpoints"}.isdisjoint(step.stage for step in explanation.steps)


def test_a_family_that_is_still_missing_is_a_warning() -> None:
    """The other one is served nevertheless."""
    condition = {"type": "purelb.io/AddressPending", "status": "True", "message": "no IPv6"}
    service = web()
    service["status"]["conditions"] = [condition]
    found = explained([*BASE, service, READY])
    assert found.reachable
    assert any(step.message == "no IPv6" and step.status == "WARN" for step in found.steps)
