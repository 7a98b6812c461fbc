"""Translates between the core's values and gobgpd's messages.

Belongs here: the shape of messages, nothing that waits. Does not: which call carries them
(`engine`). GoBGP 4 renames its service and renumbers some enums: this module and the proto are what
would change.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import TypeAlias, get_args

from bgp.core import fields
from bgp.core.model import (
    AfiSafi,
    Change,
    DefinedSet,
    Group,
    Match,
    Peer,
    Policies,
    Route,
    Session,
    SetKind,
    Speaker,
    Statement,
    Vrf,
)
from bgp.core.observed import FamilyCounts, LearnedPath, SessionFacts, SessionState
from purelb.api.addresses import IPAddress, IPNetwork
from purelb.runtime import gobgp_pb2 as wire
from purelb.runtime.rpc import pack, unpack

# A restarting engine waits so long for its neighbors' tables before it sends its own (RFC 4724
# section 4.1). Ours are chosen without them, and until they are sent again a neighbor has the old
# ones as stale: one more end would make it drop them at once (section 4.2). gobgpd 3.10 takes 0 for
# 360.
DEFERRAL_SECONDS = 1
IMPORT_POLICY, EXPORT_POLICY = "purelb-import", "purelb-export"
NOWHERE = {4: "0.0.0.0", 6: "::"}  # as a next hop: this host
IGP = 0  # RFC 4271 section 5.1.1: the origin of a route that is not learned from others
_ROUTE_TARGET = 2  # RFC 4360 section 4: the sub-type

_FAMILIES = {
    AfiSafi.IPV4: wire.Family(afi=wire.Family.AFI_IP, safi=wire.Family.SAFI_UNICAST),
    AfiSafi.IPV6: wire.Family(afi=wire.Family.AFI_IP6, safi=wire.Family.SAFI_UNICAST),
    AfiSafi.EVPN: wire.Family(afi=wire.Family.AFI_L2VPN, safi=wire.Family.SAFI_EVPN),
}
_KINDS = {
    SetKind.PREFIX: wire.PREFIX,
    SetKind.NEIGHBOR: wire.NEIGHBOR,
    SetKind.AS_PATH: wire.AS_PATH,
    SetKind.COMMUNITY: wire.COMMUNITY,
    SetKind.LARGE_COMMUNITY: wire.LARGE_COMMUNITY,
}
_CONDITIONS = {
    SetKind.PREFIX: "prefix_set",
    SetKind.NEIGHBOR: "neighbor_set",
    SetKind.AS_PATH: "as_path_set",
    SetKind.COMMUNITY: "community_set",
    SetKind.LARGE_COMMUNITY: "large_community_set",
}
_MATCHES = {
    Match.ANY: wire.MatchSet.ANY,
    Match.ALL: wire.MatchSet.ALL,
    Match.INVERT: wire.MatchSet.INVERT,
}
_CHANGES = {
    Change.ADD: wire.CommunityAction.ADD,
    Change.REMOVE: wire.CommunityAction.REMOVE,
    Change.REPLACE: wire.CommunityAction.REPLACE,
}
_RPKI = {"": 0, "not-found": 1, "valid": 2, "invalid": 3}
_Distinguisher: TypeAlias = (
    wire.RouteDistinguisherTwoOctetASN
    | wire.RouteDistinguisherIPAddress
    | wire.RouteDistinguisherFourOctetASN
)
_Target: TypeAlias = wire.TwoOctetAsSpecificExtended | wire.FourOctetAsSpecificExtended
_DISTINGUISHERS: tuple[type[_Distinguisher], ...] = get_args(_Distinguisher)
_TARGETS: tuple[type[_Target], ...] = get_args(_Target)
_STATES = {
    wire.PeerState.UNKNOWN: SessionState.UNKNOWN,
    wire.PeerState.IDLE: SessionState.IDLE,
    wire.PeerState.CONNECT: SessionState.CONNECT,
    wire.PeerState.ACTIVE: SessionState.ACTIVE,
    wire.PeerState.OPENSENT: SessionState.OPEN_SENT,
    wire.PeerState.OPENCONFIRM: SessionState.OPEN_CONFIRM,
    wire.PeerState.ESTABLISHED: SessionState.ESTABLISHED,
}


def family_message(family: AfiSafi) -> wire.Family:
    """Return a family's two numbers."""
    return _FAMILIES[family]


