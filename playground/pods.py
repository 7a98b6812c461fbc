"""The echo pods of a playground and the EndpointSlices they make. Pure.

A pod shares its node's addresses and differs by its port: the first listens on 80, the next on 81.
A Service finds all by the selector `app: echo` and the target port `http`; a number as target port
finds those that listen on it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.topology import Topology
from playground.wire import SERVICE_LABEL, Port, Service

FIRST_PORT = 80
PORT_NAME = "http"
SELECTOR: Mapping[str, str] = {"app": "echo"}
NAMESPACE = "default"
MANAGER = "endpointslice.playground.purelb.io"
MANAGER_LABEL = "endpointslice.kubernetes.io/managed-by"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One echo pod; addresses by family, "IPv4" and "IPv6"."""

    name: str
    node: str
    port: int
    addresses: Mapping[str, str]


def pods(topology: Topology, per_node: int) -> tuple[Pod, ...]:
    """Return the pods of all nodes, the same number on each."""
    return tuple(
        Pod(
            name=f"echo-{machine.name}" + (f"-{number}" if number else ""),
            node=machine.name,
            port=FIRST_PORT + number,
            addresses={"IPv4": str(machine.main.v4.ip), "IPv6": str(machine.main.v6.ip)},
        )
        for machine in topology.nodes
        for number in range(per_node)
    )


def pod_object(pod: Pod, *, is_ready: bool) -> dict[str, Any]:
    """Return the Pod with its status."""
    port = {"name": PORT_NAME, "containerPort": pod.port}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod.name, "namespace": NAMESPACE, "labels": dict(SELECTOR)},
        "spec": {
            "nodeName": pod.node,
            "hostNetwork": True,
            "containers": [{"name": "echo", "image": "echo", "ports": [port]}],
        },
        "status": {
            "phase": "Running",
            "podIP": pod.addresses["IPv4"],
            "podIPs": [{"ip": address} for address in pod.addresses.values()],
            "conditions": [{"type": "Ready", "status": str(is_ready)}],
        },
    }


def slices(
    service: Service, pods: Sequence[Pod], ready: Collection[str]
) -> tuple[dict[str, Any], ...]:
    """Return the EndpointSlices of a Service; none if its selector does not match the pods.

    One for each family, unless pods differ in ports: an EndpointSlice has one list of ports.
    """
    selector = service.spec.selector
    if not selector or service.metadata.namespace != NAMESPACE or not matches(selector):
        return ()
    found = []
    for number in sorted({pod.port for pod in pods}):
        group = [pod for pod in pods if pod.port == number]
        if ports := [
            _port(port, number) for port in service.spec.ports or () if _hits(port, number)
        ]:
            found += [
                _slice(service, family, ports, [_endpoint(pod, family, ready) for pod in group])
                for family in service.spec.ip_families or ("IPv4",)
            ]
    return tuple(found)


def matches(selector: Mapping[str, str]) -> bool:
    """Tell whether a selector chooses the echo pods."""
    return selector.items() <= SELECTOR.items()


def _hits(port: Port, number: int) -> bool:
    return (port.target_port or port.port) in (PORT_NAME, number)


def _port(port: Port, number: int) -> dict[str, Any]:
    return {"name": port.name, "port": number, "protocol": port.protocol}


def _endpoint(pod: Pod, family: str, ready: Collection[str]) -> dict[str, Any]:
    is_ready = pod.name in ready
    return {
        "addresses": [pod.addresses[family]],
        "conditions": {"ready": is_ready, "serving": is_ready, "terminating": False},
        "nodeName": pod.node,
        "targetRef": {"kind": "Pod", "namespace": NAMESPACE, "name": pod.name},
    }


def _slice(
    service: Service,
    family: str,
    ports: Sequence[Mapping[str, Any]],
    endpoints: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    meta = service.metadata
    owner = {"apiVersion": "v1", "kind": "Service", "name": meta.name, "uid": meta.uid}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{meta.name}-{family.lower()}-{ports[0]['port']}",
            "namespace": meta.namespace,
            "labels": {SERVICE_LABEL: meta.name, MANAGER_LABEL: MANAGER},
            "ownerReferences": [owner],
        },
        "addressType": family,
        "ports": list(ports),
        "endpoints": list(endpoints),
    }
