"""Builds a neighbor's session from its own fields, its group's and the speaker's. Pure.

A neighbor's field counts before its group's; what neither has is the engine's default. Groups are
resolved here rather than in the engine, where a changed group resets every member.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bgp.core import fields
from bgp.core.model import DEFAULT_HOLD, DEFAULT_RETRY, AfiSafi, Restart, Session, SessionFamily
from purelb.api.bgp import AfiSafi as AfiSafiSpec
from purelb.api.bgp import (
    GracefulRestart,
    GroupConfig,
    Neighbor,
    NeighborConfig,
    PeerGroup,
    Timers,
    Transport,
)

DEFAULT_RESTART = 120  # seconds that a peer keeps our routes, where the user says nothing
FARTHEST = 255  # TTL
_EMPTY = Session(peer_asn=0, families=(), hold=0, keepalive=0, retry=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What is not in the entry itself: the password that was read, the speaker's restart."""

    password: str = ""
    restart: GracefulRestart | None = None


def session_of(
    neighbor: Neighbor, group: PeerGroup | None, default: Sequence[AfiSafi], extras: Extras
) -> Session:
    """Return the session of a configured neighbor; `default` are the families of its address."""
    session = _EMPTY if group is None else _overlay(_EMPTY, group.config, group)
    session = _overlay(session, neighbor.config, neighbor)
    reflector, multihop, security = (
        neighbor.route_reflector,
        neighbor.ebgp_multihop,
        neighbor.ttl_security,
    )
    is_client = reflector is not None and reflector.route_reflector_client
    has_hops = multihop is not None and multihop.enabled
    is_secured = security is not None and security.enabled
    return replace(
        _finish(session, default, extras),
        restart=_restart(neighbor.graceful_restart or extras.restart),
        reflects_for=reflector.route_reflector_cluster_id if reflector and is_client else None,
        multihop_ttl=(multihop.multihop_ttl or FARTHEST) if multihop and has_hops else 0,
        least_ttl=(security.ttl_min or FARTHEST) if security and is_secured else 0,
        vrf=neighbor.config.vrf,
    )


def group_session(group: PeerGroup, default: Sequence[AfiSafi], extras: Extras) -> Session:
    """Return the session of a group's dynamic members."""
    session = _finish(_overlay(_EMPTY, group.config, group), default, extras)
    return replace(session, restart=_restart(extras.restart))


def _overlay(
    base: Session, config: NeighborConfig | GroupConfig, entry: Neighbor | PeerGroup
) -> Session:
    """Return a session with what an entry sets over what is there already."""
    session = replace(
        base,
        peer_asn=config.peer_asn or base.peer_asn,
        local_asn=config.local_asn or base.local_asn,
        families=_families(entry.afi_safis) or base.families,
    )
    return _with_transport(_with_timers(session, entry.timers), entry.transport)


def _with_timers(base: Session, value: Timers | None) -> Session:
    if value is None:
        return base
    timers = value.config
    return replace(
        base,
        hold=timers.hold_time or base.hold,
        keepalive=timers.keepalive_interval or base.keepalive,
        retry=timers.connect_retry or base.retry,
        advertisement_interval=timers.minimum_advertisement_interval or base.advertisement_interval,
    )


def _with_transport(base: Session, value: Transport | None) -> Session:
    if value is None:
        return base
    local = fields.parsed_address(value.local_address)
    return replace(
        base,
        local_address=str(local) if local is not None else base.local_address,
        is_passive=value.passive_mode or base.is_passive,
        device=value.bind_interface or base.device,
    )


def _finish(session: Session, default: Sequence[AfiSafi], extras: Extras) -> Session:
    """Return a session in which nothing is left open."""
    hold = session.hold or DEFAULT_HOLD
    return replace(
        session,
        families=session.families or tuple(SessionFamily(family=one) for one in default),
        hold=hold,
        keepalive=session.keepalive or max(1, hold // 3),
        retry=session.retry or DEFAULT_RETRY,
        password=extras.password,
    )


def _families(value: Sequence[AfiSafiSpec] | None) -> tuple[SessionFamily, ...]:
    return tuple(_family(entry) for entry in value or () if entry.enabled)


def _family(entry: AfiSafiSpec) -> SessionFamily:
    limit, paths = entry.prefix_limit, entry.add_paths
    return SessionFamily(
        family=AfiSafi(entry.family.lower()),
        most_prefixes=limit.max_prefixes if limit is not None else 0,
        threshold_percent=limit.shutdown_threshold_pct if limit is not None else 0,
        receives_paths=paths is not None and paths.receive,
        sends_paths=paths.send_max if paths is not None else 0,
    )


def _restart(value: GracefulRestart | None) -> Restart | None:
    if value is None or not value.enabled:
        return None
    seconds = value.restart_time or DEFAULT_RESTART
    return Restart(seconds=seconds, is_helper_only=value.helper_only)
