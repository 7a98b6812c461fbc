"""What this node has heard on one network: heartbeats, claims, answers of the gateway.

Belongs here: the record, and which datagrams count. Does not: the rules (`peers`), datagrams
(`beats`). Written by one task of the shell; asked before each pass.
"""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from nodeagent.core.beats import ECHO_BITS, Beat, Echoes, Seen, is_news, node_id
from nodeagent.core.peers import (
    LOST,
    MISSED,
    Claim,
    Peer,
    Reach,
    Segment,
    alone_since,
    heard_at,
    interval,
    survey,
)
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import Instant, NodeName


@dataclass(frozen=True, slots=True)
class _Told:
    """A claim, and the sequence up to which it counts if it is not told again."""

    epoch: int
    until: int


# Intervals without a heartbeat of our own after which it was we who stood still. What was not heard
# meanwhile, or was heard late, says nothing about others.
STALLED: Final = 1.6


@dataclass(slots=True)
class Hearing:
    """The record of one network.

    `since` is when we began to listen, `joined_at` when we became a candidate. `claim_changes`
    counts how often what others claim has changed.
    """

    me: NodeName
    since: Instant
    joined_at: Instant = -math.inf
    members: frozenset[NodeName] = frozenset()
    mute: frozenset[NodeName] = frozenset()
    former: frozenset[NodeName] = frozenset()
    gateway_at: Instant | None = None
    answered_at: Instant = -math.inf
    silent: frozenset[NodeName] = frozenset()
    gone: frozenset[NodeName] = frozenset()
    epoch: int = 0
    refused: int = 0
    claim_changes: int = 0
    _sent_at: Instant = math.inf
    _excused: Mapping[NodeName, Instant] = field(default_factory=dict)
    _sent: dict[int, Instant] = field(default_factory=dict)
    _peers: dict[NodeName, Peer] = field(default_factory=dict)
    _seen: dict[NodeName, Seen] = field(default_factory=dict)
    _heard: dict[NodeName, tuple[Hashable, frozenset[int]]] = field(default_factory=dict)
    _claims: dict[NodeName, dict[IPAddress, _Told]] = field(default_factory=dict)

    def admit(
        self,
        members: frozenset[NodeName],
        mute: frozenset[NodeName] = frozenset(),
        former: frozenset[NodeName] = frozenset(),
    ) -> None:
        """Say who may be heard: nobody else counts, or takes memory.

        `mute` are members that send no heartbeats. `former` are nodes whose Lease has ended for us:
        they count for nothing, but may still believe to have addresses.
        """
        self.members, self.mute, self.former = members, mute, former - members
        for node in self._peers.keys() - members - former:
            for record in (self._peers, self._seen, self._heard, self._claims):
                record.pop(node, None)

    def sent(self, sequence: int, now: Instant) -> None:
        """Say that our next heartbeat goes out, or was tried to send."""
        self._excused = self._excuses(now)
        self._sent_at = now
        fresh = {echo: at for echo, at in self._sent.items() if now < at + self._patience}
        self._sent = fresh | {sequence & ECHO_BITS: now}

    def hear(self, beat: Beat, now: Instant) -> bool:
        """Take in a heartbeat; tells whether it says more than that its sender lives.

        Those of nodes that were never members do not count, nor do replayed ones.
        """
        if beat.node == self.me or beat.node not in self.members | self.former:
            return False
        echo = beat.hears.get(node_id(self.me))
        echoed_at = self._sent.get(echo) if echo is not None else None
        if not is_news(self._seen.get(beat.node), beat, is_echo_fresh=echoed_at is not None):
            self.refused += 1
            return False
        last = self._seen.get(beat.node)
        if last is None or last.incarnation != beat.incarnation:
            self._claims.pop(beat.node, None)  # another process, which has taken nothing yet
        self._seen[beat.node] = Seen(beat.incarnation, beat.sequence)
        self.epoch = max(self.epoch, beat.epoch)
        before = self._peers.get(beat.node)
        after = Peer(
            heard_at=now,
            standing=beat.standing,
            is_empty=beat.is_empty,
            knows_gateway=beat.knows_gateway,
            fresh_for=beat.fresh_for,
            hears=self._heard_by(beat),
            two_way_at=max(echoed_at or -math.inf, before.two_way_at if before else -math.inf),
        )
        self._peers[beat.node] = after
        has_news = self._claim(beat)
        return has_news or before is None or self._is_different(before, after, now)

    def _heard_by(self, beat: Beat) -> frozenset[int]:
        """Return whom the sender hears; the same object as long as these are the same."""
        nodes = beat.hears.nodes if isinstance(beat.hears, Echoes) else tuple(beat.hears)
        known = self._heard.get(beat.node)
        if known is None or known[0] != nodes:
            self._heard[beat.node] = known = nodes, frozenset(beat.hears)
        return known[1]

    def _excuses(self, now: Instant) -> Mapping[NodeName, Instant]:
        """Return whose silence is to be counted anew if we stood still until now.

        Whoever was gone before is still gone.
        """
        step = interval(len(self.members | {self.me}))
        if now <= self._sent_at + STALLED * step:
            return self._excused
        known = self._segment(self._excused)
        found = {
            node: now
            for node in self.members
            if heard_at(known, node) + LOST * step > self._sent_at
        }
        if alone_since(known) + MISSED * step > self._sent_at:
            found[self.me] = now
        return {**self._excused, **found}

    @property
    def _patience(self) -> float:
        """Seconds after which an echo proves nothing: a replayed heartbeat echoes another one."""
        return LOST * interval(len(self.members | {self.me}))

    def conclude(self, now: Instant) -> Reach:
        """Return what follows from all that was heard, and remember who is gone."""
        reach = survey(self.segment(now), now)
        self.gone = reach.absent
        return reach

    def segment(self, now: Instant) -> Segment:
        """Return what conclusions are drawn from."""
        return self._segment(self._excuses(now))

    def _segment(self, excused: Mapping[NodeName, Instant]) -> Segment:
        return Segment(
            me=self.me,
            members=self.members | {self.me},
            since=self.since,
            peers=dict(self._peers),
            mute=self.mute,
            gateway_at=self.gateway_at,
            answered_at=self.answered_at,
            silent=self.silent,
            excused=excused,
            gone=self.gone,
            joined_at=self.joined_at,
        )

    def echoes(self, now: Instant) -> dict[int, int]:
        """Return what our next heartbeat says of members heard lately: the last sequence of each.

        It is the proof that they count for us, so nodes without a Lease get none.
        """
        silence = MISSED * interval(len(self.members | {self.me}))
        return {
            node_id(node): self._seen[node].sequence
            for node, peer in self._peers.items()
            if node in self.members and now - peer.heard_at < silence
        }

    def claims(self) -> dict[IPAddress, Claim]:
        """Return who took over an address last."""
        found: dict[IPAddress, Claim] = {}
        for node, claims in self._claims.items():
            for address, told in claims.items():
                claim = Claim(epoch=told.epoch, node=node)
                found[address] = max(claim, found.get(address, claim))
        return found

    def _claim(self, beat: Beat) -> bool:
        """Take in what a heartbeat claims; tells whether that differs from what was known."""
        known = self._claims.get(beat.node, {})
        until = beat.sequence + MISSED * beat.rounds
        told = {address: _Told(epoch, until) for address, epoch in beat.claims.items()}
        is_all = beat.rounds == 1
        kept = {} if is_all else {a: one for a, one in known.items() if one.until >= beat.sequence}
        self._claims[beat.node] = after = kept | told
        is_other = _epochs(known) != _epochs(after)
        self.claim_changes += is_other
        return is_other

    def _is_different(self, before: Peer, after: Peer, now: Instant) -> bool:
        """Tell whether anything may follow from the difference of two heartbeats."""
        silence = MISSED * interval(len(self.members | {self.me}))
        was_heard, was_two_way = (now < t + silence for t in (before.heard_at, before.two_way_at))
        is_two_way = now < after.two_way_at + silence
        same = replace(
            after,
            heard_at=before.heard_at,
            two_way_at=before.two_way_at,
            fresh_for=before.fresh_for,
        )
        has_api = after.fresh_for > 0
        if not was_heard or was_two_way is not is_two_way or same != before:
            return True
        return has_api is not (before.fresh_for > 0)


def _epochs(claims: Mapping[IPAddress, _Told]) -> dict[IPAddress, int]:
    return {address: told.epoch for address, told in claims.items()}
