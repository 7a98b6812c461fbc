"""What the kernel shows, which links are selected, and what they say about this node.

Belongs here: reading of links, addresses and routes in the light of the configuration. Our own
addresses never count as evidence of a network: a node that lost its own would go on advertising
from the VIP. Does not: what should be on the links (`desired`). Called by `desired` and the shell.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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
# Seconds for which a network that vanished still counts: a restart of a network manager takes the
# node's own address away and puts it back after some milliseconds, a carrier flap lasts about one
# second; neither should move an address to another node.
GRACE: Final = 2.0


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


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several default routes of one metric lead to links that all contain the address."""

    links: tuple[LinkName, ...]


Presence: TypeAlias = Mapping[tuple[LinkName, IPNetwork], Instant]  # when each was last there


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The selected links of one moment.

    `defaults` are those of the default routes, by family, empty in regex mode; `others` follow
    them, in order of preference. `lingering` are networks seen less than GRACE ago. `subnets` is
    what the Lease shows: sorted by text, without repeats. `expires_at` is when the next lingering
    network stops counting.
    """

    defaults: Mapping[Family, tuple[Nic, ...]] = field(default_factory=dict)
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
            return Ambiguous(tuple(home.nic.link.name for home in homes))
        for nic, network in self.lingering:
            if network.version == address.version and address in network:
                return Home(nic, network, is_steady=False)
        return None

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
        defaults = _defaults(nics, observed.routes, DUMMY) if shown else {}
        return _finish(nics, defaults, (), presence=presence, now=now)
    extra = [nics.named(name) for name in config.extra]
    others = [nic for nic in extra if nic is not None]
    if config.pattern is None:
        defaults = _defaults(nics, observed.routes, config.dummy)
        return _finish(nics, defaults, others, presence=presence, now=now)
    matching = [
        nic
        for link in sorted(observed.links, key=lambda link: link.name)
        if link.name != config.dummy and not link.is_loopback
        if config.pattern.found_in(link.name) and (nic := nics.named(link.name)) is not None
    ]
    return _finish(nics, {}, (*matching, *others), presence=presence, now=now)


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
            own = tuple(self._own.get(link.index, ()))
            works = link.is_up and link.has_carrier
            networks = tuple(dict.fromkeys(_evidence(own))) if works else ()
            self._built[name] = Nic(link=link, own=own, networks=networks)
        return self._built[name]

    def with_index(self, index: int) -> Nic | None:
        return self.named(self._names.get(index))


def _evidence(own: Iterable[LinkAddress]) -> Iterator[IPNetwork]:
    for entry in own:
        if entry.family is Family.IPV4 or not entry.flags & NO_EVIDENCE:
            yield network_of(entry.address, entry.prefix)


def _defaults(
    nics: _Nics, routes: Collection[DefaultRoute], dummy: LinkName
) -> dict[Family, tuple[Nic, ...]]:
    """Return the links of the default routes with the lowest metric, by family, each once.

    A family without a default route uses the other's: its networks are advertised in any case, so
    the node may be elected there.
    """
    found: dict[Family, tuple[Nic, ...]] = {}
    for family in FAMILIES:
        mine = [route for route in routes if route.family is family]
        lowest = min((route.metric for route in mine), default=0)
        indices = dict.fromkeys(route.index for route in mine if route.metric == lowest)
        chosen = (nics.with_index(index) for index in indices)
        found[family] = tuple(n for n in chosen if n is not None and n.link.name != dummy)
    v4, v6 = found[Family.IPV4], found[Family.IPV6]
    return {Family.IPV4: v4 or v6, Family.IPV6: v6 or v4}


def _finish(
    nics: _Nics,
    defaults: Mapping[Family, tuple[Nic, ...]],
    others: Collection[Nic],
    *,
    presence: Presence,
    now: Instant,
) -> Selection:
    selected = {nic.link.name: nic for nic in (*(n for d in defaults.values() for n in d), *others)}
    present = {(name, net): now for name, nic in selected.items() for net in nic.networks}
    past = {k: at for k, at in presence.items() if k not in present and now < at + GRACE}
    lingering = ((nics.named(name), network) for name, network in past)
    shown = {network for _, network in (*present, *past)}
    return Selection(
        defaults=defaults,
        others=tuple({nic.link.name: nic for nic in others}.values()),
        lingering=tuple((nic, network) for nic, network in lingering if nic is not None),
        subnets=tuple(sorted((n for n in shown if _is_shown(n)), key=str)),
        presence={**past, **present},
        expires_at=min(past.values()) + GRACE if past else None,
    )


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
