"""Which keys need another look, and when. Pure; the loops of the shells stand on it."""

import heapq
import itertools
import math
from collections.abc import Hashable
from typing import Generic, TypeVar

from purelb.api.identifiers import Instant

Key = TypeVar("Key", bound=Hashable)


class DirtySet(Generic[Key]):
    """Keys that need another look: each waits at most once and never runs beside itself.

    A key marked while it runs is kept; nothing is lost. Every operation is O(log n).
    """

    def __init__(self) -> None:
        self._due: dict[Key, Instant] = {}
        self._busy: set[Key] = set()
        # Entries that disagree with `_due` are stale and skipped.
        self._heap: list[tuple[Instant, int, Key]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        """Return how many keys wait or run."""
        return len(self._due.keys() | self._busy)

    def mark(self, key: Key, due: Instant) -> None:
        """Ask for a look at `due`; the earlier of two wishes wins."""
        if due < self._due.get(key, math.inf):
            self._due[key] = due
            heapq.heappush(self._heap, (due, next(self._order), key))

    def take(self, now: Instant) -> Key | None:
        """Move the longest waiting due key to busy and return it; None when nothing is due."""
        due = self.next_due()
        if due is None or due > now:
            return None
        key = heapq.heappop(self._heap)[2]
        del self._due[key]
        self._busy.add(key)
        return key

    def done(self, key: Key) -> None:
        """Let the key be taken again; a mark made while it ran is still there."""
        self._busy.discard(key)
        if key in self._due:
            heapq.heappush(self._heap, (self._due[key], next(self._order), key))

    def next_due(self) -> Instant | None:
        """Return when `take` will next have a key, or None if nothing waits."""
        while self._heap:
            due, _, key = self._heap[0]
            if key not in self._busy and self._due.get(key) == due:
                return due
            heapq.heappop(self._heap)
        return None
