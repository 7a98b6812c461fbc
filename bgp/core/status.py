"""The status of this node's BGPNodeStatus. Pure.

Belongs here: its limits, the order of its lists, and what is told in which field. Does not: its
JSON (`purelb.api.bgpstatus`), judgments (`health`), when it is written (`shell.status`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgp.core.health import NodeState, is_healthy, judge, why_down
from bgp.core.model import Peer
from bgp.core.observed import LearnedPath, SessionFacts, SessionState
from purelb.api import bgpstatus
from purelb.api.addresses import IPNetwork
from purelb.api.bgp import API_VERSION
from purelb.api.bgpstatus import NodeStatus, StatusCondition
from purelb.api.routes import MAIN_TABLE

Body = dict[str, Any]

MOST_LOCAL, MOST_RECEIVED, MOST_EXPORTED, MOST_IMPORTED = 500, 100, 500, 500
OWN_HOP = "0.0.0.0"  # the next hop of own routes, for both families
_TABLES = {0: "main", MAIN_TABLE: "main", 253: "default", 255: "local"}


def node_status(state: NodeState, before: Sequence[StatusCondition], now: str) -> NodeStatus:
    """Return the whole status; `before` are the conditions there, `now` an RFC 3339 time."""
    neighbors = tuple(_neighbor(one, state) for one in _known(state))
    speaker, router_id = state.wanted.speaker, state.router_id
    return NodeStatus(
        node_name=state.node,
        router_id=router_id.address if router_id is not None else None,
        router_id_source=router_id.source.value if router_id is not None else None,
        asn=speaker.asn if speaker is not None else None,
        last_updated=now,
        heartbeat_seconds=state.heartbeat,
        neighbor_count=len(neighbors),
        neighbors=neighbors,
        netlink_import=_imports(state),
        rib=_rib(state),
        netlink_export=_exports(state),
        vrfs=tuple(_vrfs(state)),
        healthy=is_healthy(state),
        conditions=tuple(_conditions(state, before, now)),
    )


def node_object(state: NodeState) -> Body:
    """Return the object that carries the status; it goes with its Node."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": state.node, "uid": state.uid}
    return {
        "apiVersion": API_VERSION,
        "kind": "BGPNodeStatus",
        "metadata": {"name": state.node, "ownerReferences": [owner] if state.uid else []},
        "spec": {},
    }


