"""From an engine's state to the wanted one: ordered operations, the fewest that reset a session.

Belongs here: the order, and what resets what. Does not: carrying it out (`shell.engine`).

A neighbor never meets an engine that lacks policies, groups or routes: sessions come last and go
first. With graceful restart the peer drops what we have not sent by the end of our first table, so
routes come before sessions too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar, assert_never

from bgp.core.model import (
    STOPPED,
    Engine,
    Group,
    Peer,
    PeerName,
    Policies,
    Range,
    Route,
    Session,
    Speaker,
    Vrf,
)
from bgp.core.observed import Seen

_UNKNOWN = Session(peer_asn=0, families=())  # like none that is ever wanted

Key = TypeVar("Key", bound=str)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StartSpeaker:
    """Begin to speak BGP; needs a stopped engine."""

    speaker: Speaker


@dataclass(frozen=True, slots=True)
class StopSpeaker:
    """End every session and forget everything."""


@dataclass(frozen=True, slots=True)
class SetPolicies:
    """Replace all policies, and apply them to what is known without resetting a session."""

    policies: Policies


@dataclass(frozen=True, slots=True)
class AddVrf:
    """Make a VRF."""

    vrf: Vrf


@dataclass(frozen=True, slots=True)
class DeleteVrf:
    """Remove a VRF, its routes with it."""

    vrf: Vrf


@dataclass(frozen=True, slots=True)
class AddRoutes:
    """Originate prefixes, all of one VRF."""

    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class RemoveRoutes:
    """Withdraw prefixes, all of one VRF."""

    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class AddGroup:
    """Make a group for dynamic neighbors."""

    group: Group


@dataclass(frozen=True, slots=True)
class DeleteGroup:
    """Remove a group no range belongs to."""

    group: Group


@dataclass(frozen=True, slots=True)
class AddRange:
    """Let a network's hosts connect."""

    range: Range


@dataclass(frozen=True, slots=True)
class DeleteRange:
    """Let a network's hosts connect no more, and end their sessions."""

    range: Range


