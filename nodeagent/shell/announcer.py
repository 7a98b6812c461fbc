"""Sends gratuitous ARP and neighbor advertisements when they are due.

Belongs here: sockets and the task that waits. Does not: frames and schedule (`core.packets`),
whether an address is still ours (asked of the loop's last pass before each transmission).
"""

import asyncio
import logging
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import NoReturn

from nodeagent.core.config import Garp
from nodeagent.core.packets import Schedule, frames
from nodeagent.core.plan import Announce
from purelb.api.addresses import IPAddress
from purelb.runtime.clock import Clock
from purelb.runtime.errors import PermanentError, PurelbError
from purelb.runtime.packets import PacketSender

logger = logging.getLogger(__name__)

AT_ONCE = 500  # transmissions in one turn, then others have theirs


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
        self._wake = asyncio.Event()

    def start(self, op: Announce, garp: Garp) -> None:
        """Begin the burst of one address; what is due at once is sent by `send_due`."""
        self._ops[op.address] = op
        self._schedule.start(op.address, self._clock.now(), garp)
        self._wake.set()

    def keep(self, addresses: Container[IPAddress]) -> None:
        """End the announcements of all other addresses."""
        self._schedule.keep(addresses)
        for address in [known for known in self._ops if known not in addresses]:
            del self._ops[address]

    async def send_due(self) -> None:
        """Send what is due now; lets others have their turn in between."""
        for number, address in enumerate(self._schedule.take(self._clock.now()), start=1):
            op = self._ops.get(address)
            if op is not None and self._may_send(address):
                self._send(op)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    async def run(self) -> NoReturn:
        """Send until cancelled."""
        while True:
            await self._clock.wait(self._wake, self._schedule.next_due())
            self._wake.clear()
            await self.send_due()

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
