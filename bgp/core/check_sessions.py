"""Whether neighbors, peer groups and dynamic neighbors of a BGPConfiguration make sense."""

from collections.abc import Iterator, Mapping
from itertools import combinations

from bgp.core import fields
from bgp.core.findings import Finding, remark
from bgp.core.model import AfiSafi, PeerName
from purelb.api.addresses import IPNetwork
from purelb.api.bgp import (
    AfiSafi as AfiSafiSpec,
)
from purelb.api.bgp import (
    BgpSpec,
    EbgpMultihop,
    Neighbor,
    PeerGroup,
    RouteReflector,
    Timers,
    Transport,
    TtlSecurity,
)

SHORTEST_HOLD = 3  # seconds; RFC 4271 section 4.2
SHORTEST_RETRY = 5  # seconds; gobgpd 3.10 raises what is less (pkg/server/fsm.go)
LARGEST_TTL = 255
MOST_PATHS = 255


def key_of(neighbor: Neighbor) -> PeerName:
    """Return what a neighbor is called in status and by users."""
    config = neighbor.config
    if config.neighbor_interface:
        return PeerName(f"iface:{config.neighbor_interface}")
    address = fields.parsed_address(config.neighbor_address)
    return PeerName(config.neighbor_address if address is None else str(address))


def check_neighbors(spec: BgpSpec, policies: set[str]) -> Iterator[Finding]:
    """Yield what is wrong with spec.neighbors."""
    groups = {group.config.peer_group_name: group for group in spec.peer_groups or ()}
    vrfs = {vrf.name for vrf in spec.vrfs or ()}
    everywhere: dict[PeerName, int] = {}
    for position, neighbor in enumerate(spec.neighbors or ()):
        path = f"spec.neighbors[{position}]"
        yield from _check_identity(path, neighbor, groups)
        yield from _check_parts(path, neighbor, policies)
        yield from _check_role(path, neighbor, spec, groups)
        if neighbor.config.vrf and neighbor.config.vrf not in vrfs:
            where = f"{path}.config.vrf"
            yield Finding(where, f"no VRF is called {neighbor.config.vrf!r}; define it in vrfs")
        if neighbor.node_selector is None:
            first = everywhere.setdefault(key_of(neighbor), position)
            if first != position:
                note = f"{key_of(neighbor)} is neighbors[{first}] already, on every node"
                yield Finding(f"{path}.config", f"{note}; give both a nodeSelector, or drop one")


def _check_identity(
    path: str, neighbor: Neighbor, groups: Mapping[str, PeerGroup]
) -> Iterator[Finding]:
    config = neighbor.config
    if not (config.neighbor_address or config.neighbor_interface):
        note = "is missing; set it, or neighborInterface for an unnumbered session"
        yield Finding(f"{path}.config.neighborAddress", note)
    elif not config.neighbor_interface:
        yield from _check_address(f"{path}.config.neighborAddress", neighbor)
    yield from fields.link(f"{path}.config.neighborInterface", config.neighbor_interface)
    if config.peer_group and config.peer_group not in groups:
        note = f"no group is called {config.peer_group!r}; define it in peerGroups"
        yield Finding(f"{path}.config.peerGroup", note)
    yield from fields.asn(f"{path}.config.peerAsn", config.peer_asn, may_lack=True)
    group = groups.get(config.peer_group)
    if config.peer_asn == 0 and (group is None or group.config.peer_asn == 0):
        yield Finding(f"{path}.config.peerAsn", "is missing, and no peer group has one")
    yield from fields.asn(f"{path}.config.localAsn", config.local_asn, may_lack=True)
    ref = config.auth_password_secret_ref
    yield from fields.password(f"{path}.config", config.auth_password, ref)


def _check_address(path: str, neighbor: Neighbor) -> Iterator[Finding]:
    text = neighbor.config.neighbor_address
    address = fields.parsed_address(text)
    if address is None:
        yield Finding(path, f"{text!r} is not an IP address")
    elif not fields.is_usable_peer(address):
        yield Finding(path, f"{text} is no address of a host; use a unicast one")
    elif address.is_link_local and fields.is_v6(address) and not fields.zone_of(address):
        note = f"{text} needs an interface; write {text}%eth0, or use neighborInterface"
        yield Finding(path, note)


