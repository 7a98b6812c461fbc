"""Who is there, by heartbeats: what one agent may conclude for one network.

A *member* is a node whose Lease counts and who announces on this network; an agent that has lost
the API goes by the last members it knew. *Heard* is a peer whose heartbeat is recent, *two-way* one
that also says to have heard us just now. A *quorum* is a strict majority of the members, two-way
with us, ourselves included; half of them are enough together with the gateway, so that one of two
nodes can go on. Any two quorums of one network share a node or the gateway: whoever judges a node
dead has asked somebody who would have heard it.

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
PACKETS: Final = 100.0  # per second that a node receives on one network, at most
MISSED: Final = 3  # intervals without a heartbeat: not heard any more
# Intervals without a heartbeat after which others may start. The difference is the time in which a
# node that is cut off withdraws.
LOST: Final = 4
SUSPECT: Final = 2  # intervals without a heartbeat after which the wire is asked, to know by then
GATEWAY: Final = 0.5  # seconds for which an answer of the gateway counts
PROBING: Final = 1.5  # intervals without any two-way heartbeat after which the gateway is asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The last heartbeat of another node on this network.

    `two_way_at` is when we sent the last of ours that it proved to have heard, `fresh_for` for how
    many seconds the sender's view of the API had been whole, `hears` the ids (`node_id`) of those
    it had heard.
    """

    heard_at: Instant
    standing: Standing = Standing.HELD
    is_empty: bool = False
    fresh_for: float = 0.0
    hears: frozenset[int] = frozenset()
    two_way_at: Instant = -math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What one node knows of one network.

    `members` include this node. `gateway_at` is when the gateway last answered; None if the network
    has none that we know. `since` is when we began to listen.
    """

    me: NodeName
    members: frozenset[NodeName]
    since: Instant
    peers: Mapping[NodeName, Peer] = field(default_factory=dict)
    gateway_at: Instant | None = None

    @property
    def interval(self) -> float:
        """Seconds between two heartbeats of each member."""
        return interval(len(self.members))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What follows; equal values mean the same.

    `has_quorum`; `is_cut_off`: nobody answers here, and others could go on without us; `is_judged`:
    a peer in reach still has the API; `absent`: members that a quorum does not hear; `yielding`:
    peers in reach that hold nothing new (starting, fenced or draining), and those of them that say
    to have `given_up` all; `asks_gateway`: its answer matters now. Two do not count for equality:
    `suspects` are members that were not heard lately, and `next_change` is when time alone may
    change any of this.
    """

    has_quorum: bool = False
    is_cut_off: bool = False
    is_judged: bool = False
    absent: frozenset[NodeName] = frozenset()
    yielding: frozenset[NodeName] = frozenset()
    given_up: frozenset[NodeName] = frozenset()
    heard: frozenset[NodeName] = frozenset()
    asks_gateway: bool = False
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
    heard = frozenset(
        node
        for node, peer in segment.peers.items()
        if node in others and now < peer.heard_at + silence
    )
    two_way = frozenset(n for n in heard if now < segment.peers[n].two_way_at + silence)
    gateway = segment.gateway_at is not None and now < segment.gateway_at + GATEWAY
    has_quorum = _is_quorum(len(two_way) + 1, len(segment.members), gateway=gateway)
    witnesses = [segment.peers[node].hears for node in two_way]
    absent = frozenset(
        node
        for node in others
        if has_quorum
        and now >= _heard_at(segment, node) + lost
        and not any(node_id(node) in hears for hears in witnesses)
    )
    yielding = frozenset(n for n in two_way if segment.peers[n].standing is not Standing.HELD)
    alone = _last_two_way(segment, others)
    return Reach(
        has_quorum=has_quorum,
        is_cut_off=_can_go_on_without(len(others)) and now >= alone + silence and not gateway,
        is_judged=any(segment.peers[node].fresh_for > 0 for node in heard),
        absent=absent,
        yielding=yielding,
        given_up=frozenset(
            n
            for n in yielding
            if segment.peers[n].is_empty and segment.peers[n].standing is not Standing.STARTING
        ),
        heard=heard,
        asks_gateway=bool(others)
        and (
            now >= alone + PROBING * segment.interval
            or 2 * (len(two_way) + 1) == len(segment.members)
        ),
        suspects=frozenset(
            n for n in others if now >= _heard_at(segment, n) + SUSPECT * segment.interval
        ),
        next_change=_next_change(segment, others, now),
    )


def _is_quorum(present: int, members: int, *, gateway: bool) -> bool:
    return 2 * present > members or (2 * present == members and gateway)


def _can_go_on_without(others: int) -> bool:
    """Tell whether all others together are a quorum, at best with the gateway."""
    return others > 0 and _is_quorum(others, others + 1, gateway=True)


def _heard_at(segment: Segment, node: NodeName) -> Instant:
    peer = segment.peers.get(node)
    return max(segment.since, peer.heard_at if peer is not None else -math.inf)


def _last_two_way(segment: Segment, others: frozenset[NodeName]) -> Instant:
    times = (peer.two_way_at for node, peer in segment.peers.items() if node in others)
    return max(segment.since, max(times, default=-math.inf))


def _next_change(segment: Segment, others: frozenset[NodeName], now: Instant) -> Instant:
    step = segment.interval
    times = [] if segment.gateway_at is None else [segment.gateway_at + GATEWAY]
    for node in others:
        heard_at = _heard_at(segment, node)
        times += (heard_at + missed * step for missed in (SUSPECT, MISSED, LOST))
        if (peer := segment.peers.get(node)) is not None:
            times.append(peer.two_way_at + MISSED * step)
    alone = _last_two_way(segment, others)
    times += (alone + PROBING * step, alone + MISSED * step) if others else ()
    return min((at for at in times if at > now), default=math.inf)
