"""Sends gratuitous ARP and neighbor advertisements when they are due.

Belongs here: sockets and the task that waits. Does not: frames and schedule (`core.packets`),
whether an address is still ours (asked of the loop's last pass before each transmission).
"""

import asyncio
import logging
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NoReturn

from nodeagent.core.config import Garp
from nodeagent.core.ops import Announce
from nodeagent.core.packets import Schedule, frames
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import Instant
from purelb.api.links import Link
from purelb.runtime.clock import Clock
from purelb.runtime.errors import PermanentError, PurelbError
from purelb.runtime.packets import PacketSender

logger = logging.getLogger(__name__)

# Transmissions in one go, and seconds of pause after it: at most 2,000 a second, whatever falls due
# at once, because switches and hosts drop broadcasts beyond what they can take.
AT_ONCE, PAUSE = 50, 0.025


@dataclass(slots=True)
class PacketCounts:
    """Transmissions so far; one is a pair of ARP frames or one advertisement."""

    garp_sent: int = 0
    garp_errors: int = 0
    na_sent: int = 0
    na_errors: int = 0


class Announcer:
    """Owns one packet socket per link, and the schedule."""

    def __init__(self, clock: Clock, may_send: Callable[[IPAddress], bool]) -> None:
        self.counts = PacketCounts()
        self._clock, self._may_send = clock, may_send
        self._schedule = Schedule()
        self._ops: dict[IPAddress, Announce] = {}
        self._senders: dict[int, PacketSender] = {}
        self._links: Collection[Link] = ()
        self._free_at: Instant = -math.inf  # when the pace allows to send again
        self._wake = asyncio.Event()

    def start(self, op: Announce, garp: Garp) -> None:
        """Begin the burst of one address; what is due at once is sent by `send_due`."""
        self._ops[op.address] = op
        self._schedule.start(op.address, self._clock.now(), garp)
        self._wake.set()

    def repeat(self, address: IPAddress) -> None:
        """Announce an address now, if it is announced at all."""
        self._schedule.hasten(address, self._clock.now())
        self.send_due()

    def stop(self, address: IPAddress) -> None:
        """End the announcements of an address."""
        self._schedule.stop(address)
        self._ops.pop(address, None)

    def clear(self) -> None:
        """End all announcements."""
        self._schedule.clear()
        self._ops.clear()

    def follow(self, links: Collection[Link]) -> None:
        """Close the sockets of links that are gone; `links` are all there are."""
        if links is self._links:
            return
        self._links = links
        for index in self._senders.keys() - {link.index for link in links}:
            self._senders.pop(index).close()

    def send_due(self) -> None:
        """Send what is due now, as far as the pace allows; the rest stays due."""
        now = self._clock.now()
        if now < self._free_at:
            return
        due = self._schedule.take(now, AT_ONCE)
        if due:
            self._free_at = now + PAUSE * len(due) / AT_ONCE
        for address in due:
            op = self._ops.get(address)
            if op is not None and self._may_send(address):
                self._send(op)

    async def run(self) -> NoReturn:
        """Send until cancelled."""
        while True:
            due = self._schedule.next_due()
            await self._clock.wait(self._wake, None if due is None else max(due, self._free_at))
            self._wake.clear()
            self.send_due()

    def close(self) -> None:
        """Close all sockets."""
        for sender in self._senders.values():
            sender.close()
        self._senders.clear()

    def _send(self, op: Announce) -> None:
        is_v4 = op.address.version == 4
        try:
            sender = self._sender(op)
            wanted = frames(op.address, op.link.mac, op.source)
            is_sent = sender.send(wanted) == len(wanted)
        except PurelbError as error:
            is_sent = False
            level = logging.ERROR if isinstance(error, PermanentError) else logging.DEBUG
            facts = {"interface": op.link.name, "ip": str(op.address), "error": str(error)}
            logger.log(level, "cannot announce", extra=facts)
        if is_v4:
            self.counts.garp_sent += is_sent
            self.counts.garp_errors += not is_sent
        else:
            self.counts.na_sent += is_sent
            self.counts.na_errors += not is_sent

    def _sender(self, op: Announce) -> PacketSender:
        sender = self._senders.get(op.link.index)
        if sender is None:
            sender = PacketSender(op.link.name)
            sender.open()
            self._senders[op.link.index] = sender
        sender.rebind(op.link.name, op.link.index)
        return sender
