"""What heartbeats cost a node in a large network: 250 nodes, of which all but one are not there."""

import asyncio
import datetime
import secrets
import sys
import time
from typing import Any

from rich.console import Console

from benchmarks.beatstorm import peer
from benchmarks.failover import MANIFEST
from benchmarks.world import Figures, cpu_seconds
from playground import daemons
from playground.cluster import Cluster
from playground.processes import ProcessSpec
from playground.state import INSIDE, Paths
from purelb.api import annotations
from purelb.api.views import LEASE_PREFIX

NODES = 250
SETTLE, MEASURED = 30.0, 120.0  # seconds
LEASE_SECONDS = 10.0
HEARD = "purelb_lbnodeagent_heartbeats_heard_total"
PEERS = "purelb_lbnodeagent_heartbeat_peers"


async def measure(cluster: Cluster, console: Console) -> Figures:
    """Measure heartbeats a second and the CPU of one agent, with them and without."""
    await cluster.api.apply_file(MANIFEST)
    for number in range(NODES - 1):
        await cluster.api.create(_lease(number))
    cluster.paths.heartbeat_key.write_text(secrets.token_hex(32))
    shares = []
    figures: Figures = {}
    for name, key_file in (("without", ""), ("with", str(Paths(INSIDE).heartbeat_key))):
        console.print(f"  {name} heartbeats, for {MEASURED:.0f} s")
        share, more = await _run(cluster, key_file)
        shares.append(share)
        figures |= {f"heartbeats.cpu_percent_{name}": share, **more}
    return figures | {"heartbeats.cpu_percent": round(shares[1] - shares[0], 2)}


async def _run(cluster: Cluster, key_file: str) -> tuple[float, Figures]:
    """Start the agent, and the others' heartbeats if there is a key; return what it took, in %."""
    node, sender = cluster.topology.nodes
    spec = daemons.agent(node, cluster.kubeconfig, lease_seconds=LEASE_SECONDS, key_file=key_file)
    status = await cluster.start(spec)
    if key_file:
        argv = [sys.executable, "-m", "benchmarks.beatstorm", sender.main.name]
        argv += [str(sender.main.v4.ip), "--key-file", key_file]
        argv += ["--peers", str(NODES - 1), "--to", node.name]
        await cluster.start(ProcessSpec(name="storm", machine=sender.name, argv=tuple(argv)))
    await asyncio.sleep(SETTLE)
    before, cpu, begun = await _series(cluster), cpu_seconds(cluster, status.pid), time.monotonic()
    await asyncio.sleep(MEASURED)
    used, passed = cpu_seconds(cluster, status.pid) - cpu, time.monotonic() - begun
    after = await _series(cluster)
    await cluster.kill(spec.name)
    share = round(100 * used / passed, 2)
    if not key_file:
        return share, {}
    heard = round((after[HEARD] - before[HEARD]) / passed, 1)
    return share, {"heartbeats.per_s": heard, "heartbeats.peers": after[PEERS]}


async def _series(cluster: Cluster) -> dict[str, float]:
    """Return the agent's metrics without labels."""
    node = cluster.topology.nodes[0]
    reply = await cluster.fetch(f"http://{node.main.v4.ip}:7472/metrics", machine=node.name)
    lines = reply.body.decode().splitlines()
    rows = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in rows}


def _lease(number: int) -> dict[str, Any]:
    """Build the Lease of a node that is only said to be there, for an hour."""
    now = datetime.datetime.now(datetime.UTC)
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": f"{LEASE_PREFIX}{peer(number)}",
            "namespace": "purelb-system",
            "annotations": {
                annotations.LEASE_SUBNETS: "192.0.2.0/24,2001:db8:0:1::/64",
                annotations.LEASE_HEARTBEATS: "true",
            },
        },
        "spec": {
            "holderIdentity": peer(number),
            "leaseDurationSeconds": 3600,
            "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
    }
