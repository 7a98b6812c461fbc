"""The way of a prefix: from an address on a node to the kernel of a real router, and back."""

import asyncio
import json
import sys
from collections.abc import Mapping

from rich.console import Console

from benchmarks.figures import summarize
from benchmarks.world import Figures
from playground import daemons
from playground.cluster import Cluster
from playground.daemons import gobgp_socket
from playground.router import Router
from playground.topology import Machine

SINGLES, BURST = 100, 1000
SOON = 60.0
MAKE_LINK = (
    "ip link add kube-lb0 type dummy || ip link add kube-lb0 type ifb; ip link set kube-lb0 up"
)
CONFIGURATION = {
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
FRR = """
log stdout
router bgp 64513
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 neighbor 192.0.2.11 remote-as 64512
 neighbor 192.0.2.11 timers connect 1
 neighbor 192.0.2.11 advertisement-interval 0
"""


async def measure(cluster: Cluster, console: Console) -> Figures:
    """Measure address → router's kernel and back, one by one and a thousand at once."""
    node = cluster.topology.nodes[0]
    await cluster.run(node.name, "sh", "-c", MAKE_LINK)
    router = Router(cluster, "router", FRR)
    await router.start()
    await cluster.start(daemons.sidecar(node, cluster.kubeconfig))
    await cluster.api.apply(CONFIGURATION)
    path = "/apis/bgp.purelb.io/v1/bgpnodestatuses"
    async with asyncio.timeout(SOON):
        async for _, found in cluster.api.watch(path):
            states = [one["state"] for one in found.get("status", {}).get("neighbors") or ()]
            if states == ["Established"]:
                break
    console.print(f"  {SINGLES} addresses one by one")
    figures = await _singles(cluster, node)
    console.print(f"  {BURST} addresses at once")
    figures |= await _burst(cluster, node)
    return figures | _footprint(cluster, node)


async def _singles(cluster: Cluster, node: Machine) -> Figures:
    done, there, gone = await _play(cluster, node, "single", SINGLES, SINGLES)
    adds = {address: at for at, what, address in done if what == "add"}
    removes = {address: at for at, what, address in done if what == "remove"}
    return {
        "bgp_address_to_router_ms": summarize([1e3 * (there[a] - adds[a]) for a in adds]),
        "bgp_withdraw_to_router_ms": summarize([1e3 * (gone[a] - removes[a]) for a in removes]),
    }


async def _burst(cluster: Cluster, node: Machine) -> Figures:
    done, there, gone = await _play(cluster, node, "burst", BURST, BURST)
    times = {what: at for at, what, _ in done}
    return {
        "bgp_burst_to_router_s": round(max(there.values()) - times["add"], 3),
        "bgp_burst_withdraw_to_router_s": round(max(gone.values()) - times["remove"], 3),
        "bgp_burst_addresses_added_s": round(times["added"] - times["add"], 3),
    }


async def _play(
    cluster: Cluster, node: Machine, what: str, count: int, routes: int
) -> tuple[list[tuple[float, str, str]], Mapping[str, float], Mapping[str, float]]:
    """Return what was done on the node, and when each route came and went in the router."""
    there: dict[str, float] = {}
    gone: dict[str, float] = {}
    probe = (sys.executable, "-m", "benchmarks.routeprobe")
    async with cluster.running("router", *probe, "watch") as lines:
        await lines.readline()
        playing = asyncio.create_task(cluster.run(node.name, *probe, what, str(count), seconds=300))
        async with asyncio.timeout(300):
            while len(gone) < routes:
                at, kind, address = json.loads(await lines.readline())
                (there if kind == "there" else gone).setdefault(address, at)
        output = (await playing).stdout
    done = [
        (float(at), str(kind), str(address))
        for at, kind, address in map(json.loads, output.splitlines())
    ]
    return done, there, gone


def _footprint(cluster: Cluster, node: Machine) -> Figures:
    """Return the memory of the sidecar and of its engine, in MB."""
    marks = {"bgp_sidecar_rss_mb": "-m\0bgp\0", "bgp_engine_rss_mb": str(gobgp_socket(node))}
    found: Figures = {}
    for entry in (cluster.paths.root / "proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            command = (entry / "cmdline").read_text()
            status = (entry / "status").read_text()
        except OSError:
            continue
        for name, mark in marks.items():
            if mark in command:
                size = next(line for line in status.splitlines() if line.startswith("VmRSS"))
                found[name] = round(int(size.split()[1]) / 1024, 1)
    return found
