"""Is an address announced, and by whom: the one answer that all commands give."""

from collections.abc import Collection, Iterator
from enum import StrEnum

from allocator.core.request import standing_of
from purelb.api import annotations
from purelb.api.addresses import FAMILIES, IPAddress
from purelb.api.annotations import Slot
from purelb.api.views import ServiceView


class Verdict(StrEnum):
    """How one address of a Service is."""

    OK = "OK"
    PENDING = "PENDING"
    NO_ANNOUNCER = "NO ANNOUNCER"
    UNHEALTHY = "ANNOUNCER UNHEALTHY"


def slots_of(service: ServiceView) -> dict[IPAddress, Slot]:
    """Return who announces each address, as the Service's annotations say."""
    return {slot.address: slot for family in FAMILIES for slot in service.slots(family)}


def is_remote(service: ServiceView) -> bool:
    """Tell whether the Service's addresses are on every node, without a slot."""
    return service.annotations.get(annotations.POOL_TYPE) == annotations.POOL_REMOTE


def verdict(service: ServiceView, slot: Slot | None, healthy: Collection[str]) -> Verdict:
    """Return how an allocated address with this slot is."""
    if slot is not None:
        return Verdict.OK if slot.node in healthy else Verdict.UNHEALTHY
    return Verdict.OK if is_remote(service) else Verdict.NO_ANNOUNCER


def is_waiting(service: ServiceView, *, is_default_announcer: bool) -> bool:
    """Tell whether a Service asks us for an address and has none."""
    if service.ingress or service.is_deleting:
        return False
    return service.is_branded or standing_of(service, is_default_announcer) is None


def ports_of(service: ServiceView) -> str:
    """Return `TCP/80,UDP/53`."""
    return ",".join(f"{port.protocol}/{port.number}" for port in service.ports)


def served(services: Collection[ServiceView]) -> Iterator[ServiceView]:
    """Yield the Services that have addresses from us."""
    return (service for service in services if service.is_branded and service.ingress)