def speaker_message(speaker: Speaker) -> wire.Global:
    """Return the global configuration."""
    return wire.Global(
        asn=speaker.asn,
        router_id=speaker.router_id,
        listen_port=speaker.port,
        listen_addresses=speaker.listen,
        use_multiple_paths=speaker.uses_multiple_paths,
        bind_to_device=speaker.device,
        route_selection_options=wire.RouteSelectionOptionsConfig(
            always_compare_med=speaker.always_compares_med,
            advertise_inactive_routes=speaker.advertises_inactive,
        ),
        confederation=wire.Confederation(
            enabled=bool(speaker.confederation),
            identifier=speaker.confederation,
            member_as_list=speaker.confederation_members,
        ),
    )


def peer_message(peer: Peer, *, restarts: bool) -> wire.Peer:
    """Return a neighbor; `restarts`: sessions before this engine's start are to be resumed."""
    session = peer.session
    conf = wire.PeerConf(
        neighbor_address=peer.address,
        peer_asn=session.peer_asn,
        local_asn=session.local_asn,
        auth_password=session.password,
        description=peer.description,
        vrf=session.vrf,
        admin_down=peer.is_down,
    )
    message = wire.Peer(conf=conf)
    _fill(message, session, restarts=restarts)
    return message


def group_message(group: Group, *, restarts: bool) -> wire.PeerGroup:
    """Return a group of dynamic neighbors."""
    session = group.session
    conf = wire.PeerGroupConf(
        peer_group_name=group.name,
        peer_asn=session.peer_asn,
        local_asn=session.local_asn,
        description=group.description,
    )
    message = wire.PeerGroup(conf=conf)
    _fill(message, session, restarts=restarts)
    return message


def _fill(message: wire.Peer | wire.PeerGroup, session: Session, *, restarts: bool) -> None:
    timers = message.timers.config
    timers.connect_retry, timers.hold_time = session.retry, session.hold
    timers.keepalive_interval = session.keepalive
    timers.minimum_advertisement_interval = session.advertisement_interval
    message.transport.local_address = session.local_address
    message.transport.passive_mode = session.is_passive
    message.transport.bind_interface = session.device
    message.ebgp_multihop.enabled = bool(session.multihop_ttl)
    message.ebgp_multihop.multihop_ttl = session.multihop_ttl
    message.ttl_security.enabled = bool(session.least_ttl)
    message.ttl_security.ttl_min = session.least_ttl
    message.route_reflector.route_reflector_client = session.reflects_for is not None
    message.route_reflector.route_reflector_cluster_id = session.reflects_for or ""
    restart = session.restart
    if restart is not None:
        message.graceful_restart.enabled = True
        message.graceful_restart.restart_time = restart.seconds
        message.graceful_restart.helper_only = restart.is_helper_only
        message.graceful_restart.deferral_time = DEFERRAL_SECONDS
        message.graceful_restart.local_restarting = restarts and not restart.is_helper_only
    for one in session.families:
        family = _FAMILIES[one.family]
        entry = message.afi_safis.add()
        entry.config.CopyFrom(wire.AfiSafiConfig(family=family, enabled=True))
        entry.mp_graceful_restart.config.enabled = restart is not None
        if one.most_prefixes:
            entry.prefix_limits.family.CopyFrom(family)
            entry.prefix_limits.max_prefixes = one.most_prefixes
            entry.prefix_limits.shutdown_threshold_pct = one.threshold_percent
        entry.add_paths.config.receive = one.receives_paths
        entry.add_paths.config.send_max = one.sends_paths


def vrf_message(vrf: Vrf) -> wire.Vrf:
    """Return a VRF."""
    message = wire.Vrf(name=vrf.name, id=vrf.number)
    admin, _, number = vrf.distinguisher.rpartition(":")
    message.rd.CopyFrom(pack(_distinguisher(admin, int(number))))
    message.import_rt.extend(pack(_target(text)) for text in vrf.imports)
    message.export_rt.extend(pack(_target(text)) for text in vrf.exports)
    return message


