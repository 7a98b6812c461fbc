"""The processes of a cluster as the images and manifests start them: pure lists of command lines.

Belongs here: which program runs on which machine with which environment. The API server and what
serves it are the control plane's.
"""

import sys
import uuid
from collections.abc import Callable
from pathlib import Path

from playground.nodes import INSTALL_NAMESPACE
from playground.pods import pods
from playground.processes import ProcessSpec
from playground.state import INSIDE
from playground.topology import Machine, Topology

Kubeconfig = Callable[[str], Path]  # client → path of its kubeconfig inside


def daemons(
    topology: Topology, kubeconfig: Kubeconfig, *, lease_seconds: float, key_file: str = ""
) -> tuple[ProcessSpec, ...]:
    """Return the allocator and every node's agent; `key_file` is that of their heartbeats."""
    agents = (
        agent(machine, kubeconfig, lease_seconds=lease_seconds, key_file=key_file)
        for machine in topology.nodes
    )
    return (allocator(kubeconfig), *agents)


def allocator(kubeconfig: Kubeconfig, name: str = "allocator") -> ProcessSpec:
    """Return an allocator; several with different names are replicas."""
    environment = {"DEFAULT_ANNOUNCER": "PureLB", "PURELB_POD_UID": str(uuid.uuid4())}
    return _python(
        name, "control", "allocator", environment=environment | _common(kubeconfig, name)
    )


def agent(
    machine: Machine, kubeconfig: Kubeconfig, *, lease_seconds: float, key_file: str = ""
) -> ProcessSpec:
    """Return the agent of a node."""
    name = f"nodeagent-{machine.name}"
    environment = {
        "DEFAULT_ANNOUNCER": "PureLB",
        "PURELB_NODE_NAME": machine.name,
        "PURELB_HOST": str(machine.main.v4.ip),
        "PURELB_POD_UID": str(uuid.uuid4()),
        "PURELB_HEARTBEAT_KEY_FILE": key_file,
        "PURELB_LEASE_DURATION": f"{lease_seconds:g}s",
        "PURELB_DUMMY_KIND": "ifb",  # some kernels lack the dummy type
    }
    return _python(
        name, machine.name, "nodeagent", environment=environment | _common(kubeconfig, name)
    )


def sidecar(machine: Machine, kubeconfig: Kubeconfig, **environment: str) -> ProcessSpec:
    """Return the BGP sidecar of a node; `environment` counts before its own."""
    name = f"k8gobgp-{machine.name}"
    address = machine.main.v4.ip
    own = {
        "NODE_NAME": machine.name,
        "POD_NAME": f"lbnodeagent-{machine.name}",
        "POD_NAMESPACE": INSTALL_NAMESPACE,
        "GOBGP_SOCKET": str(gobgp_socket(machine)),
        "METRICS_BIND_ADDRESS": f"{address}:7473",
        "HEALTH_PROBE_BIND_ADDRESS": f"{address}:7474",
        "KUBECONFIG": str(kubeconfig(name)),
    }
    return _python(name, machine.name, "bgp", environment=own | environment)


def gobgp_socket(machine: Machine) -> Path:
    """Return where a node's gobgpd listens: in its Pod's volume, which the nodes do not share."""
    return INSIDE / "run/playground/gobgp" / machine.name / "gobgp.sock"


def workload(
    topology: Topology,
    kubeconfig: Kubeconfig,
    *,
    pods_per_node: int = 1,
    grace_seconds: float = 1.0,
) -> tuple[ProcessSpec, ...]:
    """Return the echo pods, the maker of their EndpointSlices and every node's service proxy.

    A pod that does not answer for `grace_seconds` is not ready.
    """
    return (
        *echoes(topology, pods_per_node),
        endpoints(topology, kubeconfig, pods_per_node=pods_per_node, grace_seconds=grace_seconds),
        *proxies(topology, kubeconfig),
    )


def echoes(topology: Topology, pods_per_node: int) -> tuple[ProcessSpec, ...]:
    """Return the echo pods."""
    return tuple(
        _python(
            pod.name,
            pod.node,
            "playground.backend",
            *("--node", pod.node, "--pod", pod.name, "--port", str(pod.port)),
            *(option for address in pod.addresses.values() for option in ("--host", address)),
        )
        for pod in pods(topology, pods_per_node)
    )


def endpoints(
    topology: Topology, kubeconfig: Kubeconfig, *, pods_per_node: int, grace_seconds: float
) -> ProcessSpec:
    """Return what probes the echo pods and writes them and their EndpointSlices."""
    return _python(
        "endpoints",
        "control",
        "playground.endpoints",
        *("--nodes", str(len(topology.nodes)), "--pods-per-node", str(pods_per_node)),
        *("--grace", str(grace_seconds)),
        environment=_common(kubeconfig, "endpoints"),
    )


def proxies(topology: Topology, kubeconfig: Kubeconfig) -> tuple[ProcessSpec, ...]:
    """Return every node's service proxy."""
    return tuple(
        _python(
            f"serviceproxy-{machine.name}",
            machine.name,
            "playground.serviceproxy",
            *("--node", machine.name),
            environment=_common(kubeconfig, f"serviceproxy-{machine.name}"),
        )
        for machine in topology.nodes
    )


def _common(kubeconfig: Kubeconfig, client: str) -> dict[str, str]:
    return {"KUBECONFIG": str(kubeconfig(client)), "PURELB_NAMESPACE": INSTALL_NAMESPACE}


def _python(
    name: str,
    machine: str,
    module: str,
    *arguments: str,
    environment: dict[str, str] | None = None,
) -> ProcessSpec:
    argv = (sys.executable, "-m", module, *arguments)
    return ProcessSpec(name=name, machine=machine, argv=argv, environment=environment or {})
