"""The allocator alone beside one API server: rate, memory, cost per Service and restart.

The rates stand beside those of bare status PATCHes of as many Services on the same server, with
bodies as large as the allocator's: once with no watch but the probe's, and once with the
allocator's, whose events are part of the price of each of its own writes. A burst of new Services
shares the server with the POSTs that create them, and stands beside bare pairs of POST and PATCH as
well; one of Services that wait for their ServiceGroup is nothing but PATCHes.
"""

import asyncio
import os
import time
from pathlib import Path

from rich.console import Console

from benchmarks.world import Figures, cpu_seconds, memory, probe
from playground import daemons
from playground.cluster import Cluster
from playground.processes import ProcessStatus

MANIFEST = Path(__file__).parent / "manifests.yaml"
COUNT = int(os.environ.get("BENCH_COUNT", "10000"))
SAMPLE = 1000  # Services whose cost is compared: beside no others, and beside COUNT
READY = "http://127.0.0.1:7472/readyz"
SOON = 120.0
QUIET = 10.0  # seconds in which an allocator writes what is left, or shows that nothing is


async def measure(cluster: Cluster, console: Console) -> Figures:
    """Measure bursts beside bare PATCHes of as many Services, then restart with all of them."""
    console.print(f"  raw PATCH of {COUNT} Services that only the probe watches")
    alone = (await probe(cluster, "patch", COUNT))["raw_patch_per_s"][0]
    await cluster.api.apply_file(MANIFEST)
    await cluster.start(daemons.allocator(cluster.kubeconfig))
    await cluster.wait_answer(READY, machine="control", accept=lambda reply: reply.status == 200)
    console.print(f"  raw PATCH of {COUNT} Services of a foreign class, watched by the allocator")
    raw = (await probe(cluster, "patch", COUNT))["raw_patch_per_s"][0]
    console.print(f"  raw POST and PATCH of {COUNT} Services of a foreign class")
    pair = (await probe(cluster, "pair", COUNT))["raw_pair_per_s"][0]
    few = await _cost(cluster, console)
    console.print(f"  {COUNT} Services that wait for their ServiceGroup")
    waiting = (await probe(cluster, "pending", COUNT))["burst_pending_services_per_s"][0]
    console.print(f"  burst of {COUNT} Services")
    burst = (await probe(cluster, "burst", COUNT, "--keep"))["burst_services_per_s"][0]
    pid = (await _allocator(cluster)).pid
    held = {
        "allocator_rss_mb": memory(cluster, pid),
        "allocator_rss_mb_peak": memory(cluster, pid, "VmHWM"),
    }
    many = await _cost(cluster, console)
    return {
        "allocator_raw_patch_alone_per_s": round(alone, 1),
        "allocator_raw_patch_per_s": round(raw, 1),
        "allocator_raw_pair_per_s": round(pair, 1),
        "allocator_pending_per_s": round(waiting, 1),
        "allocator_pending_ratio_to_raw_alone": round(waiting / alone, 3),
        "allocator_pending_ratio_to_raw": round(waiting / raw, 3),
        "allocator_burst_per_s": round(burst, 1),
        "allocator_burst_ratio_to_raw_alone": round(burst / alone, 3),
        "allocator_burst_ratio_to_raw": round(burst / raw, 3),
        "allocator_burst_ratio_to_raw_pair": round(burst / pair, 3),
        **held,
        "allocator_cpu_ms_beside_0": round(few, 3),
        f"allocator_cpu_ms_beside_{COUNT}": round(many, 3),
        "allocator_cpu_ratio": round(many / few, 2),
        **await _restart(cluster, console),
    }


async def _cost(cluster: Cluster, console: Console) -> float:
    """Return the milliseconds of the allocator's CPU that each of SAMPLE new Services takes."""
    console.print(f"  burst of {SAMPLE} Services, for the CPU time of each")
    pid = (await _allocator(cluster)).pid
    before = cpu_seconds(cluster, pid)
    await probe(cluster, "burst", SAMPLE, "--first", str(COUNT))
    return (cpu_seconds(cluster, pid) - before) / SAMPLE * 1000


async def _restart(cluster: Cluster, console: Console) -> Figures:
    console.print("  kill and restart with all addresses given")
    await asyncio.sleep(QUIET)
    await cluster.kill("allocator")
    before = await _versions(cluster)
    begun = time.perf_counter()
    await cluster.restart("allocator")
    await cluster.wait_answer(
        READY, machine="control", accept=lambda reply: reply.status == 200, seconds=SOON
    )
    ready = time.perf_counter() - begun
    await asyncio.sleep(QUIET)
    after = await _versions(cluster)
    written = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    for name in sorted(written)[:5]:
        console.print(f"  written: {name}")
    return {
        "allocator_restart_ready_s": round(ready, 2),
        "allocator_restart_writes": len(written),
    }


async def _versions(cluster: Cluster) -> dict[str, str]:
    """Return the versions of all that an allocator might write, but for its Lease."""
    found = {}
    for path in ("/api/v1/services", "/api/v1/events", "/apis/purelb.io/v2/servicegroups"):
        for item in (await cluster.api.get(path))["items"]:
            meta = item["metadata"]
            found[f"{path}/{meta['namespace']}/{meta['name']}"] = meta["resourceVersion"]
    return found


async def _allocator(cluster: Cluster) -> ProcessStatus:
    return next(one for one in await cluster.processes() if one.name == "allocator")