def _check_parts(path: str, neighbor: Neighbor, policies: set[str]) -> Iterator[Finding]:
    yield from fields.selector(f"{path}.nodeSelector", neighbor.node_selector)
    yield from _check_families(f"{path}.afiSafis", neighbor.afi_safis)
    yield from _check_timers(f"{path}.timers.config", neighbor.timers)
    yield from _check_transport(f"{path}.transport", neighbor.transport)
    yield from fields.restart(f"{path}.gracefulRestart", neighbor.graceful_restart)
    yield from fields.apply_policy(f"{path}.applyPolicy", neighbor.apply_policy, policies)
    yield from _check_ttl(path, neighbor.ebgp_multihop, neighbor.ttl_security)
    local = neighbor.transport.local_address if neighbor.transport is not None else ""
    own, other = (fields.parsed_address(text) for text in (local, neighbor.config.neighbor_address))
    if own is not None and other is not None and own.version != other.version:
        note = f"{local} and {neighbor.config.neighbor_address} are of different families"
        yield Finding(f"{path}.transport.localAddress", note)


def _check_role(
    path: str, neighbor: Neighbor, spec: BgpSpec, groups: Mapping[str, PeerGroup]
) -> Iterator[Finding]:
    """Check what depends on whether the neighbor is in our AS."""
    group = groups.get(neighbor.config.peer_group)
    group_asn = group.config.peer_asn if group is not None else 0
    peer = neighbor.config.peer_asn or group_asn
    own = neighbor.config.local_asn or spec.global_.asn
    reflector = neighbor.route_reflector
    if reflector is not None and reflector.route_reflector_client:
        yield from _check_reflector(f"{path}.routeReflector", reflector, is_internal=peer == own)
    multihop = neighbor.ebgp_multihop
    if multihop is not None and multihop.enabled and peer == own:
        yield remark(f"{path}.ebgpMultihop", "has no effect: the neighbor is in our own AS")


def _check_reflector(path: str, value: RouteReflector, *, is_internal: bool) -> Iterator[Finding]:
    if not is_internal:
        note = "only a neighbor in our own AS can be a client; set it to false"
        yield Finding(f"{path}.routeReflectorClient", note)
    text = value.route_reflector_cluster_id
    address = fields.parsed_address(text)
    is_number = text.isascii() and text.isdigit() and int(text) <= fields.LARGEST_U32
    if not is_number and (address is None or not fields.is_v4(address)):
        note = f"{text!r} is no cluster ID; write it like an IPv4 address"
        yield Finding(f"{path}.routeReflectorClusterId", note)


def _check_ttl(
    path: str, multihop: EbgpMultihop | None, security: TtlSecurity | None
) -> Iterator[Finding]:
    if multihop is not None:
        where = f"{path}.ebgpMultihop.multihopTtl"
        yield from fields.number(where, multihop.multihop_ttl, 0, LARGEST_TTL)
    if security is not None:
        yield from fields.number(f"{path}.ttlSecurity.ttlMin", security.ttl_min, 0, LARGEST_TTL)
        if security.enabled and multihop is not None and multihop.enabled:
            note = "cannot go with ebgpMultihop; set ttlMin to 255 less the number of hops instead"
            yield Finding(f"{path}.ttlSecurity", note)


def _check_families(path: str, value: tuple[AfiSafiSpec, ...] | None) -> Iterator[Finding]:
    seen: set[AfiSafi] = set()
    for position, entry in enumerate(value or ()):
        where = f"{path}[{position}]"
        yield from fields.family_name(f"{where}.family", entry.family)
        family = fields.family(entry.family)
        if family is not None and family in seen:
            yield Finding(f"{where}.family", f"{family} is there twice; drop one of them")
        if family is not None:
            seen.add(family)
        if (limit := entry.prefix_limit) is not None:
            most = f"{where}.prefixLimit.maxPrefixes"
            yield from fields.number(most, limit.max_prefixes, 0, fields.LARGEST_U32)
            threshold = f"{where}.prefixLimit.shutdownThresholdPct"
            yield from fields.number(threshold, limit.shutdown_threshold_pct, 0, 100)
        if (paths := entry.add_paths) is not None:
            yield from fields.number(f"{where}.addPaths.sendMax", paths.send_max, 0, MOST_PATHS)
    if value and not any(entry.enabled for entry in value):
        yield Finding(path, "every family is disabled; enable one, or drop the list")


