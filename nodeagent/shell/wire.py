"""Asks the wire again and again who answers for addresses: by ARP and neighbor solicitations.

An address is *silent* when three questions in a row were answered by nobody. Asked are addresses
that this node may take then, and gateways and peers that were not heard. Belongs here: sockets and
the times of questions and answers. Does not: what follows from them (`core.fence`, `core.peers`),
who answers for an address in use (`prober`).
"""

import asyncio
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import NoReturn

from nodeagent.core.claims import ETHERTYPES, block_of, filter_for, filter_of_all, read_claim
from nodeagent.core.packets import question_frame
from purelb.api.addresses import Family, IPAddress, family_of
from purelb.api.identifiers import Instant, NodeName
from purelb.api.links import Link
from purelb.runtime.clock import Clock
from purelb.runtime.errors import PurelbError
from purelb.runtime.listener import FrameListener
from purelb.runtime.packets import PacketSender

logger = logging.getLogger(__name__)

QUESTIONS, PERIOD = 3, 0.1  # without an answer; seconds between two
# Questions in one go, and seconds of pause after it: at most 2,000 a second, because switches and
# hosts drop broadcasts beyond what they can take.
AT_ONCE, PAUSE = 50, 0.025


@dataclass(frozen=True, slots=True)
class Around:
    """What asking around has brought so far: when each answered last, and who does not."""

    answered: Mapping[IPAddress, Instant]
    silent: frozenset[IPAddress]


@dataclass(slots=True)
class _Question:
    link: Link
    due: Instant
    unanswered: int = 0  # questions since the last answer
    answered_at: Instant = -math.inf

    def is_silent(self, now: Instant) -> bool:
        """Tell whether the last of enough questions had its time for an answer."""
        return self.unanswered > QUESTIONS or (self.unanswered == QUESTIONS and now >= self.due)


