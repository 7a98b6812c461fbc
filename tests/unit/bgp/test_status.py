"""What a node tells of itself, field by field."""

from dataclasses import replace

from bgp.core.desired import Absent
from bgp.core.exports import Exported
from bgp.core.health import NodeState
from bgp.core.imports import Imported
from bgp.core.model import STOPPED, Engine, Group, PeerName, Range, Route, Vrf
from bgp.core.observed import LearnedPath
from bgp.core.status import MOST_LOCAL, node_object, node_status
from purelb.api.addresses import parse_ip, parse_network
from purelb.api.bgpstatus import StatusCondition, without_times
from purelb.api.identifiers import LinkName, NodeName, Uid
from tests.unit.bgp.builders import body, neighbor, peer, session, spec_of
from tests.unit.bgp.nodestates import (
    BEFORE,
    DOWN,
    ENGINE,
    IMPORTS,
    KEY,
    LEARNED,
    NAME,
    NOW,
    UP,
    state,
    told,
)


def test_conditions_that_stay_keep_their_times() -> None:
    """The others change now."""
    before = (StatusCondition(type="Ready", status="True", last_transition_time=BEFORE),)
    times = [one["lastTransitionTime"] for one in told(state(), before)["conditions"]]
    assert times == [BEFORE, NOW, NOW, NOW, NOW]


def test_the_node_and_its_speaker_are_named() -> None:
    """And whether all is well."""
    found = told(state())
    assert {key: found[key] for key in ("nodeName", "healthy", "asn", "routerID")} == {
        "nodeName": "node-a",
        "healthy": True,
        "asn": 64512,
        "routerID": "192.0.2.11",
    }


def test_a_session_that_is_up_has_its_counts() -> None:
    """What is absent is not there: API servers refuse nulls in lists."""
    assert told(state())["neighbors"] == [
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


def test_the_way_from_an_address_to_neighbors_is_told() -> None:
    """The address, and the route it makes."""
    found = told(state())
    assert found["netlinkImport"] == {
        "enabled": True,
        "vrf": "",
        "totalImported": 1,
        "truncated": False,
        "interfaces": [{"name": "kube-lb0", "exists": True, "operState": "up"}],
        "importedAddresses": [{"address": "10.0.0.1/32", "interface": "kube-lb0", "inRIB": True}],
    }
    assert found["rib"]["localRoutes"] == [
        {"prefix": "10.0.0.1/32", "nextHop": "0.0.0.0", "advertisedTo": ["192.0.2.1"]}
    ]


def test_the_way_of_a_received_route_into_the_kernel_is_told() -> None:
    """Communities of both sizes in one list."""
    path = LearnedPath(
        prefix=KEY.prefix,
        next_hops=(parse_ip("192.0.2.1"),),
        neighbor=NAME,
        communities=("1:1",),
        large_communities=("1:1:1",),
    )
    found = told(
        state(
            paths=(path,),
            protocol=186,
            rules=(("all", 20, 0),),
            exported=(Exported(key=KEY, route=LEARNED),),
            installed=frozenset({KEY}),
        )
    )
    assert found["rib"]["receivedRoutes"] == [
        {
            "prefix": "198.51.100.0/24",
            "nextHop": "192.0.2.1",
            "fromPeer": "192.0.2.1",
            "communities": ["1:1", "1:1:1"],
        }
    ]
    assert found["netlinkExport"] == {
        "enabled": True,
        "protocol": 186,
        "totalExported": 1,
        "truncated": False,
        "rules": [{"name": "all", "metric": 20, "tableID": 0}],
        "exportedRoutes": [
            {
                "prefix": "198.51.100.0/24",
                "table": "main",
                "metric": 20,
                "installed": True,
                "reason": "",
            }
        ],
    }


def test_only_its_time_makes_no_news() -> None:
    """Two looks at the same are alike."""
    first, later = (node_status(state(), (), now) for now in (BEFORE, NOW))
    fresh = node_status(state(is_leaving=True), (), NOW)
    before = first.conditions or ()
    assert without_times(node_status(state(), before, NOW)) == without_times(first)
    assert without_times(fresh) != without_times(later)


def test_a_neighbor_that_is_to_be_down_says_so() -> None:
    """Else its last error, or that nothing is known."""
    wanted = replace(ENGINE, peers={NAME: replace(peer(), is_down=True)})
    down = told(state(wanted=wanted, sessions=(DOWN,)))
    unknown = told(state(wanted=wanted, sessions=()))
    tried = told(state(sessions=()))
    assert down["neighbors"][0]["lastError"] == "adminDown is set"
    assert "lastError" not in unknown["neighbors"][0]
    assert "no connection" in tried["neighbors"][0]["lastError"]


def test_an_aggregate_is_in_the_table_by_its_network() -> None:
    """The address itself is no prefix there."""
    network = Route(parse_network("10.1.1.0/24"))
    entry = Imported(address=parse_ip("10.1.1.7"), interface=LinkName("kube-lb0"), route=network)
    both = replace(ENGINE, routes=frozenset({network}))
    found = told(state(wanted=both, actual=both, imports=replace(IMPORTS, addresses=(entry,))))
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
    found = told(
        state(
            wanted=wanted,
            entries={NAME: entries[0], PeerName("192.0.2.2"): entries[1]},
            absent=(Absent(PeerName("192.0.2.2"), "X", "a Secret lacks"),),
            sessions=(DOWN, dynamic, foreign),
            errors={NAME: "cease"},
        )
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
    found = told(state(wanted=full, actual=full))
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
    """No router ID and no ASN, of which earlier ones are removed, but all that is required."""
    empty = NodeState(node=NodeName("node-a"), uid=Uid(""))
    found = told(empty)
    assert found["neighborCount"] == 0
    assert [found[key] for key in ("routerID", "routerIDSource", "asn")] == [None, None, None]
    assert node_object(empty)["metadata"] == {"name": "node-a", "ownerReferences": []}
    owned = node_object(state())["metadata"]["ownerReferences"]
    assert owned == [{"apiVersion": "v1", "kind": "Node", "name": "node-a", "uid": "uid-a"}]


def test_an_entry_without_a_peer_has_what_the_speaker_has() -> None:
    """A neighbor whose group is elsewhere, on a node that does not speak at all."""
    silent = state(wanted=STOPPED, actual=STOPPED, sessions=())
    (entry,) = told(silent)["neighbors"]
    assert (entry["localASN"], entry["state"]) == (0, "Idle")


def test_routes_of_a_vrf_in_the_kernel_are_counted() -> None:
    """Those that are installed; others' are not its own."""
    red = replace(KEY, table=100)
    lost = replace(red, metric=9)
    vrfs: Engine = replace(ENGINE, vrfs={"red": Vrf(name="red", number=1, distinguisher="1:1")})
    found = told(
        state(
            actual=vrfs,
            exported=(
                Exported(key=KEY, route=LEARNED),
                Exported(key=red, route=LEARNED, vrf="red"),
                Exported(key=lost, route=LEARNED, vrf="red"),
            ),
            installed=frozenset({KEY, red}),
        )
    )
    assert found["vrfs"] == [
        {"name": "red", "rd": "1:1", "importedRouteCount": 0, "exportedRouteCount": 1}
    ]
