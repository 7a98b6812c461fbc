"""The demo's part about BGP: an address that a router spreads over all nodes.

Belongs here: what is installed for it and how it is judged. Does not: the other steps (`demo`).
"""

import asyncio
import shutil
import time
from collections import Counter
from typing import Any

from playground import daemons, frr
from playground.cluster import Cluster
from playground.demoview import Outcome
from playground.pods import SELECTOR
from playground.router import Router

NAME = "far"
ADDRESS = "203.0.113.1"
SOON = 60.0
FLOWS = 60
INSTALL = "apt-get install gobgpd frr"
CONFIG = """
log stdout
router bgp 64513
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 neighbor nodes peer-group
 neighbor nodes remote-as 64512
 bgp listen range 192.0.2.0/24 peer-group nodes
"""
GROUP = {
    "apiVersion": "purelb.io/v2",
    "kind": "ServiceGroup",
    "metadata": {"name": NAME, "namespace": "purelb-system"},
    "spec": {
        "remote": {
            "v4pool": {
                "pool": f"{ADDRESS}-203.0.113.9",
                "subnet": "203.0.113.0/24",
                "aggregation": "/32",
            }
        }
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": NAME,
        "namespace": "default",
        "annotations": {"purelb.io/service-group": NAME},
    },
    "spec": {
        "type": "LoadBalancer",
        "selector": dict(SELECTOR),
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        # Else a node's proxy would choose the pod once more, and hide the router's choice.
        "externalTrafficPolicy": "Local",
        "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
    },
}
CONFIGURATION: dict[str, Any] = {
    "apiVersion": "bgp.purelb.io/v1",
    "kind": "BGPConfiguration",
    "metadata": {"name": "default", "namespace": "purelb-system"},
    "spec": {
        "global": {"asn": 64512},
        "neighbors": [
            {
                "config": {"neighborAddress": "192.0.2.1", "peerAsn": 64513},
                "timers": {"config": {"connectRetry": 5}},
            }
        ],
        "netlinkImport": {"enabled": True, "interfaceList": ["kube-lb0"]},
    },
}


def obstacle() -> str:
    """Return why this part is left out, empty if it is not."""
    there = frr.is_installed() and shutil.which("gobgpd") is not None
    return "" if there else f"left out: it needs gobgpd and FRR ({INSTALL})"


async def route(cluster: Cluster) -> Outcome:
    """Let FRR learn an address from every node and spread connections over them."""
    if why := obstacle():
        return Outcome(True, why)
    router = Router(cluster, "router", CONFIG)
    await router.start()
    ports = "echo 1 > /proc/sys/net/ipv4/fib_multipath_hash_policy"
    await cluster.run("router", "sh", "-c", ports)
    for machine in cluster.topology.nodes:
        await cluster.start(daemons.sidecar(machine, cluster.kubeconfig))
    begun = time.monotonic()
    for body in (GROUP, SERVICE, CONFIGURATION):
        await cluster.api.apply(body)
    hops = tuple(sorted(str(machine.main.v4.ip) for machine in cluster.topology.nodes))
    async with asyncio.timeout(SOON):
        while True:
            if (await router.routes()).get(ADDRESS) == hops:
                break
            await asyncio.sleep(0.05)
    seconds = time.monotonic() - begun
    nodes = Counter([await _node(cluster) for _ in range(FLOWS)])
    shown = ", ".join(f"{node} {count}" for node, count in sorted(nodes.items()))
    return Outcome(
        set(nodes) == set(cluster.nodes),
        f"{ADDRESS} is by way of {len(hops)} nodes after {seconds:.1f} s; connections: {shown}",
    )


async def _node(cluster: Cluster) -> str:
    async with asyncio.timeout(SOON):
        while True:
            try:
                return str((await cluster.fetch(f"http://{ADDRESS}/")).json()["node"])
            except OSError:  # the service proxy may be some milliseconds behind
                await asyncio.sleep(0.05)
