"""The Lease of a node agent: what our own protects, and which of the others' still count.

Both are judged by this host's clock alone. A Lease protects its holder from the moment in which the
last confirmed renewal was *sent*, because an answer may be late or lost; a peer's Lease ends when
*we* have not seen it change for its duration, so that skewed clocks neither split nor empty the
cluster. Belongs here: states, facts, deadlines. Does not: requests (shells), who may hold an
address (`nodeagent.core.fence`). Called by the node agent's shell and its fence.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeAlias

from purelb.api.identifiers import Instant, NodeName
from purelb.api.views import LeaseView

# Seconds: the kernel takes an address away up to 1.1 s after its lifetime (measured, 300 runs of
# 2 to 20 s, both families); the rest is for our own delays.
MARGIN = 1.5
# Seconds that a stranger's wall clock may be wrong before we believe its Lease to be a relic. It
# may be wrong by hours, so even that one must not be seen to change for a share of its duration:
# longer than from one renewal to the next, and than a watch is silent before we doubt it.
SKEW, RELIC_SHARE = 90.0, 0.6


class LeaseState(Enum):
    """What our own Lease is to us."""

    ABSENT = "absent"  # never renewed by this process
    HELD = "held"
    FENCED = "fenced"  # its time is over, or somebody else has it
    DRAINING = "draining"  # we are leaving; a renewal does not undo that
    RELEASED = "released"  # nothing is held any more, the Lease may be deleted


@dataclass(frozen=True, slots=True)
class RenewOk:
    """A renewal was confirmed; its request was sent at this instant."""

    sent_at: Instant


@dataclass(frozen=True, slots=True)
class Kept:
    """Without the API, a quorum that cannot reach it either was heard at this instant."""

    at: Instant


@dataclass(frozen=True, slots=True)
class RenewFailed:
    """A renewal was refused or never answered."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """Another instance was seen in our Lease."""

    seen_at: Instant


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""

    now: Instant


@dataclass(frozen=True, slots=True)
class Drain:
    """This node agent is about to stop."""


@dataclass(frozen=True, slots=True)
class Empty:
    """Nothing that the Lease protects is held any more."""


LeaseFact: TypeAlias = RenewOk | Kept | RenewFailed | Superseded | Tick | Drain | Empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Our own Lease: `duration` in seconds, `until` when its protection ends by our clock.

    `confirmed_until` is when it ends by what the API server has confirmed alone. `failures` counts
    failed renewals in a row; `superseded_at` lets an answer that was under way
    when another instance came not revive the Lease. `regained_at` is when the renewal was sent that
    protects again after a gap, in which others may have taken over.
    """

    duration: float
    state: LeaseState = LeaseState.ABSENT
    until: Instant = -math.inf
    confirmed_until: Instant = -math.inf
    failures: int = 0
    superseded_at: Instant = -math.inf
    regained_at: Instant = -math.inf

    def is_leased(self, now: Instant) -> bool:
        """Tell whether the Lease protects what this node holds; until the very end of draining."""
        return self.state in (LeaseState.HELD, LeaseState.DRAINING) and now < self.until

    def is_kept(self, now: Instant) -> bool:
        """Tell whether only a quorum's word protects it, no longer the API server's."""
        return self.is_leased(now) and now >= self.confirmed_until


# What is not listed changes nothing: a draining Lease is renewed but stays draining.
TRANSITIONS: Mapping[tuple[LeaseState, type[LeaseFact]], LeaseState] = {
    (LeaseState.ABSENT, RenewOk): LeaseState.HELD,
    (LeaseState.ABSENT, Drain): LeaseState.DRAINING,
    (LeaseState.HELD, Superseded): LeaseState.FENCED,
    (LeaseState.HELD, Tick): LeaseState.FENCED,  # only once its time is over
    (LeaseState.HELD, Drain): LeaseState.DRAINING,
    (LeaseState.FENCED, RenewOk): LeaseState.HELD,
    (LeaseState.FENCED, Drain): LeaseState.DRAINING,
    (LeaseState.DRAINING, Empty): LeaseState.RELEASED,
}


