"""Until when this node may hold an address, and from when it may take one. Pure.

The two rules only make sense together. A holder's right is counted from the sending of its last
confirmed renewal and ends a margin early; a taker counts from when it saw the Lease change, which
is later. So on the loss of a node nobody serves before the holder has stopped. On hand-over the
slot in the Service's annotation is the sign: the holder clears it after it has withdrawn.

Heartbeats, where there are any, add two things. Without the API a quorum stands in for the renewal
(`may_keep`): it cannot be judged by anybody whose patience, a whole Lease with the API, ends before
the right so prolonged does. And a holder that a quorum no longer hears may be replaced before its
Lease runs out, once its address is silent on the wire; a holder that is cut off withdraws sooner.

Does not belong here: the state machine of the Lease (`purelb.core.lease`), who wins (`election`).
Called by `desired`.
"""

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from nodeagent.core.peers import Reach
from purelb.api.annotations import Slot
from purelb.api.identifiers import Instant, NodeName
from purelb.core.lease import Lease, LeaseState

# Seconds after which the slot of a live node no longer blocks the winner: PureLB's agents withdraw
# within about two seconds of losing and never clear their slot. A node that cannot reach the API
# does not know that it has lost, so it must have renewed its Lease meanwhile.
HANDOVER_LIMIT: Final = 3.0
# Seconds to wait for a node whose Lease vanished while its slot stayed: a Lease deleted by hand is
# made again at once, and PureLB's agents delete theirs before they withdraw.
VANISHED_GRACE: Final = 1.0


@dataclass(frozen=True, slots=True)
class Hold:
    """This node may hold addresses until this instant."""

    until: Instant


@dataclass(frozen=True, slots=True)
class Withdraw:
    """This node may hold nothing; `reason` is for the log."""

    reason: str


def hold(lease: Lease, now: Instant) -> Hold | Withdraw:
    """Tell whether and until when this node may hold addresses that only one may have."""
    if lease.state in (LeaseState.DRAINING, LeaseState.RELEASED):
        return Withdraw("this node is draining")
    if not lease.is_leased(now):
        return Withdraw("this node has no valid Lease")
    return Hold(lease.until)


def unsure_until(lease: Lease, heard_at: Instant) -> Instant:
    """Return until when slots may be older than our right, which had a gap.

    The watch of Services, last `heard_at`, may still be asleep when the Lease is renewed already.
    Whoever took an address over meanwhile withdraws when it sees that, as in a hand-over.
    """
    return -math.inf if heard_at > lease.regained_at else lease.regained_at + HANDOVER_LIMIT


def may_keep(reach: Iterable[Reach]) -> bool:
    """Tell whether a quorum may stand in for a renewal, by what is heard on each network.

    Not while anybody in reach has the API: what it sees of our Lease counts.
    """
    found = tuple(reach)
    return any(one.has_quorum for one in found) and not any(one.is_judged for one in found)


def outlasts(lease: Lease, slot: Slot | None, me: NodeName) -> bool:
    """Tell whether an address in place may outlast the right where its group prefers availability.

    For as long as this agent lives and nobody else is seen to have it; not when this node leaves.
    """
    return lease.state is LeaseState.FENCED and (slot is None or slot.node == me)


def denial(lease: Lease, reach: Reach | None, now: Instant) -> str:
    """Return why nothing may be held on one network, empty if something may."""
    if reach is None:
        return ""
    if reach.is_cut_off:
        return "neither another node nor the gateway answers"
    if lease.is_kept(now) and not reach.has_quorum:
        return "the API server is away, and so is the majority of the nodes"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbors:
    """What we know of the nodes behind slots.

    `live` have Leases that count, `expired` ones that were judged expired. `renewed` tells when
    each was last seen renewed, None if that is not watched. `reach` is what is heard of them, None
    without heartbeats. `has_api`: our view of the API is whole.
    """

    live: Container[NodeName]
    expired: Container[NodeName]
    renewed: Mapping[NodeName, Instant] | None = None
    reach: Reach | None = None
    has_api: bool = True

    def needs_silence(self, slot: Slot | None, me: NodeName) -> bool:
        """Tell whether an address that is not here may be taken only if nobody answers for it.

        A holder clears its slot when it has withdrawn, but a slot may be a relic; our own is one,
        where another could not write its own yet. Without the API nobody can, so slots mean
        nothing; and while a member's agent is silent but its Lease counts, its kernel may have what
        others have taken and given up since, or what it took while we were away.
        """
        if self.reach is None or (slot is not None and slot.node in self.reach.given_up):
            return False
        if slot is None:
            silent = self.reach.excluded | self.reach.missed
            return not self.has_api or not silent <= self.reach.given_up
        if slot.node == me:
            return True
        return slot.node in self.reach.heard or slot.node not in self.expired

    def is_out_of_sight(self, slot: Slot | None, *, is_usurped: bool = False) -> bool:
        """Tell whether the holder lives, but only others can know whether it has the address.

        We may be the one that is cut off: then its silence on the wire says nothing. Who took a
        slot from us (`is_usurped`) was alive then, whatever a quorum concludes from its silence.
        """
        if self.reach is None or slot is None or slot.node not in self.live:
            return False
        if is_usurped and slot.node not in self.reach.heard:
            return True
        return slot.node in self.reach.missed


def take_at(slot: Slot | None, me: NodeName, neighbors: Neighbors, won_at: Instant) -> Instant:
    """Return from when on the winner may add an address; infinity until something else happens.

    `won_at` is when this node became the winner, or last saw another one take the slot. Where the
    wire is to be asked (`Neighbors.needs_silence`), its answer decides instead.
    """
    if slot is None or slot.node == me:
        return -math.inf
    if neighbors.reach is not None and slot.node in neighbors.reach.given_up:
        return -math.inf
    if slot.node in neighbors.live:
        renewed = neighbors.renewed
        is_heard = renewed is None or renewed.get(slot.node, -math.inf) > won_at
        return won_at + HANDOVER_LIMIT if is_heard else math.inf
    if slot.node in neighbors.expired:
        return -math.inf  # its right ended before we could see its Lease expire
    return won_at + VANISHED_GRACE
