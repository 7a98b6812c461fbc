"""Who has an address, and what this node remembers of winning, taking and losing it.

By the Service's slot, and by heartbeats: whoever took an address over from a node that did not
answer says so at once, with a number that is greater than all it knows (`Claim`). The slot follows
as soon as the API server can be written to; until then the claim is what counts.

Does not belong here: from when a winner may add an address (`fence`), who wins (`election`). Called
by `judgement`.
"""

from dataclasses import replace

from nodeagent.core.facts import Facts
from nodeagent.core.peers import Claim
from nodeagent.core.verdicts import Tenure
from nodeagent.core.vips import Vip
from purelb.api.annotations import Slot
from purelb.api.identifiers import Instant, LinkName, NodeName


def holder(facts: Facts, vip: Vip) -> Slot | None:
    """Return who has the address: whoever took it over last, else whom the Service names."""
    slot, claim = vip.slot(), facts.claims.get(vip.address)
    known = facts.memory.tenures.get(vip.address)
    own_slot = slot if slot is not None and slot.node == facts.me else None
    if known is not None and known.epoch and slot in (known.stated, own_slot):
        own = Claim(epoch=known.epoch, node=facts.me)
        claim = own if claim is None else max(own, claim)
    if claim is None:
        return slot
    return Slot(claim.node, slot.link if slot is not None else LinkName(""), vip.address)


def lost(before: Tenure, slot: Slot | None) -> Tenure:
    """Return the tenure of a node that is not the winner."""
    if before.won_at is None and before.slot == slot and not before.epoch:
        return before
    return replace(before, won_at=None, slot=slot, epoch=0)


def won(before: Tenure, slot: Slot | None, me: NodeName, now: Instant) -> Tenure:
    """Return the winner's tenure; it begins anew, and so yields, when another takes the slot."""
    is_taken = slot is not None and slot.node != me and slot != before.slot
    if before.won_at is None or is_taken:
        is_usurped = is_taken and before.won_at is not None
        seen = any(one is not None and one.node != me for one in (before.slot, slot))
        succeeds = before.succeeds or seen
        return replace(
            before, won_at=now, slot=slot, epoch=0, succeeds=succeeds, is_usurped=is_usurped
        )
    return before if before.slot == slot else replace(before, slot=slot, is_usurped=False)


def taken(facts: Facts, vip: Vip, tenure: Tenure) -> Tenure:
    """Return the tenure of an address that is here from now on: numbered if another had it."""
    slot = tenure.slot
    if slot is None or slot.node == facts.me or not facts.reach:
        return tenure
    return replace(tenure, epoch=facts.epoch + 1, stated=vip.slot())
