"""What is said of operations and of changes in sessions, to people."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import assert_never

from bgp.core.desired import Absent, Wanted
from bgp.core.health import why_down
from bgp.core.model import Peer, PeerName
from bgp.core.observed import SessionFacts
from bgp.core.plan import (
    AddGroup,
    AddPeer,
    AddRange,
    AddRoutes,
    AddVrf,
    DeleteGroup,
    DeletePeer,
    DeleteRange,
    DeleteVrf,
    Op,
    RemoveRoutes,
    SetPolicies,
    StartSpeaker,
    StopSpeaker,
    resets,
)
from bgp.core.policy import hopless
from purelb.api.problems import Notice, NoticeType

NORMAL, WARNING = NoticeType.NORMAL, NoticeType.WARNING


def describe(op: Op) -> str:
    """Return an operation in a few words, as the subject of what went wrong with it."""
    match op:
        case StartSpeaker(speaker):
            return f"speaking BGP as {speaker.asn} on port {speaker.port}"
        case StopSpeaker():
            return "stopping"
        case SetPolicies():
            return "setting policies"
        case AddVrf(vrf) | DeleteVrf(vrf):
            return f"VRF {vrf.name}"
        case AddRoutes(routes) | RemoveRoutes(routes):
            return f"{len(routes)} prefixes from {routes[0].prefix} on"
        case AddGroup(group) | DeleteGroup(group):
            return f"peer group {group.name}"
        case AddRange(each) | DeleteRange(each):
            return f"dynamic neighbors {each.prefix}"
        case AddPeer(peer) | DeletePeer(peer):
            return f"neighbor {peer.name}"
        case _:
            assert_never(op)


def announcements(ops: Sequence[Op]) -> Iterator[Notice]:
    """Yield what is to be told before operations end a session only to begin it anew."""
    if StopSpeaker() in ops and any(isinstance(op, StartSpeaker) for op in ops):
        note = "all sessions are reset: ASN, router ID or another global setting has changed"
        yield Notice(type=NORMAL, reason="SpeakerRestarts", message=note)
    for name in resets(ops):
        note = f"the session with {name} is reset: its settings have changed"
        yield Notice(type=NORMAL, reason="SessionReset", message=note)


def absences(before: Iterable[Absent], now: Iterable[Absent]) -> Iterator[Notice]:
    """Yield what keeps neighbors from being set up, as far as it is news."""
    known = set(before)
    for one in now:
        if one not in known:
            note = f"neighbor {one.name}: {one.message}"
            yield Notice(type=WARNING, reason=one.reason, message=note)


def selection(before: Wanted, now: Wanted) -> Iterator[Notice]:
    """Yield that no neighbor is this node's, and which neighbors get no IPv6 routes, as news."""
    is_alone = now.engine.speaker is not None and not now.entries and not now.engine.ranges
    was_alone = before.engine.speaker is not None and not before.entries
    if is_alone and not was_alone:
        note = "no neighbor selects this node"
        yield Notice(type=WARNING, reason="NoMatchingNeighbors", message=note)
    for name in sorted(hopless(now.engine.policies) - hopless(before.engine.policies)):
        note = f"{name} gets no IPv6 routes: no global IPv6 address is on the link towards it"
        yield Notice(type=WARNING, reason="NextHopMissing", message=note)


def session_news(
    peers: Mapping[PeerName, Peer],
    before: Sequence[SessionFacts],
    now: Sequence[SessionFacts],
    errors: Mapping[str, str],
) -> Iterator[Notice]:
    """Yield which sessions came up or went down."""
    were_up = {session.address for session in before if session.is_up}
    facts = {session.address: session for session in now}
    names = {peer.address: str(name) for name, peer in peers.items()}
    names |= {one.address: one.address for one in now if one.group}
    for address, name in sorted(names.items()):
        session = facts.get(address)
        is_up = session is not None and session.is_up
        if is_up and address not in were_up:
            note = f"the session with {name} is up"
            yield Notice(type=NORMAL, reason="SessionEstablished", message=note)
        elif not is_up and address in were_up:
            note = f"the session with {name} is down: {why_down(address, session, errors)}"
            yield Notice(type=WARNING, reason="SessionDown", message=note)
