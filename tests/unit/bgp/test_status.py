"""What a node tells of itself: conditions and the whole status."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv6Address

import msgspec
import pytest

from bgp.core import health
from bgp.core.clusterstatus import configuration_status, is_news
from bgp.core.desired import Absent
from bgp.core.exports import Exported
from bgp.core.findings import Finding, remark
from bgp.core.health import Judgment, NodeState, is_healthy, judge
from bgp.core.imports import Imported, Imports, Interface
from bgp.core.model import (
    STOPPED,
    AfiSafi,
    Engine,
    Group,
    PeerName,
    Policies,
    Range,
    Route,
    Statement,
    Vrf,
)
from bgp.core.observed import FamilyCounts, LearnedPath, SessionFacts, SessionState
from bgp.core.routerid import RouterId, Source
from bgp.core.status import MOST_LOCAL, node_object, node_status, without_times
from purelb.api.addresses import parse_ip, parse_network
from purelb.api.bgp import BgpConfiguration, BgpNodeStatus, BgpNodeStatusStatus, NeighborStatus
from purelb.api.identifiers import LinkName, NodeName, Uid
from purelb.api.resources import Condition, Meta
from purelb.api.routes import MAIN_TABLE, Hop, KernelRoute, RouteKey
from tests.unit.bgp.builders import Body, body, engine, neighbor, peer, routes, session, spec_of

NOW, BEFORE = "2026-01-01T00:00:09Z", "2026-01-01T00:00:00Z"
NAME = PeerName("192.0.2.1")
VIP = parse_network("10.0.0.1/32")
UP = SessionFacts(
    address=NAME,
    peer_asn=64513,
    local_asn=64512,
    state=SessionState.ESTABLISHED,
    up_since=datetime(2026, 1, 1, tzinfo=UTC),
    counts=(FamilyCounts(family=AfiSafi.IPV4, received=3, accepted=2, advertised=1),),
)
DOWN = replace(UP, state=SessionState.ACTIVE, up_since=None)
ENGINE = engine(peer(), routes=routes("10.0.0.1/32"))
ENTRY = spec_of(body()).neighbors
IMPORTS = Imports(
    addresses=(
        Imported(address=parse_ip("10.0.0.1"), interface=LinkName("kube-lb0"), route=Route(VIP)),
    ),
    interfaces=(Interface(name="kube-lb0", exists=True, is_up=True),),
)


def state(**parts: object) -> NodeState:
    """Return a node on which all is well, but for the parts."""
    assert ENTRY is not None
    base = NodeState(
        node=NodeName("node-a"),
        uid=Uid("uid-a"),
        router_id=RouterId("192.0.2.11", Source.NODE),
        is_configured=True,
        is_engine_up=True,
        wanted=ENGINE,
        actual=ENGINE,
        entries={NAME: ENTRY[0]},
        sessions=(UP,),
        imports=IMPORTS,
        is_import_on=True,
        sent={NAME: frozenset({VIP})},
        sent_of=ENGINE.routes,
    )
    return replace(base, **parts)  # type: ignore[arg-type]


def judgment(type_: str, **parts: object) -> Judgment:
    """Return one condition."""
    return next(one for one in judge(state(**parts)) if one.type == type_)


def test_all_is_well() -> None:
    """Every condition is true."""
    assert all(one.is_true for one in judge(state()))
    assert judge(state())[0].reason == health.ALL_HEALTHY


def test_without_a_configuration_nothing_is_wrong() -> None:
    """It is said all the same."""
    empty = {"is_configured": False, "wanted": STOPPED, "actual": STOPPED, "entries": {}}
    assert judgment(health.CONFIGURED, **empty).reason == health.NOT_CONFIGURED
    assert is_healthy(state(**empty))


def test_a_bad_configuration_names_its_fields() -> None:
    """And says that the one before it stays, if there is one."""
    bad = (Finding("spec.global.asn", "is wrong"), remark("spec.global.families", "no effect"))
    found = judgment(health.CONFIGURED, findings=bad)
    assert (found.is_true, found.reason) == (False, health.INVALID)
    assert found.message == "spec.global.asn: is wrong (the one before it stays)"
    never = judgment(health.CONFIGURED, findings=bad, is_configured=False)
    assert never.message == "spec.global.asn: is wrong"
    assert not is_healthy(state(findings=bad, is_configured=False))
    told = judgment(health.CONFIGURED, findings=bad[1:])
    assert (told.is_true, told.message) == (True, "spec.global.families: no effect")


def test_an_engine_that_is_down_or_refuses_is_told() -> None:
    """With its own words."""
    down = judgment(health.CONFIGURED, is_engine_up=False, engine_failure="it ended with 2")
    assert (down.reason, down.message) == (health.ENGINE_DOWN, "it ended with 2")
    refused = judgment(health.CONFIGURED, refusals=("listening: address already in use",))
    assert refused.reason == health.ENGINE_REFUSES
    assert "address already in use" in refused.message


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"sessions": (DOWN,)}, "192.0.2.1: no connection"),
        ({"sessions": ()}, "192.0.2.1: no connection"),
        ({"sessions": (DOWN,), "errors": {NAME: "cease"}}, "192.0.2.1: cease"),
        ({"sessions": (replace(DOWN, is_over_limit=True),)}, "more prefixes than its limit"),
        ({"absent": (Absent(NAME, "X", "a Secret lacks"),)}, "192.0.2.1: a Secret lacks"),
        ({"entries": {}, "wanted": replace(ENGINE, peers={})}, "no neighbor selects this node"),
    ],
    ids=["tried", "unknown", "error", "limit", "absent", "none"],
)
def test_a_session_that_is_down_has_its_reason(parts: Body, text: str) -> None:
    """Nobody need look into logs."""
    found = judgment(health.SESSIONS, **parts)
    assert not found.is_true
    assert text in found.message


def test_a_session_that_is_to_be_down_is_no_failure() -> None:
    """Its status says why it is."""
    resting = replace(peer(), is_down=True)
    wanted = replace(ENGINE, peers={NAME: resting})
    assert judgment(health.SESSIONS, wanted=wanted, sessions=(DOWN,)).is_true
    status = node_status(state(wanted=wanted, sessions=(DOWN,)), (), NOW)
    assert status["neighbors"][0]["lastError"] == "adminDown is set"
    unknown = node_status(state(wanted=wanted, sessions=()), (), NOW)
    assert "lastError" not in unknown["neighbors"][0]
    tried = node_status(state(sessions=()), (), NOW)
    assert "no connection" in tried["neighbors"][0]["lastError"]


def test_a_prefix_that_is_not_in_the_table_or_sent_to_nobody_is_told() -> None:
    """Once somebody could have it."""
    lacking = judgment(health.PREFIXES, actual=replace(ENGINE, routes=frozenset()))
    assert lacking.message == "not in the table: 10.0.0.1/32"
    mute = judgment(health.PREFIXES, sent={NAME: frozenset()})
    assert mute.message.endswith("next hop: 10.0.0.1/32")
    fresh = judgment(health.PREFIXES, sent={NAME: frozenset()}, sent_of=frozenset())
    assert fresh.is_true, "it came after neighbors were looked at"
    assert judgment(health.PREFIXES, sent={}).is_true
    assert judgment(health.PREFIXES, sent={NAME: frozenset()}, sessions=(DOWN,)).is_true


def test_a_missing_next_hop_is_told_where_ipv6_is_to_be_sent() -> None:
    """Elsewhere it is nobody's business."""
    closed = Statement(name="purelb-hop-192.0.2.1", family=AfiSafi.IPV6, accepts=False)
    v6 = replace(ENGINE, routes=routes("2001:db8::1/128"), policies=Policies(exports=(closed,)))
    found = judgment(health.NEXT_HOPS, wanted=v6, actual=v6, hops={NAME: None})
    assert (found.is_true, found.reason) == (False, health.HOP_MISSING)
    assert judgment(health.NEXT_HOPS, hops={NAME: None}).is_true
    there = {NAME: IPv6Address("2001:db8::9")}
    assert judgment(health.NEXT_HOPS, wanted=v6, hops=there).is_true


