"""What lies between the agents of `heartbeat_cluster`: an API's store, a wire, questions on it."""

import bisect
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace

from nodeagent.core.beats import Beat
from nodeagent.core.slots import SlotWrite
from purelb.api.identifiers import Instant, NodeName, ServiceKey
from purelb.api.views import LeaseView, ServiceView

QUESTIONS, PERIOD = 3, 0.1  # that nobody answers; seconds between two
LONGEST_LAG = 1.0  # seconds by which a watch is late at most
Way = tuple[NodeName, NodeName]  # from, to


Content = tuple[dict[NodeName, LeaseView], dict[ServiceKey, ServiceView]]


@dataclass(slots=True)
class Store:
    """What the API server keeps, and kept: watches lag behind."""

    leases: dict[NodeName, LeaseView] = field(default_factory=dict)
    services: dict[ServiceKey, ServiceView] = field(default_factory=dict)
    _times: list[Instant] = field(default_factory=list)
    _past: list[Content] = field(default_factory=list)

    def renew(self, lease: LeaseView, now: Instant) -> None:
        """Write a Lease."""
        self.leases = {**self.leases, lease.node: lease}
        self.keep(now)

    def write(self, wanted: SlotWrite, now: Instant) -> None:
        """Change one annotation, unless somebody else was faster."""
        known = self.services.get(wanted.service)
        if known is None or known.version != wanted.version:
            return
        keys = {k: v for k, v in known.annotations.items() if k != wanted.annotation}
        if wanted.text is not None:
            keys[wanted.annotation] = wanted.text
        after = replace(known, annotations=keys, version=str(int(known.version) + 1))
        self.services = {**self.services, wanted.service: after}
        self.keep(now)

    def keep(self, now: Instant) -> None:
        """Remember what is there from now on, and forget what no watch is late enough to see."""
        old = max(0, bisect.bisect_right(self._times, now - LONGEST_LAG) - 1)
        self._times = [*self._times[old:], now]
        self._past = [*self._past[old:], (self.leases, self.services)]

    def seen(self, at: Instant) -> Content:
        """Return what was there at a moment; the same objects until something changes."""
        return self._past[max(0, bisect.bisect_right(self._times, at) - 1)]


@dataclass(slots=True)
class Wire:
    """One network: which datagrams and which ARP frames arrive."""

    deaf: set[Way] = field(default_factory=set)  # ways without datagrams
    dark: set[Way] = field(default_factory=set)  # ways without ARP
    under_way: list[tuple[Instant, NodeName, Beat]] = field(default_factory=list)

    def sees(self, a: NodeName, b: NodeName) -> bool:
        """Tell whether an ARP request of one is answered by the other."""
        return (a, b) not in self.dark and (b, a) not in self.dark

    def part(self, a: NodeName, b: NodeName) -> None:
        """Let nothing arrive between two."""
        for ways in (self.deaf, self.dark):
            ways.update(((a, b), (b, a)))


@dataclass(slots=True)
class Questions:
    """Who is asked again and again, by ARP: how many of the last questions had no answer."""

    unanswered: dict[Hashable, int] = field(default_factory=dict)
    due: dict[Hashable, Instant] = field(default_factory=dict)

    def ask(self, wanted: Iterable[Hashable], now: Instant) -> list[Hashable]:
        """Ask about these and no others; returns those whose question goes out now."""
        self.due = {one: self.due.get(one, now) for one in wanted}
        self.unanswered = {one: self.unanswered.get(one, 0) for one in self.due}
        return [one for one, at in self.due.items() if now >= at]

    def note(self, one: Hashable, now: Instant, *, is_answered: bool) -> None:
        """Take in what became of a question."""
        self.unanswered[one] = 0 if is_answered else self.unanswered[one] + 1
        self.due[one] = now + PERIOD

    def is_silent(self, one: Hashable, now: Instant) -> bool:
        """Tell whether enough questions had no answer."""
        count = self.unanswered.get(one, 0)
        return count > QUESTIONS or (count == QUESTIONS and now >= self.due[one])
