"""This node's addresses and links, kept true by events; and ways of packets, asked for.

Belongs here: what is read again when. Does not: what follows from it (`bgp.core`), netlink itself
(`purelb.runtime.netlink`).
"""

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import NoReturn, Self, assert_never

from purelb.api.addresses import IPAddress
from purelb.api.identifiers import LinkName
from purelb.api.links import Link, LinkAddress, RouteAnswer, RouteQuery
from purelb.runtime.clock import Clock
from purelb.runtime.errors import TransientError
from purelb.runtime.netlink import listing
from purelb.runtime.netlink.addresses import AddressSocket
from purelb.runtime.netlink.events import (
    AddressGone,
    AddressSeen,
    Event,
    EventSocket,
    LinkChanged,
    Lost,
    RouteChanged,
    SettingChanged,
)
from purelb.runtime.netlink.routes import ways

AUDIT_SECONDS = 30.0  # between two looks at everything, whatever the events said
TRIES = 10  # a list of addresses is incomplete when others change some meanwhile

_Place = tuple[int, IPAddress, int]


class Kernel:
    """What the kernel has, as of the last `refresh`. Calls `on_change` for each event.

    `routes_changed` counts events of routes, links and addresses: where a packet goes depends on
    all of them.
    """

    def __init__(self, clock: Clock, on_change: Callable[[], None]) -> None:
        self.links: tuple[Link, ...] = ()
        self.routes_changed = 0
        self._clock, self._on_change = clock, on_change
        self._addresses: dict[_Place, LinkAddress] = {}
        self._socket = AddressSocket()
        self._events = EventSocket(self._note)
        self._are_links_stale = self._are_addresses_stale = True
        self._audit_at = 0.0

    @property
    def addresses(self) -> Iterable[LinkAddress]:
        """All addresses, in no particular order."""
        return self._addresses.values()

    @property
    def indices(self) -> dict[LinkName, int]:
        """The links' indices by name."""
        return {link.name: link.index for link in self.links}

    async def __aenter__(self) -> Self:
        """Open the sockets; events queue from here on."""
        self._events.open()
        self._socket.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the sockets."""
        self._events.close()
        self._socket.close()

    async def run(self) -> NoReturn:
        """Take in events until cancelled, and look at everything now and then."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._events.run())
            while True:
                await asyncio.sleep(AUDIT_SECONDS)
                self._forget()

    async def refresh(self) -> None:
        """Read what events could not tell; raises TransientError."""
        if self._are_links_stale:
            self._are_links_stale = False
            try:
                self.links = await listing.links()
            except BaseException:
                self._are_links_stale = True
                raise
        if self._are_addresses_stale:
            await self._read_addresses()

    async def ways(self, queries: Iterable[RouteQuery]) -> dict[RouteQuery, RouteAnswer | None]:
        """Ask which way packets go; raises TransientError."""
        return await ways(queries)

    async def _read_addresses(self) -> None:
        for _ in range(TRIES):
            self._are_addresses_stale = False
            try:
                found = await self._socket.dump()
            except BaseException:
                self._are_addresses_stale = True
                raise
            if found is not None:
                # Events that are still queued are older or newer: in their order they end right.
                self._addresses = {_place(entry): entry for entry in found}
                return
        self._are_addresses_stale = True
        raise TransientError("the addresses of this node change too often to be listed")

    def _forget(self) -> None:
        self._are_links_stale = self._are_addresses_stale = True
        self.routes_changed += 1
        self._on_change()

    def _note(self, event: Event) -> None:
        match event:
            case AddressSeen(address=entry):
                place = _place(entry)
                if _is_same(self._addresses.get(place), entry):
                    return  # lifetimes only
                self._addresses[place] = entry
            case AddressGone(index=index, address=address, prefix=prefix):
                self._addresses.pop((index, address, prefix), None)
            case LinkChanged():
                self._are_links_stale = True
            case RouteChanged() | SettingChanged():
                pass
            case Lost():
                self._forget()
            case _:
                assert_never(event)
        self.routes_changed += 1
        self._on_change()


def _place(entry: LinkAddress) -> _Place:
    return entry.index, entry.address, entry.prefix


def _is_same(known: LinkAddress | None, entry: LinkAddress) -> bool:
    return known is not None and (known.flags, known.mark) == (entry.flags, entry.mark)
