"""`bgp sessions`: every session of every node, and those that are down or not reported any more."""

from collections.abc import Iterator

from plugin.core.bgpchecks import address_of
from plugin.core.bgpstate import ESTABLISHED
from plugin.core.document import Document
from plugin.core.snapshot import Snapshot
from plugin.core.spans import parse_time, span_text
from purelb.api.bgpstatus import Neighbor, NodeStatus
from purelb.api.resources import LabelSelector

HEARTBEAT = 60  # seconds, where a status does not say
STALE = 3  # heartbeats


class SessionRow(Document, frozen=True):
    """One session; a node without one has a row without a neighbor."""

    node: str
    router_id: str
    neighbor: str
    peer_asn: int
    local_asn: int
    state: str
    uptime: str
    prefixes_sent: int
    prefixes_received: int
    last_error: str = ""
    selector: str = ""


class SessionsReport(Document, frozen=True):
    """All sessions by node."""

    global_asn: int
    router_id_mode: str
    sessions: tuple[SessionRow, ...]
    problems: tuple[str, ...] = ()


def report_sessions(snapshot: Snapshot, node: str = "") -> SessionsReport:
    """Return the sessions of all nodes or of one."""
    statuses = [one.status for one in snapshot.bgp_nodes if node in ("", one.status.node_name)]
    selectors = _selectors(snapshot)
    spec = snapshot.bgp_configs[0].spec.global_ if snapshot.bgp_configs else None
    router_id = spec.router_id if spec is not None else ""
    return SessionsReport(
        global_asn=spec.asn if spec is not None else 0,
        router_id_mode=f"explicit: {router_id}" if router_id else "auto-detect",
        sessions=tuple(row for one in statuses for row in _rows(one, selectors, snapshot.now)),
        problems=tuple(line for one in statuses for line in _problems(one, snapshot.now)),
    )


def _selectors(snapshot: Snapshot) -> dict[str, str]:
    return {
        address_of(neighbor): selector_text(neighbor.node_selector)
        for config in snapshot.bgp_configs
        for neighbor in config.spec.neighbors or ()
        if neighbor.node_selector is not None
    }


def selector_text(selector: LabelSelector) -> str:
    """Return a selector as `kubectl get -l` takes it."""
    parts = [f"{key}={value}" for key, value in sorted((selector.match_labels or {}).items())]
    for one in selector.match_expressions or ():
        values = ",".join(one.values or ())
        match one.operator:
            case "Exists":
                parts.append(one.key)
            case "DoesNotExist":
                parts.append(f"!{one.key}")
            case _:
                parts.append(f"{one.key} {one.operator.lower()} ({values})")
    return ",".join(parts)


def _rows(status: NodeStatus, selectors: dict[str, str], now: float) -> Iterator[SessionRow]:
    for one in status.neighbors or (Neighbor(address="(none)", state="-"),):
        since = parse_time(one.session_up_since)
        yield SessionRow(
            node=status.node_name,
            router_id=status.router_id or "",
            neighbor=one.address,
            peer_asn=one.peer_asn,
            local_asn=one.local_asn,
            state=one.state,
            uptime=span_text(now - since) if since is not None else "-",
            prefixes_sent=one.prefixes_sent,
            prefixes_received=one.prefixes_received,
            last_error=one.last_error or "",
            selector=selectors.get(one.address, ""),
        )


def _problems(status: NodeStatus, now: float) -> Iterator[str]:
    updated = parse_time(status.last_updated)
    limit = STALE * (status.heartbeat_seconds or HEARTBEAT)
    if updated is not None and now - updated > limit:
        yield (
            f"{status.node_name}: BGPNodeStatus is stale (last updated {span_text(now - updated)}"
            f" ago, more than {span_text(limit)}): does its sidecar run?"
        )
    for one in status.neighbors or ():
        if one.state != ESTABLISHED:
            error = f", error: {one.last_error}" if one.last_error else ""
            yield (
                f"{status.node_name} <-> {one.address} (AS {one.peer_asn}): not established"
                f" (state: {one.state}{error})"
            )
