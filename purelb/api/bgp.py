"""The JSON of a BGPConfiguration, `bgp.purelb.io/v1`, and of the Secrets that it names.

The conventions are those of `purelb.api.resources`; BGPNodeStatus has a module of its own. A
field that the user left out is None where that differs from zero.
"""

import msgspec

from purelb.api.resources import Condition, LabelSelector, Object, Wire

GROUP, VERSION = "bgp.purelb.io", "v1"
API_VERSION = f"{GROUP}/{VERSION}"
FINALIZER = "bgp.purelb.io/finalizer"  # what PureLB's sidecar puts on a BGPConfiguration


class SecretKey(Wire, frozen=True):
    """A key of a Secret in the namespace of the BGPConfiguration."""

    name: str = ""
    key: str = ""
    optional: bool = False


class RouteSelectionOptions(Wire, frozen=True):
    """spec.global.routeSelectionOptions."""

    always_compare_med: bool = False
    advertise_inactive_routes: bool = False


class DefaultRouteDistance(Wire, frozen=True):
    """spec.global.defaultRouteDistance."""

    external_route_distance: int = 0
    internal_route_distance: int = 0


class Confederation(Wire, frozen=True):
    """spec.global.confederation."""

    enabled: bool = False
    identifier: int = 0
    member_as_list: tuple[int, ...] | None = None


class GracefulRestart(Wire, frozen=True):
    """gracefulRestart (RFC 4724) of the whole speaker, a neighbor or a group; time in seconds."""

    enabled: bool = False
    restart_time: int = 0
    helper_only: bool = False


class PolicyRefs(Wire, frozen=True):
    """One direction of applyPolicy: policies by name, in order, and what happens after them."""

    name: str = ""
    policies: tuple[str, ...] | None = None
    default_action: str = ""


class ApplyPolicy(Wire, frozen=True):
    """applyPolicy of the whole speaker, a neighbor or a group."""

    import_policy: PolicyRefs | None = None
    export_policy: PolicyRefs | None = None


class NodeStatusSpec(Wire, frozen=True):
    """spec.global.nodeStatus."""

    enabled: bool = True
    heartbeat_seconds: int = 60


class GlobalSpec(Wire, frozen=True):
    """spec.global."""

    asn: int = 0
    router_id: str = msgspec.field(name="routerID", default="")
    router_id_pool: str = msgspec.field(name="routerIDPool", default="")
    listen_port: int = 0
    listen_addresses: tuple[str, ...] | None = None
    families: tuple[str, ...] | None = None
    use_multiple_paths: bool = False
    route_selection_options: RouteSelectionOptions | None = None
    default_route_distance: DefaultRouteDistance | None = None
    confederation: Confederation | None = None
    graceful_restart: GracefulRestart | None = None
    apply_policy: ApplyPolicy | None = None
    bind_to_device: str = ""
    node_status: NodeStatusSpec = NodeStatusSpec()


class NeighborConfig(Wire, frozen=True):
    """config of a neighbor."""

    peer_asn: int = 0
    local_asn: int = 0
    neighbor_address: str = ""
    neighbor_interface: str = ""
    description: str = ""
    peer_group: str = ""
    admin_down: bool = False
    vrf: str = ""
    auth_password: str = ""
    auth_password_secret_ref: SecretKey | None = None


class GroupConfig(Wire, frozen=True):
    """config of a peer group."""

    peer_group_name: str = ""
    description: str = ""
    peer_asn: int = 0
    local_asn: int = 0
    auth_password: str = ""
    auth_password_secret_ref: SecretKey | None = None


class PrefixLimit(Wire, frozen=True):
    """How many prefixes a neighbor may send; the threshold in percent."""

    max_prefixes: int = 0
    shutdown_threshold_pct: int = 0


class AddPaths(Wire, frozen=True):
    """More than one path for a prefix (RFC 7911)."""

    receive: bool = False
    send_max: int = 0


class AfiSafi(Wire, frozen=True):
    """One address family of a neighbor or group."""

    family: str = ""
    enabled: bool = False
    prefix_limit: PrefixLimit | None = None
    add_paths: AddPaths | None = None


class TimersConfig(Wire, frozen=True):
    """timers.config, in seconds; 0 is the engine's default."""

    connect_retry: int = 0
    hold_time: int = 0
    keepalive_interval: int = 0
    minimum_advertisement_interval: int = 0


class Timers(Wire, frozen=True):
    """timers of a neighbor or group."""

    config: TimersConfig = TimersConfig()


class Transport(Wire, frozen=True):
    """transport of a neighbor or group."""

    local_address: str = ""
    passive_mode: bool = False
    bind_interface: str = ""


class RouteReflector(Wire, frozen=True):
    """routeReflector of a neighbor."""

    route_reflector_client: bool = False
    route_reflector_cluster_id: str = ""


class EbgpMultihop(Wire, frozen=True):
    """ebgpMultihop of a neighbor."""

    enabled: bool = False
    multihop_ttl: int = 0


class TtlSecurity(Wire, frozen=True):
    """ttlSecurity of a neighbor (RFC 5082): packets with a smaller TTL are none of the peer's."""

    enabled: bool = False
    ttl_min: int = 0


class Neighbor(Wire, frozen=True):
    """One entry of spec.neighbors."""

    config: NeighborConfig = NeighborConfig()
    node_selector: LabelSelector | None = None
    afi_safis: tuple[AfiSafi, ...] | None = None
    timers: Timers | None = None
    transport: Transport | None = None
    graceful_restart: GracefulRestart | None = None
    route_reflector: RouteReflector | None = None
    ebgp_multihop: EbgpMultihop | None = None
    ttl_security: TtlSecurity | None = None
    apply_policy: ApplyPolicy | None = None


