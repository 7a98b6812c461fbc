"""How long an address is nowhere, or in two places, when its node goes.

Power cuts, hung agents and clean stops of whichever node has the address, one after another; times
are those of the kernels' own events. With heartbeats, as the chart installs them, and by Leases
alone.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from benchmarks.figures import summarize
from benchmarks.world import Figures
from playground.addresswatch import AddressWatch
from playground.api import path_of
from playground.cluster import Cluster
from playground.http import Reply

MANIFEST = Path(__file__).parent / "manifests.yaml"
LEASE_SECONDS = 10.0
SOON = 60.0
ROUNDS = 20
SETTLE_SECONDS = LEASE_SECONDS + 2.0  # until a node may judge others by their Leases again


@dataclass(slots=True)
class Run:
    """A cluster with one Service, and what was measured so far, in seconds."""

    cluster: Cluster
    watch: AddressWatch
    console: Console
    address: str
    gaps: dict[str, list[float]] = field(default_factory=dict)  # from the fault to the new node
    both: dict[str, list[float]] = field(default_factory=dict)  # on two nodes at once

    async def holder(self) -> str:
        """Wait until one node has the address, and return it."""
        assert await self.watch.wait(lambda: len(self._nodes()) == 1, SOON)
        return self._nodes()[0]

    async def moved(self, node: str) -> float:
        """Wait until another node has the address; return since when (wall clock)."""
        assert await self.watch.wait(lambda: bool(set(self._nodes()) - {node}), SOON)
        holders = self.watch.holders[self.address]
        return min(at for name, at in holders.items() if name != node)

    async def note(self, what: str, begun: float, came: float, node: str) -> None:
        """Take down one move from a node; `begun` is when its fault was, or when it let go."""
        lost = self.watch.lost.get((node, self.address), begun)
        self.gaps.setdefault(what, []).append(max(0.0, came - begun))
        self.both.setdefault(what, []).append(max(0.0, lost - came))
        count = len(self.gaps[what])
        self.console.print(f"  {what} {count} of {ROUNDS}: {came - begun:.3f} s")

    def _nodes(self) -> tuple[str, ...]:
        return tuple(self.watch.nodes_with(self.address))


async def failover(cluster: Cluster, console: Console) -> Figures:
    """Measure power-off, hung agent and clean stop → the address is on another node."""
    return await _measure(cluster, console, heartbeats=True)


async def failover_by_leases(cluster: Cluster, console: Console) -> Figures:
    """Measure the same without heartbeats."""
    return await _measure(cluster, console, heartbeats=False)


async def _measure(cluster: Cluster, console: Console, *, heartbeats: bool) -> Figures:
    await cluster.api.apply_file(MANIFEST)
    await cluster.start_daemons(lease_seconds=LEASE_SECONDS, heartbeats=heartbeats)
    for node in cluster.nodes:
        await _until_known(cluster, node)
    async with AddressWatch(cluster) as watch:
        run = Run(cluster, watch, console, await _serve(cluster))
        await asyncio.sleep(SETTLE_SECONDS)
        works = (("power_off", _power_off), ("graceful_stop", _stop), ("hung_agent", _hang))
        for what, work in works:
            await _repeat(run, what, work)
    suffix = "" if heartbeats else "_by_leases"
    figures: Figures = {}
    for what in run.gaps:
        figures[f"{what}_failover_s{suffix}"] = summarize(run.gaps[what])
        figures[f"{what}_on_two_nodes_s{suffix}"] = summarize(run.both[what])
    return figures


async def _repeat(run: Run, what: str, work: Callable[[Run, str], Awaitable[None]]) -> None:
    for _ in range(ROUNDS):
        node = await run.holder()
        await work(run, node)
        await _until_known(run.cluster, node)
        await asyncio.sleep(SETTLE_SECONDS)


async def _power_off(run: Run, node: str) -> None:
    run.watch.lost.pop((node, run.address), None)
    begun = time.time()
    await run.cluster.power_off(node)
    run.watch.forget(node)
    await run.note("power_off", begun, await run.moved(node), node)
    await run.cluster.power_on(node)
    await run.watch.watch(node)


async def _stop(run: Run, node: str) -> None:
    """Stop the agent; the gap is from when its kernel let go."""
    run.watch.lost.pop((node, run.address), None)
    await run.cluster.stop(f"nodeagent-{node}")
    came = await run.moved(node)
    await run.note("graceful_stop", run.watch.lost[node, run.address], came, node)
    await run.cluster.restart(f"nodeagent-{node}")


async def _hang(run: Run, node: str) -> None:
    run.watch.lost.pop((node, run.address), None)
    begun = time.time()
    await run.cluster.signal(f"nodeagent-{node}", signal.SIGSTOP)
    await run.note("hung_agent", begun, await run.moved(node), node)
    await run.cluster.signal(f"nodeagent-{node}", signal.SIGCONT)


async def _serve(cluster: Cluster) -> str:
    body = {"apiVersion": "v1", "kind": "Service"}
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "ipFamilies": ["IPv4"]}
    metadata = {"name": "moving", "namespace": "default"}
    await cluster.api.create({**body, "metadata": metadata, "spec": spec})
    async with asyncio.timeout(SOON):
        async for _, found in cluster.api.watch(path_of("Service", "default")):
            if ingress := found.get("status", {}).get("loadBalancer", {}).get("ingress"):
                return str(ingress[0]["ip"])
    raise RuntimeError("the watch ended")


async def _until_known(cluster: Cluster, node: str) -> None:
    """Wait until a node's agent knows all members."""
    wanted = f"purelb_election_member_count {float(len(cluster.nodes))}".encode()

    def knows_all(metrics: Reply) -> bool:
        return wanted in metrics.body

    url = f"http://{cluster.topology.node(node).main.v4.ip}:7472/metrics"
    await cluster.wait_answer(url, machine=node, accept=knows_all, seconds=SOON)
