"""What the checks of a host look at, and what has to be asked of the kernel for that.

Belongs here: the facts, and the questions that follow from the selected links. Does not: what is
wrong about the answers (`hostchecks`), reading (`nodeagent.shell.inspector`).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from nodeagent.core.config import NodeConfig
from nodeagent.core.links import Nic, Observed, Selection
from purelb.api.addresses import FAMILIES, Family, IPAddress, IPNetwork, family_of, parse_ip
from purelb.api.identifiers import LinkName
from purelb.api.links import Link, LinkAddress, RouteAnswer, RouteQuery, network_of
from purelb.api.views import NodeView

# Addresses for documentation (RFC 5737, RFC 3849): nobody has a route to them but the default one.
OUTSIDE: Final = {
    Family.IPV4: parse_ip("203.0.113.1"),
    Family.IPV6: parse_ip("2001:db8:ffff:ffff::1"),
}
ALL: Final = LinkName("all")  # net.ipv4.conf.all: most settings are the larger of it and the link's
HOST_PREFIX: Final = 32
TRIES: Final = 8  # addresses of a network looked at for a neighbor's


@dataclass(frozen=True, slots=True, kw_only=True)
class Sysctls:
    """Settings of `net.ipv4.conf.<link>`; None where it cannot be read."""

    rp_filter: int | None = None
    arp_ignore: int | None = None
    arp_announce: int | None = None
    promote_secondaries: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the checks look at.

    `vips` are the addresses of all Services of ours, `held` those on this node. `sysctls` are those
    of ALL and of `inspected` links, `ways` the answers to `questions`, None for no way; a
    question without an answer is not known. `unreachable` are the names of pools with addresses
    that no node can announce, if this node is to say so; `dummy_trouble` is why there is no link
    for remote addresses.
    """

    config: NodeConfig
    observed: Observed
    selection: Selection
    node: NodeView | None = None
    vips: frozenset[IPAddress] = frozenset()
    held: Mapping[IPAddress, LinkName] = field(default_factory=dict)
    dummy_trouble: str = ""
    unreachable: frozenset[str] = frozenset()
    sysctls: Mapping[LinkName, Sysctls] = field(default_factory=dict)
    ways: Mapping[RouteQuery, RouteAnswer | None] = field(default_factory=dict)

    def effective(self, link: LinkName, read: Callable[[Sysctls], int | None]) -> int | None:
        """Return the value that counts for a link, None if it is not known."""
        values = [read(self.sysctls.get(name, Sysctls())) for name in (ALL, link)]
        known = [value for value in values if value is not None]
        return max(known) if len(known) == len(values) else None


def inspected(host: Host) -> tuple[LinkName, ...]:
    """Return the links whose settings count: the selected ones, and others in their networks."""
    found = dict.fromkeys(nic.link.name for nic in host.selection.nics if nic.networks)
    found |= dict.fromkeys(other.name for _, other, _ in sharing(host))
    return tuple(found)


def questions(host: Host) -> tuple[RouteQuery, ...]:
    """Return what to ask the kernel's routing."""
    asked = [query for nic in host.selection.nics for query in _questions(host, nic)]
    return tuple(dict.fromkeys(asked))


def _questions(host: Host, nic: Nic) -> Iterator[RouteQuery]:
    for network in nic.networks:
        if (neighbor := neighbor_in(host, nic, network)) is not None:
            yield RouteQuery(to=neighbor)
    for family in FAMILIES:
        if any(family_of(n.network_address) is family for n in nic.networks):
            yield RouteQuery(to=OUTSIDE[family])
    if (source := source_on(host, nic)) is not None:
        yield RouteQuery(to=OUTSIDE[Family.IPV4], source=source)


def neighbor_in(host: Host, nic: Nic, network: IPNetwork) -> IPAddress | None:
    """Return an address in a link's network that is not this node's; None in a tiny network."""
    if network.is_link_local and network.version == 6:
        return None
    taken = {entry.address for entry in nic.own}
    candidates: Iterator[IPAddress] = iter(network.hosts())
    return next(
        (a for a in islice(candidates, TRIES) if a not in taken and a not in host.vips), None
    )


def source_on(host: Host, nic: Nic) -> IPAddress | None:
    """Return an IPv4 address on the link by which the way of answers can be asked."""
    here = (a for a, name in host.held.items() if name == nic.link.name and a.version == 4)
    own = (e.address for e in nic.own if e.family is Family.IPV4 and nic.networks)
    return next(here, None) or next(own, None)


def sharing(host: Host) -> Iterator[tuple[Nic, Link, IPNetwork]]:
    """Yield other links with an IPv4 address in a network of a selected link."""
    links = {link.index: link for link in host.observed.links}
    for nic in host.selection.nics:
        networks = [network for network in nic.networks if network.version == 4]
        for entry in host.observed.addresses:
            other = links.get(entry.index)
            if other is None or other.index == nic.link.index or not _is_broad(entry):
                continue
            is_own = not host.observed.is_ours(entry) and entry.address not in host.vips
            works = other.is_up and other.has_carrier and not other.is_loopback
            network = network_of(entry.address, entry.prefix)
            if is_own and works and overlaps(network, networks):
                yield nic, other, network


def overlaps(network: IPNetwork, others: Collection[IPNetwork]) -> bool:
    """Tell whether a network has addresses in common with any of the others."""
    return any(network.version == one.version and network.overlaps(one) for one in others)


def _is_broad(entry: LinkAddress) -> bool:
    """Tell whether an IPv4 address brings a network with it."""
    return entry.prefix < HOST_PREFIX and entry.family is Family.IPV4
