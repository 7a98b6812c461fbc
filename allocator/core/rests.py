"""Addresses that were released a short while ago and rest before somebody else gets them. Pure.

Belongs here: which addresses rest, for whom and until when. Does not: who owns an address
(`ledger`, which has this as a part), timers (the shell). A group asks for it by `spec.coolDown`.
"""

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from allocator.core.pool import PoolSet
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import Instant, ServiceKey
from purelb.api.views import ServiceView


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """One address; before `until` nobody gets it but a Service of the name that had it."""

    address: IPAddress
    key: ServiceKey
    until: Instant


def rests_of(
    old: ServiceView, new: ServiceView | None, pools: PoolSet, now: Instant
) -> Iterator[Rest]:
    """Yield the addresses that a Service of ours shows no more and whose pool lets them rest."""
    if not old.is_branded:
        return
    for address in old.ingress:
        if new is not None and address in new.ingress:
            continue
        pool = pools.locate(address)
        if pool is not None and pool.cool_down:
            yield Rest(address=address, key=old.key, until=now + pool.cool_down)


class Rests:
    """What rests, by address, by former owner, and by end."""

    def __init__(self) -> None:
        self._rests: dict[IPAddress, Rest] = {}
        self._by_key: dict[ServiceKey, dict[IPAddress, None]] = {}
        # Entries that disagree with `_rests` are stale and skipped.
        self._heap: list[tuple[Instant, int, IPAddress]] = []

    def __contains__(self, address: IPAddress) -> bool:
        """Tell whether an address rests."""
        return address in self._rests

    def get(self, address: IPAddress) -> Rest | None:
        """Return until when an address rests, and for whom."""
        return self._rests.get(address)

    def of(self, key: ServiceKey) -> Collection[IPAddress]:
        """Return the addresses that rest for a Service, in order of release."""
        return self._by_key.get(key, {})

    def add(self, rest: Rest) -> None:
        """Let an address rest; what was said of it before is over."""
        self.drop(rest.address)
        self._rests[rest.address] = rest
        self._by_key.setdefault(rest.key, {})[rest.address] = None
        heapq.heappush(self._heap, (rest.until, int(rest.address), rest.address))

    def drop(self, address: IPAddress) -> None:
        """End the rest of an address, if it rests."""
        rest = self._rests.pop(address, None)
        if rest is None:
            return
        own = self._by_key[rest.key]
        del own[address]
        if not own:
            del self._by_key[rest.key]

    def end(self, now: Instant) -> list[IPAddress]:
        """Drop and return what has rested for long enough."""
        ended = []
        while (until := self.next_end()) is not None and until <= now:
            address = heapq.heappop(self._heap)[2]
            self.drop(address)
            ended.append(address)
        return ended

    def next_end(self) -> Instant | None:
        """Return when the next rest ends; None if nothing rests."""
        while self._heap:
            until, _, address = self._heap[0]
            rest = self._rests.get(address)
            if rest is not None and rest.until == until:
                return until
            heapq.heappop(self._heap)
        return None
