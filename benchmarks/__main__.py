"""`make bench`: every measurement in its own fresh world, figures as tables and as JSON."""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console

from benchmarks import allocator, bgp, core, election, failover, heartbeats, plugin
from benchmarks.agent import agent
from benchmarks.figures import save, show, summarize
from benchmarks.world import Figures, footprint, probe
from playground.cluster import Cluster
from playground.planes import Kind
from playground.processes import ProcessSpec
from purelb.api.views import LEASE_PREFIX

MANIFEST = Path(__file__).parent / "manifests.yaml"
CREATES, BURST, DRIFTS = 100, 1000, 200
LEASE_SECONDS = 10.0
SOON = 60.0

Bench = Callable[[Cluster, Console], Awaitable[Figures]]


async def start_daemons(cluster: Cluster) -> None:
    """Start allocator and agents, and wait until every node is in the election."""
    await cluster.api.apply_file(MANIFEST)
    await cluster.start_daemons(lease_seconds=LEASE_SECONDS)
    leases: set[str] = set()
    path = "/apis/coordination.k8s.io/v1/namespaces/purelb-system/leases"
    async with asyncio.timeout(SOON):
        async for _, lease in cluster.api.watch(path):
            if lease["metadata"]["name"].startswith(LEASE_PREFIX):
                leases.add(lease["metadata"]["name"])
            if len(leases) >= len(cluster.nodes):
                return


async def create(cluster: Cluster, console: Console) -> Figures:
    """Measure create → address → NIC and delete → withdrawn, after the floor of the same server."""
    for role, machine in (("allocator", "control"), ("agent", cluster.nodes[0])):
        name = f"floor-{role}"
        environment = {"KUBECONFIG": str(cluster.kubeconfig(name))}
        argv = (sys.executable, "-m", "benchmarks.floor", role)
        await cluster.start(
            ProcessSpec(name=name, machine=machine, argv=argv, environment=environment)
        )
        await _until_said(cluster, name, "watching")
    console.print("  the floor: two trivial clients")
    floor = await probe(cluster, "create", CREATES)
    for role in ("allocator", "agent"):
        await cluster.kill(f"floor-{role}")
    console.print("  allocator and agents")
    await start_daemons(cluster)
    ours = await probe(cluster, "create", CREATES)
    figures: Figures = {f"floor_{name}": summarize(values) for name, values in floor.items()}
    figures |= {name: summarize(values) for name, values in ours.items()}
    figures["create_to_vip_ratio_to_floor"] = _ratio(ours, floor, "create_to_vip_ms")
    return figures


async def burst(cluster: Cluster, console: Console) -> Figures:
    """Measure a burst of Services, next to bare PATCHes of as many on the same server.

    Bare PATCHes are measured twice: on a server that nobody watches, and with the daemons' watches
    connected, as they are in the burst: their events are part of the price of every write.
    """
    console.print(f"  raw PATCH of {BURST} Services that nobody watches")
    alone = (await probe(cluster, "patch", BURST))["raw_patch_per_s"][0]
    await start_daemons(cluster)
    console.print(f"  raw PATCH of {BURST} Services of a foreign class, watched by the daemons")
    raw = (await probe(cluster, "patch", BURST))["raw_patch_per_s"][0]
    console.print(f"  burst of {BURST} Services")
    created = (await probe(cluster, "burst", BURST))["burst_services_per_s"][0]
    console.print(f"  {BURST} Services that wait for their ServiceGroup")
    waiting = (await probe(cluster, "pending", BURST))["burst_pending_services_per_s"][0]
    figures: Figures = {
        "raw_patch_alone_per_s": round(alone, 1),
        "raw_patch_per_s": round(raw, 1),
        "burst_services_per_s": round(created, 1),
        "burst_ratio_to_raw_patch": round(created / raw, 3),
        "burst_pending_services_per_s": round(waiting, 1),
        "burst_pending_ratio_to_raw_patch": round(waiting / raw, 3),
    }
    return figures | await footprint(cluster)


async def drift(cluster: Cluster, console: Console) -> Figures:
    """Measure removed → back, as the node's kernel tells it."""
    await start_daemons(cluster)
    console.print(f"  {DRIFTS} removals")
    return {k: summarize(v) for k, v in (await probe(cluster, "drift", DRIFTS)).items()}


async def _until_said(cluster: Cluster, process: str, word: str) -> None:
    async with asyncio.timeout(SOON):
        while word not in cluster.log(process):  # noqa: ASYNC110  # a file has no event
            await asyncio.sleep(0.05)


def _ratio(ours: dict[str, list[float]], floor: dict[str, list[float]], name: str) -> float:
    return round(summarize(ours[name])["p50"] / summarize(floor[name])["p50"], 2)


BENCHES: dict[str, Bench] = {
    "allocator": allocator.measure,
    "create": create,
    "burst": burst,
    "drift": drift,
    "failover": failover.failover,
    "failover-leases": failover.failover_by_leases,
    "heartbeats": heartbeats.measure,
    "agent": agent,
    "bgp": bgp.measure,
}
PURE = {"core": core.measure, "election": election.measure}  # those that need no world
HOSTED = {"plugin": plugin.measure}  # those that need an API server only
NODES = {"allocator": 1, "bgp": 1, "heartbeats": 2}  # of the world, 3 otherwise


async def run(names: list[str], control_plane: str) -> None:
    """Run benchmarks one after another."""
    console = Console(highlight=False)
    for name in names:
        told = (PURE.get(name) or HOSTED.get(name) or BENCHES[name]).__doc__ or ""
        console.print(f"{name}: {told.splitlines()[0]}")
        begun = time.monotonic()
        if name in PURE:
            figures = PURE[name](console)
        elif name in HOSTED:
            figures = await HOSTED[name](console)
        else:
            async with Cluster(nodes=NODES.get(name, 3), control_plane=control_plane) as cluster:
                figures = await BENCHES[name](cluster, console)
        show(figures, console)
        save(figures)
        console.print(f"  took {time.monotonic() - begun:.0f} s")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("what", choices=["all", *PURE, *HOSTED, *BENCHES])
    parser.add_argument("--control-plane", choices=list(Kind), default=Kind.EMBEDDED)
    given = parser.parse_args()
    names = [*PURE, *HOSTED, *BENCHES] if given.what == "all" else [given.what]
    asyncio.run(run(names, given.control_plane))


if __name__ == "__main__":
    main()