KEY = RouteKey(MAIN_TABLE, parse_network("198.51.100.0/24"), 20)
LEARNED = KernelRoute(
    prefix=KEY.prefix,
    table=MAIN_TABLE,
    metric=20,
    protocol=186,
    hops=(Hop(parse_ip("192.0.2.1"), 2),),
)


def test_routes_that_the_kernel_lacks_are_told() -> None:
    """Because of their next hop, or for a reason of the kernel's."""
    lost = Exported(key=KEY, route=None, reason="its next hop cannot be reached: 203.0.113.9")
    found = judgment(health.NEXT_HOPS, exported=(lost,))
    assert "203.0.113.9" in found.message
    there = Exported(key=KEY, route=LEARNED)
    assert not judgment(health.NEXT_HOPS, exported=(there,)).is_true
    assert judgment(health.NEXT_HOPS, exported=(there,), installed=frozenset({KEY})).is_true


def test_many_are_told_in_one_short_text() -> None:
    """The rest is counted."""
    absent = tuple(Absent(PeerName(f"192.0.2.{n}"), "X", "lacks") for n in range(9))
    assert judgment(health.SESSIONS, absent=absent).message.endswith("; and 4 more")


def test_a_sidecar_that_stops_is_not_healthy() -> None:
    """With the reason that tools know."""
    first = judge(state(is_leaving=True))[0]
    assert (first.is_true, first.reason) == (False, health.SHUTDOWN)


