"""Addresses that a ServiceGroup keeps for one Service each. Pure.

Belongs here: which reservations of a group hold, and what is wrong with the others. Does not: how
they are given (`place`). A faulty reservation is a warning: the group goes on serving.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from allocator.core.guards import Guards
from purelb.api.addresses import AddressRange, Family, IPAddress, family_of, parse_ip
from purelb.api.groups import GroupView
from purelb.api.identifiers import ServiceKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservations:
    """Who each reserved address is kept for, the same by Service, and why others are not kept."""

    kept: Mapping[IPAddress, ServiceKey] = field(default_factory=dict)
    by_service: Mapping[ServiceKey, tuple[IPAddress, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def own(self, key: ServiceKey, family: Family) -> IPAddress | None:
        """Return the first address of a family that is kept for a Service."""
        own = (one for one in self.by_service.get(key, ()) if family_of(one) is family)
        return next(own, None)

    def own_in(self, key: ServiceKey, span: AddressRange) -> IPAddress | None:
        """Return the first address of a range that is kept for a Service."""
        return next((one for one in self.by_service.get(key, ()) if one in span), None)


NO_RESERVATIONS = Reservations()


def reservations_of(
    group: GroupView, extents: Mapping[Family, Sequence[AddressRange]], guards: Guards
) -> Reservations:
    """Check the reservations of a group one by one; of two that contradict the first counts."""
    kept: dict[IPAddress, ServiceKey] = {}
    warnings: list[str] = []
    for text, service in group.reservations:
        try:
            address = parse_ip(text)
            _check(address, service, kept, extents[family_of(address)], guards)
        except ValueError as error:
            warnings.append(f'its reservation of "{text}" for {service} is not kept: {error}')
        else:
            kept[address] = service
    by_service: dict[ServiceKey, tuple[IPAddress, ...]] = {}
    for address, service in kept.items():
        by_service[service] = (*by_service.get(service, ()), address)
    return Reservations(kept=kept, by_service=by_service, warnings=tuple(warnings))


def _check(
    address: IPAddress,
    service: ServiceKey,
    kept: Mapping[IPAddress, ServiceKey],
    extents: Sequence[AddressRange],
    guards: Guards,
) -> None:
    if not any(address in extent for extent in extents):
        raise ValueError("no range of the group has the address")
    if found := guards.within(AddressRange(address, address)):
        raise ValueError(f"the address belongs to {found[0].owner}")
    if address in kept:
        raise ValueError(f"it is kept for {kept[address]}")
    if "/" not in service:
        raise ValueError("a Service is written as namespace/name")
