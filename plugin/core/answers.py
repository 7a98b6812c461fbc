"""What nodes say of who answers for an address on the wire, and who answers if its node fails.

Agents note on their Leases which other hosts they have found to have an address, and what answers
they get when they ask for one that another node has.
"""

from collections.abc import Iterator

from allocator.core.conditions import WRONG_ANSWERS
from nodeagent.core.findings import Check
from nodeagent.core.remote import read_groups
from plugin.core.election import electorate
from plugin.core.placing import Placing
from plugin.core.snapshot import NodeLease, Snapshot
from plugin.core.spans import parse_time, span_text
from plugin.core.verdicts import slots_of
from purelb.api.addresses import IPAddress, sort_key
from purelb.api.annotations import Slot
from purelb.api.conditions import ABOUT_ADDRESSES
from purelb.api.groups import Fencing, view_group
from purelb.api.views import ServiceView

# Types of conditions that mean: the wrong host has the address that is their subject.
WRONG = ABOUT_ADDRESSES | {Check.CONFLICT}


def wrong_answers(snapshot: Snapshot, service: ServiceView) -> Iterator[str]:
    """Yield what is wrong on the wire with a Service's addresses, as nodes with a live Lease say.

    What the Service itself says counts if no node does.
    """
    found = [
        f"{one.subject}: {one.message}{_since(snapshot.now, one.since)}"
        for lease in snapshot.leases
        if lease.is_healthy(snapshot.now)
        for one in lease.conditions
        if one.type in WRONG and one.subject in map(str, service.ingress)
    ]
    told = (one for one in service.conditions if (one.type, one.status) == (WRONG_ANSWERS, "True"))
    yield from sorted(found) or (one.message for one in told)


def _since(now: float, text: str) -> str:
    since = parse_time(text)
    return f" (for {span_text(now - since)})" if since is not None else ""


def observers(snapshot: Snapshot, service: ServiceView) -> Iterator[tuple[IPAddress, Slot, int]]:
    """Yield each announced address, its slot, and how many other nodes could ask for it."""
    members = electorate(one for one in snapshot.leases if one.is_healthy(snapshot.now))
    slots = slots_of(service)
    for address in sorted(slots.keys() & set(service.ingress), key=sort_key):
        others = [node for node in members.candidates(address) if node != slots[address].node]
        yield address, slots[address], len(others)


def heirs(snapshot: Snapshot, service: ServiceView) -> Iterator[tuple[bool, str]]:
    """Yield for each announced address whether another node would take over, and when."""
    leases = {one.view.node: one for one in snapshot.leases if one.is_healthy(snapshot.now)}
    members, placing = electorate(leases.values()), Placing(snapshot)
    pools = read_groups([view_group(group) for group in snapshot.groups], snapshot.namespace)
    for address, slot, _ in observers(snapshot, service):
        holder = leases.get(slot.node)
        if holder is None:
            continue
        heir, _ = placing.winner(members.without({slot.node}), address)
        if heir is None:
            yield False, f"{address}: no other node could announce it if {slot.node} failed"
            continue
        is_fast = pools.fencing_of(address) is not Fencing.STRICT and _hears(
            holder, leases[heir.node]
        )
        ends = f"when its Lease ends ({span_text(holder.view.duration)})"
        when = f"once a majority misses its heartbeats, or {ends}" if is_fast else ends
        yield True, f"{address}: if {slot.node} fails, {heir.node} takes over {when}"


def _hears(holder: NodeLease, heir: NodeLease) -> bool:
    return holder.view.has_heartbeats and heir.view.has_heartbeats
