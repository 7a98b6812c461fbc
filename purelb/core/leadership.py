"""Who leads: one Lease, one holder at a time. Pure.

A leader's own right is a `purelb.core.lease.Lease`. Belongs here: when somebody else's place is
free. Does not: requests (`purelb.runtime.leadership`). A place is judged by this host's clock
alone: it is free once *we* have not seen the Lease renewed for its duration, which began, on any
clock, after its holder sent that renewal. Because a Lease is taken on condition of the version that
was seen, an old view makes an attempt fail and never succeed wrongly.
"""

import math
from dataclasses import dataclass, replace

from purelb.api.identifiers import Instant
from purelb.api.views import LeaderView


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The Lease as we last saw it, None if it is not there.

    `changed_at` is when its last renewal, its release or its end came to our eyes. `duration` is
    that of the last holder seen: a Lease that somebody deleted protects its holder all the same.
    """

    lease: LeaderView | None = None
    changed_at: Instant = -math.inf
    duration: float = 0.0


EMPTY = Place()


def seen(place: Place, lease: LeaderView | None, now: Instant) -> Place:
    """Take in the Lease as it is read now; reading it again unchanged means nothing."""
    if lease is None:
        if place.lease is None:
            return place
        held = place.duration if place.lease.holder else 0.0
        return Place(changed_at=now, duration=held)
    if place.lease is not None and _proof(lease) == _proof(place.lease):
        return replace(place, lease=lease)
    return Place(lease=lease, changed_at=now, duration=lease.duration)


def free_at(place: Place, identity: str) -> Instant:
    """Return when one may try to take the place; in the past if it is free, or one's own."""
    if place.lease is not None and place.lease.holder in ("", identity):
        return -math.inf
    return place.changed_at + place.duration


def _proof(lease: LeaderView) -> tuple[str, str, str]:
    # Anybody may touch the object; only these prove that a holder lives or has changed.
    return lease.holder, lease.renewed, lease.uid