def step(lease: Lease, fact: LeaseFact) -> Lease:
    """Return the Lease after one fact. Facts that come late or twice are harmless."""
    match fact:
        case RenewOk(sent_at) if sent_at <= lease.superseded_at:
            return lease
        case RenewOk(sent_at):
            until = sent_at + lease.duration - MARGIN
            # Who was stopped meanwhile sees the gap only now.
            is_back = lease.state is not LeaseState.ABSENT and sent_at >= lease.until
            lease = replace(
                lease,
                regained_at=sent_at if is_back else lease.regained_at,
                until=max(lease.until, until),
                confirmed_until=max(lease.confirmed_until, until),
                failures=0,
            )
        case Kept(at) if lease.state is LeaseState.HELD and lease.is_leased(at):
            lease = replace(lease, until=max(lease.until, at + lease.duration - MARGIN))
        case RenewFailed():
            return replace(lease, failures=lease.failures + 1)
        case Superseded(seen_at):
            lease = replace(
                lease, until=-math.inf, confirmed_until=-math.inf, superseded_at=seen_at
            )
        case Tick(now) if now < lease.until:
            return lease
        case _:
            pass
    after = TRANSITIONS.get((lease.state, type(fact)), lease.state)
    return lease if after is lease.state else replace(lease, state=after)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sighting:
    lease: LeaseView
    changed_at: Instant
    is_relic: bool = False
    is_expired: bool = False
    is_out_of_sight: bool = False


@dataclass(slots=True)
class Sightings:
    """What we have seen of the others' Leases, and when it last changed before our eyes.

    Written by one task. A Lease once judged expired stays so until it is seen to change: losing
    sight of the API afterwards must not bring the dead back. `patience` is for how many seconds at
    least a Lease must not have been seen to change: a watch that has just become blind is noticed
    by our own renewals, however short the Leases of others are.
    """

    patience: float = 0.0
    _seen: dict[NodeName, _Sighting] = field(default_factory=dict)

    def seen(self, lease: LeaseView, now: Instant, age: float | None = None) -> None:
        """Take note of a Lease as it is read now; reading it again unchanged means nothing.

        `age` is how many seconds ago it was renewed by the wall clocks of both hosts, None if that
        is unknown. It matters at first sight only: a relic is waited for less long.
        """
        known = self._seen.get(lease.node)
        if known is None:
            is_relic = age is not None and age >= lease.duration + SKEW
            sighting = _Sighting(lease=lease, changed_at=now, is_relic=is_relic)
        elif _proof(lease) == _proof(known.lease):
            sighting = replace(known, lease=lease, is_out_of_sight=False)
        else:
            sighting = _Sighting(lease=lease, changed_at=now)
        self._seen[lease.node] = sighting

    def gone(self, node: NodeName) -> None:
        """Forget a Lease that was deleted: its holder counts no longer, from this moment."""
        self._seen.pop(node, None)

    def left(self, node: NodeName) -> None:
        """Take note that a Lease is no longer shown to us, which does not mean that it is gone.

        It counts for as long as if it were never renewed again, and is forgotten then.
        """
        if (known := self._seen.get(node)) is not None:
            self._seen[node] = replace(known, is_out_of_sight=True)

    def live(self, now: Instant, fresh_since: Instant | None) -> tuple[LeaseView, ...]:
        """Return the Leases that count, sorted by node.

        `fresh_since` is since when our view of the Leases has been whole, None while it is not:
        what we could not have seen is nobody's fault, so nobody is judged until our view has been
        whole for that Lease's duration.
        """
        for node, sighting in tuple(self._seen.items()):
            if sighting.is_out_of_sight and sighting.is_expired:
                del self._seen[node]
            elif now >= self._ends_at(sighting, fresh_since):
                self._seen[node] = replace(sighting, is_expired=True)
        found = (s.lease for s in self._seen.values() if not s.is_expired and _is_whole(s.lease))
        return tuple(sorted(found, key=lambda lease: lease.node))

    def expired(self) -> frozenset[NodeName]:
        """Return the nodes whose Lease is there and was judged expired."""
        return frozenset(node for node, sighting in self._seen.items() if sighting.is_expired)

    def renewed_at(self) -> dict[NodeName, Instant]:
        """Return when each node's Lease was last seen to be renewed."""
        return {node: sighting.changed_at for node, sighting in self._seen.items()}

    def next_expiry(self, fresh_since: Instant | None) -> Instant | None:
        """Return when `live` may answer otherwise by itself; None if time alone changes nothing."""
        ends = (self._ends_at(sighting, fresh_since) for sighting in self._seen.values())
        earliest = min(ends, default=math.inf)
        return None if math.isinf(earliest) else earliest

    def _ends_at(self, sighting: _Sighting, fresh_since: Instant | None) -> Instant:
        if sighting.is_expired or fresh_since is None:
            return math.inf
        share = RELIC_SHARE if sighting.is_relic else 1.0
        patience = share * max(sighting.lease.duration, self.patience)
        return max(sighting.changed_at, fresh_since) + patience


def _proof(lease: LeaseView) -> tuple[str, str]:
    # The object's version would do as well, but anybody may touch annotations: only a renewal, or
    # another object under the same name, proves that a holder lives.
    return lease.renewed, lease.uid


def _is_whole(lease: LeaseView) -> bool:
    return lease.duration > 0 and bool(lease.renewed)