def test_the_status_has_everything_and_its_times() -> None:
    """A condition that stays as it is keeps its time."""
    before = (Condition(type="Ready", status="True", last_transition_time=BEFORE),)
    path = LearnedPath(
        prefix=KEY.prefix,
        next_hops=(parse_ip("192.0.2.1"),),
        neighbor=NAME,
        communities=("1:1",),
        large_communities=("1:1:1",),
    )
    full = state(
        paths=(path,),
        protocol=186,
        rules=(("all", 20, 0),),
        exported=(Exported(key=KEY, route=LEARNED),),
        installed=frozenset({KEY}),
    )
    found = node_status(full, before, NOW)
    times = [one["lastTransitionTime"] for one in found["conditions"]]
    assert times == [BEFORE, NOW, NOW, NOW, NOW]
    assert {key: found[key] for key in ("nodeName", "healthy", "asn", "routerID")} == {
        "nodeName": "node-a",
        "healthy": True,
        "asn": 64512,
        "routerID": "192.0.2.11",
    }
    assert found["neighbors"] == [
        {
            "address": "192.0.2.1",
            "peerASN": 64513,
            "localASN": 64512,
            "state": "Established",
            "prefixesSent": 1,
            "prefixesReceived": 2,
            "sessionUpSince": "2026-01-01T00:00:00Z",
        }
    ]
    assert found["netlinkImport"]["importedAddresses"] == [
        {"address": "10.0.0.1/32", "interface": "kube-lb0", "inRIB": True}
    ]
    assert found["rib"]["localRoutes"] == [
        {"prefix": "10.0.0.1/32", "nextHop": "0.0.0.0", "advertisedTo": ["192.0.2.1"]}
    ]
    assert found["rib"]["receivedRoutes"] == [
        {
            "prefix": "198.51.100.0/24",
            "nextHop": "192.0.2.1",
            "fromPeer": "192.0.2.1",
            "communities": ["1:1", "1:1:1"],
        }
    ]
    assert found["netlinkExport"]["exportedRoutes"] == [
        {
            "prefix": "198.51.100.0/24",
            "table": "main",
            "metric": 20,
            "installed": True,
            "reason": "",
        }
    ]
    assert "lastUpdated" not in without_times(found)


def test_an_aggregate_is_in_the_table_by_its_network() -> None:
    """The address itself is no prefix there."""
    network = Route(parse_network("10.1.1.0/24"))
    entry = Imported(address=parse_ip("10.1.1.7"), interface=LinkName("kube-lb0"), route=network)
    both = replace(ENGINE, routes=frozenset({network}))
    found = node_status(
        state(wanted=both, actual=both, imports=replace(IMPORTS, addresses=(entry,))), (), NOW
    )
    assert found["netlinkImport"]["importedAddresses"] == [
        {"address": "10.1.1.7/24", "interface": "kube-lb0", "inRIB": True}
    ]


def test_neighbors_that_are_down_absent_or_dynamic_are_listed() -> None:
    """Each with what is known of it."""
    content = body(neighbors=[neighbor(config={"description": "tor"}), neighbor("192.0.2.2")])
    entries = spec_of(content).neighbors or ()
    wanted = replace(
        ENGINE,
        groups={"tor": Group(name="tor", session=session())},
        ranges=frozenset({Range("198.51.100.0/24", "tor")}),
    )
    dynamic = replace(UP, address="198.51.100.9", group="tor", up_since=None)
    foreign = replace(UP, address="203.0.113.1")
    found = node_status(
        state(
            wanted=wanted,
            entries={NAME: entries[0], PeerName("192.0.2.2"): entries[1]},
            absent=(Absent(PeerName("192.0.2.2"), "X", "a Secret lacks"),),
            sessions=(DOWN, dynamic, foreign),
            errors={NAME: "cease"},
        ),
        (),
        NOW,
    )
    shown = [(one["address"], one["state"], one.get("lastError")) for one in found["neighbors"]]
    assert shown == [
        ("192.0.2.1", "Active", "cease"),
        ("192.0.2.2", "Idle", "a Secret lacks"),
        ("198.51.100.9", "Established", None),
    ]
    assert found["neighbors"][0]["description"] == "tor"
    assert found["neighbors"][1]["peerASN"] == 64513
    assert found["neighborCount"] == 3


