"""What a person waits for: the start of kubectl purelb, and its commands in a large cluster."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from rich.console import Console

from benchmarks.figures import summarize
from benchmarks.world import Figures
from playground.apiserver import ApiServer

SERVICES, NODES = 10_000, 100
STARTS, RUNS = 15, 5
WRITERS = 32
WATCHED_SECONDS, RENEWAL_SECONDS = 20.0, 5.0
CRDS = Path(__file__).parents[1] / "crds"
INSTALL = "purelb-system"
NOWHERE = "http://127.0.0.1:1"  # refuses at once: what is left is the start
COMMANDS = (
    ("status", ["status"]),
    ("services", ["services"]),
    ("pools", ["pools"]),
    ("election", ["election"]),
    ("explain", ["explain", "shop/s77"]),
)
# The largest size of a process counts from its parent's on, so a small one is put in between.
LAUNCHER = """
import json, os, subprocess, sys, time
begun, nothing = time.monotonic(), subprocess.DEVNULL
process = subprocess.Popen(sys.argv[1:], stdout=nothing, stderr=nothing)
_, status, usage = os.wait4(process.pid, 0)
wall, process.returncode = time.monotonic() - begun, os.waitstatus_to_exitcode(status)
cpu = usage.ru_utime + usage.ru_stime
print(json.dumps([wall, cpu, usage.ru_maxrss, process.returncode]))
"""
# What a command costs while it goes on; it begins to count when the first answer is there.
WATCHER = """
import json, os, resource, signal, subprocess, sys, time
process = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE)
process.stdout.readline()
def spent():
    with open(f"/proc/{process.pid}/stat") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
