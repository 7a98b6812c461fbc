"""What this node's engine should do: the configuration, seen from this node. Pure.

Belongs here: selection by node labels, and what keeps a neighbor from being set up. Does not:
whether the configuration makes sense at all (`check`), how to get there (`plan`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address, ip_network

from bgp.core import fields
from bgp.core.check_sessions import key_of
from bgp.core.findings import Finding, remark
from bgp.core.model import (
    DEFAULT_PORT,
    NO_VRF,
    STOPPED,
    AfiSafi,
    Engine,
    Group,
    Peer,
    PeerName,
    Range,
    Route,
    Session,
    Speaker,
    Vrf,
)
from bgp.core.policy import Subject, compile_policies
from bgp.core.routerid import NodeFacts
from bgp.core.sessions import Extras, group_session, session_of
from purelb.api.addresses import IPNetwork
from purelb.api.bgp import (
    BgpSpec,
    GlobalSpec,
    GroupConfig,
    Neighbor,
    NeighborConfig,
    PeerGroup,
    SecretKey,
)
from purelb.api.bgp import Vrf as VrfSpec
from purelb.core import selectors

BOTH = (AfiSafi.IPV4, AfiSafi.IPV6)
NO_GROUP = "PeerGroupMissing"
NO_SECRET = "SecretMissing"
NO_ROUTER = "RouterNotSeen"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is known beyond the configuration.

    `passwords` by (Secret, key), as last read; what is missing there could never be read.
    `routers` are link-local addresses of neighbors by link. `next_hops` are this node's global IPv6
    addresses towards IPv4 neighbors and ranges, None where it has none.
    """

    node: NodeFacts
    router_id: str
    passwords: Mapping[tuple[str, str], str] = field(default_factory=dict)
    routers: Mapping[str, IPv6Address] = field(default_factory=dict)
    next_hops: Mapping[str, IPv6Address | None] = field(default_factory=dict)
    routes: frozenset[Route] = frozenset()


@dataclass(frozen=True, slots=True)
class Absent:
    """A neighbor that this node wants and cannot have yet; `reason` is a CamelCase word."""

    name: PeerName
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the engine should be like, and what stands in the way.

    `entries` are this node's neighbors by name, `absent` those of them that are not in `engine`.
    """

    engine: Engine = STOPPED
    entries: Mapping[PeerName, Neighbor] = field(default_factory=dict)
    absent: tuple[Absent, ...] = ()
    findings: tuple[Finding, ...] = ()


def desire(spec: BgpSpec, world: World) -> Wanted:
    """Return what this node should do for a configuration that has no fatal finding."""
    labels = world.node.labels
    groups = {
        group.config.peer_group_name: group
        for group in reversed(spec.peer_groups or ())
        if _selects(group, labels)
    }
    entries, findings = _entries(spec, labels)
    peers: dict[PeerName, Peer] = {}
    absent: list[Absent] = []
    for name, neighbor in entries.items():
        peer = _peer(name, neighbor, spec, groups, world)
        if isinstance(peer, Absent):
            absent.append(peer)
        else:
            peers[name] = peer
    ranges = frozenset(
        Range(str(ip_network(entry.prefix, strict=False)), entry.peer_group)
        for entry in spec.dynamic_neighbors or ()
        if entry.peer_group in groups
    )
    engine = Engine(
        speaker=_speaker(spec.global_, world.router_id),
        vrfs={vrf.name: _vrf(number, vrf) for number, vrf in enumerate(spec.vrfs or (), start=1)},
        routes=world.routes,
        groups={each.group: _group(groups[each.group], spec, each) for each in ranges},
        ranges=ranges,
        peers=peers,
    )
    subjects = _subjects(engine, entries, groups, world)
    return Wanted(
        engine=replace(engine, policies=compile_policies(spec, subjects)),
        entries=entries,
        absent=tuple(absent),
        findings=findings,
    )


def secrets_of(spec: BgpSpec) -> frozenset[tuple[str, str]]:
    """Return (Secret, key) of every password that is to be read."""
    refs = [neighbor.config.auth_password_secret_ref for neighbor in spec.neighbors or ()]
    refs += [group.config.auth_password_secret_ref for group in spec.peer_groups or ()]
    return frozenset((ref.name, ref.key) for ref in refs if ref is not None)


def hop_targets(spec: BgpSpec, labels: Mapping[str, str]) -> dict[str, IPNetwork]:
    """Return the IPv4 neighbors and ranges that IPv6 routes may be sent to."""
    entries, _ = _entries(spec, labels)
    found: dict[str, IPNetwork] = {}
    for name, neighbor in entries.items():
        address = fields.parsed_address(neighbor.config.neighbor_address)
        if address is not None and fields.is_v4(address) and not neighbor.config.neighbor_interface:
            found[name] = ip_network(address)
    for entry in spec.dynamic_neighbors or ():
        network = ip_network(entry.prefix, strict=False)
        if fields.is_v4(network):
            found[str(network)] = network
    return found


def _entries(
    spec: BgpSpec, labels: Mapping[str, str]
) -> tuple[dict[PeerName, Neighbor], tuple[Finding, ...]]:
    """Return this node's neighbors by name; of several entries for one the first counts."""
    found: dict[PeerName, Neighbor] = {}
    findings: list[Finding] = []
    for position, neighbor in enumerate(spec.neighbors or ()):
        if not _selects(neighbor, labels):
            continue
        name = key_of(neighbor)
        if name in found:
            note = f"another entry for {name} selects this node, too, and counts"
            findings.append(remark(f"spec.neighbors[{position}]", note))
        else:
            found[name] = neighbor
    return found, tuple(findings)


