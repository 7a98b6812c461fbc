"""What clients asked for: counters of all requests, and an audit of the writes.

Belongs here: keeping and reading these. Does not: deciding what is counted (service).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

Counted: TypeAlias = tuple[str, str, str]  # client, verb, resource such as "services/status"


@dataclass(slots=True)
class Requests:
    """Numbers of requests since the start or the last `clear`."""

    counts: Counter[Counted] = field(default_factory=Counter)

    def total(self, *, client: str = "", verb: str = "", resource: str = "") -> int:
        """Return how many requests fit; "" fits all."""
        return sum(
            number
            for (one_client, one_verb, one_resource), number in self.counts.items()
            if client in ("", one_client)
            and verb in ("", one_verb)
            and resource in ("", one_resource)
        )

    def clear(self) -> None:
        """Start counting anew."""
        self.counts.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request other than a GET. `code` is 0 if it was never answered."""

    time: float  # Unix time
    client: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    is_changed: bool


class Audit:
    """The last writes, oldest first."""

    def __init__(self, most: int) -> None:
        self.entries: deque[Entry] = deque(maxlen=most)

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self.entries))

    def __len__(self) -> int:
        return len(self.entries)

    def clear(self) -> None:
        """Forget all."""
        self.entries.clear()
