"""Receiving the Ethernet frames of one type that arrive on a link.

Belongs here: packet sockets with a filter, and groups that they join. Does not: what the filter
lets pass (cores), sending (`packets`).
"""

import asyncio
import errno
import socket
import struct
from collections.abc import Callable, Iterator

from purelb.api.identifiers import LinkName
from purelb.runtime import bpf
from purelb.runtime.errors import PermanentError, TransientError

FRAME_BYTES = 128  # more than any ARP frame or neighbor advertisement that is read
# Received in one go: a flood must not keep the loop from renewing a Lease. By default a queue holds
# less (net.core.rmem_default, 208 KiB, at some 768 bytes a frame): all that has arrived is taken.
MOST_FRAMES = 1024
# linux/if_packet.h
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_MULTICAST = 263, 1, 0


class FrameListener:
    """A packet socket bound to one link and Ethernet type; the filter drops what nobody wants.

    It sees what arrives, not what this host sends. Frames that do not fit into its queue are lost.
    """

    def __init__(
        self,
        link: LinkName,
        index: int,
        ethertype: int,
        program: bytes,
        frame_bytes: int = FRAME_BYTES,
    ) -> None:
        """Open it; raises PermanentError without CAP_NET_RAW, TransientError without the link.

        Of longer frames only `frame_bytes` are received.
        """
        self._index, self._frame_bytes = index, frame_bytes
        self._call: Callable[[], None] | None = None
        self._wake: asyncio.TimerHandle | None = None
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError as error:
            raise PermanentError("hearing frames needs the capability CAP_NET_RAW") from error
        except OSError as error:  # no descriptor left, or no packet sockets at all
            raise TransientError(f"cannot listen on link {link}: {error}") from error
        try:
            self._socket.setblocking(False)
            bpf.attach(self._socket, program)  # before it is bound: nothing passes unfiltered
            if socket.if_nametoindex(link) != index:
                raise OSError(errno.ENODEV, "it has been made anew")
            self._socket.bind((link, ethertype))
        except OSError as error:
            self._socket.close()
            raise TransientError(f"cannot listen on link {link}: {error}") from error

    def attach(self, program: bytes, simpler: bytes) -> None:
        """Use another filter from now on, an array of `struct sock_filter`.

        The memory of a socket for filters is limited (`net.core.optmem_max`, 20 KiB before Linux
        6.8), and has to hold the old one beside the new one. Where it is too small the `simpler`
        filter is used, which lets more pass. Raises TransientError.
        """
        try:
            bpf.attach(self._socket, program)
        except OSError as error:
            if error.errno != errno.ENOMEM:
                raise TransientError(f"cannot filter frames: {error}") from error
            self._attach_alone(simpler)

    def _attach_alone(self, program: bytes) -> None:
        try:
            bpf.detach(self._socket)
            bpf.attach(self._socket, program)
        except OSError as error:
            raise TransientError(f"cannot filter frames: {error}") from error

    def join(self, group: bytes) -> None:
        """Receive the frames to a group, given by its MAC; raises TransientError."""
        request = struct.pack("@iHH8s", self._index, PACKET_MR_MULTICAST, len(group), group)
        try:
            self._socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, request)
        except OSError as error:
            raise TransientError(f"cannot join a group: {error}") from error

    def on_readable(self, call: Callable[[], None]) -> None:
        """Have a function called by the running loop whenever frames are there."""
        self._call = call
        asyncio.get_running_loop().add_reader(self._socket, call)

    def rest(self, seconds: float) -> None:
        """Call nothing for a while, so that what arrives meanwhile is taken in together.

        To be woken costs more than to read: with cold caches five times as much (measured).
        """
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket)
        self._wake = loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        if self._call is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._call)

    def receive(self) -> Iterator[bytes]:
        """Yield the beginnings of the first frames that have arrived; never waits.

        If there are more, what is called `on_readable` is called again.
        """
        for _ in range(MOST_FRAMES):
            try:
                yield self._socket.recv(self._frame_bytes)
            except BlockingIOError:
                return
            except OSError:  # the link went down: said once, and the socket hears again later
                return

    def close(self) -> None:
        """Close the socket; nothing is called any more."""
        if self._wake is not None:
            self._wake.cancel()
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
