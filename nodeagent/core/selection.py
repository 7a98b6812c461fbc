"""Which links the configuration selects, and which networks they prove. Pure.

Our own addresses never count as evidence of a network: a node that lost its own would go on
advertising from the VIP. Belongs here: reading of links, addresses and routes in the light of the
configuration, and for how long a network that vanished still counts. Does not: what follows for one
address (`links`, `judgement`). Called by `desired`.
"""

import math
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Network
from typing import Final

from nodeagent.core.config import DUMMY, NodeConfig, SelectorState, Unconfigured
from nodeagent.core.links import Nic, Observed, Presence, Selection, evidence, is_torn
from purelb.api.addresses import FAMILIES, Family, IPAddress, IPNetwork
from purelb.api.identifiers import Instant, LinkName
from purelb.api.links import DefaultRoute, LinkAddress

LINK_LOCAL = IPv6Network("fe80::/10")
# Seconds for which a network that vanished still counts. A restart of a network manager takes the
# node's own address away and puts it back after some milliseconds; that should not move an address
# to another node. Without carrier nobody is served: only the shortest flaps are sat out.
GRACE: Final = 2.0
CARRIER_GRACE: Final = 0.6
PRESENT: Final = math.inf


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


def may_tear(observed: Observed, config: NodeConfig | Unconfigured) -> bool:
    """Tell whether default routes may leave it open to which link an address belongs."""
    if isinstance(config, Unconfigured) or config.pattern is not None:
        return False
    routes = _default_routes(observed.routes)
    if all(len({route.index for route in mine}) < 2 for mine in routes.values()):
        return False
    return is_torn(_defaults(_Nics(observed, ()), routes, config.dummy))


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
            networks = tuple(dict.fromkeys(evidence(nic.own))) if nic.works else ()
            self._built[name] = replace(nic, networks=networks)
        return self._built[name]

    def with_index(self, index: int) -> Nic | None:
        return self.named(self._names.get(index))


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
