"""Addresses of all links: list them, add, refresh and remove them.

Belongs here: batches and what their errors mean. Does not: which address belongs where, and when
(cores). Called by the shells of the network programs.
"""

import asyncio
import errno
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TypeAlias, assert_never

from purelb.api.links import OUR_MARK, LinkAddress, NewAddress
from purelb.runtime.errors import PermanentError, TransientError
from purelb.runtime.netlink import wire
from purelb.runtime.netlink.sockets import RequestSocket
from purelb.runtime.netlink.wire import DeadAddress, Refresh

Change: TypeAlias = NewAddress | Refresh | DeadAddress

FIRST_BATCH, LARGEST_BATCH = 25, 50
# The kernel takes 10 to 300 us for an address, depending on the family and on what the link has
# (measured), and holds the loop meanwhile: the size of a batch follows how long the last one took.
# A task that waits for a timer loses two batches, so this keeps it below 10 ms.
BATCH_SECONDS = 0.0025


class AddressSocket:
    """Requests about addresses; open it, or use it as a context manager, in the loop's thread.

    `has_marks` tells whether this kernel keeps the mark of an address (IFA_PROTO, since 5.18). It
    is None until an added address has been read back.
    """

    def __init__(self) -> None:
        self.has_marks: bool | None = None
        self._requests = RequestSocket()
        self._batch = FIRST_BATCH

    def open(self) -> None:
        """Open the socket; needs no privilege, changes do."""
        self._requests.open()

    def close(self) -> None:
        """Close the socket; harmless if it is closed."""
        self._requests.close()

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

    async def dump(self) -> tuple[LinkAddress, ...] | None:
        """Return every address in the kernel's order; None if the list is not complete.

        The order within a link and family is the kernel's own: IPv4 primaries come before
        secondaries, older before newer; IPv6 lists the newest first within a scope. Dumps of
        many addresses are often incomplete while others change some: the caller asks again.
        """
        try:
            return await self._requests.dump(wire.dump_addresses(), wire.parse_address)
        except OSError as error:
            raise TransientError(f"cannot list the addresses of this node: {error}") from error

    async def apply(self, changes: Sequence[Change]) -> tuple[int, ...]:
        """Carry out changes in order, each on its own; return the errno of each, 0 for done.

        An address that is there already (EEXIST, whatever its lifetimes and mark: only a Refresh
        changes those) and a dead one that is not, or whose link is not, count as done. Usual
        others: ENODEV no such link, EACCES IPv6 is disabled on it, EINVAL a lifetime out of order.
        Raises PermanentError without CAP_NET_ADMIN, TransientError if an answer is lost; then it is
        unknown which of the changes are made.
        """
        results: list[int] = []
        while len(results) < len(changes):
            begun, done = time.perf_counter(), len(results)
            results += await self._apply_batch(changes[done : done + self._batch])
            pace = (len(results) - done) / (time.perf_counter() - begun)
            self._batch = max(1, min(LARGEST_BATCH, int(pace * BATCH_SECONDS)))
            await asyncio.sleep(0)
        return tuple(results)

    async def _apply_batch(self, changes: Sequence[Change]) -> tuple[int, ...]:
        try:
            answers = await self._requests.acknowledge([_request(change) for change in changes])
        except OSError as error:
            raise TransientError(f"no answer to a change of addresses: {error}") from error
        if errno.EPERM in answers:
            raise PermanentError("changing addresses needs the capability CAP_NET_ADMIN")
        if self.has_marks is None:
            await self._read_back(changes, answers)
        return tuple(map(_result, changes, answers))

    async def _read_back(self, changes: Sequence[Change], answers: Sequence[int]) -> None:
        news = [
            (change.to if isinstance(change, Refresh) else change, answer)
            for change, answer in zip(changes, answers, strict=True)
        ]
        added = {
            (new.index, new.address, new.prefix)
            for new, answer in news
            if isinstance(new, NewAddress) and answer == 0
        }
        if not added:
            return
        for seen in await self.dump() or ():
            if (seen.index, seen.address, seen.prefix) in added:
                self.has_marks = seen.mark == OUR_MARK
                return


def _request(change: Change) -> wire.Request:
    match change:
        case NewAddress():
            return wire.new_address(change)
        case Refresh(to=new):
            return wire.new_address(new, wire.NLM_F_CREATE | wire.NLM_F_REPLACE)
        case DeadAddress():
            return wire.dead_address(change)
        case _:
            assert_never(change)


def _result(change: Change, answer: int) -> int:
    match change:
        case NewAddress() if answer == errno.EEXIST:
            return 0
        case DeadAddress() if answer in (errno.EADDRNOTAVAIL, errno.ENODEV):
            return 0
        case _:
            return answer
