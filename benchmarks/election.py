"""What elections and Leases of a large cluster cost. Pure."""

import time
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from rich.console import Console

from benchmarks.world import Figures
from nodeagent.core.election import Electorate, Member
from nodeagent.core.neighborhood import group_of, lease_labels, shares
from nodeagent.core.scale import RENEWALS, lease_seconds
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import NodeName

NODES, ADDRESSES = 1000, 10_000
PER_NETWORK = 200  # nodes in one network
LEASE_SECONDS = 10.0


def measure(console: Console) -> Figures:
    """Measure who wins ten thousand addresses among a thousand nodes, and count their Leases."""
    figures: Figures = {}
    for count in (1, NODES // PER_NETWORK):
        console.print(f"  {ADDRESSES} addresses, {NODES} nodes in {count} networks of each family")
        figures |= _elections(_members(count), _addresses(count), f"election_{count}_networks")
    return figures | _leases(_members(NODES // PER_NETWORK))


def _elections(members: list[Member], addresses: list[IPAddress], prefix: str) -> Figures:
    first = Electorate(members)
    figures: Figures = {f"{prefix}.first_us_each": _microseconds(first, addresses)}
    without = Electorate(members[:-1], first)
    figures[f"{prefix}.node_leaves_us_each"] = _microseconds(without, addresses)
    figures[f"{prefix}.node_joins_us_each"] = _microseconds(Electorate(members, without), addresses)
    return figures


def _microseconds(electorate: Electorate, addresses: list[IPAddress]) -> float:
    """Return the CPU time that each of these elections takes."""
    begun = time.process_time()
    for address in addresses:
        electorate.winner(address)
    return round(1e6 * (time.process_time() - begun) / len(addresses), 2)


def _leases(members: Iterable[Member]) -> Figures:
    """Count writes and watch events of a second, for all nodes together."""
    labels = {one.node: lease_labels(one.node, one.subnets) for one in members}
    seconds = lease_seconds(LEASE_SECONDS, NODES)
    renewals = NODES * RENEWALS / seconds
    groups = {node: group_of(node) for node in labels}
    shown = 0
    for one in members:
        group = groups[one.node]
        for share in shares(one.subnets):
            # What the server selects: the share, and those of the own group among what it lacks.
            keys = {share.key} - {""}
            shown += sum(
                share.has(found) or (groups[node] == group and keys <= found.keys())
                for node, found in labels.items()
            )
    return {
        "lease_seconds": seconds,
        "lease_writes_per_s": round(renewals, 1),
        "lease_events_per_s": round(renewals * shown / NODES),
        "lease_writes_per_s.before": round(NODES * RENEWALS / LEASE_SECONDS, 1),
        "lease_events_per_s.before": round(NODES * NODES * RENEWALS / LEASE_SECONDS),
    }


def _members(networks: int) -> list[Member]:
    return [
        Member(
            node=NodeName(f"node-{number}"),
            subnets=(
                ip_network(f"10.{number % networks}.0.0/16"),
                ip_network(f"2001:db8:{number % networks:x}::/64"),
            ),
        )
        for number in range(NODES)
    ]


def _addresses(networks: int) -> list[IPAddress]:
    first = int(ip_address("10.0.128.0"))
    return [
        ip_address(first + (number % networks << 16) + number // networks)
        for number in range(ADDRESSES)
    ]
