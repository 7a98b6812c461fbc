"""The annotations on Services, Nodes, Leases and objects of BGP, and the text of announcing slots.

Keys of `purelb.io` and `bgp.purelb.io` that users write and that the suite writes; spelling is a
contract with existing manifests, dashboards and scripts.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from purelb.api.addresses import Family, IPAddress, parse_ip, sort_key
from purelb.api.identifiers import LinkName, NodeName

PREFIX = "purelb.io/"
BRAND = "PureLB"  # value of ALLOCATED_BY

# Users write these on Services.
SERVICE_GROUP = "purelb.io/service-group"
FALLBACK_GROUPS = "purelb.io/fallback-groups"  # names separated by commas, in order
ADDRESSES = "purelb.io/addresses"
SHARING_KEY = "purelb.io/allow-shared-ip"
ALLOW_LOCAL = "purelb.io/allow-local"
MULTI_POOL = "purelb.io/multi-pool"
RE_EVALUATE = "purelb.io/re-evaluate"
NODE_AFFINITY = "purelb.io/node-affinity"
ANNOUNCE_NODE = "purelb.io/announce-node"  # name of the node that is to announce the addresses

# The allocator writes these on Services.
ALLOCATED_BY = "purelb.io/allocated-by"
ALLOCATED_FROM = "purelb.io/allocated-from"
POOL_TYPE = "purelb.io/pool-type"
POOL_REMOTE = "remote"  # value of POOL_TYPE
SKIP_IPV6_DAD = "purelb.io/skip-ipv6-dad"

# Node agents write these on Services; the two legacy keys are only ever removed.
ANNOUNCING = {
    Family.IPV4: "purelb.io/announcing-IPv4",
    Family.IPV6: "purelb.io/announcing-IPv6",
}
ANNOUNCING_PREFIX = "purelb.io/announcing"
ANNOUNCING_LEGACY = ("purelb.io/announcing", "purelb.io/announcing-unknown")

# Operators write this on Nodes.
EVACUATE = "purelb.io/evacuate"  # "true": the node announces no local address and no route

# Node agents write these on their Leases.
LEASE_SUBNETS = "purelb.io/subnets"
LEASE_INSTANCE = "purelb.io/instance"
LEASE_CONDITIONS = "purelb.io/conditions"  # what is wrong on the node (`purelb.api.conditions`)
LEASE_GATEWAYS = "purelb.io/gateways"  # of the node's default routes, separated by commas
LEASE_MACS = "purelb.io/macs"  # under which the node may speak of addresses
LEASE_HEARTBEATS = "purelb.io/heartbeats"  # "true": the node sends them
LEASE_ANNOUNCES = "purelb.io/announces"  # "false": subnets are shown, the node is no candidate

LEASE_NON_REVERTIVE = "purelb.io/non-revertive"  # "true": what the node has stays there

# BGP sidecars write these: the first on BGPConfigurations (`purelb.api.bgpkept`), the others on
# their own Pods.
BGP_LAST_GOOD = "bgp.purelb.io/last-good"
BGP_ROUTER_ID = "bgp.purelb.io/router-id"
BGP_ROUTER_ID_SOURCE = "bgp.purelb.io/router-id-source"
BGP_ASN = "bgp.purelb.io/asn"

OURS = (
    ALLOCATED_BY,
    ALLOCATED_FROM,
    POOL_TYPE,
    SKIP_IPV6_DAD,
    *ANNOUNCING.values(),
    *ANNOUNCING_LEGACY,
)


@dataclass(frozen=True, slots=True)
class Slot:
    """One entry of an announcing annotation: `node` has `address` on `link`."""

    node: NodeName
    link: LinkName
    address: IPAddress


def parse_slots(text: str) -> tuple[Slot, ...]:
    """Parse `node,link,address` entries separated by white space; what does not parse is dropped.

    The node ends at the first comma and the address begins after the last, so a link's name may
    have commas of its own.
    """
    return tuple(slot for entry in text.split() if (slot := _parse_slot(entry)) is not None)


def encode_slots(slots: Iterable[Slot]) -> str:
    """Return the canonical text: sorted by address, node, link; one entry per address."""
    ordered = sorted(slots, key=lambda slot: (sort_key(slot.address), slot.node, slot.link))
    first: dict[IPAddress, Slot] = {}
    for slot in ordered:
        first.setdefault(slot.address, slot)
    return " ".join(f"{slot.node},{slot.link},{slot.address}" for slot in first.values())


def _parse_slot(entry: str) -> Slot | None:
    node, _, rest = entry.partition(",")
    link, comma, address = rest.rpartition(",")
    if not (node and link and comma):
        return None
    try:
        return Slot(NodeName(node), LinkName(link), parse_ip(address))
    except ValueError:
        return None
