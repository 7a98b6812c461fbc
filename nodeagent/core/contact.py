"""Whether the API server answers this node's own renewals, and since when.

A server that hangs refuses nothing: its watches are silent as in any quiet minute. What tells is
the renewal that stays without an answer. Whoever is in doubt says so by its heartbeats, and others
ask at once, so that all know before the first right has ended.

Belongs here: the record and its rule. Does not: renewals (`nodeagent.shell.leases`), what follows
for others (`peers`). Without heartbeats nobody asks: there only the watch counts.
"""

import math
from dataclasses import dataclass
from typing import Final

from purelb.api.identifiers import Instant

DOUBT: Final = 0.1  # share of a Lease's duration for which a renewal may go unanswered


@dataclass(slots=True)
class Contact:
    """The record of one process; `duration` is that of its Lease in seconds."""

    duration: float
    asked_at: Instant | None = None  # when the first renewal since the last answer was sent
    sure_since: Instant = -math.inf
    hurried_at: Instant = -math.inf
    is_alarmed: bool = False

    def asked(self, now: Instant) -> None:
        """Take note of a renewal that is sent."""
        if self.asked_at is None:
            self.asked_at = now

    def answered(self, now: Instant) -> None:
        """Take note of a confirmed renewal."""
        if self.is_lost(now):
            self.sure_since = now
        self.asked_at = None

    def is_lost(self, now: Instant) -> bool:
        """Tell whether renewals have gone unanswered for too long."""
        return self.asked_at is not None and now >= self.asked_at + DOUBT * self.duration

    def whole_since(self, since: Instant | None, now: Instant) -> Instant | None:
        """Return since when no change can have escaped this node; None if one may now.

        `since` is what its watch says. Who was in doubt begins anew: others relied upon its word.
        """
        if since is None or self.is_lost(now):
            return None
        return max(since, self.sure_since)

    def must_hurry(self, now: Instant, *, is_alarmed: bool) -> bool:
        """Tell whether to renew at once because a peer has just lost the API.

        Once for each alarm, and once in a Lease's duration at most.
        """
        is_new, self.is_alarmed = is_alarmed and not self.is_alarmed, is_alarmed
        if not is_new or self.asked_at is not None or now < self.hurried_at + self.duration:
            return False
        self.hurried_at = now
        return True