@dataclass(frozen=True, slots=True)
class AddPeer:
    """Begin a session."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class DeletePeer:
    """End a session."""

    peer: Peer


Op: TypeAlias = (
    StartSpeaker
    | StopSpeaker
    | SetPolicies
    | AddVrf
    | DeleteVrf
    | AddRoutes
    | RemoveRoutes
    | AddGroup
    | DeleteGroup
    | AddRange
    | DeleteRange
    | AddPeer
    | DeletePeer
)


def plan(wanted: Engine, actual: Engine) -> tuple[Op, ...]:
    """Return what leads from the actual to the wanted state, in order; () where they agree."""
    ops: list[Op] = []
    if actual.speaker is not None and wanted.speaker != actual.speaker:
        ops.append(StopSpeaker())
        actual = STOPPED
    if wanted.speaker is None:
        return tuple(ops)
    if actual.speaker is None:
        ops.append(StartSpeaker(wanted.speaker))
    return (*ops, *_leave(wanted, actual), *_middle(wanted, actual), *_enter(wanted, actual))


def _leave(wanted: Engine, actual: Engine) -> list[Op]:
    """Return the end of sessions that are not wanted as they are, and of what they stood on."""
    ops: list[Op] = [DeletePeer(peer) for peer in _stale_peers(wanted, actual)]
    ops += [DeleteRange(each) for each in _stale_ranges(wanted, actual)]
    ops += [DeleteGroup(group) for group in _stale(wanted.groups, actual.groups, _group_alike)]
    return ops


def _middle(wanted: Engine, actual: Engine) -> list[Op]:
    ops: list[Op] = [DeleteVrf(vrf) for vrf in _stale(wanted.vrfs, actual.vrfs)]
    if wanted.policies != actual.policies:
        ops.append(SetPolicies(wanted.policies))
    ops += [AddVrf(vrf) for vrf in _stale(actual.vrfs, wanted.vrfs)]
    ops += [AddRoutes(routes) for routes in _by_vrf(wanted.routes - _kept_routes(wanted, actual))]
    ops += [RemoveRoutes(r) for r in _by_vrf(_kept_routes(wanted, actual) - wanted.routes)]
    return ops


def _enter(wanted: Engine, actual: Engine) -> list[Op]:
    fresh = _stale(actual.groups, wanted.groups, _group_alike)
    ops: list[Op] = [AddGroup(group) for group in fresh]
    kept = actual.ranges - set(_stale_ranges(wanted, actual))
    ops += [AddRange(each) for each in sorted(wanted.ranges - kept)]
    lacking = _stale(actual.peers, wanted.peers, Peer.alike)
    ops += [AddPeer(peer) for peer in lacking]
    return ops


def _stale_peers(wanted: Engine, actual: Engine) -> list[Peer]:
    return _stale(wanted.peers, actual.peers, Peer.alike)


def _stale_ranges(wanted: Engine, actual: Engine) -> list[Range]:
    """Return the ranges to remove: unwanted, or members of a group that must go."""
    groups = {group.name for group in _stale(wanted.groups, actual.groups, _group_alike)}
    return sorted(r for r in actual.ranges if r not in wanted.ranges or r.group in groups)


def _kept_routes(wanted: Engine, actual: Engine) -> frozenset[Route]:
    """Return the routes that outlive the removal of VRFs."""
    gone = {vrf.name for vrf in _stale(wanted.vrfs, actual.vrfs)}
    return frozenset(route for route in actual.routes if route.vrf not in gone)


def _stale(
    wanted: Mapping[Key, T], actual: Mapping[Key, T], alike: Callable[[T], T] = lambda one: one
) -> list[T]:
    """Return, by name, what is there and not wanted as it is."""
    return [
        actual[name]
        for name in sorted(actual)
        if name not in wanted or alike(wanted[name]) != alike(actual[name])
    ]


def _group_alike(group: Group) -> Group:
    return replace(group, description="")


def _by_vrf(routes: frozenset[Route]) -> list[tuple[Route, ...]]:
    """Return routes in one tuple for each VRF, in a fixed order."""
    names = sorted({route.vrf for route in routes})
    return [tuple(sorted((r for r in routes if r.vrf == name), key=route_order)) for name in names]


def route_order(route: Route) -> tuple[str, int, int, int]:
    """Order routes: by VRF, IPv4 first, by number, short prefixes first."""
    prefix = route.prefix
    return route.vrf, prefix.version, int(prefix.network_address), prefix.prefixlen


def after(engine: Engine, op: Op) -> Engine:
    """Return the state of an engine that has carried out an operation."""
    match op:
        case StartSpeaker(speaker):
            return Engine(speaker=speaker)
        case StopSpeaker():
            return STOPPED
        case SetPolicies(policies):
            return replace(engine, policies=policies)
        case AddVrf(vrf):
            return replace(engine, vrfs={**engine.vrfs, vrf.name: vrf})
        case DeleteVrf(vrf):
            routes = frozenset(route for route in engine.routes if route.vrf != vrf.name)
            return replace(engine, vrfs=_without(engine.vrfs, vrf.name), routes=routes)
        case AddRoutes(routes=added):
            return replace(engine, routes=engine.routes | set(added))
        case RemoveRoutes(routes=removed):
            return replace(engine, routes=engine.routes - set(removed))
        case _:
            return _after_sessions(engine, op)


def _after_sessions(
    engine: Engine,
    op: AddGroup | DeleteGroup | AddRange | DeleteRange | AddPeer | DeletePeer,
) -> Engine:
    match op:
        case AddGroup(group):
            return replace(engine, groups={**engine.groups, group.name: group})
        case DeleteGroup(group):
            return replace(engine, groups=_without(engine.groups, group.name))
        case AddRange(each):
            return replace(engine, ranges=engine.ranges | {each})
        case DeleteRange(each):
            return replace(engine, ranges=engine.ranges - {each})
        case AddPeer(peer):
            return replace(engine, peers={**engine.peers, peer.name: peer})
        case DeletePeer(peer):
            return replace(engine, peers=_without(engine.peers, peer.name))
        case _:
            assert_never(op)


def settle(engine: Engine, seen: Seen) -> Engine:
    """Return the state of an engine after a look at what it lists.

    What somebody has removed is gone, so that it comes again; neighbors and routes that somebody
    has added are there, so that they go.
    """
    if not seen.is_speaking:
        return STOPPED
    kept = {name: peer for name, peer in engine.peers.items() if peer.address in seen.addresses}
    known = {peer.address for peer in kept.values()}
    for address in sorted(seen.addresses - known):
        name = PeerName(address)
        kept[name] = Peer(name=name, address=address, session=_UNKNOWN)
    routes = seen.routes | {route for route in engine.routes if route.vrf}
    if kept == engine.peers and routes == engine.routes:
        return engine
    return replace(engine, peers=kept, routes=routes)


def resets(ops: Sequence[Op]) -> tuple[PeerName, ...]:
    """Return the neighbors whose session is ended only to be begun anew, sorted."""
    ended = {op.peer.name for op in ops if isinstance(op, DeletePeer)}
    return tuple(sorted(ended & {op.peer.name for op in ops if isinstance(op, AddPeer)}))


def _without(entries: Mapping[Key, T], name: Key) -> dict[Key, T]:
    return {key: value for key, value in entries.items() if key != name}