def _conditions(
    state: NodeState, before: Sequence[StatusCondition], now: str
) -> Iterator[StatusCondition]:
    known = {one.type: one for one in before}
    for one in judge(state):
        status = "True" if one.is_true else "False"
        old = known.get(one.type)
        since = old.last_transition_time if old is not None and old.status == status else now
        yield StatusCondition(
            type=one.type,
            status=status,
            reason=one.reason,
            message=one.message,
            last_transition_time=since or now,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What there is of one neighbor; `absent` says why the engine has none."""

    name: str
    peer: Peer | None = None
    session: SessionFacts | None = None
    asn: int = 0
    description: str = ""
    absent: str = ""


def _known(state: NodeState) -> Iterator[_Known]:
    """Yield configured neighbors by name, then dynamic ones by address."""
    facts = {session.address: session for session in state.sessions}
    absent = {one.name: one.message for one in state.absent}
    for name in sorted(state.entries):
        peer, config = state.wanted.peers.get(name), state.entries[name].config
        yield _Known(
            name=name,
            peer=peer,
            session=facts.get(peer.address) if peer is not None else None,
            asn=config.peer_asn,
            description=config.description,
            absent=absent.get(name, ""),
        )
    configured = {peer.address for peer in state.wanted.peers.values()}
    for address in sorted(set(facts) - configured):
        if facts[address].group:
            yield _Known(name=address, session=facts[address])


def _neighbor(known: _Known, state: NodeState) -> bgpstatus.Neighbor:
    speaker, peer, session = state.wanted.speaker, known.peer, known.session
    own = speaker.asn if speaker is not None else 0
    planned = (peer.session.peer_asn, peer.session.local_asn) if peer is not None else (0, 0)
    actual = (session.peer_asn, session.local_asn) if session is not None else (0, 0)
    up = session if session is not None and session.is_up else None
    since = up.up_since if up is not None else None
    return bgpstatus.Neighbor(
        address=known.name,
        peer_asn=actual[0] or planned[0] or known.asn,
        local_asn=actual[1] or planned[1] or own,
        state=session.state.value if session is not None else SessionState.IDLE.value,
        prefixes_sent=up.total("advertised") if up is not None else 0,
        prefixes_received=up.total("accepted") if up is not None else 0,
        session_up_since=since.strftime("%Y-%m-%dT%H:%M:%SZ") if since is not None else None,
        description=known.description or None,
        last_error=known.absent or _error(peer, session, state),
    )


def _error(peer: Peer | None, session: SessionFacts | None, state: NodeState) -> str | None:
    """Return why a session is not up, None if it is, or if nothing is known of it."""
    if session is None:
        is_wanted = peer is not None and not peer.is_down
        return why_down(peer.address, None, state.errors) if peer and is_wanted else None
    if session.is_up:
        return None
    if peer is not None and peer.is_down:
        return "adminDown is set"
    return why_down(session.address, session, state.errors)


def _imports(state: NodeState) -> bgpstatus.NetlinkImport:
    addresses = state.imports.addresses
    return bgpstatus.NetlinkImport(
        enabled=state.is_import_on,
        vrf=state.import_vrf,
        total_imported=len(addresses),
        truncated=len(addresses) > MOST_IMPORTED,
        interfaces=tuple(
            bgpstatus.ImportInterface(
                name=one.name, exists=one.exists, oper_state="up" if one.is_up else "down"
            )
            for one in state.imports.interfaces
        ),
        imported_addresses=tuple(
            bgpstatus.ImportedAddress(
                address=f"{one.address}/{one.route.prefix.prefixlen}",
                interface=one.interface,
                in_rib=one.route in state.actual.routes,
            )
            for one in addresses[:MOST_IMPORTED]
        ),
    )


def _rib(state: NodeState) -> bgpstatus.Rib:
    own = sorted((one.prefix for one in state.actual.routes if not one.vrf), key=_order)
    names = {peer.address: name for name, peer in state.wanted.peers.items()}
    local = (
        bgpstatus.Route(
            prefix=str(prefix),
            next_hop=OWN_HOP,
            advertised_to=tuple(
                sorted(
                    names.get(neighbor) or neighbor
                    for neighbor, prefixes in state.sent.items()
                    if prefix in prefixes
                )
            ),
        )
        for prefix in own[:MOST_LOCAL]
    )
    received = sorted(state.paths, key=lambda path: (_order(path.prefix), path.neighbor))
    return bgpstatus.Rib(
        local_route_count=len(own),
        received_route_count=len(received),
        truncated=len(own) > MOST_LOCAL or len(received) > MOST_RECEIVED,
        local_routes=tuple(local),
        received_routes=tuple(_received(path, names) for path in received[:MOST_RECEIVED]),
    )


def _received(path: LearnedPath, names: Mapping[str, str]) -> bgpstatus.Route:
    return bgpstatus.Route(
        prefix=str(path.prefix),
        next_hop=str(path.next_hops[0]) if path.next_hops else "",
        from_peer=names.get(path.neighbor) or path.neighbor,
        communities=(*path.communities, *path.large_communities),
    )


def _exports(state: NodeState) -> bgpstatus.NetlinkExport:
    return bgpstatus.NetlinkExport(
        enabled=state.protocol is not None,
        protocol=state.protocol or 0,
        total_exported=len(state.exported),
        truncated=len(state.exported) > MOST_EXPORTED,
        rules=tuple(
            bgpstatus.ExportRule(name=name, metric=metric, table_id=table)
            for name, metric, table in state.rules
        ),
        exported_routes=tuple(
            bgpstatus.ExportedRoute(
                prefix=str(one.key.prefix),
                table=_TABLES.get(one.key.table, str(one.key.table)),
                metric=one.key.metric,
                installed=one.key in state.installed,
                reason="" if one.key in state.installed else one.reason or "not installed yet",
            )
            for one in state.exported[:MOST_EXPORTED]
        ),
    )


def _vrfs(state: NodeState) -> Iterator[bgpstatus.Vrf]:
    for name in sorted(state.actual.vrfs):
        yield bgpstatus.Vrf(
            name=name,
            rd=state.actual.vrfs[name].distinguisher,
            imported_route_count=sum(route.vrf == name for route in state.actual.routes),
            exported_route_count=sum(
                one.vrf == name and one.key in state.installed for one in state.exported
            ),
        )


def _order(prefix: IPNetwork) -> tuple[int, int, int]:
    return prefix.version, int(prefix.network_address), prefix.prefixlen
