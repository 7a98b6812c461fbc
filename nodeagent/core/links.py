"""What the kernel shows, and where an address belongs among the selected links.

Belongs here: the values, and what they say by themselves. Does not: which links are selected
(`selection`), what should be on them (`desired`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeAlias

from purelb.api.addresses import Family, IPAddress, IPNetwork, family_of
from purelb.api.identifiers import Instant, LinkName
from purelb.api.links import (
    IFA_F_DADFAILED,
    IFA_F_DEPRECATED,
    IFA_F_TENTATIVE,
    OUR_MARK,
    DefaultRoute,
    Link,
    LinkAddress,
    network_of,
)

NO_EVIDENCE = IFA_F_DADFAILED | IFA_F_DEPRECATED | IFA_F_TENTATIVE  # IPv6 only


@dataclass(frozen=True, slots=True)
class Placed:
    """One address on one link: what the kernel tells entries apart by."""

    index: int
    address: IPAddress
    prefix: int


@dataclass(frozen=True, slots=True)
class Announced:
    """An address whose burst has begun on this link, with this MAC, in this epoch."""

    index: int
    address: IPAddress
    mac: bytes
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """The kernel at `read_at`, and what this process knows beyond it. Compared by identity.

    `addresses` are in the kernel's order. `record` are entries that are ours without carrying our
    mark: all of ours where the kernel stores none (`has_marks` False), and what was adopted at
    start. `announced` are the bursts that have begun.
    """

    links: tuple[Link, ...] = ()
    addresses: tuple[LinkAddress, ...] = ()
    routes: tuple[DefaultRoute, ...] = ()
    read_at: Instant = 0.0
    record: frozenset[Placed] = frozenset()
    announced: frozenset[Announced] = frozenset()
    has_marks: bool = True

    def is_ours(self, entry: LinkAddress) -> bool:
        """Tell whether we can prove that we put the entry there, or took it over."""
        return entry.mark == OUR_MARK or (bool(self.record) and placed(entry) in self.record)


def route_text(route: DefaultRoute, link: LinkName) -> str:
    """Write a default route as `ip route` does."""
    via = "" if route.gateway is None else f" via {route.gateway}"
    return f"default{via} dev {link} metric {route.metric}"


def placed(entry: LinkAddress) -> Placed:
    """Return what tells an entry apart from others."""
    return Placed(entry.index, entry.address, entry.prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """A selected link.

    `own` are its addresses that are not ours, in the kernel's order; `networks` those that prove
    what is reachable here, empty while the link is down or without carrier.
    """

    link: Link
    own: tuple[LinkAddress, ...] = ()
    networks: tuple[IPNetwork, ...] = ()

    @property
    def works(self) -> bool:
        """Whether the link is up and has carrier."""
        return self.link.is_up and self.link.has_carrier

    @property
    def detecting(self) -> tuple[IPNetwork, ...]:
        """The networks of addresses that are back but not through with duplicate detection."""
        if not self.works:
            return ()
        return tuple(
            network_of(entry.address, entry.prefix)
            for entry in self.own
            if entry.flags & IFA_F_TENTATIVE and not entry.flags & IFA_F_DADFAILED
        )

    def network_with(self, address: IPAddress) -> IPNetwork | None:
        """Return the first network that contains the address, or None."""
        return _first_with(self.networks, address)

    @property
    def link_local(self) -> IPAddress | None:
        """The link's own usable link-local IPv6 address, or None."""
        for entry in self.own:
            is_usable = entry.address.version == 6 and not entry.flags & NO_EVIDENCE
            if is_usable and entry.address.is_link_local:
                return entry.address
        return None


