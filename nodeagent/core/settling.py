"""How a node begins that joins, or returns: it waits until the others know it. Pure.

An address that no slot protects may have been taken just now by a node that has not seen our Lease
yet: it withdraws as soon as it does. A node is a candidate on a network once its Lease says so, so
others can know. That they do, their heartbeats prove: they hear members only, and each has made a
pass with the new member before it says to have heard it. Without such proof time decides.

Belongs here: since when this node is a candidate, and for how long it waits. Does not: who has an
address (`handover`, `fence`). Called by `desired` and `judgement`.
"""

import math
from collections.abc import Iterable

from nodeagent.core.election import Electorate
from nodeagent.core.links import Nic
from nodeagent.core.peers import SETTLE, Reach
from nodeagent.core.verdicts import Joined
from purelb.api.identifiers import Instant, NodeName


def joined_after(
    before: Joined,
    nics: Iterable[Nic],
    electorate: Electorate,
    me: NodeName,
    now: Instant,
) -> Joined:
    """Return since when this node has been a candidate, by link and network where it is."""
    own = next((one for one in electorate.members if one.node == me), None)
    subnets = own.subnets if own is not None and own.is_announcing else ()
    found = {
        (nic.link.index, network): before.get((nic.link.index, network), now)
        for nic in nics
        for network in nic.networks
        if network in subnets
    }
    return before if found == before else found


def link_joined_at(joined: Joined, index: int) -> Instant:
    """Return since when this node has been a candidate on a link, infinity if it is none.

    Whom others hear since then, they hear whether they know of its later networks there or not.
    """
    return min((at for (link, _), at in joined.items() if link == index), default=math.inf)


def settled_at(joined_at: Instant, reach: Reach | None, *, is_handed_over: bool) -> Instant:
    """Return from when a candidate may add an address although others may not know it yet.

    `reach` is what is heard of them, None without heartbeats. `is_handed_over`: another node was
    seen to have the address, and then to have it no more, while this node was the winner.
    """
    is_known = is_handed_over if reach is None else reach.known_since >= joined_at
    return -math.inf if is_known else joined_at + SETTLE
