"""What changes on this node's links, addresses and routes, as the kernel says it.

Belongs here: the subscription and its recovery. Does not: what to do about an event (cores), or
telling our own changes from others' (the consumer knows what it asked for). Called by the shells
of the network programs.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import NoReturn, Self, TypeAlias

from purelb.api.addresses import IPAddress
from purelb.api.identifiers import LinkName
from purelb.api.links import IFA_F_DADFAILED, LinkAddress
from purelb.runtime import bpf
from purelb.runtime.netlink import wire
from purelb.runtime.netlink.sockets import RECEIVE_BYTES, open_socket

# Multicast groups, linux/rtnetlink.h: LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE.
GROUPS = (1, 5, 7, 9, 11)
SETTINGS = (24,)  # IPV4_NETCONF; tells of forwarding and rp_filter, not of all settings
EVENT_BUFFER = 4 << 20  # bytes; the kernel doubles it and counts about 1 KiB for an event
EVENTS_PER_TURN = 200  # then other tasks of the loop have one
ERROR_PAUSE = 0.1  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressGone:
    """An address left a link: deleted by anyone, us too, expired, or gone with its link.

    `by` is the netlink port of whoever deleted it: mostly its process id, as the kernel gives it to
    a program's first socket. 0 if nobody did, and always for IPv6 (measured, Linux 6.18).
    `is_duplicate`: another host has it.
    """

    index: int
    address: IPAddress
    prefix: int
    mark: int
    by: int = field(default=0, compare=False)
    is_duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressSeen:
    """An address came or changed.

    A refresh differs from what was seen before in lifetimes only; the end of duplicate address
    detection differs in flags. The kernel reports a new IPv6 address from a work queue, a little
    after it has answered the request: one that is deleted at once is only ever seen as gone.
    """

    address: LinkAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChanged:
    """A link came, went, was renamed, or changed its state in any way.

    `works`: it is up and has carrier.
    """

    index: int
    name: LinkName
    gone: bool
    works: bool


@dataclass(frozen=True, slots=True)
class RouteChanged:
    """A route of the main table came, went or changed."""


@dataclass(frozen=True, slots=True)
class SettingChanged:
    """A setting of some link changed (`net.ipv4.conf`), or a link came with its settings."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Events were lost; those after this one are complete again. The consumer must dump."""


Event: TypeAlias = AddressGone | AddressSeen | LinkChanged | RouteChanged | SettingChanged | Lost

_ROUTE_CHANGED, _SETTING_CHANGED, _LOST = RouteChanged(), SettingChanged(), Lost()


class EventSocket:
    """Calls `deliver` for each event, in the kernel's order, from `run`.

    Events queue from `open` on, so one that opens, dumps and then runs misses nothing. `deliver`
    must not wait; what it raises ends `run`. A program that drops events saves reading them.
    """

    def __init__(
        self,
        deliver: Callable[[Event], None],
        *,
        receive_buffer: int = EVENT_BUFFER,
        groups: Sequence[int] = GROUPS,
    ) -> None:
        self._deliver, self._receive_buffer, self._groups = deliver, receive_buffer, groups
        self._program = b""
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Subscribe in the network namespace of the calling thread; needs no privilege."""
        if self._socket is None:
            self._socket = self._subscribe()

    def attach(self, program: bytes) -> None:
        """Let a program drop events from now on, until there is another (`filters`)."""
        if program != self._program:
            self._program = program
            if self._socket is not None:
                self._filter(self._socket)

    def close(self) -> None:
        """Close the socket; harmless if it is closed. `run` must have ended."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def __aenter__(self) -> Self:
        """Open."""
        self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    async def run(self) -> NoReturn:
        """Deliver until cancelled."""
        delivered = 0
        while True:
            for event in await self._receive():
                self._deliver(event)
                delivered += 1
            if delivered >= EVENTS_PER_TURN:
                delivered = 0
                await asyncio.sleep(0)

    async def _receive(self) -> list[Event]:
        if self._socket is None:
            raise RuntimeError("the event socket is not open")
        try:
            data = await asyncio.get_running_loop().sock_recv(self._socket, RECEIVE_BYTES)
        except OSError as error:
            self._replace_socket()
            # Under a steady flood too, others have their turn; what else fails may fail again.
            await asyncio.sleep(0 if error.errno == errno.ENOBUFS else ERROR_PAUSE)
            return [_LOST]
        return [event for message in wire.messages(data) if (event := _event(message)) is not None]

    def _replace_socket(self) -> None:
        # What waits in the old socket is older than the dump that the loss calls for. The new one
        # subscribes first, so nothing falls between the two.
        old, self._socket = self._socket, self._subscribe()
        if old is not None:
            old.close()

    def _subscribe(self) -> socket.socket:
        opened = open_socket(receive_buffer=self._receive_buffer, groups=self._groups)
        self._filter(opened)
        return opened

    def _filter(self, one: socket.socket) -> None:
        if self._program:
            with contextlib.suppress(OSError):  # no memory for it: more is read, nothing is missed
                bpf.attach(one, self._program)


def _event(message: wire.Message) -> Event | None:
    match message.kind:
        case wire.RTM_NEWADDR | wire.RTM_DELADDR:
            return _address_event(message)
        case wire.RTM_NEWLINK | wire.RTM_DELLINK:
            return _link_event(message)
        case wire.RTM_NEWROUTE | wire.RTM_DELROUTE:
            # Each IPv4 address has its route in the local table, which nobody needs to hear of.
            is_main = wire.route_table(message.body) == wire.MAIN_TABLE
            return _ROUTE_CHANGED if is_main else None
        case wire.RTM_NEWNETCONF:
            return _SETTING_CHANGED
        case _:
            return None


def _address_event(message: wire.Message) -> Event | None:
    address = wire.parse_address(message.body)
    if address is None:
        return None
    if message.kind == wire.RTM_NEWADDR:
        return AddressSeen(address=address)
    return AddressGone(
        index=address.index,
        address=address.address,
        prefix=address.prefix,
        mark=address.mark,
        by=message.port,
        is_duplicate=bool(address.flags & IFA_F_DADFAILED),
    )


def _link_event(message: wire.Message) -> Event:
    family, index, name = wire.parse_link(message.body)
    gone = message.kind == wire.RTM_DELLINK and family == socket.AF_UNSPEC
    works = not gone and wire.link_works(message.body)
    return LinkChanged(index=index, name=name, gone=gone, works=works)
