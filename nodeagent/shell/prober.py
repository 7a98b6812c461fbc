"""Asks whether another host has an address, and hears it when one says so.

One listening socket per link and family, with a filter for the addresses in question; IPv6 is only
listened to while a question is open, because the kernel detects duplicates itself. Belongs here:
sockets, questions under way. Does not: what follows from a claim (`core.conflicts`), the record
(`conflicts`), when an address needs asking (`core.judgement`).
"""

import asyncio
import heapq
import itertools
import logging
from collections import Counter
from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

from nodeagent.core.claims import (
    ETHERTYPES,
    Claim,
    block_of,
    filter_for,
    filter_of_all,
    read_claim,
)
from nodeagent.core.conflicts import (
    REPEATS,
    SEARCH,
    WINDOW,
    Conflict,
    claimed,
    is_conflict,
    met_peer,
)
from nodeagent.core.ops import Probe
from nodeagent.core.packets import probe_frame
from nodeagent.shell.conflicts import Conflicts
from purelb.api.addresses import Family, IPAddress, family_of
from purelb.api.identifiers import Instant
from purelb.api.links import Link
from purelb.runtime.clock import Clock
from purelb.runtime.errors import PermanentError, TransientError
from purelb.runtime.listener import FrameListener
from purelb.runtime.packets import PacketSender

logger = logging.getLogger(__name__)

# Seconds between the first questions about different addresses: switches and hosts drop broadcasts
# beyond what they can take.
SPACING = 0.0005
STALE = 5.0  # seconds for which an answer counts that nobody has made use of


@dataclass(frozen=True, slots=True)
class _Question:
    link: Link
    quiet_at: Instant  # silence until then means that nobody has it
    is_duplicate: bool  # somebody has it, the question is who
    is_heard: bool  # an answer would be


@dataclass(slots=True)
class _Ear:
    listener: FrameListener
    blocks: Counter[int]
    attached: frozenset[int] = frozenset()  # blocks that the filter lets pass


