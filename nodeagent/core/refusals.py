"""Addresses that cannot be announced anywhere, or must not be announced here. Pure.

Belongs here: why not, for people. Does not: where addresses go (`links`), who wins (`election`).
Called by `judgement`.
"""

from collections.abc import Collection, Mapping
from typing import Final

from nodeagent.core.election import Electorate
from nodeagent.core.links import Home
from nodeagent.core.verdicts import Away, Verdict
from nodeagent.core.vips import Vip
from purelb.api import annotations
from purelb.api.addresses import Family, IPAddress, family_of
from purelb.api.identifiers import NodeName
from purelb.api.links import DefaultRoute

SMALLEST_WITH_BROADCAST: Final = 30  # prefix length; RFC 3021 has no broadcast address in a /31
NOWHERE: Final = (
    "no node has an interface in that network: correct pool and subnet of the ServiceGroup, or "
    "name the interface that is in it in an LBNodeAgent's localInterface or interfaces"
)


def forbidden(address: IPAddress, home: Home, routes: Collection[DefaultRoute]) -> str:
    """Return why the address would cut a network off, empty if it would not."""
    name = home.nic.link.name
    if any(route.gateway == address for route in routes):
        return f"{address} is this node's default gateway: take it out of the ServiceGroup's pool"
    network = home.network
    has_broadcast = family_of(address) is Family.IPV4 and (
        network.prefixlen <= SMALLEST_WITH_BROADCAST
    )
    if has_broadcast and address == network.broadcast_address:
        return f"{address} is the broadcast address of {network} on {name}"
    return ""


def unreachable(vip: Vip, electorate: Electorate, me: NodeName) -> str:
    """Return NOWHERE if no node can announce the address and this one is to say so, else empty.

    One node says it, the first that announces anything: a thousand need not.
    """
    if any(
        s.annotations.get(annotations.POOL_TYPE) == annotations.POOL_REMOTE for s in vip.services
    ):
        return ""
    speaker = next((one.node for one in electorate.members if one.is_announcing), None)
    return NOWHERE if me == speaker and not electorate.candidates(vip.address) else ""


def unreachable_pools(
    verdicts: Mapping[IPAddress, Verdict], vips: Mapping[IPAddress, Vip]
) -> frozenset[str]:
    """Return the ServiceGroups of the addresses that were found to be NOWHERE."""
    services = (
        service
        for address, verdict in verdicts.items()
        if isinstance(verdict, Away) and verdict.detail == NOWHERE
        for service in vips[address].services
    )
    return frozenset(s.annotations.get(annotations.ALLOCATED_FROM, "") for s in services) - {""}
