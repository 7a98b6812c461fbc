"""The JSON of a BGPNodeStatus, as far as the plugin reads it; the rest is in `purelb.api.bgp`."""

import msgspec

from purelb.api.resources import Condition, Object, Wire


class Neighbor(Wire, frozen=True):
    """One BGP session of a node; times are RFC 3339 texts."""

    address: str = ""
    peer_asn: int = msgspec.field(name="peerASN", default=0)
    local_asn: int = msgspec.field(name="localASN", default=0)
    state: str = ""
    prefixes_sent: int = 0
    prefixes_received: int = 0
    session_up_since: str | None = None
    last_error: str = ""


class ImportInterface(Wire, frozen=True):
    """A link whose addresses become routes."""

    name: str = ""
    exists: bool = False
    oper_state: str = ""


class ImportedAddress(Wire, frozen=True):
    """An address with its prefix length, and whether its network is in the table."""

    address: str = ""
    interface: str = ""
    in_rib: bool = msgspec.field(name="inRIB", default=False)


class NetlinkImport(Wire, frozen=True):
    """The way from addresses into the table."""

    enabled: bool = False
    interfaces: tuple[ImportInterface, ...] | None = None
    imported_addresses: tuple[ImportedAddress, ...] | None = None
    truncated: bool = False  # the list has no more than a part


class Route(Wire, frozen=True):
    """A route, who told it if it is received, and whom it is told to."""

    prefix: str = ""
    next_hop: str = ""
    from_peer: str = ""
    advertised_to: tuple[str, ...] | None = None


class Rib(Wire, frozen=True):
    """The table."""

    local_routes: tuple[Route, ...] | None = None
    received_routes: tuple[Route, ...] | None = None


class ExportRule(Wire, frozen=True):
    """Which received routes go to the kernel."""

    name: str = ""
    metric: int = 0
    table_id: int = msgspec.field(name="tableID", default=0)


class ExportedRoute(Wire, frozen=True):
    """A received route on its way to the kernel."""

    prefix: str = ""
    table: str = ""
    metric: int = 0
    installed: bool = False
    reason: str = ""


class NetlinkExport(Wire, frozen=True):
    """The way from the table to the kernel."""

    enabled: bool = False
    rules: tuple[ExportRule, ...] | None = None
    exported_routes: tuple[ExportedRoute, ...] | None = None


class Vrf(Wire, frozen=True):
    """One VRF."""

    name: str = ""
    rd: str = ""
    imported_route_count: int = 0
    exported_route_count: int = 0


class BgpStatus(Wire, frozen=True):
    """Status of a BGPNodeStatus."""

    node_name: str = ""
    router_id: str = msgspec.field(name="routerID", default="")
    last_updated: str | None = None
    heartbeat_seconds: int = 0
    neighbors: tuple[Neighbor, ...] | None = None
    netlink_import: NetlinkImport = NetlinkImport()
    rib: Rib = Rib()
    netlink_export: NetlinkExport = NetlinkExport()
    vrfs: tuple[Vrf, ...] | None = None
    conditions: tuple[Condition, ...] | None = None


class BgpNodeStatus(Object, frozen=True):
    """bgp.purelb.io/v1 BGPNodeStatus."""

    status: BgpStatus = BgpStatus()


decode_bgp_node_status = msgspec.json.Decoder(BgpNodeStatus).decode
