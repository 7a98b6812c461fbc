"""Whether a node's BGP table has an address: its own route, or that of a network around it."""

from collections.abc import Iterator

from purelb.api.addresses import IPAddress, parse_ip, parse_network
from purelb.api.bgpstatus import NodeStatus, Route


def routes_to(status: NodeStatus, address: IPAddress) -> Iterator[Route]:
    """Yield the node's own routes that lead to an address."""
    for route in status.rib.local_routes or ():
        try:
            if address in parse_network(route.prefix):
                yield route
        except ValueError:
            continue


def is_in_table(status: NodeStatus, address: IPAddress) -> bool:
    """Tell whether the table leads to an address."""
    if any(True for _ in routes_to(status, address)):
        return True
    imported = status.netlink_import.imported_addresses or ()
    return any(one.in_rib and bare(one.address) == address for one in imported)


def is_advertised(status: NodeStatus, address: IPAddress) -> bool:
    """Tell whether some neighbor is told the way to an address."""
    return any(route.advertised_to for route in routes_to(status, address))


def bare(text: str) -> IPAddress | None:
    """Return the address of `address/length`; None for what is none."""
    try:
        return parse_ip(text.partition("/")[0])
    except ValueError:
        return None
