"""Whether an address is at rest: at most its lifetime is to be refreshed.

A plan looks closely at the others only. Belongs here: what there may be to do about one address.
Does not: the operations (`plan`), nor the order of addresses, which concerns a whole link (`gate`).
Called by `desired` and, for its parts, by `plan`.
"""

from collections.abc import Collection

from nodeagent.core.gate import Blocked
from nodeagent.core.links import Announced, Observed
from nodeagent.core.verdicts import Here, Verdict, Wait
from purelb.api.links import IFA_F_DADFAILED, IFA_F_NOPREFIXROUTE, OUR_MARK, LinkAddress

MAC_LENGTH = 6  # bytes; links with another kind of address speak neither ARP nor NDP over Ethernet


def is_at_rest(
    verdict: Verdict | None,
    entries: Collection[LinkAddress],
    observed: Observed,
    epoch: int | None,
) -> bool:
    """Tell whether an address with these entries, on whatever links, is as it should be.

    That is: of ours there is nothing but the one entry of an address that belongs here, with our
    mark, and it has been announced; or nothing, and nobody is to be asked for it. `epoch` None:
    nothing is ever announced.
    """
    ours = [entry for entry in entries if observed.is_ours(entry)]
    if isinstance(verdict, Wait) and verdict.asks is not None:
        return False
    if not isinstance(verdict, Here):
        return not ours
    if len(ours) != 1 or not is_place(verdict, ours[0]) or ours[0].flags & IFA_F_DADFAILED:
        return False
    if isinstance(verdict.gate, Blocked) and verdict.gate.withdraws:
        return False
    if observed.has_marks and ours[0].mark != OUR_MARK:
        return False
    if epoch is None or not can_announce(verdict):
        return True
    return begun(verdict, epoch) in observed.announced


def is_place(verdict: Here, entry: LinkAddress) -> bool:
    """Tell whether an entry of an address is where the address should be.

    The kernel cannot give an address its prefix route later, or take it. A local one of others is
    left as it is.
    """
    is_there = entry.index == verdict.link.index and entry.prefix == verdict.prefix
    is_strict = verdict.is_remote or entry.mark == OUR_MARK
    changes = entry.flags ^ verdict.flags if is_strict else 0
    return is_there and not changes & IFA_F_NOPREFIXROUTE


def can_announce(verdict: Here) -> bool:
    """Tell whether neighbors on an address's link can hear anything now."""
    link = verdict.link
    if is_mute(verdict):
        return False
    return len(link.mac) == MAC_LENGTH and link.is_up and link.has_carrier


def is_mute(verdict: Here) -> bool:
    """Tell whether an address is on the dummy link, where there are no neighbors."""
    return verdict.is_remote or bool(verdict.misfit)


def begun(verdict: Here, epoch: int) -> Announced:
    """Return the sign that the burst of an address has begun."""
    return Announced(verdict.link.index, verdict.address, verdict.link.mac, epoch)
