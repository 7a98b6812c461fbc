"""Builders for the node agent's tests: one node `node-a` with one NIC, unless told otherwise."""

from dataclasses import replace
from ipaddress import ip_network

from nodeagent.core.config import NodeConfig
from nodeagent.core.election import Electorate, Member
from nodeagent.core.facts import Facts
from nodeagent.core.verdicts import Memory
from purelb.api.addresses import Family, parse_ip
from purelb.api.identifiers import Instant, LinkName, NodeName, ServiceKey
from purelb.api.links import DefaultRoute, Link, LinkAddress
from purelb.api.views import NodeView, ServiceView
from purelb.core.lease import Lease, RenewOk, step
from tests.agent import Agent
from tests.kernel import Kernel

A, B, C = NodeName("node-a"), NodeName("node-b"), NodeName("node-c")
WEB = ServiceKey("shop/web")
VIP, VIP6 = parse_ip("192.0.2.100"), parse_ip("2001:db8::100")
NETWORKS = ("192.0.2.0/24", "2001:db8::/64")
OWN, OWN6, LOCAL6 = "192.0.2.7/24", "2001:db8::7/64", "fe80::7/64"
ETH0 = 2
MAC = bytes.fromhex("020000000007")
NOW = 100.0


def link(index: int = ETH0, name: str = "eth0", **others: bool | str | bytes) -> Link:
    """Build a link that works."""
    fields = {"mac": MAC, "is_up": True, "has_carrier": True} | others
    return Link(index=index, name=LinkName(name), **fields)  # type: ignore[arg-type]  # per field


def entry(text: str, index: int = ETH0, flags: int = 0, mark: int = 0) -> LinkAddress:
    """Build an address from `address/length`."""
    address, _, prefix = text.partition("/")
    return LinkAddress(
        index=index, address=parse_ip(address), prefix=int(prefix), flags=flags, mark=mark
    )


def route(index: int = ETH0, family: Family = Family.IPV4, metric: int = 0) -> DefaultRoute:
    """Build a default route."""
    return DefaultRoute(family=family, metric=metric, index=index, gateway=None)


def member(node: NodeName, *subnets: str, announcing: bool = True) -> Member:
    """Build a member, by default one of the networks of `OWN` and `OWN6`."""
    texts = subnets or NETWORKS
    networks = tuple(ip_network(text) for text in texts)
    return Member(node=node, subnets=networks, is_announcing=announcing)


def service(key: ServiceKey = WEB, *addresses: str, **annotations: str) -> ServiceView:
    """Build a branded Service; annotations are given without prefix and with underscores."""
    keys = {"allocated_by": "PureLB", "pool_type": "local"} | annotations
    return ServiceView(
        key=key,
        version="7",
        type="LoadBalancer",
        annotations={f"purelb.io/{k.replace('_', '-')}": v for k, v in keys.items()},
        ingress=tuple(parse_ip(text) for text in addresses or (str(VIP),)),
    )


def held(sent_at: Instant = NOW, duration: float = 10.0) -> Lease:
    """Build a Lease that was renewed at an instant."""
    return step(Lease(duration=duration), RenewOk(sent_at))


def facts(*services: ServiceView, members: tuple[Member, ...] = (member(A),)) -> Facts:
    """Build what node-a knows; by default it is alone and may hold everything."""
    return Facts(
        me=A,
        lease=held(),
        services={one.key: one for one in services or (service(),)},
        config=NodeConfig(source="purelb-system/default"),
        node=NodeView(name=A),
        electorate=Electorate(members),
    )


def kernel(*own: str) -> Kernel:
    """Build a host with one NIC that has these own addresses, by default IPv4 and IPv6."""
    host = Kernel(links=(link(),), routes=(route(), route(family=Family.IPV6)), now=NOW)
    for text in own or (OWN, OWN6, LOCAL6):
        host.put(ETH0, text)
    return host


def agent(known: Facts | None = None, host: Kernel | None = None) -> Agent:
    """Build a loop that has not run yet, on a node that all others know."""
    memory = Memory(joined={(ETH0, ip_network(text)): NOW - 60.0 for text in NETWORKS})
    return Agent(kernel=host or kernel(), facts=known or facts(), memory=memory)


def renewed(one: Agent) -> None:
    """Renew the Lease of an agent now."""
    one.facts = replace(one.facts, lease=step(one.facts.lease, RenewOk(one.kernel.now)))
