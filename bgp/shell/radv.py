"""Finds the routers of unnumbered sessions, and lets them find us: router advertisements.

Both sides of an unnumbered session learn each other's link-local address from router advertisements
(RFC 4861); FRR waits for ours. They have a lifetime of 0: nobody takes us for a default router.

Belongs here: one raw socket for all links. Does not: which links (`bgp.core`).
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Collection, Mapping
from ipaddress import IPv6Address
from types import TracebackType
from typing import NoReturn, Self

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 5.0
FIRST_SECONDS = 0.3  # between the first ones on a link
FIRST_COUNT = 5
ALL_NODES, ALL_ROUTERS = "ff02::1", "ff02::2"
_SOLICITATION, _ADVERTISEMENT = 133, 134
_HOPS = 255  # RFC 4861 section 6.1.2: less has come through a router, and is forged
_ICMP6_FILTER = 1  # linux/icmpv6.h
# Type, code, checksum (the kernel's), hop limit, flags, lifetime, two timers.
_RA = struct.Struct("!BBHBBHII")
_RS = struct.Struct("!BBHI")


class Advertiser:
    """Routers by link. `on_change` is called when one is seen first, or changes its address."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.routers: dict[str, IPv6Address] = {}
        self._on_change = on_change
        self._links: dict[str, int] = {}
        self._sent: dict[str, int] = {}
        self._socket: socket.socket | None = None
        self._wake = asyncio.Event()

    def set_links(self, links: Mapping[str, int]) -> None:
        """Change the links, indices by name, on which to speak and listen."""
        if links == self._links:
            return
        for name, index in links.items():
            if self._links.get(name) != index:
                self._sent[name] = 0
                self._join(index)
        self._links = dict(links)
        self.routers = {name: at for name, at in self.routers.items() if name in links}
        self._wake.set()

    async def __aenter__(self) -> Self:
        """Open the socket; without the capability CAP_NET_RAW nothing is sent or heard."""
        try:
            self._socket = _open()
        except OSError as error:
            logger.warning("unnumbered sessions cannot be had", extra={"error": str(error)})
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()

    async def run(self) -> NoReturn:
        """Speak and listen until cancelled."""
        if self._socket is None:
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            while True:
                self._wake.clear()
                for name, index in self._links.items():
                    self._advertise(name, index)
                await self._pause()

    async def _pause(self) -> None:
        if not self._links:
            await self._wake.wait()
            return
        is_new = any(self._sent.get(name, 0) < FIRST_COUNT for name in self._links)
        try:
            async with asyncio.timeout(FIRST_SECONDS if is_new else INTERVAL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _advertise(self, name: str, index: int) -> None:
        self._sent[name] = self._sent.get(name, 0) + 1
        self._send(_RA.pack(_ADVERTISEMENT, 0, 0, 0, 0, 0, 0, 0), ALL_NODES, index)
        if name not in self.routers:
            self._send(_RS.pack(_SOLICITATION, 0, 0, 0), ALL_ROUTERS, index)

    def _send(self, packet: bytes, group: str, index: int) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(packet, (group, 0, 0, index))
        except OSError as error:  # the link is down, or has no link-local address yet
            logger.debug("not advertised", extra={"index": index, "error": str(error)})

    def _join(self, index: int) -> None:
        if self._socket is None:
            return
        for group in (ALL_NODES, ALL_ROUTERS):
            request = socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", index)
            try:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
            except OSError as error:  # EADDRINUSE: joined already
                logger.debug("not joined", extra={"index": index, "error": str(error)})

    async def _listen(self) -> NoReturn:
        if self._socket is None:
            raise RuntimeError("the socket is not open")
        loop = asyncio.get_running_loop()
        while True:
            try:
                data, source = await loop.sock_recvfrom(self._socket, 2048)
            except OSError as error:  # of a link that went down, say; the socket is for all
                logger.info("not heard", extra={"error": str(error)})
                await asyncio.sleep(FIRST_SECONDS)
                continue
            self._note(data, source)

    def _note(self, data: bytes, source: tuple[str, int, int, int]) -> None:
        text, _, _, index = source
        name = next((name for name, number in self._links.items() if number == index), None)
        if name is None or not data:
            return
        if data[0] == _SOLICITATION:
            self._sent[name] = 0
            self._wake.set()
            return
        router = IPv6Address(text.partition("%")[0])
        if router.is_link_local and self.routers.get(name) != router:
            self.routers[name] = router
            self._on_change()


def _open() -> socket.socket:
    opened = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    try:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOPS)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        opened.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, _filter())
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened


def _filter(kinds: Collection[int] = (_SOLICITATION, _ADVERTISEMENT)) -> bytes:
    """Return a filter that blocks every type but some: a bit is set for what is blocked."""
    words = [0xFFFFFFFF] * 8
    for kind in kinds:
        words[kind >> 5] &= ~(1 << (kind & 31)) & 0xFFFFFFFF
    return struct.pack("=8I", *words)
