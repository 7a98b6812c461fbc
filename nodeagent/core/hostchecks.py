"""What on this host keeps addresses from working, with the remedy. Pure; nothing here is repaired.

A check only complains of what does harm with the links and addresses in use. Belongs here: what is
wrong about the facts. Does not: the facts (`hostfacts`), faults within the configuration's texts
(`config`), telling (`findings`). Called by the shell at each audit.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from typing import Final

from nodeagent.core.config import NodeConfig
from nodeagent.core.findings import Check, Finding
from nodeagent.core.hostfacts import (
    OUTSIDE,
    TRIES,
    Host,
    neighbor_in,
    overlaps,
    sharing,
    source_on,
)
from nodeagent.core.links import Nic, Selection, route_text
from nodeagent.core.refusals import NOWHERE
from purelb.api.addresses import Family, IPAddress, IPNetwork, family_of
from purelb.api.identifiers import LinkName
from purelb.api.links import IFA_F_SECONDARY, RouteQuery
from purelb.api.problems import NoticeType

IPVS: Final = LinkName("kube-ipvs0")  # kube-proxy's, with the addresses of all Services
LOOPBACK: Final = LinkName("lo")
STRICT, NEVER = 1, 8  # rp_filter; arp_ignore
BEST_ONLY = 2  # arp_announce


def check(host: Host) -> tuple[Finding, ...]:
    """Return all that is wrong, each once."""
    found: dict[Finding, None] = {}
    for one in CHECKS:
        found |= dict.fromkeys(one(host))
    return tuple(found)


def _missing_links(host: Host) -> Iterator[Finding]:
    config, names = host.config, {link.name for link in host.observed.links}
    for name in config.extra:
        if name not in names:
            text = f"this node has no interface {name}; correct the name, or give nodes that have "
            yield _field(config, "interfaces", text + "it an LBNodeAgent with a nodeSelector")
    usable = {n.link.name for n in host.selection.others} - set(config.extra)
    if config.pattern is not None and not usable:
        shown = ", ".join(sorted(names - {config.dummy, LOOPBACK})[:TRIES])
        text = f"{config.pattern.text!r} matches no interface of this node, which has {shown}"
        yield _field(config, "localInterface", text)


def _dummy(host: Host) -> Iterator[Finding]:
    config, routes = host.config, {route.index for route in host.observed.routes}
    for link in host.observed.links:
        if link.name == config.dummy and (link.is_loopback or link.index in routes):
            what = "the loopback" if link.is_loopback else "the interface of a default route"
            text = f"{link.name} is {what} of this node: choose a name that no interface has"
            yield _field(config, "dummyInterface", text)
            return
    if host.dummy_trouble:
        yield replace(
            _field(config, "dummyInterface", f"no remote address here: {host.dummy_trouble}"),
            reason="ConfigError",
        )


def _field(config: NodeConfig, name: str, message: str) -> Finding:
    return Finding(
        check=Check.CONFIGURATION,
        subject=f"spec.local.{name}",
        message=message,
        key=config.source,
        reason="ConfigurationWarning",
    )


def _default_route(host: Host) -> Iterator[Finding]:
    selection = host.selection
    if host.config.pattern is not None:
        return
    if not any(selection.routes.values()):
        text = (
            "this node has no default route, so localInterface default selects no interface: add "
            "one (ip route add default via GATEWAY), or name the interface in localInterface"
        )
        yield Finding(check=Check.DEFAULT_ROUTE, subject="default", message=text)
    for family, nics in selection.defaults.items():
        for one, other in combinations(nics, 2):
            network = _common(one, other, family)
            if network is None or _is_settled(selection, network):
                continue
            names = {nic.link.index: nic.link.name for nic in (one, other)}
            routes = "; ".join(
                route_text(route, names[route.index])
                for route in selection.routes[family]
                if route.index in names
            )
            first, second = names.values()
            text = (
                f"{routes}: both interfaces are in {network}, so addresses there are put on "
                f"{host.config.dummy} instead of on a guess; give one route a lower metric, or "
                f"name {first} or {second} in localInterface"
            )
            yield Finding(check=Check.DEFAULT_ROUTE, subject=str(network), message=text)


def _common(one: Nic, other: Nic, family: Family) -> IPNetwork | None:
    for network in one.networks:
        if family_of(network.network_address) is family and overlaps(network, other.networks):
            return network
    return None


def _is_settled(selection: Selection, network: IPNetwork) -> bool:
    return any(overlaps(network, nic.networks) for nic in selection.others)


def _carrier(host: Host) -> Iterator[Finding]:
    for nic in host.selection.nics:
        link = nic.link
        is_used = link.name in host.config.extra or any(
            not e.address.is_link_local for e in nic.own
        )
        if nic.works or not is_used:
            continue
        what = "has no carrier" if link.is_up else "is switched off"
        text = (
            f"{what}, so this node is no candidate for the addresses of its networks: check cable, "
            f"switch port and lower interfaces (ip link show {link.name})"
        )
        yield Finding(check=Check.CARRIER, subject=link.name, message=text)


def _connected(host: Host) -> Iterator[Finding]:
    for nic in host.selection.nics:
        for network in nic.networks:
            neighbor = neighbor_in(host, nic, network)
            query = RouteQuery(to=neighbor) if neighbor is not None else None
            if query is None or query not in host.ways:
                continue
            answer = host.ways[query]
            if answer is None or answer.gateway is not None:
                text = (
                    f"this node has no direct route to {network}, the network of its own address: "
                    "its owner must put it back (restart the network manager, or "
                    f"ip route add {network} dev {nic.link.name})"
                )
                yield Finding(check=Check.CONNECTED_ROUTE, subject=nic.link.name, message=text)


def _source_address(host: Host) -> Iterator[Finding]:
    sources = {
        (answer.source, answer.index)
        for query, answer in host.ways.items()
        if answer is not None and query.source is None and answer.source in host.vips
    }
    names = {link.index: link.name for link in host.observed.links}
    for address, index in sorted(sources, key=str):
        text = (
            f"this node sends traffic of its own from {address}, the address of a Service: its own "
            f"address must be the first of its network on {names.get(index, 'its interface')} "
            "(ip address show), and no route may have it as src (ip route show)"
        )
        yield Finding(check=Check.SOURCE_ADDRESS, subject=str(address), message=text)


def _reverse_path(host: Host) -> Iterator[Finding]:
    names = {link.index: link.name for link in host.observed.links}
    for nic in host.selection.nics:
        name, source = nic.link.name, source_on(host, nic)
        if source is None or host.effective(name, lambda s: s.rp_filter) != STRICT:
            continue
        answer = host.ways.get(RouteQuery(to=OUTSIDE[Family.IPV4], source=source))
        if answer is None or answer.index == nic.link.index:
            continue
        leaves = names.get(answer.index, "another interface")
        text = (
            f"rp_filter is 1 and the way back from here leads over {leaves}, so the kernel drops "
            f"what clients outside the network of {name} send: sysctl -w "
            f"net.ipv4.conf.{name}.rp_filter=2, and so that answers leave by {name}, too: "
            f"ip rule add from ADDRESSES lookup TABLE with a default route over {name} there"
        )
        yield Finding(check=Check.REVERSE_PATH, subject=name, message=text)


def _arp(host: Host) -> Iterator[Finding]:
    causes: dict[LinkName, str] = {}
    names = {link.name for link in host.observed.links}
    for nic in host.selection.nics:
        if host.effective(nic.link.name, lambda s: s.arp_ignore) == NEVER:
            text = "arp_ignore is 8, so nobody gets an answer: set it to 1 or 0"
            yield Finding(check=Check.ARP, subject=nic.link.name, message=text)
        if IPVS in names and any(network.version == 4 for network in nic.networks):
            causes[nic.link.name] = (
                f"kube-proxy has the addresses of all Services on {IPVS}, so every node answers "
                "ARP for them: set strictARP: true in its configuration (mode ipvs), that is"
            )
    for nic, other, network in sharing(host):
        for name in (nic.link.name, other.name):
            text = f"{nic.link.name} and {other.name} are both in {network}, and each answers"
            causes.setdefault(name, f"{text} ARP for addresses on the other: set")
    for name, cause in causes.items():
        ignore = host.effective(name, lambda s: s.arp_ignore)
        announce = host.effective(name, lambda s: s.arp_announce)
        if ignore == 0 or (announce is not None and announce < BEST_ONLY):
            text = f"{cause} net.ipv4.conf.all.arp_ignore=1 and net.ipv4.conf.all.arp_announce=2"
            yield Finding(check=Check.ARP, subject=name, message=text)


def _node_address(host: Host) -> Iterator[Finding]:
    known = host.node.addresses if host.node is not None else ()
    for address in known:
        if address not in host.vips:
            continue
        entries = (entry for entry in host.observed.addresses if entry.address == address)
        if any(host.observed.is_ours(entry) for entry in entries):
            text = (
                "kubelet has taken this address of a Service for the node's own: start it with "
                f"--node-ip={_own(host, family_of(address))}"
            )
        else:
            text = "a Service has this node's own address: take it out of the ServiceGroup's pool"
        yield Finding(check=Check.NODE_ADDRESS, subject=str(address), message=text)


def _own(host: Host, family: Family) -> str:
    own = (entry.address for nic in host.selection.nics for entry in nic.own)
    usable = (str(a) for a in own if family_of(a) is family and not a.is_link_local)
    return next(usable, "ADDRESS, an address of the node itself")


def _promotion(host: Host) -> Iterator[Finding]:
    secondary = {e.index for e in host.observed.addresses if _is_secondary(e.address, e.flags)}
    for nic in host.selection.nics:
        name = nic.link.name
        if nic.link.index not in secondary:
            continue
        if host.effective(name, lambda s: s.promote_secondaries) == 0:
            text = (
                "promote_secondaries is 0: whoever removes the first address of a network removes "
                f"all others of it, too: sysctl -w net.ipv4.conf.{name}.promote_secondaries=1"
            )
            yield Finding(check=Check.PROMOTION, subject=name, message=text)


def _is_secondary(address: IPAddress, flags: int) -> bool:
    return address.version == 4 and bool(flags & IFA_F_SECONDARY)


def _pools(host: Host) -> Iterator[Finding]:
    for pool in sorted(host.unreachable):
        yield Finding(check=Check.POOL, subject=f"ServiceGroup {pool}", message=NOWHERE)


def _kernel(host: Host) -> Iterator[Finding]:
    if not host.observed.has_marks:
        text = (
            "this kernel stores no mark on addresses (IFA_PROTO, Linux 5.18), so what a crashed "
            "agent leaves behind is known by the addresses of Services only"
        )
        yield Finding(
            check=Check.KERNEL, subject="IFA_PROTO", message=text, severity=NoticeType.NORMAL
        )


CHECKS: Final[tuple[Callable[[Host], Iterator[Finding]], ...]] = (
    _missing_links,
    _dummy,
    _default_route,
    _carrier,
    _connected,
    _source_address,
    _reverse_path,
    _arp,
    _node_address,
    _promotion,
    _pools,
    _kernel,
)
