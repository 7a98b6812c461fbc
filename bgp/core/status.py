"""The status of this node's BGPNodeStatus, as the API has it. Pure.

Belongs here: its shape, its limits and the order of its lists. Does not: judgments (`health`), when
it is written (`shell.status`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bgp.core.health import NodeState, is_healthy, judge, why_down
from bgp.core.model import Peer
from bgp.core.observed import LearnedPath, SessionFacts, SessionState
from purelb.api.addresses import IPNetwork
from purelb.api.bgp import API_VERSION
from purelb.api.resources import Condition
from purelb.api.routes import MAIN_TABLE

Body = dict[str, Any]

MOST_LOCAL, MOST_RECEIVED, MOST_EXPORTED, MOST_IMPORTED = 500, 100, 500, 500
OWN_HOP = "0.0.0.0"  # the next hop of own routes, for both families
_TABLES = {0: "main", MAIN_TABLE: "main", 253: "default", 255: "local"}


def node_status(state: NodeState, before: Sequence[Condition], now: str) -> Body:
    """Return the whole status; `before` are the conditions there, `now` an RFC 3339 time."""
    found: Body = {
        "nodeName": state.node,
        "heartbeatSeconds": state.heartbeat,
        "lastUpdated": now,
        "healthy": is_healthy(state),
        "conditions": _conditions(state, before, now),
        "neighborCount": 0,
        "neighbors": list(_neighbors(state)),
        "netlinkImport": _imports(state),
        "rib": _rib(state),
        "netlinkExport": _exports(state),
        "vrfs": list(_vrfs(state)),
    }
    found["neighborCount"] = len(found["neighbors"])
    if state.wanted.speaker is not None:
        found["asn"] = state.wanted.speaker.asn
    if state.router_id is not None:
        found["routerID"] = state.router_id.address
        found["routerIDSource"] = state.router_id.source.value
    return found


def node_object(state: NodeState) -> Body:
    """Return the object that carries the status; it goes with its Node."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": state.node, "uid": state.uid}
    return {
        "apiVersion": API_VERSION,
        "kind": "BGPNodeStatus",
        "metadata": {"name": state.node, "ownerReferences": [owner] if state.uid else []},
        "spec": {},
    }


def without_times(status: Body) -> Body:
    """Return what must differ for a status to be written before its time."""
    return {key: value for key, value in status.items() if key != "lastUpdated"}


def _conditions(state: NodeState, before: Sequence[Condition], now: str) -> list[Body]:
    known = {one.type: one for one in before}
    found = []
    for one in judge(state):
        status = "True" if one.is_true else "False"
        old = known.get(one.type)
        since = old.last_transition_time if old is not None and old.status == status else now
        found.append(
            {
                "type": one.type,
                "status": status,
                "reason": one.reason,
                "message": one.message,
                "lastTransitionTime": since or now,
            }
        )
    return found


def _neighbors(state: NodeState) -> Iterator[Body]:
    """Yield configured neighbors by name, then dynamic ones by address."""
    facts = {session.address: session for session in state.sessions}
    configured = {peer.address for peer in state.wanted.peers.values()}
    for name in sorted(state.entries):
        peer = state.wanted.peers.get(name)
        neighbor = state.entries[name]
        session = facts.get(peer.address) if peer is not None else None
        entry = _neighbor(peer, session, state)
        entry["address"] = name
        entry["peerASN"] = entry["peerASN"] or neighbor.config.peer_asn
        if neighbor.config.description:
            entry["description"] = neighbor.config.description
        absent = next((one.message for one in state.absent if one.name == name), "")
        if absent:
            entry["lastError"] = absent
        yield entry
    for address in sorted(set(facts) - configured):
        if facts[address].group:
            yield _neighbor(None, facts[address], state) | {"address": address}