def _distinguisher(admin: str, number: int) -> _Distinguisher:
    if "." in admin:
        return wire.RouteDistinguisherIPAddress(admin=admin, assigned=number)
    if int(admin) > fields.LARGEST_U16:
        return wire.RouteDistinguisherFourOctetASN(admin=int(admin), assigned=number)
    return wire.RouteDistinguisherTwoOctetASN(admin=int(admin), assigned=number)


def _target(text: str) -> _Target:
    asn, _, number = text.partition(":")
    kind = (
        wire.FourOctetAsSpecificExtended
        if int(asn) > fields.LARGEST_U16
        else wire.TwoOctetAsSpecificExtended
    )
    return kind(is_transitive=True, sub_type=_ROUTE_TARGET, asn=int(asn), local_admin=int(number))


def path_message(route: Route, *, withdraws: bool) -> wire.Path:
    """Return a route of ours, by way of this host."""
    prefix = route.prefix
    nlri = pack(
        wire.IPAddressPrefix(prefix=str(prefix.network_address), prefix_len=prefix.prefixlen)
    )
    family = _FAMILIES[AfiSafi.IPV4 if prefix.version == 4 else AfiSafi.IPV6]
    hop = NOWHERE[prefix.version]
    message = wire.Path(nlri=nlri, family=family, is_withdraw=withdraws)
    message.pattrs.append(pack(wire.OriginAttribute(origin=IGP)))
    if prefix.version == 4:
        message.pattrs.append(pack(wire.NextHopAttribute(next_hop=hop)))
    else:
        reach = wire.MpReachNLRIAttribute(family=family, next_hops=[hop], nlris=[nlri])
        message.pattrs.append(pack(reach))
    return message


def policy_messages(policies: Policies) -> wire.SetPoliciesRequest:
    """Return all sets and both chains; a chain without statements is there all the same."""
    return wire.SetPoliciesRequest(
        defined_sets=[_set_message(one) for one in policies.sets],
        policies=[
            wire.Policy(name=name, statements=[_statement_message(one) for one in chain])
            for name, chain in (
                (IMPORT_POLICY, policies.imports),
                (EXPORT_POLICY, policies.exports),
            )
        ],
    )


def assignment_messages(policies: Policies) -> Iterable[wire.PolicyAssignment]:
    """Return what makes both chains count for every neighbor."""
    for name, direction, accepts in (
        (IMPORT_POLICY, wire.IMPORT, policies.accepts_imports),
        (EXPORT_POLICY, wire.EXPORT, policies.accepts_exports),
    ):
        yield wire.PolicyAssignment(
            name="global",
            direction=direction,
            policies=[wire.Policy(name=name)],
            default_action=wire.ACCEPT if accepts else wire.REJECT,
        )


def _set_message(one: DefinedSet) -> wire.DefinedSet:
    return wire.DefinedSet(
        defined_type=_KINDS[one.kind],
        name=one.name,
        list=one.texts,
        prefixes=[
            wire.Prefix(
                ip_prefix=entry.prefix,
                mask_length_min=entry.shortest,
                mask_length_max=entry.longest,
            )
            for entry in one.prefixes
        ],
    )


def _statement_message(one: Statement) -> wire.Statement:
    conditions = wire.Conditions(rpki_result=_RPKI[one.rpki])
    for kind, match, name in one.sets:
        condition = wire.MatchSet(type=_MATCHES[match], name=name)
        getattr(conditions, _CONDITIONS[kind]).CopyFrom(condition)
    if one.family is not None:
        conditions.afi_safi_in.append(_FAMILIES[one.family])
    if one.is_own:
        conditions.route_type = wire.Conditions.ROUTE_TYPE_LOCAL
    actions = wire.Actions()
    if one.accepts is not None:
        actions.route_action = wire.ACCEPT if one.accepts else wire.REJECT
    if one.communities is not None:
        change, texts = one.communities
        action = wire.CommunityAction(type=_CHANGES[change], communities=texts)
        actions.community.CopyFrom(action)
    if one.med is not None:
        is_relative, value = one.med
        kind_of_med = wire.MedAction.MOD if is_relative else wire.MedAction.REPLACE
        actions.med.CopyFrom(wire.MedAction(type=kind_of_med, value=value))
    if one.prepend is not None:
        actions.as_prepend.asn, actions.as_prepend.repeat = one.prepend
    if one.local_pref is not None:
        actions.local_pref.value = one.local_pref
    if one.next_hop is not None:
        actions.nexthop.address = str(one.next_hop)
    return wire.Statement(name=one.name, conditions=conditions, actions=actions)


