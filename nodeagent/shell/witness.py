"""Asks who answers for the addresses that this node is the witness of.

Belongs here: sockets, and when the state of things is sure enough to ask. Does not: whom to ask and
when, and what follows from the answers (`core.rota`, `core.witness`).
"""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from nodeagent.core.claims import ETHERTYPES, block_of, filter_for, filter_of_all, read_claim
from nodeagent.core.election import Electorate
from nodeagent.core.findings import Finding
from nodeagent.core.packets import request_frame
from nodeagent.core.rota import Question, Rota, Sight
from nodeagent.core.verdicts import DesiredState
from nodeagent.core.witness import Answer, Bench, Charge
from nodeagent.settings import Settings
from nodeagent.shell.heartbeats import Heartbeats
from nodeagent.shell.world import WorldStore
from purelb.api.addresses import Family, family_of
from purelb.api.identifiers import Instant
from purelb.api.links import DefaultRoute, Link
from purelb.runtime.clock import Clock
from purelb.runtime.errors import PermanentError, TransientError
from purelb.runtime.listener import FrameListener
from purelb.runtime.packets import PacketSender

logger = logging.getLogger(__name__)

IDLE_SECONDS = 60.0  # after which an unused socket is closed


@dataclass(slots=True)
class _Place:
    """The sockets of one link and family; `blocks` are what the filter lets pass."""

    listener: FrameListener
    sender: PacketSender
    used_at: Instant
    blocks: frozenset[int] = frozenset()


class Witness:
    """Owns the rota, and sockets where questions were asked lately."""

    def __init__(
        self,
        settings: Settings,
        world: WorldStore,
        beats: Heartbeats,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        """`wake` is called when there is something else to tell."""
        self.asked = 0  # questions sent so far
        self.findings: tuple[Finding, ...] = ()
        self._world, self._beats, self._clock, self._wake = world, beats, clock, wake
        self._me, self._lease_seconds = settings.node, settings.lease_seconds
        self._rota = Rota(settings.node, world.macs)
        self._revision = self._rota.revision
        self._fresh_from: Instant = math.inf
        self._places: dict[tuple[int, Family], _Place] = {}
        self._is_able = True
        self._more = asyncio.Event()

    def counts(self) -> Mapping[Answer, int]:
        """Return for how many addresses each answer counts."""
        return self._rota.counts()

    def note(
        self,
        state: DesiredState,
        electorate: Electorate | None,
        routes: Sequence[DefaultRoute],
        fresh_since: Instant | None,
    ) -> None:
        """Take in a pass.

        Nobody knows for sure who has what before the view of the Leases has been whole for their
        duration, since `fresh_since`; None while it is not.
        """
        if not self._is_able:
            return
        self._fresh_from = math.inf
        if electorate is not None and state.is_whole and fresh_since is not None:
            self._rota.follow(Bench(state, electorate, routes, self._me))
            self._fresh_from = fresh_since + self._lease_seconds
        self._more.set()

    async def run(self) -> NoReturn:
        """Ask until cancelled."""
        while True:
            until = self._take_turn(self._clock.now()) if self._is_able else math.inf
            await self._clock.wait(self._more, None if math.isinf(until) else until)
            self._more.clear()

    def close(self) -> None:
        """Close all sockets."""
        for key in list(self._places):
            self._shut(key)

    def _take_turn(self, now: Instant) -> Instant:
        """Do what is due; returns when there is more to do."""
        self._close_idle(now)
        if not self._is_sure(now):
            self._rota.pause(now)
            if self._world.macs.shown is None:  # for as long as PureLB's agents are about
                self._rota.retract()
                self._tell()
            return self._fresh_from if now < self._fresh_from else math.inf
        sight = Sight(reach=self._beats.reach, renewed=self._world.sightings.renewed_at())
        self._rota.survey(now)
        self._rota.conclude(now, sight)
        self._ask(self._rota.take(now, sight), now)
        self._tell()
        return self._rota.next_at()

    def _tell(self) -> None:
        if self._revision != self._rota.revision:
            self._revision = self._rota.revision
            self.findings = self._rota.findings()
            self._wake()

    def _is_sure(self, now: Instant) -> bool:
        """Tell whether all is known that makes an answer right or wrong."""
        has_macs = self._world.macs.shown is not None
        return has_macs and now >= self._fresh_from and self._world.fresh_since() is not None

    def _ask(self, question: Question | None, now: Instant) -> None:
        """Listen to what can be an answer, to nothing else, and send the question if there is one.

        What was not asked is taken back: silence would prove nothing.
        """
        try:
            place = self._place(question.charge, now) if question is not None else None
            self._tune()
            if question is not None and place is not None:
                sent = self._send(question, place)
                self.asked += sent
                if sent < len(question.targets):
                    self._rota.pause(now)
        except TransientError as error:
            logger.debug("cannot ask", extra={"error": str(error)})
            self.close()
            self._rota.pause(now)
        except PermanentError as error:
            logger.warning("cannot be a witness", extra={"error": str(error)})
            self._is_able = False
            self._rota.retract()

    def _send(self, question: Question, place: _Place) -> int:
        link, source = question.charge.link, question.charge.source
        place.sender.rebind(link.name, link.index)
        return place.sender.send(
            [request_frame(link.mac, source, target) for target in question.targets]
        )

    def _place(self, charge: Charge, now: Instant) -> _Place:
        key = charge.link.index, family_of(charge.address)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = self._open(key[1], charge.link, now)
        place.used_at = now
        return place

    def _open(self, family: Family, link: Link, now: Instant) -> _Place:
        sender = PacketSender(link.name)
        sender.open()
        try:
            nothing = filter_for(family, ())
            listener = FrameListener(link.name, link.index, ETHERTYPES[family], nothing)
        except (TransientError, PermanentError):
            sender.close()
            raise
        place = _Place(listener, sender, now)
        listener.on_readable(lambda: self._hear(place, link.index))
        return place

    def _tune(self) -> None:
        """Let only those frames through that can be answers."""
        wanted: dict[tuple[int, Family], set[int]] = {key: set() for key in self._places}
        for address, charge in self._rota.listened().items():
            key = charge.link.index, family_of(address)
            if key in wanted:
                wanted[key].add(block_of(address))
        for (index, family), blocks in wanted.items():
            place = self._places[index, family]
            if place.blocks != blocks:
                place.listener.attach(filter_for(family, blocks), filter_of_all(family))
                place.blocks = frozenset(blocks)

    def _hear(self, place: _Place, index: int) -> None:
        now = self._clock.now()
        for frame in place.listener.receive():
            claim = read_claim(frame)
            if claim is not None:
                is_reply = frame[:6] == place.sender.mac
                self._rota.hear(index, claim, now, is_reply=is_reply)

    def _close_idle(self, now: Instant) -> None:
        for key, place in list(self._places.items()):
            if now >= place.used_at + IDLE_SECONDS:
                self._shut(key)

    def _shut(self, key: tuple[int, Family]) -> None:
        place = self._places.pop(key)
        place.listener.close()
        place.sender.close()
