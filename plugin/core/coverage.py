"""Which nodes reach which ranges: networks are compared as networks, not as texts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from allocator.core.pool import Fault, PoolSet
from plugin.core.snapshot import NodeLease
from purelb.api.addresses import AddressRange, IPAddress, IPNetwork, parse_network, parse_range
from purelb.api.groups import GroupKind, GroupView


@dataclass(frozen=True, slots=True)
class LocalRange:
    """One range of a local group, as typed and as parsed."""

    group: str
    text: str
    subnet: str
    addresses: AddressRange


def local_ranges(groups: Iterable[GroupView]) -> Iterator[LocalRange]:
    """Yield the ranges of local groups that can be read."""
    for group in groups:
        if group.kind is GroupKind.LOCAL:
            for entry in group.entries:
                try:
                    addresses = parse_range(entry.text)
                except ValueError:
                    continue
                yield LocalRange(group.name, entry.text, entry.subnet, addresses)


def groups_of(pools: PoolSet) -> list[GroupView]:
    """Return the groups that count, or would if they were valid, by name."""
    accepted = [pool.group for pool in pools.pools.values()]
    rejected = [one.group for one in pools.problems.values() if one.fault is Fault.REJECTED]
    return sorted([*accepted, *rejected], key=lambda group: group.name)


def covers(network: IPNetwork, addresses: AddressRange) -> bool:
    """Tell whether a network has all addresses of a range."""
    return addresses.first in network and addresses.last in network


def is_covered(addresses: AddressRange, leases: Iterable[NodeLease]) -> bool:
    """Tell whether some node's network has all addresses of a range."""
    return any(covers(network, addresses) for one in leases for network in one.view.subnets)


def networks(texts: Iterable[str]) -> Iterator[tuple[str, IPNetwork]]:
    """Yield the texts that are networks, with what they mean."""
    for text in texts:
        try:
            yield text, parse_network(text)
        except ValueError:
            continue


def network_with(lease: NodeLease | None, address: IPAddress) -> str:
    """Return the network of a node that has an address, as its Lease writes it; empty for none."""
    if lease is None:
        return ""
    return next((text for text, network in networks(lease.subnets) if address in network), "")
