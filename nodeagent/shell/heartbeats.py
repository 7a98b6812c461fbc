"""Sends and receives heartbeats on the links on which this node announces.

Belongs here: sockets, keys, when the next heartbeat is due, and the record of each network. Does
not: what follows from it (`core.peers`, `core.fence`), what is said (the loop, by `say`).
"""

import asyncio
import functools
import logging
import math
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from nodeagent.core import datagrams
from nodeagent.core.beats import Beat, BeatError, Standing, decode, encode, portions
from nodeagent.core.hearing import Hearing
from nodeagent.core.networks import Network
from nodeagent.core.peers import EARLY, NOTHING_HEARD, SHORTEST, Claim, Reach, interval
from nodeagent.shell.heartkeys import KeyFile
from nodeagent.shell.wire import WireAsker
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import Instant, NodeName
from purelb.runtime.clock import Clock
from purelb.runtime.errors import PermanentError, PurelbError
from purelb.runtime.listener import FrameListener
from purelb.runtime.packets import PacketSender

logger = logging.getLogger(__name__)

FRAME_BYTES = 1600  # more than any heartbeat
PATIENCE = 1 / 16  # of an interval, in which times that come are awaited together
RUSH_SECONDS = 0.01  # between heartbeats that have news
# Where heartbeats are many, those of a share of an interval are read together.
RESTED_SHARE, FEW = 0.05, 2 * SHORTEST
RETRY_SECONDS = 1.0  # until a socket is tried again


@dataclass(slots=True)
class BeatCounts:
    """Heartbeats so far. Those that did not count are counted by why."""

    sent: int = 0
    errors: int = 0
    heard: int = 0
    unsigned: int = 0
    replayed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """What a heartbeat on one link says of this node, at the moment of sending."""

    standing: Standing
    is_empty: bool
    fresh_for: float
    epoch: int
    claims: Mapping[IPAddress, int]


@dataclass(slots=True)
class _Ear:
    """One network: its sockets, its record, and what follows from that."""

    network: Network
    hearing: Hearing
    listeners: list[FrameListener]
    sender: PacketSender
    beat_at: Instant
    conclude_at: Instant = math.inf
    reach: Reach = NOTHING_HEARD
    sequence: int = field(default_factory=lambda: secrets.randbits(48))
    turn: int = 0  # of the portions of claims
    rush: int = 0  # heartbeats that follow each other at once
    sources: dict[NodeName, IPAddress] = field(default_factory=dict)


