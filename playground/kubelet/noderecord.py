"""The Node as its kubelet describes it, and the heartbeat that says that the node lives."""

import asyncio
import logging
import os
import platform
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec

from playground.kubelet.status import timestamp
from purelb.runtime.clock import wall_clock
from purelb.runtime.errors import NotFoundError, PurelbError
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
STATUS_SECONDS = 10.0  # between two status writes; the Lease is the heartbeat
RENEWALS = 4  # in the duration of a Lease
RETRY_SECONDS = 0.5
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
VERSION = "v1.34.0"  # what a kubelet must claim to be for clients that compare


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What a Node says of itself; the addresses of both families, IPv4 first."""

    name: str
    addresses: Sequence[str]
    port: int  # where the kubelet serves logs


def node_body(facts: NodeFacts) -> dict[str, Any]:
    """Return a Node as its kubelet registers it."""
    labels = {
        "kubernetes.io/hostname": facts.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": _architecture(),
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": facts.name, "labels": labels},
    }


def node_status(
    facts: NodeFacts, before: Sequence[Mapping[str, Any]], now: float
) -> dict[str, Any]:
    """Return a Node's status; `before` are its conditions so far, of which foreign ones stay."""
    room = {
        "cpu": str(os.cpu_count() or 1),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 1024}Ki",
        "ephemeral-storage": "16Gi",
        "pods": "110",
    }
    internal = [{"type": "InternalIP", "address": address} for address in facts.addresses]
    return {
        "addresses": [*internal, {"type": "Hostname", "address": facts.name}],
        "capacity": room,
        "allocatable": room,
        "conditions": _conditions(before, now),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": facts.port}},
        "nodeInfo": _node_info(),
    }


class NodeReporter:
    """Registers the Node, renews its Lease and writes its status."""

    def __init__(self, kube: Kube, facts: NodeFacts, lease_seconds: float) -> None:
        self._kube, self._facts, self._lease_seconds = kube, facts, lease_seconds
        self._uid = ""
        self._path = f"/api/v1/nodes/{facts.name}"

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._repeat(self._report, STATUS_SECONDS))
            tasks.create_task(self._repeat(self._renew, self._lease_seconds / RENEWALS))

    async def _repeat(self, act: Callable[[], Awaitable[None]], seconds: float) -> NoReturn:
        while True:
            try:
                await act()
                await asyncio.sleep(seconds)
            except PurelbError as error:
                logger.warning("node %s: %s", self._facts.name, error)
                await asyncio.sleep(min(RETRY_SECONDS, seconds))

    async def _report(self) -> None:
        try:
            node = _decode(await self._kube.get(self._path))
        except NotFoundError:
            node = _decode(await self._kube.post("/api/v1/nodes", node_body(self._facts)))
        self._uid = node["metadata"]["uid"]
        before = node.get("status", {}).get("conditions") or ()
        status = node_status(self._facts, before, time.time())
        await self._kube.patch(f"{self._path}/status", {"status": status})

    async def _renew(self) -> None:
        if not self._uid:
            return  # the Lease belongs to the Node: first there must be one
        name = self._facts.name
        spec = {
            "holderIdentity": name,
            "leaseDurationSeconds": max(1, round(self._lease_seconds)),
            "renewTime": wall_clock(),
        }
        try:
            await self._kube.patch(f"{LEASES}/{name}", {"spec": spec})
        except NotFoundError:
            owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": self._uid}
            metadata = {
                "name": name,
                "namespace": "kube-node-lease",
                "ownerReferences": [owner],
            }
            body = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": metadata,
                "spec": spec,
            }
            await self._kube.post(LEASES, body)


def _conditions(before: Sequence[Mapping[str, Any]], now: float) -> list[dict[str, Any]]:
    known = {entry["type"]: entry for entry in before}
    fresh = [_condition("Ready", "True", "KubeletReady", "the kubelet runs Pods")]
    fresh += [
        _condition(name, "False", f"KubeletHasNo{name}", "nobody looks") for name in PRESSURES
    ]
    mine = {entry["type"] for entry in fresh}
    for entry in fresh:
        old = known.get(entry["type"], {})
        is_same = old.get("status") == entry["status"] and "lastTransitionTime" in old
        entry["lastTransitionTime"] = old["lastTransitionTime"] if is_same else timestamp(now)
        entry["lastHeartbeatTime"] = timestamp(now)
    return [*fresh, *(dict(entry) for name, entry in known.items() if name not in mine)]


def _condition(type_: str, status: str, reason: str, message: str) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": message}


def _node_info() -> dict[str, str]:
    kernel = os.uname()
    return {
        "architecture": _architecture(),
        "bootID": "",
        "containerRuntimeVersion": "process://1",
        "kernelVersion": kernel.release,
        "kubeProxyVersion": "",
        "kubeletVersion": VERSION,
        "machineID": "",
        "operatingSystem": "linux",
        "osImage": "network namespace",
        "systemUUID": "",
    }


def _architecture() -> str:
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _decode(answer: bytes) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(answer)
    return body
