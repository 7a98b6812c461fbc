"""The networks on which this node announces, as its heartbeats see them. Pure.

Belongs here: who else is there, from where to speak, whom to ask, and what to say of addresses that
were taken over. Does not: conclusions (`peers`), the datagrams (`beats`). Called by the shell after
each pass.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from nodeagent.core.beats import Standing
from nodeagent.core.election import Electorate
from nodeagent.core.links import Nic, Observed
from nodeagent.core.ops import AddAddress, Op
from nodeagent.core.settling import link_joined_at
from nodeagent.core.verdicts import DesiredState, Here, Joined
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import Instant, NodeName
from purelb.api.links import DefaultRoute, Link
from purelb.core.lease import Lease, LeaseState


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One link with the members on it, without this node.

    `source` is the own address to speak from, `link_local` that of IPv6. `mute` are members that
    send no heartbeats. `gateways` are those of the default routes over this link. `joined_at` is
    since when this node has been a candidate here, infinity if it is none.
    """

    link: Link
    source: IPAddress
    link_local: IPv6Address | None = None
    members: frozenset[NodeName] = frozenset()
    mute: frozenset[NodeName] = frozenset()
    gateways: tuple[IPAddress, ...] = ()
    joined_at: Instant = math.inf


def networks(
    nics: Sequence[Nic],
    electorate: Electorate,
    routes: Sequence[DefaultRoute],
    me: NodeName,
    joined: Joined,
) -> tuple[Network, ...]:
    """Return the networks of the selected links that have an own address to speak from.

    `joined` tells since when this node has been a candidate.
    """
    found = []
    for nic in nics:
        source = _source(nic)
        if source is None or not nic.link.mac:
            continue
        others = [m for m in electorate.members if m.node != me and m.is_announcing]
        here = [m for m in others if not set(m.subnets).isdisjoint(nic.networks)]
        network = Network(
            link=nic.link,
            source=source,
            link_local=_link_local(nic),
            members=frozenset(m.node for m in here),
            mute=frozenset(m.node for m in here if not m.has_heartbeats),
            gateways=tuple(
                route.gateway
                for route in routes
                if route.index == nic.link.index and route.gateway is not None
            ),
            joined_at=link_joined_at(joined, nic.link.index),
        )
        found.append(network)
    return tuple(found)


def occupied(observed: Observed, ops: Iterable[Op] = ()) -> frozenset[int]:
    """Return the indices of links that have an address of ours, or get one by these operations."""
    found = {entry.index for entry in observed.addresses if observed.is_ours(entry)}
    return frozenset(found.union(op.entry.index for op in ops if isinstance(op, AddAddress)))


def standing(lease: Lease, now: Instant) -> Standing:
    """Return what our own Lease allows, as others are told."""
    if lease.state in (LeaseState.DRAINING, LeaseState.RELEASED):
        return Standing.DRAINING
    if lease.state is LeaseState.ABSENT:
        return Standing.STARTING
    return Standing.HELD if lease.is_leased(now) else Standing.FENCED


def claims_after(
    known: Mapping[IPAddress, tuple[int, int]], desired: DesiredState
) -> Mapping[IPAddress, tuple[int, int]]:
    """Return what was taken over: the index of its link and the epoch, by address.

    `known` is the answer after the last state; only what has changed since is looked at.
    """
    is_all = desired.before is None
    addresses = desired.verdicts.keys() if is_all else desired.changed
    found = {} if is_all else {a: one for a, one in known.items() if a not in desired.changed}
    for address in addresses:
        verdict, tenure = desired.verdicts.get(address), desired.memory.tenures.get(address)
        if isinstance(verdict, Here) and tenure is not None and tenure.epoch:
            found[address] = verdict.link.index, tenure.epoch
    return known if found == known else found


def _source(nic: Nic) -> IPAddress | None:
    for entry in nic.own:
        if isinstance(entry.address, IPv4Address) and not entry.address.is_link_local:
            return entry.address
    return nic.link_local


def _link_local(nic: Nic) -> IPv6Address | None:
    found = nic.link_local
    return found if isinstance(found, IPv6Address) else None