class WireAsker:
    """Owns the questions, and one listening socket per link and family while there are any."""

    def __init__(self, clock: Clock, on_change: Callable[[], None]) -> None:
        """`on_change` is called when an address turns out to be silent, or is so no longer."""
        self._clock, self._on_change = clock, on_change
        self._wanted: dict[IPAddress, Link] = {}
        self._around: dict[int, tuple[Link, frozenset[IPAddress]]] = {}
        self._asked: dict[IPAddress, _Question] = {}
        self._ears: dict[tuple[int, Family], tuple[FrameListener, frozenset[int]]] = {}
        self._senders: dict[int, PacketSender] = {}
        self._silent: frozenset[IPAddress] = frozenset()
        self._sources: Mapping[int, IPv6Address | None] = {}
        self._more = asyncio.Event()

    def speak_from(self, sources: Mapping[int, IPv6Address | None]) -> None:
        """Say which IPv6 address each link asks from, by the link's index."""
        self._sources = sources

    def want(self, addresses: Mapping[IPAddress, Link]) -> None:
        """Say for which addresses of Services it matters who answers."""
        if addresses != self._wanted:
            self._wanted = dict(addresses)
            self._follow()

    def ask_around(
        self, index: int, link: Link | None, hosts: Mapping[IPAddress, NodeName]
    ) -> Around:
        """Say which hosts of a link are asked whether they are there, None: nobody any more."""
        wanted = None if link is None else (link, frozenset(hosts))
        if self._around.get(index) != wanted:
            if wanted is None:
                self._around.pop(index, None)
            else:
                self._around[index] = wanted
            self._follow()
        asked = {a: q for a in hosts if (q := self._asked.get(a)) is not None}
        answered = {a: q.answered_at for a, q in asked.items() if not math.isinf(q.answered_at)}
        now = self._clock.now()
        return Around(answered, frozenset(a for a, q in asked.items() if q.is_silent(now)))

    def silent(self) -> frozenset[IPAddress]:
        """Return the wanted addresses for which nobody answers."""
        now = self._clock.now()
        return frozenset(a for a in self._wanted if self._asked[a].is_silent(now))

    async def run(self) -> NoReturn:
        """Ask until cancelled."""
        while True:
            now = self._clock.now()
            due = [address for address, one in self._asked.items() if one.due <= now]
            for address in due[:AT_ONCE]:
                self._ask(address, self._asked[address], now)
            self._notice(now)
            next_due = min((one.due for one in self._asked.values()), default=math.inf)
            until = now + PAUSE if len(due) > AT_ONCE else next_due
            await self._clock.wait(self._more, None if math.isinf(until) else until)
            self._more.clear()

    def close(self) -> None:
        """Close all sockets."""
        self._wanted, self._around = {}, {}
        self._follow()
        for sender in self._senders.values():
            sender.close()
        self._senders.clear()

    def _everything(self) -> Iterator[tuple[IPAddress, Link]]:
        yield from self._wanted.items()
        for link, hosts in self._around.values():
            yield from ((address, link) for address in hosts)

    def _follow(self) -> None:
        """Ask for what is wanted now and for nothing else, and listen where that is."""
        wanted, now = dict(self._everything()), self._clock.now()
        for address in [a for a, one in self._asked.items() if wanted.get(a) != one.link]:
            del self._asked[address]
        for address in wanted.keys() - self._asked.keys():
            self._asked[address] = _Question(wanted[address], now)
        blocks: dict[tuple[int, Family], set[int]] = {}
        for address, one in self._asked.items():
            key = one.link.index, family_of(address)
            blocks.setdefault(key, set()).add(block_of(address))
        for key in self._ears.keys() - blocks.keys():
            self._ears.pop(key)[0].close()
        links = {one.link.index: one.link for one in self._asked.values()}
        for key, found in blocks.items():
            self._listen(key, links[key[0]], frozenset(found))
        self._more.set()

    def _listen(self, key: tuple[int, Family], link: Link, blocks: frozenset[int]) -> None:
        known = self._ears.get(key)
        if known is not None and known[1] == blocks:
            return
        try:
            listener = known[0] if known is not None else self._opened(key, link)
            self._ears[key] = listener, blocks
            listener.attach(filter_for(key[1], blocks), filter_of_all(key[1]))
        except PurelbError as error:  # nothing is silent then
            logger.debug("cannot listen", extra={"interface": link.name, "error": str(error)})
            if key in self._ears:
                self._ears.pop(key)[0].close()

    def _opened(self, key: tuple[int, Family], link: Link) -> FrameListener:
        nothing = filter_for(key[1], ())
        listener = FrameListener(link.name, link.index, ETHERTYPES[key[1]], nothing)
        listener.on_readable(lambda: self._hear(listener, link))
        return listener

    def _hear(self, listener: FrameListener, link: Link) -> None:
        now = self._clock.now()
        for frame in listener.receive():
            claim = read_claim(frame)
            if claim is None or claim.is_probe or claim.mac == link.mac:
                continue
            question = self._asked.get(claim.address)
            if question is not None and question.link.index == link.index:
                question.unanswered, question.answered_at = 0, now
        self._notice(now)

    def _notice(self, now: Instant) -> None:
        silent = frozenset(a for a, one in self._asked.items() if one.is_silent(now))
        if silent != self._silent:
            self._silent = silent
            self._on_change()

    def _ask(self, address: IPAddress, question: _Question, now: Instant) -> None:
        link, question.due = question.link, now + PERIOD
        if (link.index, family_of(address)) not in self._ears:
            self._listen((link.index, family_of(address)), link, self._blocks(link, address))
            return
        try:
            if link.index not in self._senders:
                sender = PacketSender(link.name)
                sender.open()
                self._senders[link.index] = sender
            self._senders[link.index].rebind(link.name, link.index)
            frame = question_frame(link.mac, address, self._sources.get(link.index))
            is_sent = self._senders[link.index].send((frame,)) == 1
        except PurelbError as error:
            is_sent = False
            facts = {"interface": link.name, "error": str(error)}
            logger.debug("cannot ask", extra=facts)
        question.unanswered += is_sent

    def _blocks(self, link: Link, address: IPAddress) -> frozenset[int]:
        family = family_of(address)
        return frozenset(
            block_of(a)
            for a, one in self._asked.items()
            if one.link.index == link.index and family_of(a) is family
        )