def _selects(entry: Neighbor | PeerGroup, labels: Mapping[str, str]) -> bool:
    return entry.node_selector is None or selectors.matches(entry.node_selector, labels)


def _speaker(spec: GlobalSpec, router_id: str) -> Speaker:
    options, confederation = spec.route_selection_options, spec.confederation
    is_member = confederation is not None and confederation.enabled
    return Speaker(
        asn=spec.asn,
        router_id=router_id,
        port=spec.listen_port or DEFAULT_PORT,
        listen=tuple(spec.listen_addresses or ()),
        uses_multiple_paths=spec.use_multiple_paths,
        device=spec.bind_to_device,
        always_compares_med=options is not None and options.always_compare_med,
        advertises_inactive=options is not None and options.advertise_inactive_routes,
        confederation=confederation.identifier if confederation and is_member else 0,
        confederation_members=tuple(confederation.member_as_list or ())
        if confederation and is_member
        else (),
    )


def _peer(
    name: PeerName,
    neighbor: Neighbor,
    spec: BgpSpec,
    groups: Mapping[str, PeerGroup],
    world: World,
) -> Peer | Absent:
    config = neighbor.config
    group = groups.get(config.peer_group)
    if config.peer_group and group is None:
        note = f"the nodeSelector of group {config.peer_group!r} does not select this node"
        return Absent(name, NO_GROUP, note)
    password = _password(neighbor, group, world)
    if password is None:
        return Absent(name, NO_SECRET, "the Secret with its password, or the key in it, is missing")
    address = _address(neighbor, world)
    if address is None:
        note = f"no router has been seen on {config.neighbor_interface}; does it send RAs there?"
        return Absent(name, NO_ROUTER, note)
    extras = Extras(password=password, restart=spec.global_.graceful_restart)
    session = session_of(neighbor, group, _default_families(neighbor), extras)
    return Peer(
        name=name,
        address=address,
        session=session,
        is_down=config.admin_down,
        description=config.description,
    )


def _default_families(neighbor: Neighbor) -> tuple[AfiSafi, ...]:
    address = fields.parsed_address(neighbor.config.neighbor_address)
    if neighbor.config.neighbor_interface or address is None:
        return BOTH
    return (AfiSafi.IPV4,) if fields.is_v4(address) else (AfiSafi.IPV6,)


def _address(neighbor: Neighbor, world: World) -> str | None:
    link = neighbor.config.neighbor_interface
    if not link:
        return str(fields.parsed_address(neighbor.config.neighbor_address))
    router = world.routers.get(link)
    return None if router is None else f"{router}%{link}"


def _password(neighbor: Neighbor, group: PeerGroup | None, world: World) -> str | None:
    """Return the password, empty without one; None if it is to be read and cannot be."""
    configs: list[NeighborConfig | GroupConfig] = [neighbor.config]
    configs += [] if group is None else [group.config]
    for config in configs:
        ref = config.auth_password_secret_ref
        if ref is not None:
            return _from_secret(ref, world)
        if config.auth_password:
            return config.auth_password
    return ""


def _from_secret(ref: SecretKey, world: World) -> str | None:
    found = world.passwords.get((ref.name, ref.key))
    return "" if found is None and ref.optional else found


def _group(group: PeerGroup, spec: BgpSpec, each: Range) -> Group:
    default = (AfiSafi.IPV6,) if ":" in each.prefix else (AfiSafi.IPV4,)
    extras = Extras(restart=spec.global_.graceful_restart)
    session = group_session(group, default, extras)
    return Group(name=each.group, session=session, description=group.config.description)


def _vrf(number: int, vrf: VrfSpec) -> Vrf:
    return Vrf(
        name=vrf.name,
        number=number,
        distinguisher=vrf.rd,
        imports=tuple(vrf.import_rt or ()),
        exports=tuple(vrf.export_rt or ()),
    )


def _subjects(
    engine: Engine,
    entries: Mapping[PeerName, Neighbor],
    groups: Mapping[str, PeerGroup],
    world: World,
) -> list[Subject]:
    """Return whom policies are compiled for, in the order of their names."""
    return [
        *_peer_subjects(engine, entries, groups, world),
        *_range_subjects(engine, groups, world),
    ]


def _peer_subjects(
    engine: Engine,
    entries: Mapping[PeerName, Neighbor],
    groups: Mapping[str, PeerGroup],
    world: World,
) -> Iterator[Subject]:
    for name in sorted(engine.peers):
        peer, neighbor = engine.peers[name], entries[name]
        group = groups.get(neighbor.config.peer_group)
        address, _, _ = peer.address.partition("%")
        subject = Subject(
            name=name,
            network=ip_network(address),
            own=neighbor.apply_policy,
            groups=group.apply_policy if group is not None else None,
        )
        yield _with_hop(subject, peer.session, world)


def _range_subjects(
    engine: Engine, groups: Mapping[str, PeerGroup], world: World
) -> Iterator[Subject]:
    for each in sorted(engine.ranges):
        subject = Subject(
            name=each.prefix,
            network=ip_network(each.prefix),
            groups=groups[each.group].apply_policy,
        )
        yield _with_hop(subject, engine.groups[each.group].session, world)


def _with_hop(subject: Subject, session: Session, world: World) -> Subject:
    carries_v6 = any(one.family is AfiSafi.IPV6 for one in session.families)
    if not carries_v6 or not fields.is_v4(subject.network) or session.vrf != NO_VRF:
        return subject
    hop = world.next_hops.get(subject.name)
    return replace(subject, next_hop=hop, lacks_next_hop=hop is None)