def session_facts(message: wire.Peer) -> SessionFacts:
    """Return how a session is doing."""
    state = _STATES.get(message.state.session_state, SessionState.UNKNOWN)
    uptime = message.timers.state.uptime
    is_up = state is SessionState.ESTABLISHED and uptime.seconds > 0
    return SessionFacts(
        address=message.state.neighbor_address or message.conf.neighbor_address,
        peer_asn=message.state.peer_asn or message.conf.peer_asn,
        local_asn=message.state.local_asn or message.conf.local_asn,
        state=state,
        group=message.conf.peer_group,
        up_since=datetime.fromtimestamp(uptime.seconds, UTC) if is_up else None,
        is_over_limit=message.state.admin_state == wire.PeerState.PFX_CT,
        counts=tuple(_counts(entry) for entry in message.afi_safis),
    )


def _counts(message: wire.AfiSafi) -> FamilyCounts:
    state = message.state
    return FamilyCounts(
        family=_family_of(message.config.family),
        received=state.received,
        accepted=state.accepted,
        advertised=state.advertised,
    )


def _family_of(message: wire.Family) -> AfiSafi | None:
    return next((one for one, known in _FAMILIES.items() if known == message), None)


def _prefix_of(message: wire.Path) -> tuple[IPNetwork, str] | None:
    """Return the prefix of a path and, in a VRF, its distinguisher; None for other routes."""
    plain = unpack(message.nlri, wire.IPAddressPrefix)
    if plain is not None:
        return ip_network((plain.prefix, plain.prefix_len), strict=False), ""
    labeled = unpack(message.nlri, wire.LabeledVPNIPAddressPrefix)
    if labeled is None:
        return None
    for kind in _DISTINGUISHERS:
        if (found := unpack(labeled.rd, kind)) is not None:
            prefix = ip_network((labeled.prefix, labeled.prefix_len), strict=False)
            return prefix, f"{found.admin}:{found.assigned}"
    return None


def _targets(message: wire.ExtendedCommunitiesAttribute) -> Iterator[str]:
    """Yield those route targets that a configuration can name."""
    for packed in message.communities:
        for kind in _TARGETS:
            found = unpack(packed, kind)
            if found is not None and found.sub_type == _ROUTE_TARGET:
                yield f"{found.asn}:{found.local_admin}"


def learned_path(message: wire.Path) -> LearnedPath | None:
    """Return a path that a neighbor sent, or that we originate; None for other kinds of routes."""
    place = _prefix_of(message)
    if place is None:
        return None
    hops: list[IPAddress] = []
    communities: list[str] = []
    large: list[str] = []
    targets: list[str] = []
    for attribute in message.pattrs:
        if (hop := unpack(attribute, wire.NextHopAttribute)) is not None:
            hops.append(ip_address(hop.next_hop))
        elif (reach := unpack(attribute, wire.MpReachNLRIAttribute)) is not None:
            hops += [ip_address(text) for text in reach.next_hops]
        elif (plain := unpack(attribute, wire.CommunitiesAttribute)) is not None:
            communities += [f"{value >> 16}:{value & 0xFFFF}" for value in plain.communities]
        elif (wide := unpack(attribute, wire.LargeCommunitiesAttribute)) is not None:
            large += [
                f"{one.global_admin}:{one.local_data1}:{one.local_data2}"
                for one in wide.communities
            ]
        elif (extended := unpack(attribute, wire.ExtendedCommunitiesAttribute)) is not None:
            targets += _targets(extended)
    return LearnedPath(
        prefix=place[0],
        distinguisher=place[1],
        next_hops=tuple(hops),
        neighbor=message.neighbor_ip if _is_address(message.neighbor_ip) else "",
        communities=tuple(communities),
        large_communities=tuple(large),
        targets=tuple(targets),
        is_best=message.best,
        is_withdrawn=message.is_withdraw,
    )


def _is_address(text: str) -> bool:
    return fields.parsed_address(text) is not None
