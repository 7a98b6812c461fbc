"""Which of a cluster's objects guard which addresses."""

from ipaddress import ip_address, ip_network

import pytest

from allocator.core.guarding import api_server_guards, cidr_guards, lease_guards, node_guards
from allocator.core.guards import Guard, guard_address, guard_network
from purelb.api.resources import (
    EndpointSlice,
    Lease,
    Node,
    Object,
    ServiceCidr,
    convert,
)
from purelb.api.views import view_lease


def guards(kind: type[Object], **body: object) -> tuple[Guard, ...]:
    """Return what an object guards, as the API server would send it."""
    found = convert({"metadata": {"name": "one"}} | body, kind)
    match found:
        case Node():
            return node_guards(found)
        case ServiceCidr():
            return cidr_guards(found)
        case EndpointSlice():
            return api_server_guards(found)
    raise AssertionError(found)


def test_a_node_guards_its_addresses_and_those_of_its_pods() -> None:
    """Names are not addresses, and what cannot be read guards nothing."""
    addresses = [
        {"type": "InternalIP", "address": "192.0.2.5"},
        {"type": "Hostname", "address": "one.example"},
        {"type": "ExternalIP", "address": "2001:db8::5"},
    ]
    found = guards(Node, spec={"podCIDRs": ["10.0.1.0/24", "all"]}, status={"addresses": addresses})
    assert found == (
        guard_address(ip_address("192.0.2.5"), "Node one"),
        guard_address(ip_address("2001:db8::5"), "Node one"),
        guard_network(ip_network("10.0.1.0/24"), "the Pods of Node one"),
    )


def test_a_service_cidr_guards_its_networks() -> None:
    """Of both families."""
    found = guards(ServiceCidr, spec={"cidrs": ["10.96.0.0/16", "fd00::/112"]})
    assert found == tuple(
        guard_network(ip_network(text), "ServiceCIDR one")
        for text in ("10.96.0.0/16", "fd00::/112")
    )


def test_the_api_server_guards_the_addresses_of_its_endpoints() -> None:
    """Endpoints without addresses are passed over."""
    endpoints = [{"addresses": ["192.0.2.1"]}, {"addresses": None}, {"addresses": ["192.0.2.2"]}]
    found = guards(EndpointSlice, endpoints=endpoints)
    assert found == tuple(
        guard_address(ip_address(text), "the API server") for text in ("192.0.2.1", "192.0.2.2")
    )


def test_a_lease_guards_the_gateways_of_its_node() -> None:
    """All nodes of a network have the same ones: the words name none of them."""
    shown = {"purelb.io/gateways": "192.0.2.1,x,2001:db8::1"}
    metadata = {"name": "purelb-node-one", "annotations": shown}
    found = view_lease(convert({"metadata": metadata}, Lease))
    assert found is not None
    assert lease_guards(found) == tuple(
        guard_address(ip_address(text), "the nodes' gateway")
        for text in ("192.0.2.1", "2001:db8::1")
    )


@pytest.mark.parametrize(
    "kind", [Node, ServiceCidr, EndpointSlice], ids=["Node", "ServiceCIDR", "EndpointSlice"]
)
def test_an_object_without_addresses_guards_nothing(kind: type[Object]) -> None:
    """Its spec and status may be missing."""
    assert guards(kind) == ()