before, begun = spent(), time.monotonic()
time.sleep(float(sys.argv[1]))
share = (spent() - before) / (time.monotonic() - begun)
process.send_signal(signal.SIGINT)
_, _, usage = os.wait4(process.pid, 0)
print(json.dumps([share, usage.ru_maxrss]))
"""
Object = dict[str, Any]


async def measure(console: Console) -> Figures:
    """Measure the start, and time and memory of commands at 10,000 Services and 100 nodes."""
    console.print(f"  {STARTS} starts, with all imports of status")
    starts = [await asyncio.to_thread(_run, ["status", "-s", NOWHERE], {}) for _ in range(STARTS)]
    figures: Figures = {
        "plugin_start_ms": summarize([1000 * wall for wall, _, _ in starts]),
        "plugin_start_cpu_ms": summarize([1000 * cpu for _, cpu, _ in starts]),
    }
    console.print(f"  {SERVICES} Services on {NODES} nodes")
    async with _cluster() as (url, environment):
        for name, words in COMMANDS:
            console.print(f"  {' '.join(words)}, {RUNS} times")
            runs = [await asyncio.to_thread(_run, words, environment) for _ in range(RUNS)]
            figures[f"plugin_{name}_s"] = summarize([wall for wall, _, _ in runs])
            figures[f"plugin_{name}_cpu_s"] = summarize([cpu for _, cpu, _ in runs])
            figures[f"plugin_{name}_rss_mb"] = round(max(rss for _, _, rss in runs), 1)
        console.print(f"  status --watch, {WATCHED_SECONDS:.0f} s, while Leases are renewed")
        share, rss = await _watched(url, environment)
        figures |= {"plugin_watch_cpu_share": round(share, 3), "plugin_watch_rss_mb": round(rss, 1)}
    return figures


async def _watched(url: str, environment: dict[str, str]) -> tuple[float, float]:
    """Watch `status` with Leases being renewed; return the share of a processor, and MB."""
    async with aiohttp.ClientSession(url) as http:
        renewing = asyncio.create_task(_renew(http))
        try:
            words = [sys.executable, "-m", "plugin", "status", "--watch"]
            watching = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", WATCHER, str(WATCHED_SECONDS), *words),
                env={**os.environ, **environment},
                stdout=subprocess.PIPE,
            )
            out, _ = await watching.communicate()
        finally:
            renewing.cancel()
    share, kilobytes = json.loads(out)
    return share, kilobytes / 1024


async def _renew(http: aiohttp.ClientSession) -> None:
    """Renew all Leases again and again, evenly spread."""
    headers = {"Content-Type": "application/merge-patch+json"}
    while True:
        for number in range(NODES):
            now = _now()
            path = f"/apis/coordination.k8s.io/v1/namespaces/{INSTALL}/leases"
            body = {"spec": {"renewTime": now}}
            name = f"purelb-node-node-{number}"
            async with http.patch(f"{path}/{name}", json=body, headers=headers) as reply:
                reply.raise_for_status()
            await asyncio.sleep(RENEWAL_SECONDS / NODES)


def _run(words: Sequence[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Run a command; return seconds on the wall, seconds of CPU, and its largest size in MB."""
    done = subprocess.run(
        [sys.executable, "-c", LAUNCHER, sys.executable, "-m", "plugin", *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    wall, cpu, kilobytes, code = json.loads(done.stdout)
    if code != (1 if NOWHERE in words else 0):
        raise RuntimeError(f"{' '.join(words)} ended with {code}")
    return wall, cpu, kilobytes / 1024


@asynccontextmanager
async def _cluster() -> AsyncIterator[tuple[str, dict[str, str]]]:
    """Run an API server with a large cluster; yield its URL, and the environment for commands."""
    with tempfile.TemporaryDirectory() as folder:
        async with ApiServer(crds=CRDS) as server, aiohttp.ClientSession(server.url) as http:
            for one in _objects():
                server.create(one)
            await _fill(http)
            path = Path(folder) / "kubeconfig"
            part = {"name": "bench"}
            content = {
                "current-context": "bench",
                "contexts": [{**part, "context": {"cluster": "bench", "user": "bench"}}],
                "clusters": [{**part, "cluster": {"server": server.url}}],
                "users": [{**part, "user": {}}],
            }
            path.write_text(yaml.safe_dump(content))
            yield server.url, {"KUBECONFIG": str(path)}


async def _fill(http: aiohttp.ClientSession) -> None:
    """Give every Service its address, as the allocator would."""
    room = asyncio.Semaphore(WRITERS)
    headers = {"Content-Type": "application/merge-patch+json"}

    async def give(number: int) -> None:
        body = {"status": {"loadBalancer": {"ingress": [{"ip": _address(number)}]}}}
        path = f"/api/v1/namespaces/shop/services/s{number}/status"
        async with room, http.patch(path, json=body, headers=headers) as reply:
            reply.raise_for_status()

    async with asyncio.TaskGroup() as tasks:
        for number in range(SERVICES):
            tasks.create_task(give(number))


def _address(number: int) -> str:
    return f"10.0.{number // 250}.{number % 250 + 1}"


def _objects() -> Iterator[Object]:
    for name in (INSTALL, "shop"):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    for kind, name, spec in (
        (
            "ServiceGroup",
            "default",
            {"local": {"v4pool": {"pool": "10.0.0.0/16", "subnet": "10.0.0.0/16"}}},
        ),
        ("LBNodeAgent", "default", {"local": {"localInterface": "default"}}),
    ):
        metadata = {"name": name, "namespace": INSTALL}
        yield {"apiVersion": "purelb.io/v2", "kind": kind, "metadata": metadata, "spec": spec}
    now = _now()
    for number in range(NODES):
        yield {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{number}"}}
        yield _lease(number, now)
    for number in range(SERVICES):
        yield _service(number)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _lease(number: int, now: str) -> Object:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": f"purelb-node-node-{number}",
            "namespace": INSTALL,
            "annotations": {"purelb.io/subnets": "10.0.0.0/16"},
        },
        "spec": {"leaseDurationSeconds": 86400, "renewTime": now},
    }


def _service(number: int) -> Object:
    slot = f"node-{number % NODES},eth0,{_address(number)}"
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": f"s{number}",
            "namespace": "shop",
            "annotations": {
                "purelb.io/allocated-by": "PureLB",
                "purelb.io/allocated-from": "default",
                "purelb.io/pool-type": "local",
                "purelb.io/announcing-IPv4": slot,
            },
        },
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": f"s{number}"},
            "ports": [{"port": 80, "protocol": "TCP"}],
        },
    }
