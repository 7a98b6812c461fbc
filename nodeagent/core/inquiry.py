"""Whether an address must be left to another host, or asked for before it is added. Pure.

Belongs here: the question whether to ask, and until when to wait. Does not: what follows from an
answer (`conflicts`), the frames (`packets`), who may have the address at all (`judgement`, the
caller).
"""

import math
from collections.abc import Container, Mapping

from nodeagent.core.config import NodeConfig
from nodeagent.core.conflicts import Conflict
from nodeagent.core.facts import Facts
from nodeagent.core.gate import Clear
from nodeagent.core.rest import can_announce
from nodeagent.core.verdicts import Away, Here, Reason, Verdict, Wait
from purelb.api.addresses import IPAddress
from purelb.api.annotations import Slot
from purelb.api.identifiers import Instant


def inquire(facts: Facts, here: Here, slot: Slot | None, now: Instant) -> Wait | None:
    """Return what to wait for if another host has the address, or has not been asked yet.

    `here` is the verdict if there is none to wait for. What this node had in place a moment ago is
    not asked for, or repairs would come late.
    """
    conflict = facts.conflicts.get(here.address)
    if conflict is not None and not conflict.is_open:
        conflict = None
    if conflict is not None and now < conflict.retry_at:
        text = f"{conflict.text} it"
        why = Reason.FOREIGN_OWNER if conflict.is_foreign else Reason.LOST_ELECTION
        at = conflict.retry_at
        return Wait(address=here.address, at=at, reason=text, conflict=conflict, why=why)
    quiet_at = facts.quiet.get(here.address) if facts.quiet is not None else None
    if quiet_at is None:
        is_new = conflict is not None or not here.is_repair
        is_about_to_be_added = not here.is_standing and isinstance(here.gate, Clear)
        is_due = is_about_to_be_added and is_new and _is_worth_asking(facts, here, slot, conflict)
    else:
        is_due = not here.is_standing and now < quiet_at
    if not is_due:
        return None
    return Wait(
        address=here.address,
        at=math.inf if quiet_at is None else quiet_at,
        reason="other hosts are asked for it",
        asks=here.link if quiet_at is None else None,
        conflict=conflict,
        why=Reason.FOREIGN_OWNER,
    )


def standing(
    conflicts: Mapping[IPAddress, Conflict],
    verdicts: Mapping[IPAddress, Verdict],
    held: Container[IPAddress],
) -> Mapping[IPAddress, Conflict]:
    """Return the conflicts that keep an address away from this node now.

    A Service may be gone since, or its address be another node's; nobody asks for it again then.
    """
    return {
        address: conflict
        for address, conflict in conflicts.items()
        if address not in held and not isinstance(verdicts.get(address), Away | None)
    }


def _is_worth_asking(
    facts: Facts, here: Here, slot: Slot | None, conflict: Conflict | None
) -> bool:
    """Tell whether an answer would help; for new IPv6 addresses the kernel itself asks.

    Nobody is asked where nothing is ever sent. An answer does not tell strangers from nodes whose
    MACs are not known: those of PureLB's agents, or one whose Lease is gone and whose slot stayed.
    """
    if facts.quiet is None or facts.shown is None or not can_announce(here):
        return False
    if not isinstance(facts.config, NodeConfig) or facts.config.garp is None:
        return False
    if slot is not None and slot.node != facts.me and slot.node not in facts.shown:
        return False
    return here.address.version == 4 or here.succeeds or conflict is not None
