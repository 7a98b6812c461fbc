"""Under which terms addresses are shared: keys and ports of their owners. Pure.

Belongs here: the indices that make a question about a shared address cheap. Does not: who owns an
address without a sharing key. Owned by the ledger; nobody else writes here.
"""

from collections.abc import Iterable, Set

from allocator.core.holdings import Holding
from allocator.core.index import AddressIndex
from purelb.api.addresses import AddressRange, Family, IPAddress, family_of
from purelb.api.identifiers import ServiceKey, SharingKey
from purelb.api.views import Port


class Tenancy:
    """Owners that have a sharing key, by address and key, by address and port, and by key."""

    def __init__(self) -> None:
        self._sharers: dict[tuple[SharingKey, IPAddress], int] = {}
        self._bound: dict[tuple[SharingKey, Family], AddressIndex] = {}
        self._ports: dict[tuple[IPAddress, Port], dict[ServiceKey, None]] = {}

    def join(self, address: IPAddress, holding: Holding) -> None:
        """Enter an owner of an address; one without a sharing key leaves no trace."""
        if not holding.sharing:
            return
        sharer = (holding.sharing, address)
        self._sharers[sharer] = self._sharers.get(sharer, 0) + 1
        if self._sharers[sharer] == 1:
            family = family_of(address)
            index = self._bound.setdefault((holding.sharing, family), AddressIndex(family))
            index.add(address)
        for port in holding.ports:
            self._ports.setdefault((address, port), {})[holding.key] = None

    def leave(self, address: IPAddress, holding: Holding) -> None:
        """Take out an owner exactly as it was entered."""
        if not holding.sharing:
            return
        sharer = (holding.sharing, address)
        self._sharers[sharer] -= 1
        if not self._sharers[sharer]:
            del self._sharers[sharer]
            bound = (holding.sharing, family_of(address))
            self._bound[bound].remove(address)
            if not len(self._bound[bound]):
                del self._bound[bound]
        for port in holding.ports:
            holders = self._ports[(address, port)]
            del holders[holding.key]
            if not holders:
                del self._ports[(address, port)]

    def sharers(self, sharing: SharingKey, address: IPAddress) -> int:
        """Return how many own an address under a sharing key."""
        return self._sharers.get((sharing, address), 0)

    def lowest_bound(self, sharing: SharingKey, span: AddressRange) -> IPAddress | None:
        """Return the lowest address of a range that somebody owns under a sharing key."""
        index = self._bound.get((sharing, span.family))
        return index.lowest_used(span) if index else None

    def holders(self, address: IPAddress, port: Port) -> Set[ServiceKey]:
        """Return who serves a port on a shared address."""
        return self._ports.get((address, port), {}).keys()

    def clashing(
        self, address: IPAddress, key: ServiceKey, ports: Iterable[Port]
    ) -> Iterable[ServiceKey]:
        """Return the other Services that serve one of these ports on the address."""
        for port in ports:
            yield from self.holders(address, port) - {key}
