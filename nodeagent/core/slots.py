"""What this node writes into the announcing annotations of Services.

The holder alone writes its slot, after the address is on the link, and clears it when it has
withdrawn. Belongs here: the text for one Service and family. Does not: whether an address is held
(`report`, the caller), the request (`nodeagent.shell`).
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nodeagent.core.vips import slots_in
from purelb.api import annotations
from purelb.api.addresses import FAMILIES, Family, IPAddress, family_of
from purelb.api.annotations import Slot, encode_slots
from purelb.api.identifiers import LinkName, NodeName, ServiceKey
from purelb.api.views import ServiceView


@dataclass(frozen=True, slots=True)
class Steal:
    """A slot taken over from another node."""

    address: IPAddress
    loser: NodeName


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotWrite:
    """A new value of one annotation of a Service; None deletes the key.

    `version` is the resourceVersion it was decided on.
    """

    service: ServiceKey
    version: str
    family: Family
    text: str | None
    steals: tuple[Steal, ...] = ()

    @property
    def annotation(self) -> str:
        """The annotation's key."""
        return annotations.ANNOUNCING[self.family]


def write_slots(
    service: ServiceView,
    me: NodeName,
    held: Mapping[IPAddress, LinkName],
    pending: Container[IPAddress],
) -> Iterator[SlotWrite]:
    """Yield the writes that make a Service's slots say what this node holds; none when they do.

    `held` are the addresses in place, with their links. Slots of `pending` addresses that the
    Service still has stay as they are: those are about to come back.
    """
    for family in FAMILIES:
        text = service.annotations.get(annotations.ANNOUNCING[family])
        current = slots_in(text) if text is not None else ()
        stated = {slot.address: slot.link for slot in current if slot.node == me}
        mine = {a: link for a, link in stated.items() if a in pending and a in service.ingress}
        for address in service.ingress:
            if family_of(address) is family and (link := held.get(address)) is not None:
                mine[address] = link
        if stated != mine:
            others = [slot for slot in current if slot.node != me]
            yield _write(service, family, others, [Slot(me, link, a) for a, link in mine.items()])


def _write(
    service: ServiceView, family: Family, others: Sequence[Slot], mine: Sequence[Slot]
) -> SlotWrite:
    claimed = {slot.address for slot in mine}
    kept = [slot for slot in others if slot.address not in claimed]
    if mine:  # a claim cleans up, a clearing touches nobody else's
        kept = [slot for slot in kept if slot.address in service.ingress]
    steals = (Steal(slot.address, slot.node) for slot in others if slot.address in claimed)
    return SlotWrite(
        service=service.key,
        version=service.version,
        family=family,
        text=encode_slots((*kept, *mine)) or None,
        steals=tuple(steals),
    )