def _check_timers(path: str, value: Timers | None) -> Iterator[Finding]:
    if value is None:
        return
    timers = value.config
    yield from fields.number(f"{path}.connectRetry", timers.connect_retry, 0, fields.LARGEST_U16)
    if 0 < timers.connect_retry < SHORTEST_RETRY:
        note = f"{timers.connect_retry} has the effect of {SHORTEST_RETRY}, the engine's shortest"
        yield remark(f"{path}.connectRetry", note)
    yield from fields.number(f"{path}.holdTime", timers.hold_time, 0, fields.LARGEST_U16)
    if 0 < timers.hold_time < SHORTEST_HOLD:
        note = f"{timers.hold_time} is too short; use {SHORTEST_HOLD} or more (RFC 4271)"
        yield Finding(f"{path}.holdTime", note)
    keepalive = f"{path}.keepaliveInterval"
    yield from fields.number(keepalive, timers.keepalive_interval, 0, fields.LARGEST_U16)
    if 0 < timers.hold_time <= timers.keepalive_interval:
        note = f"must be shorter than holdTime, {timers.hold_time}; a third of it is usual"
        yield Finding(keepalive, note)
    interval = f"{path}.minimumAdvertisementInterval"
    least = timers.minimum_advertisement_interval
    yield from fields.number(interval, least, 0, fields.LARGEST_U16)


def _check_transport(path: str, value: Transport | None) -> Iterator[Finding]:
    if value is not None:
        if value.local_address:
            yield from fields.address(f"{path}.localAddress", value.local_address)
        yield from fields.link(f"{path}.bindInterface", value.bind_interface)


def check_groups(spec: BgpSpec, policies: set[str]) -> Iterator[Finding]:
    """Yield what is wrong with spec.peerGroups."""
    everywhere: list[str] = []
    for position, group in enumerate(spec.peer_groups or ()):
        path, config = f"spec.peerGroups[{position}]", group.config
        name = config.peer_group_name
        if not name:
            yield Finding(f"{path}.config.peerGroupName", "a name is missing")
        if group.node_selector is None and name in everywhere:
            note = f"{name!r} is there twice, on every node; give both a nodeSelector"
            yield Finding(f"{path}.config.peerGroupName", note)
        if group.node_selector is None:
            everywhere.append(name)
        yield from fields.asn(f"{path}.config.peerAsn", config.peer_asn, may_lack=True)
        yield from fields.asn(f"{path}.config.localAsn", config.local_asn, may_lack=True)
        ref = config.auth_password_secret_ref
        yield from fields.password(f"{path}.config", config.auth_password, ref)
        yield from fields.selector(f"{path}.nodeSelector", group.node_selector)
        yield from _check_families(f"{path}.afiSafis", group.afi_safis)
        yield from _check_timers(f"{path}.timers.config", group.timers)
        yield from _check_transport(f"{path}.transport", group.transport)
        yield from fields.apply_policy(f"{path}.applyPolicy", group.apply_policy, policies)


def check_dynamic(spec: BgpSpec) -> Iterator[Finding]:
    """Yield what is wrong with spec.dynamicNeighbors."""
    groups = {group.config.peer_group_name: group for group in spec.peer_groups or ()}
    ranges: list[tuple[int, IPNetwork]] = []
    for position, entry in enumerate(spec.dynamic_neighbors or ()):
        path = f"spec.dynamicNeighbors[{position}]"
        yield from fields.prefix(f"{path}.prefix", entry.prefix)
        if (network := fields.parsed_prefix(entry.prefix)) is not None:
            ranges.append((position, network))
        group = groups.get(entry.peer_group)
        if group is None:
            note = f"no group is called {entry.peer_group!r}; define it in peerGroups"
            yield Finding(f"{path}.peerGroup", note)
            continue
        if group.config.peer_asn == 0:
            note = f"group {entry.peer_group!r} has no peerAsn, which its members need"
            yield Finding(f"{path}.peerGroup", note)
        if group.config.auth_password or group.config.auth_password_secret_ref is not None:
            note = (
                f"group {entry.peer_group!r} has a password, and the engine has none for ranges; "
                "list these neighbors one by one, or use a group without"
            )
            yield Finding(f"{path}.peerGroup", note)
    for (one, first), (other, second) in combinations(ranges, 2):
        if first.version == second.version and first.overlaps(second):
            note = f"overlaps with dynamicNeighbors[{one}], {first}; keep them apart"
            yield Finding(f"spec.dynamicNeighbors[{other}].prefix", note)