class Prober:
    """Owns the questions, the sockets that listen, and what was heard."""

    def __init__(
        self,
        clock: Clock,
        is_stranger: Callable[[bytes], bool],
        defend: Callable[[IPAddress], None],
        wake: Callable[[], None],
    ) -> None:
        """`is_stranger` tells whether a MAC is no node's; `defend` announces an address once."""
        self._conflicts = Conflicts()
        self._clock, self._is_stranger = clock, is_stranger
        self._defend, self._wake = defend, wake
        self._asked: dict[IPAddress, _Question] = {}
        self._held: dict[IPAddress, Link] = {}
        self._ears: dict[tuple[int, Family], _Ear] = {}
        self._senders: dict[int, PacketSender] = {}
        self._due: list[tuple[Instant, int, IPAddress, _Question]] = []
        self._order = itertools.count()
        self._next_slot: Instant = 0.0
        self._is_able = True
        self._links: Collection[Link] = ()
        self._macs: frozenset[bytes] = frozenset()
        self._more = asyncio.Event()

    def quiet(self) -> Mapping[IPAddress, Instant] | None:
        """Return from when on silence proves that nobody has an address, for those asked about.

        None if this process may not ask. Claims that have arrived by now are taken in first.
        """
        if not self._is_able:
            return None
        now = self._clock.now()
        self._conflicts.forget(now)
        for ear in list(self._ears.values()):
            self._hear(ear)
        for address, question in list(self._asked.items()):
            if now >= question.quiet_at + STALE:
                self._end_question(address)
            elif now >= question.quiet_at:
                self._note_silence(address, question)
        return {address: question.quiet_at for address, question in self._asked.items()}

    def conflicts(self) -> Mapping[IPAddress, Conflict]:
        """Return the claims of other hosts as of now; the same object until there is another."""
        return self._conflicts.view()

    def remember(self, addresses: Container[IPAddress]) -> None:
        """Forget the conflicts about all other addresses; these are the Services'."""
        self._conflicts.keep(addresses)

    def next_answer(self) -> Instant | None:
        """Return when silence will have answered the next question, None if none is open."""
        now = self._clock.now()
        return min((q.quiet_at for q in self._asked.values() if q.quiet_at > now), default=None)

    def ask(self, probe: Probe) -> None:
        """Begin to ask about an address; `pump` sends what is due at once.

        Where nothing can be heard, silence is taken for an answer: better two hosts with an address
        than none.
        """
        if probe.address in self._asked:
            return
        is_heard = self._listen(probe.address, probe.link)
        at = self._next_slot = max(self._clock.now(), self._next_slot + SPACING)
        window = SEARCH if probe.is_duplicate else WINDOW
        quiet_at = at + window if is_heard else self._clock.now()
        question = _Question(probe.link, quiet_at, probe.is_duplicate, is_heard)
        self._asked[probe.address] = question
        for delay in (0.0, *REPEATS) if is_heard else ():
            entry = (at + delay, next(self._order), probe.address, question)
            heapq.heappush(self._due, entry)
        self._more.set()

    def note_duplicates(self, found: Mapping[IPAddress, int]) -> None:
        """Say on which links the kernel has found other hosts with addresses; they are asked for.

        The values are indices of links.
        """
        links = {link.index: link for link in self._links}
        for address, index in found.items():
            if index in links:
                self.ask(Probe(links[index], address, is_duplicate=True))
        if found:
            self.pump()

    def hold(self, address: IPAddress, link: Link) -> None:
        """Say that an address is in use here: claims to it are conflicts from now on."""
        if family_of(address) is Family.IPV4 and self._held.get(address) != link:
            self._release(address)
            if self._listen(address, link):
                self._held[address] = link
        self._end_question(address)

    def leave(self, address: IPAddress) -> None:
        """Say that an address is no longer in use here."""
        self._release(address)

    def follow(self, links: Collection[Link]) -> None:
        """Close the sockets of links that are gone; `links` are all there are."""
        if links is self._links:
            return
        self._links = links
        self._macs = frozenset(link.mac for link in links)
        indices = {link.index for link in links}
        for key in [key for key in self._ears if key[0] not in indices]:
            self._ears.pop(key).listener.close()
        for index in self._senders.keys() - indices:
            self._senders.pop(index).close()

    def pump(self) -> None:
        """Bring the filters up to date, then send the questions that are due."""
        for (_, family), ear in self._ears.items():
            if not ear.attached >= ear.blocks.keys():
                self._tune(family, ear)
        now = self._clock.now()
        while self._due and self._due[0][0] <= now:
            _, _, address, question = heapq.heappop(self._due)
            # Later questions go on while the address is in use, unless it left this link.
            is_asked = self._asked.get(address) is question
            if is_asked or self._held.get(address) == question.link:
                self._send(address, question)

    async def run(self) -> NoReturn:
        """Send questions when they are due until cancelled."""
        while True:
            await self._clock.wait(self._more, self._due[0][0] if self._due else None)
            self._more.clear()
            self.pump()

    def close(self) -> None:
        """Close all sockets."""
        for ear in self._ears.values():
            ear.listener.close()
        for sender in self._senders.values():
            sender.close()
        self._ears.clear()
        self._senders.clear()

    def _send(self, address: IPAddress, question: _Question) -> None:
        link = question.link
        try:
            if link.index not in self._senders:
                sender = PacketSender(link.name)
                sender.open()
                self._senders[link.index] = sender
            self._senders[link.index].rebind(link.name, link.index)
            self._senders[link.index].send((probe_frame(link.mac, address),))
        except TransientError as error:
            logger.debug("cannot ask", extra={"interface": link.name, "error": str(error)})
            if self._asked.get(address) is question:
                self._end_question(address)  # it was not asked: silence would prove nothing
        except PermanentError as error:
            self._give_up(error)

    def _listen(self, address: IPAddress, link: Link) -> bool:
        key = link.index, family_of(address)
        ear = self._ears.get(key)
        if ear is None:
            try:
                program = filter_for(key[1], ())
                listener = FrameListener(link.name, link.index, ETHERTYPES[key[1]], program)
            except TransientError as error:
                logger.debug("cannot listen", extra={"interface": link.name, "error": str(error)})
                return False
            except PermanentError as error:
                self._give_up(error)
                return False
            ear = self._ears[key] = _Ear(listener, Counter())
            listener.on_readable(lambda: self._hear(ear))
        ear.blocks[block_of(address)] += 1
        return True

    def _tune(self, family: Family, ear: _Ear) -> None:
        blocks = frozenset(ear.blocks)
        try:
            ear.listener.attach(filter_for(family, blocks), filter_of_all(family))
        except TransientError as error:  # tried again at the next turn
            logger.debug("cannot listen", extra={"error": str(error)})
        else:
            ear.attached = blocks

    def _stop_listening(self, address: IPAddress, link: Link) -> None:
        key = link.index, family_of(address)
        ear = self._ears.get(key)
        if ear is None:
            return
        block = block_of(address)
        ear.blocks[block] -= 1
        if ear.blocks[block] <= 0:
            del ear.blocks[block]
        if not ear.blocks:
            self._ears.pop(key).listener.close()

    def _release(self, address: IPAddress) -> None:
        if (link := self._held.pop(address, None)) is not None:
            self._stop_listening(address, link)

    def _end_question(self, address: IPAddress) -> None:
        question = self._asked.pop(address, None)
        if question is not None and question.is_heard:
            self._stop_listening(address, question.link)

    def _give_up(self, error: PermanentError) -> None:
        if self._is_able:
            logger.warning("cannot look for other owners", extra={"error": str(error)})
            self._wake()
        self._is_able = False

    def _hear(self, ear: _Ear) -> None:
        for frame in ear.listener.receive():
            claim = read_claim(frame)
            if claim is not None and claim.mac not in self._macs:
                self._take(claim)

    def _take(self, claim: Claim) -> None:
        question = self._asked.get(claim.address)
        if self._is_stranger(claim.mac):
            is_held = claim.address in self._held
            if is_conflict(claim, is_asked=question is not None, is_held=is_held):
                self._note_claim(claim.address, claim.mac, is_probe=claim.is_probe)
        elif question is not None and question.is_duplicate:
            conflict = met_peer(self._conflicts.get(claim.address), claim.mac, self._clock.now())
            self._give_way(claim.address, conflict)

    def _note_claim(self, address: IPAddress, mac: bytes, *, is_probe: bool = False) -> None:
        now, known = self._clock.now(), self._conflicts.get(address)
        is_held = address in self._held and address not in self._asked
        conflict, is_defended = claimed(known, mac, now, is_held=is_held, is_probe=is_probe)
        if is_defended:
            facts = {"ip": str(address), "mac": mac.hex(":")}
            logger.warning("another host claims an address, it is defended", extra=facts)
            self._conflicts.note(address, conflict)
            self._defend(address)
        elif conflict is not known:
            self._give_way(address, conflict)

    def _give_way(self, address: IPAddress, conflict: Conflict) -> None:
        self._conflicts.note(address, conflict)
        self._end_question(address)
        self._wake()

    def _note_silence(self, address: IPAddress, question: _Question) -> None:
        if question.is_duplicate:  # somebody has asked for it, as the kernel did, and has it not
            self._note_claim(address, b"", is_probe=True)
            return
        conflict = self._conflicts.get(address)
        if conflict is not None and conflict.is_open:
            self._conflicts.note(address, replace(conflict, is_open=False))
