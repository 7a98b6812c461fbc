"""What the kernel shows, which links are selected, and what they say about this node.

Belongs here: reading of links, addresses and routes in the light of the configuration. Our own
addresses never count as evidence of a network: a node that lost its own would go on advertising
from the VIP. Does not: what should be on the links (`desired`). Called by `desired` and the shell.
"""

import math
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Network
from typing import Final, TypeAlias

from nodeagent.core.config import DUMMY, NodeConfig, SelectorState, Unconfigured
from purelb.api.addresses import FAMILIES, Family, IPAddress, IPNetwork, family_of
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

LINK_LOCAL = IPv6Network("fe80::/10")
NO_EVIDENCE = IFA_F_DADFAILED | IFA_F_DEPRECATED | IFA_F_TENTATIVE  # IPv6 only
# Seconds for which a network that vanished still counts. A restart of a network manager takes the
# node's own address away and puts it back after some milliseconds; that should not move an address
# to another node. Without carrier nobody is served: only the shortest flaps are sat out.
GRACE: Final = 2.0
CARRIER_GRACE: Final = 0.6
PRESENT: Final = math.inf


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
    """Where an address belongs. `is_steady` is False while its network is only remembered."""

    nic: Nic
    network: IPNetwork
    is_steady: bool = True

    @property
    def has_own(self) -> bool:
        """Whether the link has a usable own address of the network, with or without a carrier."""
        return self.network in _evidence(self.nic.own)


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several default routes of one metric lead to links that all contain the address.

    `routes` are these routes as `ip route` writes them, sorted as the kernel lists them.
    """

    links: tuple[LinkName, ...]
    routes: tuple[str, ...]


# A network on a link, which is known by its index and, where it is made anew, by its name. The
# instant is when it was first found missing, PRESENT while it is there.
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
        return Ambiguous(tuple(names.values()), tuple(routes))

    def holder_of(self, address: IPAddress) -> LinkName | None:
        """Return the selected link on which the address is somebody else's own, or None."""
        for nic in self.nics:
            if any(entry.address == address for entry in nic.own):
                return nic.link.name
        return None


