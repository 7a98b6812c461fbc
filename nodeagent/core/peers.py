"""Who is there, by heartbeats: what one agent may conclude for one network.

A *member* is a node whose Lease counts and who announces on this network; an agent that has lost
the API goes by the last members it knew. *Heard* is a peer whose heartbeat is recent, *two-way* one
that also says to have heard us just now. A *quorum* is a strict majority of the members, two-way
with us, ourselves included. Any two such share a node: whoever judges a node dead has asked
somebody who would have heard it. So that one of two nodes can go on, half of the members are
enough if the gateway answers and the kernels of all others do not: then these are not on the
gateway's side of a break, and cannot say the same of us.

Belongs here: conclusions from what was received, as values that are equal as long as nothing
follows from the difference. Does not: datagrams (`beats`), what they mean for a Lease or an address
(`fence`). Called by the shell's heartbeats, before each pass.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from nodeagent.core.beats import Standing, node_id
from purelb.api.identifiers import Instant, NodeName

SHORTEST: Final = 0.15  # seconds between two heartbeats
# Heartbeats a second on one network, at most; a hundred, as each comes a little early (`EARLY`).
PACKETS: Final = 95.0
EARLY: Final = 0.1  # of an interval: three without a heartbeat are three that were lost
MISSED: Final = 3  # intervals without a heartbeat: not heard any more
# Intervals without a heartbeat after which others may start. The difference is the time in which a
# node that is cut off withdraws.
LOST: Final = 4
SUSPECT: Final = 2  # intervals without a heartbeat after which the wire is asked, to know by then
ANSWERED: Final = 0.5  # seconds for which an answer on the wire counts
SETTLE: Final = 1.0  # seconds after which all others know a node that joined, if nothing proves it
PROBING: Final = 1.5  # intervals without any two-way heartbeat after which others are asked by ARP


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The last heartbeat of another node on this network.

    `two_way_at` is when we sent the last of ours that it proved to have heard, `fresh_for` for how
    many seconds the sender's view of the API had been whole, `hears` the ids (`node_id`) of those
    it had heard, `knows_gateway` whether it could ask one.
    """

    heard_at: Instant
    standing: Standing = Standing.HELD
    is_empty: bool = False
    knows_gateway: bool = True
    fresh_for: float = 0.0
    hears: frozenset[int] = frozenset()
    two_way_at: Instant = -math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What one node knows of one network.

    `members` include this node; `mute` are those that send no heartbeats, by their Leases.
    `gateway_at` is when the gateway last answered, None if the network has none that we know;
    `answered_at` when it or the kernel of any peer did. `silent` are members whose kernels were
    asked and do not answer. `since` is when we began to listen; `excused` are nodes whose silence
    counts only from a later time, because we stood still ourselves, and this node for its own.
    `gone` were absent so far: they stay so until they are heard, or a quorum that is lost for a
    moment would hand back what was taken from them. `joined_at` is since when this node has been a
    candidate.
    """

    me: NodeName
    members: frozenset[NodeName]
    since: Instant
    peers: Mapping[NodeName, Peer] = field(default_factory=dict)
    mute: frozenset[NodeName] = frozenset()
    gateway_at: Instant | None = None
    answered_at: Instant = -math.inf
    silent: frozenset[NodeName] = frozenset()
    excused: Mapping[NodeName, Instant] = field(default_factory=dict)
    gone: frozenset[NodeName] = frozenset()
    joined_at: Instant = -math.inf

    @property
    def interval(self) -> float:
        """Seconds between two heartbeats of each member."""
        return interval(len(self.members))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What follows; equal values mean the same.

    `has_quorum`; `is_cut_off`: nobody is heard any more, nobody answers, and others could go on
    without us; `is_judged`: a peer in reach, member or not, still has the API; `is_alarmed`: one
    that holds has lost it; `absent`: members that a quorum does not hear; `missed`: further ones
    that we do not hear, and that may say the same of us;
    `yielding`: peers in reach that hold nothing new (starting, fenced or draining), and
    those of them that say to have `given_up` all; `known_since`: when we became a candidate, if all
    other candidates know that.
    Three do not count for equality: `asks_around`: whether others answer matters now; `suspects`
    are members that were not heard lately; `next_change` is when time alone may change any of this.
    """

    has_quorum: bool = False
    is_cut_off: bool = False
    is_judged: bool = False
    is_alarmed: bool = False
    absent: frozenset[NodeName] = frozenset()
    missed: frozenset[NodeName] = frozenset()
    yielding: frozenset[NodeName] = frozenset()
    given_up: frozenset[NodeName] = frozenset()
    heard: frozenset[NodeName] = frozenset()
    known_since: Instant = -math.inf
    asks_around: bool = field(default=False, compare=False)
    suspects: frozenset[NodeName] = field(default=frozenset(), compare=False)
    next_change: Instant = field(default=math.inf, compare=False)

    @property
    def excluded(self) -> frozenset[NodeName]:
        """Members that are no candidates, whatever their Leases say."""
        return self.absent | self.yielding


