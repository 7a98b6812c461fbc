"""Sending Ethernet frames from a link.

Belongs here: packet sockets. Does not: what is in a frame and when it is due (cores). Called by the
shells of the network programs.
"""

import errno
import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from purelb.api.identifiers import LinkName
from purelb.runtime.errors import PermanentError, TransientError


class PacketSender:
    """A raw socket bound to one link; open it, or use it as a context manager.

    It follows its link through renames and changes of the MAC. A link made anew under the same name
    has another index: `rebind`.
    """

    def __init__(self, link: LinkName) -> None:
        self._link = link
        self._socket: socket.socket | None = None
        self._index = 0

    @property
    def index(self) -> int:
        """The index of the link it is bound to; 0 while closed."""
        return self._index

    @property
    def mac(self) -> bytes:
        """The link's present MAC, six bytes; empty if it has none or is gone."""
        mac: bytes = self._opened().getsockname()[4]
        return mac

    def open(self) -> None:
        """Bind to the link; raises PermanentError without CAP_NET_RAW, TransientError without it.

        Nothing is ever received: the protocol is 0.
        """
        if self._socket is None:
            self._socket, self._index = _bound_socket(self._link)

    def rebind(self, link: LinkName, index: int) -> None:
        """Go on with this link; nothing happens if `index` is the one it is bound to."""
        self._link = link
        if index != self._index:
            self.close()
            self.open()

    def send(self, frames: Sequence[bytes]) -> int:
        """Send what fits into the link's queue and return how many; never waits.

        Raises TransientError if the link is down or gone.
        """
        channel = self._opened()
        for sent, frame in enumerate(frames):
            try:
                channel.send(frame)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.ENOBUFS):
                    return sent
                raise TransientError(f"cannot send from link {self._link}: {error}") from error
        return len(frames)

    def close(self) -> None:
        """Close the socket; harmless if it is closed."""
        if self._socket is not None:
            self._socket.close()
            self._socket, self._index = None, 0

    def __enter__(self) -> Self:
        """Open."""
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise RuntimeError(f"the packet socket of link {self._link} is not open")
        return self._socket


def _bound_socket(link: LinkName) -> tuple[socket.socket, int]:
    try:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    except PermissionError as error:
        raise PermanentError("sending frames needs the capability CAP_NET_RAW") from error
    except OSError as error:  # no descriptor left, or no packet sockets at all
        raise TransientError(f"cannot send from link {link}: {error}") from error
    try:
        index = socket.if_nametoindex(link)
        opened.bind((link, 0))
        opened.setblocking(False)
    except OSError as error:
        opened.close()
        raise TransientError(f"cannot send from link {link}: {error}") from error
    return opened, index