def select(
    observed: Observed,
    config: NodeConfig | Unconfigured,
    vips: Container[IPAddress],
    *,
    presence: Presence,
    now: Instant,
) -> Selection:
    """Return the links that the configuration selects.

    `vips` are the addresses that are not this node's although they lack our mark. `presence` is
    that of the last selection under the same configuration, else empty.
    """
    nics = _Nics(observed, vips)
    if isinstance(config, Unconfigured):
        shown = config.state is SelectorState.DEFAULT
        routes = _default_routes(observed.routes) if shown else {}
        chosen = _Chosen(routes=routes, defaults=_defaults(nics, routes, DUMMY))
        return _finish(nics, chosen, presence=presence, now=now)
    extra = [nics.named(name) for name in config.extra]
    others = tuple(nic for nic in extra if nic is not None)
    if config.pattern is None:
        routes = _default_routes(observed.routes)
        defaults = _defaults(nics, routes, config.dummy)
        chosen = _Chosen(routes=routes, defaults=defaults, others=others)
        return _finish(nics, chosen, presence=presence, now=now)
    matching = [
        nic
        for link in sorted(observed.links, key=lambda link: link.name)
        if link.name != config.dummy and not link.is_loopback
        if config.pattern.found_in(link.name) and (nic := nics.named(link.name)) is not None
    ]
    return _finish(nics, _Chosen(others=(*matching, *others)), presence=presence, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """What the configuration names; a link may be among `others` twice."""

    routes: Mapping[Family, tuple[DefaultRoute, ...]] = field(default_factory=dict)
    defaults: Mapping[Family, tuple[Nic, ...]] = field(default_factory=dict)
    others: tuple[Nic, ...] = ()


class _Nics:
    """Builds each link's view once."""

    def __init__(self, observed: Observed, vips: Container[IPAddress]) -> None:
        self._links = {link.name: link for link in observed.links}
        self._names = {link.index: link.name for link in observed.links}
        self._own: dict[int, list[LinkAddress]] = {}
        for entry in observed.addresses:
            if not observed.is_ours(entry) and entry.address not in vips:
                self._own.setdefault(entry.index, []).append(entry)
        self._built: dict[LinkName, Nic] = {}

    def named(self, name: LinkName | None) -> Nic | None:
        if name is None or name not in self._links:
            return None
        if name not in self._built:
            link = self._links[name]
            nic = Nic(link=link, own=tuple(self._own.get(link.index, ())))
            networks = tuple(dict.fromkeys(_evidence(nic.own))) if nic.works else ()
            self._built[name] = replace(nic, networks=networks)
        return self._built[name]

    def with_index(self, index: int) -> Nic | None:
        return self.named(self._names.get(index))


def _evidence(own: Iterable[LinkAddress]) -> Iterator[IPNetwork]:
    for entry in own:
        if entry.family is Family.IPV4 or not entry.flags & NO_EVIDENCE:
            yield network_of(entry.address, entry.prefix)


def _default_routes(
    routes: Collection[DefaultRoute],
) -> dict[Family, tuple[DefaultRoute, ...]]:
    """Return the default routes with the lowest metric, by family, as the kernel lists them.

    A family without a default route uses the other's: its networks are advertised in any case, so
    the node may be elected there.
    """
    found: dict[Family, tuple[DefaultRoute, ...]] = {}
    for family in FAMILIES:
        mine = [route for route in routes if route.family is family]
        lowest = min((route.metric for route in mine), default=0)
        found[family] = tuple(route for route in mine if route.metric == lowest)
    v4, v6 = found[Family.IPV4], found[Family.IPV6]
    return {Family.IPV4: v4 or v6, Family.IPV6: v6 or v4}


def _defaults(
    nics: _Nics, routes: Mapping[Family, Collection[DefaultRoute]], dummy: LinkName
) -> dict[Family, tuple[Nic, ...]]:
    """Return the links of default routes, by family, each once."""
    found: dict[Family, tuple[Nic, ...]] = {}
    for family, mine in routes.items():
        chosen = (nics.with_index(index) for index in dict.fromkeys(r.index for r in mine))
        found[family] = tuple(n for n in chosen if n is not None and n.link.name != dummy)
    return found


def _finish(nics: _Nics, chosen: _Chosen, *, presence: Presence, now: Instant) -> Selection:
    defaults, others = chosen.defaults, chosen.others
    selected = {nic.link.name: nic for nic in (*(n for d in defaults.values() for n in d), *others)}
    present = {
        (nic.link.index, name, network): PRESENT
        for name, nic in selected.items()
        for network in nic.networks
    }
    past, lingering, ends = _past(nics, present, presence, now)
    shown = {network for _, _, network in (*present, *past)}
    return Selection(
        defaults=defaults,
        routes=chosen.routes,
        others=tuple({nic.link.name: nic for nic in others}.values()),
        lingering=lingering,
        subnets=tuple(sorted((n for n in shown if _is_shown(n)), key=str)),
        presence={**past, **present},
        expires_at=min(ends, default=None),
    )


def _past(
    nics: _Nics, present: Presence, presence: Presence, now: Instant
) -> tuple[Presence, tuple[tuple[Nic, IPNetwork], ...], list[Instant]]:
    """Return the networks that are missing and still count, their links, and when each ends.

    A link that was renamed keeps its index; one that was made anew keeps its name.
    """
    places = {(index, network) for index, _, network in present}
    places_by_name = {(name, network) for _, name, network in present}
    past: dict[tuple[int, LinkName, IPNetwork], Instant] = {}
    lingering: list[tuple[Nic, IPNetwork]] = []
    ends: list[Instant] = []
    for (index, name, network), missing_since in presence.items():
        if (index, network) in places or (name, network) in places_by_name:
            continue
        nic = nics.with_index(index) or nics.named(name)
        since = min(missing_since, now)
        if nic is not None and network in nic.detecting:
            since = now  # detection may last longer than the grace
        end = since + (GRACE if nic is not None and nic.works else CARRIER_GRACE)
        if now >= end:
            continue
        past[index, name, network] = since
        ends.append(end)
        if nic is not None:
            lingering.append((nic, network))
    return past, tuple(lingering), ends


def _is_shown(network: IPNetwork) -> bool:
    return not (isinstance(network, IPv6Network) and network.subnet_of(LINK_LOCAL))


def _home(nic: Nic, address: IPAddress) -> Home | None:
    network = nic.network_with(address)
    return None if network is None else Home(nic, network)


def _first_with(networks: Iterable[IPNetwork], address: IPAddress) -> IPNetwork | None:
    for network in networks:
        if network.version == address.version and address in network:
            return network
    return None