class PeerGroup(Wire, frozen=True):
    """One entry of spec.peerGroups."""

    config: GroupConfig = GroupConfig()
    node_selector: LabelSelector | None = None
    afi_safis: tuple[AfiSafi, ...] | None = None
    timers: Timers | None = None
    transport: Transport | None = None
    apply_policy: ApplyPolicy | None = None


class DynamicNeighbor(Wire, frozen=True):
    """One entry of spec.dynamicNeighbors."""

    prefix: str = ""
    peer_group: str = ""


class VrfImport(Wire, frozen=True):
    """netlinkImport of a VRF."""

    enabled: bool = False
    interface_list: tuple[str, ...] | None = None


class VrfExport(Wire, frozen=True):
    """netlinkExport of a VRF."""

    enabled: bool = False
    linux_vrf: str = ""
    linux_table_id: int = 0
    metric: int = 0
    validate_nexthop: bool = True
    community_list: tuple[str, ...] | None = None
    large_community_list: tuple[str, ...] | None = None


class Vrf(Wire, frozen=True):
    """One entry of spec.vrfs."""

    name: str = ""
    rd: str = ""
    import_rt: tuple[str, ...] | None = None
    export_rt: tuple[str, ...] | None = None
    netlink_import: VrfImport | None = None
    netlink_export: VrfExport | None = None


class PrefixRange(Wire, frozen=True):
    """One entry of a prefix set."""

    ip_prefix: str = ""
    mask_length_min: int | None = None
    mask_length_max: int | None = None


class DefinedSet(Wire, frozen=True):
    """One entry of spec.definedSets."""

    type: str = ""
    name: str = ""
    list: tuple[str, ...] | None = None
    prefixes: tuple[PrefixRange, ...] | None = None


class MatchSet(Wire, frozen=True):
    """A condition on a defined set."""

    name: str = ""
    match: str = ""


class PolicyConditions(Wire, frozen=True):
    """conditions of a statement."""

    prefix_set: MatchSet | None = None
    neighbor_set: MatchSet | None = None
    as_path_set: MatchSet | None = None
    community_set: MatchSet | None = None
    rpki_result: str = ""


class CommunityAction(Wire, frozen=True):
    """actions.community of a statement."""

    type: str = ""
    communities: tuple[str, ...] | None = None


class MedAction(Wire, frozen=True):
    """actions.med of a statement."""

    type: str = ""
    value: int = 0


class AsPrepend(Wire, frozen=True):
    """actions.asPrepend of a statement."""

    asn: int = 0
    repeat: int = 1


class PolicyActions(Wire, frozen=True):
    """actions of a statement."""

    route_action: str = ""
    community: CommunityAction | None = None
    med: MedAction | None = None
    as_prepend: AsPrepend | None = None
    local_pref: int | None = None


class PolicyStatement(Wire, frozen=True):
    """One statement of a policy."""

    name: str = ""
    conditions: PolicyConditions = PolicyConditions()
    actions: PolicyActions = PolicyActions()


class PolicyDefinition(Wire, frozen=True):
    """One entry of spec.policyDefinitions."""

    name: str = ""
    statements: tuple[PolicyStatement, ...] | None = None


class NetlinkImport(Wire, frozen=True):
    """spec.netlinkImport."""

    enabled: bool = False
    vrf: str = ""
    interface_list: tuple[str, ...] | None = None


class ExportRule(Wire, frozen=True):
    """One entry of spec.netlinkExport.rules; table 0 is the main table."""

    name: str = ""
    community_list: tuple[str, ...] | None = None
    large_community_list: tuple[str, ...] | None = None
    vrf: str = ""
    table_id: int = 0
    metric: int = 20
    validate_nexthop: bool = True


class NetlinkExport(Wire, frozen=True):
    """spec.netlinkExport; the interval in milliseconds."""

    enabled: bool = False
    dampening_interval: int = 100
    route_protocol: int = 186
    rules: tuple[ExportRule, ...] | None = None


class BgpSpec(Wire, frozen=True):
    """Spec of a BGPConfiguration."""

    global_: GlobalSpec = msgspec.field(name="global", default=GlobalSpec())
    neighbors: tuple[Neighbor, ...] | None = None
    peer_groups: tuple[PeerGroup, ...] | None = None
    dynamic_neighbors: tuple[DynamicNeighbor, ...] | None = None
    vrfs: tuple[Vrf, ...] | None = None
    defined_sets: tuple[DefinedSet, ...] | None = None
    policy_definitions: tuple[PolicyDefinition, ...] | None = None
    netlink_import: NetlinkImport | None = None
    netlink_export: NetlinkExport | None = None


class BgpStatus(Wire, frozen=True):
    """What is read back of a BGPConfiguration's status, to see whether it is up to date."""

    observed_generation: int = 0
    conditions: tuple[Condition, ...] | None = None
    neighbor_count: int = 0
    established_neighbors: int = 0
    message: str = ""
    router_id_source: str = msgspec.field(name="routerIDSource", default="")


class BgpConfiguration(Object, frozen=True):
    """bgp.purelb.io/v1 BGPConfiguration."""

    spec: BgpSpec = BgpSpec()
    status: BgpStatus = BgpStatus()


class Secret(Object, frozen=True):
    """core/v1 Secret; values are base64 texts."""

    data: dict[str, str] | None = None


decode_configuration = msgspec.json.Decoder(BgpConfiguration).decode
decode_secret = msgspec.json.Decoder(Secret).decode