class Heartbeats:
    """Owns the record of each network. Nothing is sent or heard without a key."""

    def __init__(
        self,
        me: NodeName,
        clock: Clock,
        keys: KeyFile,
        asker: WireAsker,
        on_change: Callable[[], None],
    ) -> None:
        """`on_change` is called whenever something may follow from what was heard."""
        self.counts = BeatCounts()
        self._me, self._clock, self._keys, self._asker = me, clock, keys, asker
        self._on_change = on_change
        self._say: Callable[[int], Saying] | None = None
        self._keep: Callable[[], None] | None = None
        self._incarnation = time.time_ns()
        self._networks: Sequence[Network] = ()
        self._former: frozenset[NodeName] = frozenset()
        self._ears: dict[int, _Ear] = {}
        self._retry_at: Instant = 0.0
        self._is_able = True
        self._more = asyncio.Event()

    def connect(self, say: Callable[[int], Saying], keep: Callable[[], None]) -> None:
        """Set who says what is sent on a link, and who is asked regularly to keep the right."""
        self._say, self._keep = say, keep

    @property
    def is_on(self) -> bool:
        """Whether this node sends heartbeats."""
        return bool(self._keys.keys) and self._is_able

    @property
    def reach(self) -> Mapping[int, Reach]:
        """What is concluded for each link by its index."""
        return {index: ear.reach for index, ear in self._ears.items()}

    @property
    def epoch(self) -> int:
        """The highest epoch that was ever heard of."""
        return max((ear.hearing.epoch for ear in self._ears.values()), default=0)

    def claims(self) -> Mapping[IPAddress, Claim]:
        """Return who took over an address last."""
        return {a: one for ear in self._ears.values() for a, one in ear.hearing.claims().items()}

    def peers(self) -> int:
        """Return how many peers are heard now."""
        return sum(len(ear.reach.heard) for ear in self._ears.values())

    def follow(self, networks: Sequence[Network], former: frozenset[NodeName]) -> None:
        """Say which networks there are and who is on them; `former` are nodes without a Lease."""
        self._networks, self._former = networks, former - {self._me}
        self._asker.speak_from({one.link.index: one.link_local for one in networks})
        self._look(self._clock.now())
        for network in networks:
            ear = self._ears.get(network.link.index)
            if ear is not None:
                ear.network = network
                self._admit(ear)
                if not network.gateways:
                    ear.hearing.gateway_at = None
                self._conclude(ear)

    def hurry(self) -> None:
        """Tell at once what has changed here."""
        for ear in self._ears.values():
            ear.beat_at, ear.rush = self._clock.now(), max(1, ear.rush)
        self._more.set()

    async def run(self) -> NoReturn:
        """Send, and conclude from what was not heard, until cancelled."""
        while True:
            now = self._clock.now()
            if self._keys.look(now):
                self._on_change()  # the Lease says whether there are heartbeats
                self._look(now)
            for ear in list(self._ears.values()):
                if now >= ear.beat_at:
                    self._beat(ear, now)
                if now >= ear.conclude_at:
                    self._conclude(ear)
            times = [min(ear.beat_at, ear.conclude_at) for ear in self._ears.values()]
            await self._clock.wait(self._more, min(times, default=now + RETRY_SECONDS))
            self._more.clear()

    def close(self) -> None:
        """Close all sockets."""
        for index in list(self._ears):
            self._shut(index)

    def _look(self, now: Instant) -> None:
        """Open and close sockets as the networks and the keys want it."""
        wanted = {one.link.index: one for one in self._networks} if self.is_on else {}
        for index in self._ears.keys() - wanted.keys():
            self._shut(index)
        for index in wanted.keys() - self._ears.keys():
            if now >= self._retry_at:
                self._open(wanted[index], now)

    def _open(self, network: Network, now: Instant) -> None:
        link, opened = network.link, []
        try:
            for ethertype, group in datagrams.GROUP_MACS.items():
                program = datagrams.filter_for(ethertype)
                listener = FrameListener(link.name, link.index, ethertype, program, FRAME_BYTES)
                opened.append(listener)
                listener.join(group)
            sender = PacketSender(link.name)
            sender.open()
        except PurelbError as error:
            for listener in opened:
                listener.close()
            self._is_able = not isinstance(error, PermanentError)
            self._retry_at = now + RETRY_SECONDS
            facts = {"interface": link.name, "error": str(error)}
            logger.warning("no heartbeats on a link", extra=facts)
            return
        ear = _Ear(network, Hearing(self._me, now), opened, sender, now)
        self._admit(ear)
        self._ears[link.index] = ear
        for listener in opened:
            listener.on_readable(functools.partial(self._hear, ear, listener))
        self._more.set()

    def _admit(self, ear: _Ear) -> None:
        network, before = ear.network, ear.hearing.members
        ear.hearing.joined_at = network.joined_at
        ear.hearing.admit(network.members, network.mute, self._former)
        if network.members - before:
            self._greet(ear)

    def _greet(self, ear: _Ear) -> None:
        """Speak at once where somebody new waits for it, unless that makes many speak at once."""
        if interval(len(ear.hearing.members) + 1) <= SHORTEST:
            ear.beat_at = self._clock.now()
            self._more.set()

    def _shut(self, index: int) -> None:
        ear = self._ears.pop(index)
        for listener in ear.listeners:
            listener.close()
        ear.sender.close()
        self._asker.ask_around(index, None, {})
        self._on_change()

    def _hear(self, ear: _Ear, listener: FrameListener) -> None:
        """Take in all that has arrived before anything is concluded."""
        has_news, now, changes = False, self._clock.now(), ear.hearing.claim_changes
        for frame in listener.receive():
            received = datagrams.read(frame)
            if received is None:
                continue
            try:
                beat = decode(received.payload, self._keys.keys)
            except BeatError:
                self.counts.unsigned += 1
                continue
            refused = ear.hearing.refused
            has_news |= ear.hearing.hear(beat, now)
            if ear.hearing.refused > refused:
                self.counts.replayed += 1
            elif beat.node in ear.hearing.members | ear.hearing.former:
                self.counts.heard += 1
                ear.sources[beat.node] = received.source
                if beat.node in ear.hearing.members - ear.reach.heard:
                    self._greet(ear)
        if ear.hearing.claim_changes != changes:
            self._on_change()  # whoever has what another node took over yields at once
        if has_news:
            self._conclude(ear)
        step = interval(len(ear.hearing.members) + 1)
        if step > FEW:
            listener.rest(RESTED_SHARE * step)

    def _conclude(self, ear: _Ear) -> None:
        """Draw conclusions, and ask around where answers matter."""
        now, before = self._clock.now(), ear.reach
        self._ask_around(ear)
        ear.reach = ear.hearing.conclude(now)
        if ear.reach.asks_around and not before.asks_around:
            self._ask_around(ear)
        pause = PATIENCE * interval(len(ear.hearing.members) + 1)
        ear.conclude_at = max(ear.reach.next_change, now + pause)
        if ear.reach != before or ear.reach.suspects != before.suspects:
            self._on_change()
        self._more.set()

    def _ask_around(self, ear: _Ear) -> None:
        link, hearing = ear.network.link, ear.hearing
        if not ear.reach.asks_around:
            hearing.silent = frozenset()
            self._asker.ask_around(link.index, None, {})
            return
        peers = {a: n for n, a in ear.sources.items() if n in hearing.members}
        gateways = dict.fromkeys(ear.network.gateways, NodeName(""))
        found = self._asker.ask_around(link.index, link, gateways | peers)
        for address, at in found.answered.items():
            hearing.answered_at = max(hearing.answered_at, at)
            if address in gateways:
                hearing.gateway_at = at
        hearing.silent = frozenset(peers[a] for a in found.silent if a in peers)

    def _beat(self, ear: _Ear, now: Instant) -> None:
        if self._say is None or self._keep is None:
            return
        self._keep()
        saying = self._say(ear.network.link.index)
        hears = ear.hearing.echoes(now)
        told = portions(saying.claims, self._me, len(hears))
        ear.sequence, ear.turn = ear.sequence + 1, ear.turn + 1
        if ear.rush == 1 and len(told) > 1:  # all of them, one after the other
            ear.rush = len(told)
        beat = Beat(
            node=self._me,
            incarnation=self._incarnation,
            sequence=ear.sequence,
            standing=saying.standing,
            is_empty=saying.is_empty,
            knows_gateway=bool(ear.network.gateways),
            fresh_for=saying.fresh_for,
            hears=hears,
            epoch=saying.epoch,
            claims=told[ear.turn % len(told)],
            rounds=len(told),
        )
        ear.hearing.sent(ear.sequence, now)
        self._send(ear, encode(beat, self._keys.keys[0]))
        ear.rush = max(0, ear.rush - 1)
        pause = interval(len(ear.hearing.members) + 1) * random.uniform(1.0 - EARLY, 1.0)
        ear.beat_at = now + (RUSH_SECONDS if ear.rush else pause)

    def _send(self, ear: _Ear, payload: bytes) -> None:
        link = ear.network.link
        try:
            frame = datagrams.frame(payload, link.mac, ear.network.source)
            is_sent = ear.sender.send((frame,)) == 1
        except PurelbError as error:
            is_sent = False
            facts = {"interface": link.name, "error": str(error)}
            logger.debug("cannot send a heartbeat", extra=facts)
        self.counts.sent += is_sent
        self.counts.errors += not is_sent
