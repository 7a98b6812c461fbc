"""Until when this node may hold an address, and from when it may take one. Pure.

The two rules only make sense together. A holder's right is counted from the sending of its last
confirmed renewal and ends a margin early; a taker counts from when it saw the Lease change, which
is later. So on the loss of a node nobody serves before the holder has stopped. On hand-over the
slot in the Service's annotation is the sign: the holder clears it after it has withdrawn.

Does not belong here: the state machine of the Lease (`purelb.core.lease`), who wins (`election`).
Called by `desired`.
"""

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Final

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbors:
    """What we know of the nodes behind slots.

    `live` have Leases that count, `expired` ones that were judged expired. `renewed` tells when
    each was last seen renewed, None if that is not watched.
    """

    live: Container[NodeName]
    expired: Container[NodeName]
    renewed: Mapping[NodeName, Instant] | None = None


def take_at(slot: Slot | None, me: NodeName, neighbors: Neighbors, won_at: Instant) -> Instant:
    """Return from when on the winner may add an address; infinity until something else happens.

    `won_at` is when this node became the winner, or last saw another one take the slot.
    """
    if slot is None or slot.node == me:
        return -math.inf
    if slot.node in neighbors.live:
        renewed = neighbors.renewed
        is_heard = renewed is None or renewed.get(slot.node, -math.inf) > won_at
        return won_at + HANDOVER_LIMIT if is_heard else math.inf
    if slot.node in neighbors.expired:
        return -math.inf  # its right ended before we could see its Lease expire
    return won_at + VANISHED_GRACE
