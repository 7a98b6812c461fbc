"""EndpointSlices of the echo pods."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from playground.pods import pod_object, pods, slices
from playground.topology import topology
from playground.wire import Service

WORLD = topology(2)
ALL = frozenset(pod.name for pod in pods(WORLD, 2))


def service(**spec: object) -> Service:
    """Build a Service in front of the echo pods, IPv4, port 80 to the port named http."""
    defaults: dict[str, object] = {
        "selector": {"app": "echo"},
        "ipFamilies": ["IPv4"],
        "ports": [{"name": "web", "port": 80, "targetPort": "http", "protocol": "TCP"}],
    }
    metadata = {"namespace": "default", "name": "web", "uid": "1"}
    return msgspec.convert({"metadata": metadata, "spec": defaults | spec}, Service)


def shown(body: Mapping[str, Any]) -> tuple[str, int, list[str]]:
    """Return the address type, the port and the addresses of a slice."""
    addresses = [endpoint["addresses"][0] for endpoint in body["endpoints"]]
    return body["addressType"], body["ports"][0]["port"], addresses


def test_a_dual_stack_service_gets_one_slice_for_each_family() -> None:
    """With all nodes in it."""
    found = slices(service(ipFamilies=["IPv6", "IPv4"]), pods(WORLD, 1), ALL)
    assert [shown(body) for body in found] == [
        ("IPv6", 80, ["2001:db8:0:1::11", "2001:db8:0:1::12"]),
        ("IPv4", 80, ["192.0.2.11", "192.0.2.12"]),
    ]


def test_pods_with_different_ports_are_in_different_slices() -> None:
    """A slice has one list of ports; their names differ too."""
    found = slices(service(), pods(WORLD, 2), ALL)
    assert [shown(body)[1] for body in found] == [80, 81]
    assert len({body["metadata"]["name"] for body in found}) == 2


@pytest.mark.parametrize("target", [81, None])
def test_a_number_finds_the_pods_that_listen_on_it(target: int | None) -> None:
    """Without a target port it is the Service's own."""
    ports = [{"port": 81, "targetPort": target}]
    found = slices(service(ports=ports), pods(WORLD, 2), ALL)
    assert [shown(body) for body in found] == [("IPv4", 81, ["192.0.2.11", "192.0.2.12"])]


def test_a_pod_that_is_not_ready_stays_listed_as_such() -> None:
    """Consumers decide; the node is named for traffic policies."""
    (body,) = slices(service(), pods(WORLD, 1), {"echo-node-b"})
    states = [(each["nodeName"], each["conditions"]["ready"]) for each in body["endpoints"]]
    assert states == [("node-a", False), ("node-b", True)]


@pytest.mark.parametrize("selector", [None, {}, {"app": "other"}, {"app": "echo", "tier": "x"}])
def test_a_service_for_other_pods_has_no_slices(selector: dict[str, str] | None) -> None:
    """Without a selector its owner writes them."""
    assert slices(service(selector=selector), pods(WORLD, 1), ALL) == ()


def test_slices_say_whose_they_are() -> None:
    """kube-proxy and the agents find them by the label."""
    (body,) = slices(service(), pods(WORLD, 1), ALL)
    assert body["metadata"]["labels"]["kubernetes.io/service-name"] == "web"
    assert body["metadata"]["ownerReferences"][0]["uid"] == "1"


def test_a_pod_shows_its_nodes_addresses() -> None:
    """As with hostNetwork, both families."""
    body = pod_object(pods(WORLD, 1)[0], is_ready=False)
    assert body["spec"]["nodeName"] == "node-a"
    assert body["status"]["podIPs"] == [{"ip": "192.0.2.11"}, {"ip": "2001:db8:0:1::11"}]
    assert body["status"]["conditions"] == [{"type": "Ready", "status": "False"}]
