"""Netlink sockets on the running loop: opening them, and requests with their answers.

Belongs here: buffers, sequence numbers, acknowledgments, dumps. Does not: what the messages mean
(`wire`). Used by the other modules of this package only.
"""

import asyncio
import contextlib
import errno
import itertools
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from purelb.runtime.netlink import wire

T = TypeVar("T")
RECEIVE_BYTES = 65536  # no dump part and no event is larger: the kernel fills 32 KiB at most
REQUEST_BUFFER = 1 << 20  # bytes; an answer is a few hundred, a dump waits for its reader
ANSWER_SECONDS = 5.0  # the kernel answers while it takes the request; more means it is lost

_SO_RCVBUFFORCE = 33  # asm-generic/socket.h
_SOL_NETLINK = 270
_NETLINK_ADD_MEMBERSHIP, _NETLINK_CAP_ACK = 1, 10


def open_socket(*, receive_buffer: int, groups: Sequence[int] = ()) -> socket.socket:
    """Open a non-blocking rtnetlink socket, subscribed to multicast groups (RTNLGRP_*).

    The buffer, in bytes, is cut to `net.core.rmem_max` where the process may not exceed it.
    """
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    try:
        try:
            opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, receive_buffer)
        except PermissionError:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        opened.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)  # an error does not repeat the request
        opened.bind((0, 0))
        for group in groups:
            opened.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened


class RequestSocket:
    """One socket for requests, one request at a time; belongs to the loop that runs it.

    An exchange that breaks off, by an error or a cancellation, replaces the socket: what is left in
    the old one would be taken for the next answer, and its dump would still be running.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._turn = asyncio.Lock()
        self._sequence = itertools.count(1)

    def open(self) -> None:
        """Open the socket in the network namespace of the calling thread."""
        if self._socket is None:
            self._socket = open_socket(receive_buffer=REQUEST_BUFFER)

    def close(self) -> None:
        """Close the socket; harmless if it is closed."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def acknowledge(self, requests: Sequence[wire.Request]) -> tuple[int, ...]:
        """Send requests in one piece and return the errno of each, 0 for success.

        The kernel works through them in order before it returns from the call, so the caller bounds
        their number. Only the last asks for an acknowledgment; errors come unasked. Raises OSError
        if the answer is lost: then some of the requests may have been carried out.
        """
        if not requests:
            return ()
        numbers = [self._next_sequence() for _ in requests]
        last = requests[-1]._replace(flags=requests[-1].flags | wire.NLM_F_ACK)
        data = b"".join(map(wire.encode, (*requests[:-1], last), numbers))
        errors: dict[int, int] = {}
        async with self._exchange() as channel:
            channel.send(data)
            while numbers[-1] not in errors:
                for message in wire.messages(await _receive(channel)):
                    if message.kind == wire.NLMSG_ERROR:
                        errors[message.sequence] = wire.error_number(message.body)
        return tuple(errors.get(number, 0) for number in numbers)

    async def dump(
        self, request: wire.Request, parse: Callable[[bytes], T | None]
    ) -> tuple[T, ...] | None:
        """Return what a dump lists, in the kernel's order; None where it is incomplete.

        Incomplete: something changed while it ran (NLM_F_DUMP_INTR), or a part was lost. Gives the
        loop a turn after each part. Raises OSError if the kernel refuses.
        """
        number, found = self._next_sequence(), list[T]()
        try:
            async with self._exchange() as channel:
                channel.send(wire.encode(request, number))
                whole, done = True, False
                while not done:
                    for message in wire.messages(await _receive(channel)):
                        whole &= not message.flags & wire.NLM_F_DUMP_INTR
                        done = _ends_dump(message)
                        if not done and (item := parse(message.body)) is not None:
                            found.append(item)
                    await asyncio.sleep(0)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            return None
        return tuple(found) if whole else None

    def _next_sequence(self) -> int:
        return next(self._sequence) & 0xFFFFFFFF

    @contextlib.asynccontextmanager
    async def _exchange(self) -> AsyncIterator[socket.socket]:
        async with self._turn:
            channel = self._socket
            if channel is None:
                raise RuntimeError("the netlink socket is not open")
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    yield channel
            except BaseException:
                if self._socket is channel:  # nobody closed it meanwhile
                    self.close()
                    self.open()
                raise


async def _receive(channel: socket.socket) -> bytes:
    return await asyncio.get_running_loop().sock_recv(channel, RECEIVE_BYTES)


def _ends_dump(message: wire.Message) -> bool:
    if message.kind == wire.NLMSG_OVERRUN:
        raise OSError(errno.ENOBUFS, "the kernel lost a part of a dump")
    if message.kind not in (wire.NLMSG_DONE, wire.NLMSG_ERROR):
        return False
    if number := wire.error_number(message.body):
        raise OSError(number, os.strerror(number))
    return True
