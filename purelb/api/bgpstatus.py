"""The JSON of a BGPNodeStatus, `bgp.purelb.io/v1`: sidecars write it, and they and the plugin read.

The conventions are those of `purelb.api.resources`, but for what is written: every field is there,
zero or not, for a merge patch changes only what it names. What may be absent is None.
"""

from typing import Any

import msgspec

from purelb.api.resources import Condition, Object, Wire


class Told(Wire, frozen=True, omit_defaults=False):
    """Base of every part of a status."""


class Neighbor(Told, frozen=True):
    """One BGP session of a node; times are RFC 3339 texts.

    `address` is what users call it: its address, or iface:NAME. `prefixes_received` are those that
    are usable.
    """

    address: str = ""
    peer_asn: int = msgspec.field(name="peerASN", default=0)
    local_asn: int = msgspec.field(name="localASN", default=0)
    state: str = ""
    prefixes_sent: int = 0
    prefixes_received: int = 0
    session_up_since: str | None = None
    description: str | None = None
    last_error: str | None = None


class ImportInterface(Told, frozen=True):
    """A link whose addresses become routes; `oper_state` is up or down."""

    name: str = ""
    exists: bool = False
    oper_state: str = ""


class ImportedAddress(Told, frozen=True):
    """An address with its prefix length, and whether its network is in the table."""

    address: str = ""
    interface: str = ""
    in_rib: bool = msgspec.field(name="inRIB", default=False)


class NetlinkImport(Told, frozen=True):
    """The way from addresses into the table; `truncated`: not all of the total are listed."""

    enabled: bool = False
    vrf: str = ""
    total_imported: int = 0
    truncated: bool = False
    interfaces: tuple[ImportInterface, ...] | None = None
    imported_addresses: tuple[ImportedAddress, ...] | None = None


class Route(Told, frozen=True):
    """A route, who told it if it is received, and whom it is told to; own ones lead to 0.0.0.0."""

    prefix: str = ""
    next_hop: str = ""
    from_peer: str | None = None
    advertised_to: tuple[str, ...] | None = None
    communities: tuple[str, ...] | None = None


class Rib(Told, frozen=True):
    """The table; `truncated`: not all of the counted routes are listed."""

    local_route_count: int = 0
    received_route_count: int = 0
    truncated: bool = False
    local_routes: tuple[Route, ...] | None = None
    received_routes: tuple[Route, ...] | None = None


class ExportRule(Told, frozen=True):
    """Which received routes go to the kernel."""

    name: str = ""
    metric: int = 0
    table_id: int = msgspec.field(name="tableID", default=0)


class ExportedRoute(Told, frozen=True):
    """A received route on its way to the kernel, by name or number of the table."""

    prefix: str = ""
    table: str = ""
    metric: int = 0
    installed: bool = False
    reason: str = ""


class NetlinkExport(Told, frozen=True):
    """The way from the table to the kernel; `truncated`: not all of the total are listed."""

    enabled: bool = False
    protocol: int = 0
    total_exported: int = 0
    truncated: bool = False
    rules: tuple[ExportRule, ...] | None = None
    exported_routes: tuple[ExportedRoute, ...] | None = None


class Vrf(Told, frozen=True):
    """One VRF: own routes in it, and routes of it in the kernel."""

    name: str = ""
    rd: str = ""
    imported_route_count: int = 0
    exported_route_count: int = 0


class StatusCondition(Condition, frozen=True, omit_defaults=False):
    """A condition, of which the schema wants every part."""


class NodeStatus(Told, frozen=True):
    """Status of a BGPNodeStatus; `last_updated` is an RFC 3339 text."""

    node_name: str = ""
    router_id: str | None = msgspec.field(name="routerID", default=None)
    router_id_source: str | None = msgspec.field(name="routerIDSource", default=None)
    asn: int | None = None
    last_updated: str | None = None
    heartbeat_seconds: int = 0
    neighbor_count: int = 0
    neighbors: tuple[Neighbor, ...] | None = None
    netlink_import: NetlinkImport = NetlinkImport()
    rib: Rib = Rib()
    netlink_export: NetlinkExport = NetlinkExport()
    vrfs: tuple[Vrf, ...] | None = None
    healthy: bool = False
    conditions: tuple[StatusCondition, ...] | None = None


class BgpNodeStatus(Object, frozen=True):
    """bgp.purelb.io/v1 BGPNodeStatus."""

    status: NodeStatus = NodeStatus()


decode_bgp_node_status = msgspec.json.Decoder(BgpNodeStatus).decode


def without_times(status: NodeStatus) -> NodeStatus:
    """Return what must differ for a status to be written before its time."""
    return msgspec.structs.replace(status, last_updated=None)


def status_body(status: NodeStatus) -> dict[str, Any]:
    """Return a status for a merge patch, where null removes what is there.

    Entries of lists are replaced as wholes, and API servers refuse nulls in them: there what is
    absent is left out.
    """
    return {key: _pruned(value) for key, value in msgspec.to_builtins(status).items()}


def _pruned(value: object) -> object:
    """Return a value whose lists have entries without nulls."""
    if isinstance(value, dict):
        return {key: _pruned(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_entry(_pruned(one)) for one in value]
    return value


def _entry(value: object) -> object:
    if isinstance(value, dict):
        return {key: part for key, part in value.items() if part is not None}
    return value
