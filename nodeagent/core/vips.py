"""The addresses that Services of ours want announced, each with all its Services.

There is one decision per address, never one per Service: Services may share one. Belongs here:
reading of Services. Does not: where an address goes (`desired`), what is written (`report`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from nodeagent.core.endpoints import ANYWHERE, has_affinity
from purelb.api import annotations
from purelb.api.addresses import IPAddress, family_of
from purelb.api.annotations import Slot, parse_slots
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.api.views import ServiceView

LONGEST_REMEMBERED: Final = 1024  # characters: some twenty slots

Change: TypeAlias = tuple[ServiceView | None, ServiceView | None]  # before and after, None: absent


@dataclass(frozen=True, slots=True)
class Vip:
    """One address and the Services that have it, sorted by key, at least one."""

    address: IPAddress
    services: tuple[ServiceView, ...]

    @property
    def keys(self) -> tuple[ServiceKey, ...]:
        """The Services' keys, sorted."""
        return tuple(service.key for service in self.services)

    @property
    def skips_dad(self) -> bool:
        """Whether duplicate address detection is off for this address."""
        return any(s.annotations.get(annotations.SKIP_IPV6_DAD) == "true" for s in self.services)

    def slot(self) -> Slot | None:
        """Return the slot of the address: the first one that any of its Services has."""
        for service in self.services:
            if (found := slot_of(service, self.address)) is not None:
                return found
        return None

    @property
    def wish(self) -> NodeName | None:
        """The node that is to announce the address: the first one that any Service names.

        Users may write anything there: compare it with known nodes, and do nothing else with it.
        """
        for service in self.services:
            if name := service.annotations.get(annotations.ANNOUNCE_NODE):
                return NodeName(name)
        return None

    def preferred(
        self, endpoints: Mapping[ServiceKey, frozenset[NodeName]]
    ) -> frozenset[NodeName] | None:
        """Return the nodes with endpoints that are to be preferred; None if they are not known yet.

        Empty without affinity, and for endpoints that do not say where they are.
        """
        service = self.services[0]
        if len(self.services) > 1 or not has_affinity(service):
            return frozenset()
        nodes = endpoints.get(service.key)
        return None if nodes is None else nodes - {ANYWHERE}


def gather(services: Mapping[ServiceKey, ServiceView]) -> dict[IPAddress, Vip]:
    """Return every address of a branded Service of type LoadBalancer. The brand alone decides."""
    found: dict[IPAddress, list[ServiceView]] = {}
    for service in services.values():
        for address in dict.fromkeys(_wanted(service)):
            found.setdefault(address, []).append(service)
    return {
        address: Vip(address, tuple(sorted(users, key=lambda service: service.key)))
        for address, users in found.items()
    }


def regather(
    vips: Mapping[IPAddress, Vip], changes: Iterable[Change]
) -> dict[IPAddress, Vip | None]:
    """Return the addresses that changes of Services concern, as `gather` would; None: gone."""
    found: dict[IPAddress, dict[ServiceKey, ServiceView]] = {}

    def users(address: IPAddress) -> dict[ServiceKey, ServiceView]:
        if address not in found:
            vip = vips.get(address)
            found[address] = {s.key: s for s in vip.services} if vip is not None else {}
        return found[address]

    for old, new in changes:
        if old is not None:
            for address in _wanted(old):
                users(address).pop(old.key, None)
        if new is not None:
            for address in _wanted(new):
                users(address)[new.key] = new
    return {
        address: Vip(address, tuple(known[key] for key in sorted(known))) if known else None
        for address, known in found.items()
    }


def slot_of(service: ServiceView, address: IPAddress) -> Slot | None:
    """Return the slot of one address in a Service's annotation, if it has one."""
    text = service.annotations.get(annotations.ANNOUNCING[family_of(address)])
    if text is None:
        return None
    for slot in slots_in(text):
        if slot.address == address:
            return slot
    return None


def slots_in(text: str) -> tuple[Slot, ...]:
    """Parse an announcing annotation once: every pass reads all of them.

    Users can make them 256 KiB long, and as many as they like: long ones are not remembered.
    """
    return _remembered(text) if len(text) <= LONGEST_REMEMBERED else parse_slots(text)


@lru_cache(maxsize=16_384)
def _remembered(text: str) -> tuple[Slot, ...]:
    return parse_slots(text)


def _wanted(service: ServiceView) -> tuple[IPAddress, ...]:
    is_ours = service.is_load_balancer and service.is_branded
    return service.ingress if service.ingress and is_ours else ()
