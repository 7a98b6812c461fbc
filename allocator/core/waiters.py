"""Who waits for which address, oldest first. Pure.

Belongs here: the queues. Does not: why somebody waits (`place`), when to wake (`ledger`). Owned by
the ledger; nobody else writes here.
"""

import heapq
import itertools
from collections.abc import Iterable, Mapping

from allocator.core.holdings import Waiting, Want
from allocator.core.index import SpanIndex
from purelb.api.addresses import FAMILIES, AddressRange, Family, IPAddress, family_of
from purelb.api.identifiers import ServiceKey


class Waiters:
    """Services with a problem, in order of arrival, and what each of them waits for.

    A Service keeps its place as long as it has any problem.
    """

    def __init__(self) -> None:
        self._waiting: dict[ServiceKey, Waiting] = {}
        self._age: dict[ServiceKey, int] = {}
        self._arrivals = itertools.count()
        self._queues: dict[Want, _Queue] = {}
        self._spans: Mapping[Family, SpanIndex] = {f: SpanIndex() for f in FAMILIES}

    def get(self, key: ServiceKey) -> Waiting | None:
        """Return what a Service waits for."""
        return self._waiting.get(key)

    def keys(self) -> tuple[ServiceKey, ...]:
        """Return all Services that wait, oldest first."""
        return self.by_age(self._waiting)

    def by_age(self, keys: Iterable[ServiceKey]) -> tuple[ServiceKey, ...]:
        """Sort Services oldest first; those that do not wait come last, by name."""
        last = len(self._age)
        return tuple(sorted(keys, key=lambda key: (self._age.get(key, last), key)))

    def put(self, key: ServiceKey, waiting: Waiting | None) -> frozenset[Want]:
        """Record what a Service waits for now, None for nothing; return what it stopped to want."""
        previous = self._waiting.pop(key, None)
        if previous is None and waiting is None:
            return frozenset()
        old = previous.wants if previous else frozenset()
        new = waiting.wants if waiting else frozenset()
        for want in old - new:
            self._leave(want, key)
        if waiting is None:
            del self._age[key]
            return old
        self._waiting[key] = waiting
        if key not in self._age:
            self._age[key] = next(self._arrivals)
        for want in new - old:
            self._join(want, key)
        return old - new

    def oldest(self, want: Want) -> ServiceKey | None:
        """Return who has waited longest for something."""
        queue = self._queues.get(want)
        return queue.oldest() if queue else None

    def all_for(self, want: Want) -> Iterable[ServiceKey]:
        """Return everybody who waits for one address or sharing key."""
        queue = self._queues.get(want)
        return queue.members if queue else ()

    def ranges_with(self, address: IPAddress) -> tuple[AddressRange, ...]:
        """Return the ranges somebody waits for that have the address."""
        return tuple(self._spans[family_of(address)].having(address))

    def _join(self, want: Want, key: ServiceKey) -> None:
        if want not in self._queues:
            self._queues[want] = _Queue()
            if isinstance(want, AddressRange):
                self._spans[want.family].add(want)
        self._queues[want].add(key, self._age[key])

    def _leave(self, want: Want, key: ServiceKey) -> None:
        queue = self._queues[want]
        queue.remove(key)
        if queue.members:
            return
        del self._queues[want]
        if isinstance(want, AddressRange):
            self._spans[want.family].remove(want)


class _Queue:
    """Keys by age, never empty for long; heap entries that disagree with `members` are stale."""

    def __init__(self) -> None:
        self.members: dict[ServiceKey, int] = {}
        self._heap: list[tuple[int, ServiceKey]] = []

    def add(self, key: ServiceKey, age: int) -> None:
        self.members[key] = age
        heapq.heappush(self._heap, (age, key))

    def remove(self, key: ServiceKey) -> None:
        del self.members[key]
        if len(self._heap) > 2 * len(self.members) + 8:  # stale entries must not pile up
            self._heap = sorted((age, member) for member, age in self.members.items())

    def oldest(self) -> ServiceKey:
        while self.members.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][1]
