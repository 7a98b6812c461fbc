"""What one node agent takes: with a thousand addresses of its own, and in a large cluster.

The other nodes of the large cluster are Leases only: they win their elections and do nothing.
"""

import asyncio
import datetime
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from rich.console import Console

from benchmarks.probe import side_by_side
from benchmarks.world import Figures, cpu_seconds, memory
from playground import daemons
from playground.api import path_of
from playground.cluster import Cluster
from purelb.api import annotations
from purelb.api.views import LEASE_PREFIX

PAIRS, LARGE = 500, 10_000  # dual-stack Services; Services in the large cluster
NODES = 100  # of the large cluster
WIDE = "10.8.0.1/16"  # the node's own address in the network of the pool
NETWORK6 = "2001:db8:0:1::/64"
GROUP = {
    "apiVersion": "purelb.io/v2",
    "kind": "ServiceGroup",
    "metadata": {"name": "wide", "namespace": "purelb-system"},
    "spec": {
        "local": {
            "v4pool": {"pool": "10.8.64.0-10.8.127.255", "subnet": "10.8.0.0/16"},
            "v6pool": {"pool": "2001:db8:0:1::1:0/112", "subnet": NETWORK6},
        }
    },
}
CONFIG = {
    "apiVersion": "purelb.io/v2",
    "kind": "LBNodeAgent",
    "metadata": {"name": "default", "namespace": "purelb-system"},
    "spec": {"local": {"localInterface": "default"}},
}
LEASE_SECONDS = 10.0
SETTLE, IDLE = 60.0, 60.0  # seconds; Events of a thousand addresses take forty
PATIENCE = 300.0  # seconds for what takes long on a slow machine


async def agent(cluster: Cluster, console: Console) -> Figures:
    """Measure a node agent's cold start, audits, idle CPU and memory."""
    node = cluster.topology.nodes[0]
    await cluster.run(node.name, "ip", "address", "add", WIDE, "dev", node.main.name)
    for body in (GROUP, CONFIG):
        await cluster.api.create(body)
    await cluster.start(daemons.allocator(cluster.kubeconfig))
    pair = {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}
    await _services(cluster, (_service(f"pair-{n}", pair) for n in range(PAIRS)))
    console.print(f"  cold start with {2 * PAIRS} addresses")
    figures = await _cold_start(cluster, PAIRS)
    console.print(f"  idle for {IDLE:.0f} s")
    figures |= await _idle(cluster, f"agent_{2 * PAIRS}_local")
    console.print(f"  {LARGE} Services on {NODES} nodes")
    await side_by_side([partial(cluster.api.create, _lease(n)) for n in range(1, NODES)])
    single = {"ipFamilies": ["IPv4"]}
    others = (_service(f"single-{n}", single) for n in range(LARGE - PAIRS))
    await _services(cluster, others)
    return figures | await _idle(cluster, f"agent_{LARGE}_services")


async def _cold_start(cluster: Cluster, count: int) -> Figures:
    """Return the seconds from the start of the process to the last first announcement.

    The kernel looks for duplicates of an IPv6 address for up to two of these.
    """
    argv = (sys.executable, "-m", "benchmarks.frames", "--count", str(count))
    async with cluster.running(cluster.nodes[1], *argv) as lines, asyncio.timeout(PATIENCE):
        await lines.readline()  # it listens
        spec = daemons.agent(
            cluster.topology.nodes[0], cluster.kubeconfig, lease_seconds=LEASE_SECONDS
        )
        begun = time.time()
        await cluster.start(spec)
        rows = [(await lines.readline()).decode().split() for _ in range(2)]
    return {f"agent_cold_start_s.{family}": round(float(at) - begun, 3) for family, at in rows}


async def _idle(cluster: Cluster, prefix: str) -> Figures:
    """Return what the agent takes while nothing happens."""
    await asyncio.sleep(SETTLE)
    name = f"nodeagent-{cluster.nodes[0]}"
    (pid,) = (process.pid for process in await cluster.processes() if process.name == name)
    before, cpu, begun = await _series(cluster), cpu_seconds(cluster, pid), time.monotonic()
    await asyncio.sleep(IDLE)
    used, passed = cpu_seconds(cluster, pid) - cpu, time.monotonic() - begun
    after = await _series(cluster)
    audits = {
        part: after[f"purelb_lbnodeagent_audit_seconds_{part}"]
        - before[f"purelb_lbnodeagent_audit_seconds_{part}"]
        for part in ("sum", "count")
    }
    return {
        f"{prefix}.idle_cpu_percent": round(100 * used / passed, 2),
        f"{prefix}.audit_ms": round(1000 * audits["sum"] / audits["count"], 1),
        f"{prefix}.rss_mb": memory(cluster, pid),
        f"{prefix}.held": sum(name.startswith("purelb_lbnodeagent_announced{") for name in after),
    }


async def _series(cluster: Cluster) -> dict[str, float]:
    """Return the agent's metrics, by name and labels."""
    node = cluster.topology.nodes[0]
    reply = await cluster.fetch(f"http://{node.main.v4.ip}:7472/metrics", machine=node.name)
    lines = reply.body.decode().splitlines()
    rows = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in rows}


async def _services(cluster: Cluster, bodies: Iterable[dict[str, Any]]) -> None:
    """Create Services, and wait until all of them have their addresses."""
    wanted = list(bodies)
    names = {body["metadata"]["name"] for body in wanted}
    calls: list[Callable[[], Awaitable[object]]] = [
        partial(cluster.api.create, body) for body in wanted
    ]
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        tasks.create_task(side_by_side(calls))
        async for _, found in cluster.api.watch(path_of("Service", "default")):
            if found.get("status", {}).get("loadBalancer", {}).get("ingress"):
                names.discard(found["metadata"]["name"])
            if not names:
                break


def _service(name: str, families: dict[str, Any]) -> dict[str, Any]:
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}], **families}
    keys = {annotations.SERVICE_GROUP: "wide"}
    metadata = {"name": name, "namespace": "default", "annotations": keys}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _lease(number: int) -> dict[str, Any]:
    """Build the Lease of a node that is only said to be there, for an hour."""
    now = datetime.datetime.now(datetime.UTC)
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": f"{LEASE_PREFIX}other-{number}",
            "namespace": "purelb-system",
            "annotations": {annotations.LEASE_SUBNETS: f"10.8.0.0/16,{NETWORK6}"},
        },
        "spec": {
            "holderIdentity": f"other-{number}",
            "leaseDurationSeconds": 3600,
            "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
    }
