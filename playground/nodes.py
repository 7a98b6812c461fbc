"""The objects that a cluster has before anything is installed: Nodes and a namespace."""

from collections.abc import Mapping
from typing import Any

from playground.api import Api, path_of
from playground.topology import Machine, Topology

INSTALL_NAMESPACE = "purelb-system"


async def create(api: Api, topology: Topology) -> None:
    """Create the Nodes, Ready, and the namespace that daemons are installed in."""
    await api.apply(namespace_object(INSTALL_NAMESPACE))
    for machine in topology.nodes:
        await api.apply(node_object(machine))
        # Not by apply: it refuses two addresses of one type, as every dual-stack node has.
        path = path_of("Node", name=machine.name)
        await api.patch(f"{path}/status", {"status": status(machine)})


def namespace_object(name: str) -> Mapping[str, Any]:
    """Return a Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def node_object(machine: Machine) -> dict[str, Any]:
    """Return the Node of a machine, without its status."""
    labels = {"kubernetes.io/hostname": machine.name, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": machine.name, "labels": labels},
    }


def status(machine: Machine) -> Mapping[str, Any]:
    """Return what a kubelet reports: the addresses of both families, and readiness."""
    nic = machine.main
    addresses = [
        {"type": "InternalIP", "address": str(nic.v4.ip)},
        {"type": "InternalIP", "address": str(nic.v6.ip)},
        {"type": "Hostname", "address": machine.name},
    ]
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "the machine is a network namespace",
    }
    return {"addresses": addresses, "conditions": [ready]}
