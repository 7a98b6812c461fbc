"""Objects of the API → guards: whose addresses are the cluster's own. Pure.

Belongs here: what an object guards. Does not: which objects there are (the shell, the plugin).
"""

from collections.abc import Iterable

from allocator.core.guards import Guard, guard_address, guard_network
from purelb.api.addresses import parse_ip, parse_network
from purelb.api.resources import EndpointSlice, Node, ServiceCidr
from purelb.api.views import LeaseView


def node_guards(node: Node) -> tuple[Guard, ...]:
    """Return the addresses of a Node and those of its Pods."""
    name = node.metadata.name
    own = [entry.address for entry in node.status.addresses or ()]
    pods = node.spec.pod_cidrs or ()
    return (*_addresses(own, f"Node {name}"), *_networks(pods, f"the Pods of Node {name}"))


def cidr_guards(found: ServiceCidr) -> tuple[Guard, ...]:
    """Return the networks that clusterIPs are taken from."""
    return tuple(_networks(found.spec.cidrs or (), f"ServiceCIDR {found.metadata.name}"))


def api_server_guards(found: EndpointSlice) -> tuple[Guard, ...]:
    """Return the addresses of the API servers, given the EndpointSlice `default/kubernetes`."""
    endpoints = found.endpoints or ()
    texts = [text for endpoint in endpoints for text in endpoint.addresses or ()]
    return tuple(_addresses(texts, "the API server"))


def lease_guards(lease: LeaseView) -> tuple[Guard, ...]:
    """Return the gateways of a node; nodes of one network have the same."""
    return tuple(guard_address(gateway, "the nodes' gateway") for gateway in lease.gateways)


def _addresses(texts: Iterable[str], owner: str) -> Iterable[Guard]:
    for text in texts:
        try:
            yield guard_address(parse_ip(text), owner)
        except ValueError:
            continue  # a host name


def _networks(texts: Iterable[str], owner: str) -> Iterable[Guard]:
    for text in texts:
        try:
            yield guard_network(parse_network(text), owner)
        except ValueError:
            continue
