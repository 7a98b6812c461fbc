"""A playground's world as benchmarks see it: what is measured inside, and what it cost."""

import json
import sys

from benchmarks.figures import Figure
from playground.api import Api
from playground.cluster import Cluster

PROBE_SECONDS = 3600.0
TICKS = 100  # of /proc/PID/stat per second: USER_HZ, the same on all of Linux

Figures = dict[str, Figure]


async def probe(cluster: Cluster, what: str, count: int, *options: str) -> dict[str, list[float]]:
    """Measure one thing inside the world."""
    config = str(cluster.kubeconfig("probe"))
    argv = (sys.executable, "-m", "benchmarks.probe", what, "--count", str(count))
    nodes = ",".join(cluster.nodes)
    enter = ("env", f"KUBECONFIG={config}", *argv, "--nodes", nodes, *options)
    done = await cluster.run("control", *enter, seconds=PROBE_SECONDS)
    samples: dict[str, list[float]] = json.loads(done.stdout)
    return samples


async def footprint(cluster: Cluster) -> Figures:
    """Return memory and CPU of the daemons so far, and what they asked of the API server.

    The plain names are the largest memory of one daemon, and sums; dotted ones the details.
    """
    rss: dict[str, float] = {}
    cpu: dict[str, float] = {}
    for process in await cluster.processes():
        if process.name.startswith(("allocator", "nodeagent")):
            rss[process.name] = memory(cluster, process.pid)
            cpu[process.name] = cpu_seconds(cluster, process.pid)
    requests = await requested(cluster)
    figures: Figures = {
        "rss_mb": max(rss.values()),
        "cpu_s": round(sum(cpu.values()), 2),
        "api_requests": sum(requests.values()),
    }
    for name, details in (("rss_mb", rss), ("cpu_s", cpu), ("api_requests", requests)):
        figures |= {f"{name}.{key}": value for key, value in details.items()}
    return figures


def memory(cluster: Cluster, pid: int, line: str = "VmRSS") -> float:
    """Return a process's resident memory in MB; `VmHWM` for the most it ever had."""
    status = (cluster.paths.root / "proc" / str(pid) / "status").read_text()
    text = next(text for text in status.splitlines() if text.startswith(f"{line}:"))
    return round(int(text.split()[1]) / 1024, 1)


def cpu_seconds(cluster: Cluster, pid: int) -> float:
    """Return the CPU time that a process has used."""
    stat = (cluster.paths.root / "proc" / str(pid) / "stat").read_text()
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def requested(cluster: Cluster) -> dict[str, float]:
    """Return how often each verb was used on each resource by our daemons."""
    async with Api(cluster.paths.faults) as control:
        entries = (await control.get("/requests"))["requests"]
    counts: dict[str, float] = {}
    for entry in entries:
        if entry["client"].startswith(("allocator", "nodeagent")):
            key = f"{entry['verb']} {entry['resource']}"
            counts[key] = counts.get(key, 0) + entry["count"]
    return counts