NOTHING_HEARD: Final = Reach()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Claim:
    """An address that another node took over, and when, as a count of such events."""

    epoch: int
    node: NodeName


def interval(members: int) -> float:
    """Return the seconds between two heartbeats in a network of so many members."""
    return max(SHORTEST, members / PACKETS)


def survey(segment: Segment, now: Instant) -> Reach:
    """Return what follows from what was received until now."""
    others = segment.members - {segment.me}
    silence, lost = MISSED * segment.interval, LOST * segment.interval
    lately = frozenset(n for n, peer in segment.peers.items() if now < peer.heard_at + silence)
    heard = lately & others
    two_way = frozenset(n for n in heard if now < segment.peers[n].two_way_at + silence)
    gateway = segment.gateway_at is not None and now < segment.gateway_at + ANSWERED
    is_sole = gateway and others - two_way <= segment.silent - heard
    has_quorum = _is_quorum(len(two_way) + 1, len(segment.members), is_sole=is_sole)
    witnesses = [segment.peers[node].hears for node in two_way]
    absent = frozenset(
        node
        for node in others - segment.mute
        if (has_quorum or node in segment.gone)
        and now >= heard_at(segment, node) + lost
        and not any(node_id(node) in hears for hears in witnesses)
    )
    yielding = frozenset(n for n in two_way if segment.peers[n].standing is not Standing.HELD)
    alone, is_answered = alone_since(segment), now < segment.answered_at + ANSWERED
    return Reach(
        has_quorum=has_quorum,
        is_cut_off=now >= alone + silence and not is_answered and _is_dispensable(segment, others),
        is_judged=any(segment.peers[node].fresh_for > 0 for node in lately),
        is_alarmed=any(_has_lost_api(segment.peers[node]) for node in heard),
        absent=absent,
        missed=others - segment.mute - heard - absent,
        yielding=yielding,
        given_up=frozenset(
            n
            for n in yielding
            if segment.peers[n].is_empty and segment.peers[n].standing is not Standing.STARTING
        ),
        heard=heard,
        asks_around=bool(others)
        and (
            now >= alone + PROBING * segment.interval
            or 2 * (len(two_way) + 1) == len(segment.members)
        ),
        known_since=_known_since(segment, others - absent - yielding, now),
        suspects=frozenset(
            n
            for n in others - segment.mute
            if now >= heard_at(segment, n) + SUSPECT * segment.interval
        ),
        next_change=_next_change(segment, others, now),
    )


def _has_lost_api(peer: Peer) -> bool:
    return peer.standing is Standing.HELD and peer.fresh_for <= 0


def _is_quorum(present: int, members: int, *, is_sole: bool) -> bool:
    return 2 * present > members or (2 * present == members and is_sole)


def _is_dispensable(segment: Segment, others: frozenset[NodeName]) -> bool:
    """Tell whether all others together would be a quorum."""
    knowing = any(segment.peers[node].knows_gateway for node in others if node in segment.peers)
    return _is_quorum(len(others), len(others) + 1, is_sole=knowing)


def _known_since(segment: Segment, others: frozenset[NodeName], now: Instant) -> Instant:
    """Return when we became a candidate; minus infinity while one of the others may not know it."""
    since, peers = segment.joined_at, segment.peers
    is_known = now >= since + SETTLE or all(
        node in peers and peers[node].two_way_at >= since for node in others
    )
    return since if is_known else -math.inf


def heard_at(segment: Segment, node: NodeName) -> Instant:
    """Return from when on the silence of a node counts."""
    peer = segment.peers.get(node)
    known = segment.since if peer is None else max(segment.since, peer.heard_at)
    return max(known, segment.excused.get(node, known))


def alone_since(segment: Segment) -> Instant:
    """Return when we last proved to be heard by anybody; infinity if we never did.

    Where heartbeats have never got through, their absence means nothing.
    """
    times = [peer.two_way_at for node, peer in segment.peers.items() if node in segment.members]
    last = max(times, default=-math.inf)
    return math.inf if math.isinf(last) else max(last, segment.excused.get(segment.me, last))


def _next_change(segment: Segment, others: frozenset[NodeName], now: Instant) -> Instant:
    step = segment.interval
    times = [segment.answered_at + ANSWERED, segment.joined_at + SETTLE]
    if segment.gateway_at is not None:
        times.append(segment.gateway_at + ANSWERED)
    for node in others:
        heard = heard_at(segment, node)
        times += (heard + missed * step for missed in (SUSPECT, MISSED, LOST))
        if (peer := segment.peers.get(node)) is not None:
            times.append(peer.two_way_at + MISSED * step)
    alone = alone_since(segment)
    times += (alone + PROBING * step, alone + MISSED * step)
    return min((at for at in times if at > now), default=math.inf)
