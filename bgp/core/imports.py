"""Which prefixes this node originates: those of the addresses on the import interfaces. Pure.

Every address makes a route of its network; one of several addresses of a network may go without
withdrawing it, because the set of all of them is what counts. Belongs here: that set. Does not:
the kernel (`shell.kernel`), how routes get out (`plan`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from bgp.core.model import NO_VRF, Route
from purelb.api.addresses import IPAddress, IPNetwork, sort_key
from purelb.api.bgp import BgpSpec
from purelb.api.identifiers import LinkName
from purelb.api.links import (
    IFA_F_DADFAILED,
    IFA_F_TENTATIVE,
    Link,
    LinkAddress,
    network_of,
)

_WILD = "*?["


@dataclass(frozen=True, slots=True)
class Source:
    """Interfaces whose addresses become routes of a VRF, by names or patterns."""

    vrf: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One address that is imported, and the route it makes."""

    address: IPAddress
    interface: LinkName
    route: Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One import interface; a name that no link has does not exist."""

    name: str
    exists: bool
    is_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Imports:
    """Everything that is imported; addresses in the order of their numbers."""

    addresses: tuple[Imported, ...] = ()
    interfaces: tuple[Interface, ...] = ()

    @property
    def routes(self) -> frozenset[Route]:
        """The routes; each is there as long as one address makes it."""
        return frozenset(one.route for one in self.addresses)


NO_IMPORTS = Imports()


def sources(spec: BgpSpec) -> tuple[Source, ...]:
    """Return where routes come from by the configuration."""
    found = []
    overall = spec.netlink_import
    if overall is not None and overall.enabled:
        found.append(Source(overall.vrf or NO_VRF, tuple(overall.interface_list or ())))
    for vrf in spec.vrfs or ():
        own = vrf.netlink_import
        if own is not None and own.enabled:
            found.append(Source(vrf.name, tuple(own.interface_list or ())))
    return tuple(found)


def gather(
    wanted: Sequence[Source], links: Iterable[Link], addresses: Iterable[LinkAddress]
) -> Imports:
    """Return what the addresses of the links make."""
    if not wanted:
        return NO_IMPORTS
    by_index = {link.index: link for link in links}
    vrfs = {
        link.index: each.vrf
        for each in reversed(wanted)
        for link in by_index.values()
        if any(_is_meant(pattern, link.name) for pattern in each.patterns)
    }
    found = [
        Imported(
            address=entry.address,
            interface=by_index[entry.index].name,
            route=_route(entry.address, entry.prefix, vrfs[entry.index]),
        )
        for entry in addresses
        if entry.index in vrfs and _is_usable(entry)
    ]
    found.sort(key=lambda one: (sort_key(one.address), one.interface))
    return Imports(addresses=tuple(found), interfaces=_interfaces(wanted, by_index))


def _interfaces(wanted: Sequence[Source], links: Mapping[int, Link]) -> tuple[Interface, ...]:
    """Return the links that are meant, and the plain names that no link has."""
    patterns = [pattern for each in wanted for pattern in each.patterns]
    found = {
        link.name: Interface(name=link.name, exists=True, is_up=link.is_up)
        for link in links.values()
        if any(_is_meant(pattern, link.name) for pattern in patterns)
    }
    lacking = {
        pattern: Interface(name=pattern, exists=False, is_up=False)
        for pattern in patterns
        if pattern not in found and not any(letter in pattern for letter in _WILD)
    }
    return tuple((found | lacking)[name] for name in sorted(found | lacking))


def _is_meant(pattern: str, name: str) -> bool:
    return pattern == name or fnmatchcase(name, pattern)


def _is_usable(entry: LinkAddress) -> bool:
    if entry.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED):
        return False  # nobody may be answered from it yet, or ever
    address = entry.address
    return not (address.is_link_local or address.is_loopback or address.is_multicast)


@lru_cache(maxsize=32_768)
def _route(address: IPAddress, prefix: int, vrf: str) -> Route:
    """Return the route an address makes; remembered, for they are asked for at every change."""
    network: IPNetwork = network_of(address, prefix)
    return Route(network, vrf)