def test_lists_are_cut_and_say_so() -> None:
    """Totals keep the true number."""
    many = frozenset(Route(parse_network(f"10.{n >> 8}.{n & 255}.1/32")) for n in range(600))
    full: Engine = replace(
        ENGINE, routes=many, vrfs={"red": Vrf(name="red", number=1, distinguisher="1:1")}
    )
    found = node_status(state(wanted=full, actual=full), (), NOW)
    rib = found["rib"]
    assert (rib["localRouteCount"], len(rib["localRoutes"]), rib["truncated"]) == (
        600,
        MOST_LOCAL,
        True,
    )
    assert found["vrfs"] == [
        {"name": "red", "rd": "1:1", "importedRouteCount": 0, "exportedRouteCount": 0}
    ]


def test_a_node_that_knows_little_tells_little() -> None:
    """No router ID and no ASN, but all that is required."""
    empty = NodeState(node=NodeName("node-a"), uid=Uid(""))
    found = node_status(empty, (), NOW)
    assert found["neighborCount"] == 0
    assert not {"routerID", "routerIDSource", "asn"} & set(found)
    assert node_object(empty)["metadata"] == {"name": "node-a", "ownerReferences": []}
    owned = node_object(state())["metadata"]["ownerReferences"]
    assert owned == [{"apiVersion": "v1", "kind": "Node", "name": "node-a", "uid": "uid-a"}]


def test_an_entry_without_a_peer_has_what_the_speaker_has() -> None:
    """A neighbor whose group is elsewhere, on a node that does not speak at all."""
    silent = state(wanted=STOPPED, actual=STOPPED, sessions=())
    (entry,) = node_status(silent, (), NOW)["neighbors"]
    assert (entry["localASN"], entry["state"]) == (0, "Idle")


def node(
    name: str, *states: str, healthy: bool = True, router_id: str = "192.0.2.11"
) -> BgpNodeStatus:
    """Return a node's status."""
    return BgpNodeStatus(
        metadata=Meta(name=name),
        status=BgpNodeStatusStatus(
            node_name=name,
            healthy=healthy,
            router_id=router_id,
            router_id_source="node-ipv4",
            neighbors=tuple(NeighborStatus(state=state) for state in states),
        ),
    )


CONFIGURATION = BgpConfiguration(metadata=Meta(name="default", generation=3), spec=spec_of(body()))


def test_a_configuration_s_status_is_the_sum_over_nodes() -> None:
    """It names the nodes that are not well."""
    nodes = [node("node-a", "Established", "Active"), node("node-b", "Established", healthy=False)]
    found = configuration_status(CONFIGURATION, (), nodes, NOW)
    assert (found["neighborCount"], found["establishedNeighbors"]) == (1, 2)
    assert found["message"] == "not healthy: node-b; see their BGPNodeStatus"
    assert [(one["type"], one["status"]) for one in found["conditions"]] == [
        ("Ready", "True"),
        ("RouterIDResolved", "True"),
    ]
    assert found["routerIDSource"] == "node-ipv4"
    assert found["observedGeneration"] == 3


def test_a_bad_configuration_and_missing_router_ids_are_told_there_too() -> None:
    """With the fields, and the nodes."""
    bad = (Finding("spec.global.asn", "is wrong"),)
    nodes = [node(f"node-{n}", router_id="") for n in range(7)]
    found = configuration_status(CONFIGURATION, bad, nodes, NOW)
    ready, resolved = found["conditions"]
    assert (ready["reason"], ready["message"]) == (
        "ConfigurationInvalid",
        "spec.global.asn: is wrong",
    )
    assert resolved["message"].endswith("node-4 and 2 more")
    told = configuration_status(CONFIGURATION, (remark("spec.x", "has no effect"),), [], NOW)
    assert told["message"] == "spec.x: has no effect"


def test_only_news_are_written() -> None:
    """Times are none."""
    status = configuration_status(CONFIGURATION, (), [node("node-a")], NOW)
    assert is_news(CONFIGURATION, status)
    content = {"metadata": {"name": "default", "generation": 3}, "spec": body(), "status": status}
    written = msgspec.convert(content, BgpConfiguration)
    later = configuration_status(written, (), [node("node-a")], "2026-01-02T00:00:00Z")
    assert later["conditions"][0]["lastTransitionTime"] == NOW
    assert not is_news(written, later)
    assert is_news(written, later | {"establishedNeighbors": 9})