@dataclass(frozen=True, slots=True)
class Home:
    """Where an address belongs. `is_steady` is False while its network is only remembered.

    `misfit` is why it is the dummy link instead of a link with the network, for people; else empty.
    """

    nic: Nic
    network: IPNetwork
    is_steady: bool = True
    misfit: str = ""

    @property
    def has_own(self) -> bool:
        """Whether the link has a usable own address of the network, with or without a carrier."""
        return self.network in evidence(self.nic.own)


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several default routes of one metric lead to links that all contain the address.

    `routes` are these routes as `ip route` writes them, sorted as the kernel lists them.
    """

    homes: tuple[Home, ...]
    routes: tuple[str, ...]

    @property
    def links(self) -> tuple[LinkName, ...]:
        """The names of these links."""
        return tuple(home.nic.link.name for home in self.homes)


# A network on a link, which is known by its index and, where it is made anew, by its name. The
# instant is when it was first found missing, infinity while it is there.
Presence: TypeAlias = Mapping[tuple[int, LinkName, IPNetwork], Instant]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The selected links of one moment.

    `defaults` are those of the default routes, by family, empty in regex mode, and `routes` these
    routes; `others` follow them, in order of preference. `lingering` are networks that vanished so
    lately that they still count. `subnets` is what the Lease shows: sorted by text, without
    repeats. `expires_at` is when the next lingering network stops counting.
    """

    defaults: Mapping[Family, tuple[Nic, ...]] = field(default_factory=dict)
    routes: Mapping[Family, tuple[DefaultRoute, ...]] = field(default_factory=dict)
    others: tuple[Nic, ...] = ()
    lingering: tuple[tuple[Nic, IPNetwork], ...] = ()
    subnets: tuple[IPNetwork, ...] = ()
    presence: Presence = field(default_factory=dict)
    expires_at: Instant | None = None

    @property
    def nics(self) -> tuple[Nic, ...]:
        """All selected links, each once."""
        found = {nic.link.index: nic for nics in self.defaults.values() for nic in nics}
        found |= {nic.link.index: nic for nic in (*self.others, *(n for n, _ in self.lingering))}
        return tuple(found.values())

    @property
    def is_torn(self) -> bool:
        """Whether some addresses may have no home because two links could be it."""
        return is_torn(self.defaults)

    def home_of(self, address: IPAddress) -> Home | Ambiguous | None:
        """Return where an address belongs on this node, or None if no selected link has it."""
        defaults = self.defaults.get(family_of(address), ())
        homes = [home for nic in defaults if (home := _home(nic, address)) is not None]
        if len(homes) == 1:
            return homes[0]
        for nic in self.others:
            if (home := _home(nic, address)) is not None:
                return home
        if homes:
            return self._ambiguous(family_of(address), homes)
        for nic, network in self.lingering:
            if network.version == address.version and address in network:
                return Home(nic, network, is_steady=False)
        return None

    def _ambiguous(self, family: Family, homes: Collection[Home]) -> Ambiguous:
        names = {home.nic.link.index: home.nic.link.name for home in homes}
        routes = (
            route_text(route, names[route.index])
            for route in self.routes.get(family, ())
            if route.index in names
        )
        return Ambiguous(tuple(homes), tuple(routes))

    def holder_of(self, address: IPAddress) -> LinkName | None:
        """Return the selected link on which the address is somebody else's own, or None."""
        for nic in self.nics:
            if any(entry.address == address for entry in nic.own):
                return nic.link.name
        return None


def is_torn(defaults: Mapping[Family, Collection[Nic]]) -> bool:
    """Tell whether two links of default routes of one family have addresses in common."""
    return any(
        network.version == other.version and network.overlaps(other)
        for nics in defaults.values()
        for one, two in combinations(nics, 2)
        for network in one.networks
        for other in two.networks
        if not network.is_link_local
    )


def evidence(own: Iterable[LinkAddress]) -> Iterator[IPNetwork]:
    """Yield the networks that a link's own addresses prove to be reachable."""
    for entry in own:
        if entry.family is Family.IPV4 or not entry.flags & NO_EVIDENCE:
            yield network_of(entry.address, entry.prefix)


def _home(nic: Nic, address: IPAddress) -> Home | None:
    network = nic.network_with(address)
    return None if network is None else Home(nic, network)


def _first_with(networks: Iterable[IPNetwork], address: IPAddress) -> IPNetwork | None:
    for network in networks:
        if network.version == address.version and address in network:
            return network
    return None