def _neighbor(peer: Peer | None, session: SessionFacts | None, state: NodeState) -> Body:
    own = state.wanted.speaker.asn if state.wanted.speaker is not None else 0
    entry: Body = {
        "peerASN": peer.session.peer_asn if peer is not None else 0,
        "localASN": (peer.session.local_asn or own) if peer is not None else own,
        "state": SessionState.IDLE.value,
        "prefixesSent": 0,
        "prefixesReceived": 0,
    }
    if session is None:
        if peer is not None and not peer.is_down:
            entry["lastError"] = why_down(peer.address, None, state.errors)
        return entry
    entry["state"] = session.state.value
    entry["peerASN"] = session.peer_asn or entry["peerASN"]
    entry["localASN"] = session.local_asn or entry["localASN"]
    if session.is_up:
        entry["prefixesSent"] = session.total("advertised")
        entry["prefixesReceived"] = session.total("accepted")
        if session.up_since is not None:
            entry["sessionUpSince"] = session.up_since.strftime("%Y-%m-%dT%H:%M:%SZ")
    elif peer is not None and peer.is_down:
        entry["lastError"] = "adminDown is set"
    else:
        entry["lastError"] = why_down(session.address, session, state.errors)
    return entry


def _imports(state: NodeState) -> Body:
    addresses = state.imports.addresses
    return {
        "enabled": state.is_import_on,
        "vrf": state.import_vrf,
        "totalImported": len(addresses),
        "truncated": len(addresses) > MOST_IMPORTED,
        "interfaces": [
            {
                "name": one.name,
                "exists": one.exists,
                "operState": "up" if one.is_up else "down",
            }
            for one in state.imports.interfaces
        ],
        "importedAddresses": [
            {
                "address": f"{one.address}/{one.route.prefix.prefixlen}",
                "interface": one.interface,
                "inRIB": one.route in state.actual.routes,
            }
            for one in addresses[:MOST_IMPORTED]
        ],
    }


def _rib(state: NodeState) -> Body:
    own = sorted((one.prefix for one in state.actual.routes if not one.vrf), key=_order)
    names = {peer.address: name for name, peer in state.wanted.peers.items()}
    local = [
        {
            "prefix": str(prefix),
            "nextHop": OWN_HOP,
            "advertisedTo": sorted(
                names.get(neighbor) or neighbor
                for neighbor, prefixes in state.sent.items()
                if prefix in prefixes
            ),
        }
        for prefix in own[:MOST_LOCAL]
    ]
    received = sorted(state.paths, key=lambda path: (_order(path.prefix), path.neighbor))
    return {
        "localRouteCount": len(own),
        "receivedRouteCount": len(received),
        "truncated": len(own) > MOST_LOCAL or len(received) > MOST_RECEIVED,
        "localRoutes": local,
        "receivedRoutes": [_received(path, names) for path in received[:MOST_RECEIVED]],
    }


def _received(path: LearnedPath, names: Mapping[str, str]) -> Body:
    return {
        "prefix": str(path.prefix),
        "nextHop": str(path.next_hops[0]) if path.next_hops else "",
        "fromPeer": names.get(path.neighbor) or path.neighbor,
        "communities": [*path.communities, *path.large_communities],
    }


def _exports(state: NodeState) -> Body:
    return {
        "enabled": state.protocol is not None,
        "protocol": state.protocol or 0,
        "totalExported": len(state.exported),
        "truncated": len(state.exported) > MOST_EXPORTED,
        "rules": [
            {"name": name, "metric": metric, "tableID": table}
            for name, metric, table in state.rules
        ],
        "exportedRoutes": [
            {
                "prefix": str(one.key.prefix),
                "table": _TABLES.get(one.key.table, str(one.key.table)),
                "metric": one.key.metric,
                "installed": one.key in state.installed,
                "reason": "" if one.key in state.installed else one.reason or "not installed yet",
            }
            for one in state.exported[:MOST_EXPORTED]
        ],
    }


def _vrfs(state: NodeState) -> Iterator[Body]:
    for name in sorted(state.actual.vrfs):
        yield {
            "name": name,
            "rd": state.actual.vrfs[name].distinguisher,
            "importedRouteCount": sum(route.vrf == name for route in state.actual.routes),
            "exportedRouteCount": 0,
        }


def _order(prefix: IPNetwork) -> tuple[int, int, int]:
    return prefix.version, int(prefix.network_address), prefix.prefixlen
