"""The record of other hosts that claim addresses.

Changed in place, because a host on the network can claim all addresses at any rate, and handed out
as a frozen view, because passes compare what they went by. Belongs here: the record. Does not: what
follows from a claim (`core.conflicts`), who hears it (`prober`).
"""

from collections.abc import Container, Mapping
from types import MappingProxyType

from nodeagent.core.conflicts import MEMORY, Conflict
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import Instant


class Conflicts:
    """Owns what is known of each address; as large as the addresses that are kept, at most."""

    def __init__(self) -> None:
        self._known: dict[IPAddress, Conflict] = {}
        self._view: Mapping[IPAddress, Conflict] | None = None

    def get(self, address: IPAddress) -> Conflict | None:
        """Return what is known of an address."""
        return self._known.get(address)

    def note(self, address: IPAddress, conflict: Conflict) -> None:
        """Take in what is known of an address now."""
        self._known[address] = conflict
        self._view = None

    def forget(self, now: Instant) -> None:
        """Drop those of which nothing was heard for long."""
        self._drop([a for a, one in self._known.items() if now >= one.noted_at + MEMORY])

    def keep(self, addresses: Container[IPAddress]) -> None:
        """Drop those about all other addresses."""
        self._drop([address for address in self._known if address not in addresses])

    def view(self) -> Mapping[IPAddress, Conflict]:
        """Return all as of now, never changed later; the same object until one of them changes."""
        if self._view is None:
            self._view = MappingProxyType(dict(self._known))
        return self._view

    def _drop(self, addresses: list[IPAddress]) -> None:
        for address in addresses:
            del self._known[address]
        if addresses:
            self._view = None
