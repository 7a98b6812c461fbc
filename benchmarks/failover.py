"""How long an address is nowhere, or in two places, when its node goes.

Power cuts, clean stops, hung agents and nodes that are paused or cut off for a while, one after
another, each of whichever node has the address. Who answers is asked on the wire; what a client
behind the router notices, by echo requests. With heartbeats, as the chart installs them, and by
Leases alone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.figures import summarize
from benchmarks.world import Figures
from playground.cluster import Cluster
from playground.http import Reply
from playground.incidents import (
    HUNG,
    ISOLATED,
    STOPPED,
    WITHOUT_API,
    WITHOUT_POWER,
    Incident,
)
from playground.observations import Observations, longest, observing, pinging
from playground.services import create

MANIFEST = Path(__file__).parent / "manifests.yaml"
LEASE_SECONDS = 10.0
SOON = 60.0
ROUNDS = 20
SETTLE_SECONDS = LEASE_SECONDS + 2.0  # until a node may judge others by their Leases again
PERIOD = 0.01  # seconds between two questions
PAUSES = 2.0, 5.0, 30.0  # seconds


@dataclass(slots=True)
class Run:
    """A cluster with one address, and what was measured so far, in seconds.

    `wire` is who answers on the nodes' segment, `client` whether anybody does beyond the router.
    """

    cluster: Cluster
    wire: Observations
    client: Observations
    console: Console
    address: str
    samples: dict[str, list[float]] = field(default_factory=dict)

    async def holder(self) -> str:
        """Wait until one node answers, and the client gets through; return the node."""

        def is_served() -> bool:
            return len(self.wire.by(self.address)) == 1 and bool(self.client.by(self.address))

        while not await self.wire.wait(is_served, 0.5):
            pass
        (node,) = self.wire.by(self.address)
        return node

    async def moved(self, node: str, since: float) -> float:
        """Wait until another node answers; return when it first did."""

        def at() -> float | None:
            spans = self.wire.spans(self.address)
            others = (s.start for s in spans if s.end > since and s.by - {node})
            return min(others, default=None)

        assert await self.wire.wait(lambda: at() is not None, SOON)
        found = at()
        assert found is not None
        return max(found, since)

    async def told(self, until: float) -> None:
        """Wait until both have told all until a time."""
        for one in (self.wire, self.client):
            assert await one.wait(lambda one=one: one.until >= until, SOON)  # type: ignore[misc]

    def note(self, name: str, seconds: float) -> None:
        """Take down one sample."""
        self.samples.setdefault(name, []).append(seconds)


async def failover(cluster: Cluster, console: Console) -> Figures:
    """Measure power-off, clean stop, hung agent, pauses → the address is on another node."""
    works: list[Work] = [
        *(partial(_lose, name, incident) for name, incident in LOSSES),
        *(
            partial(_pause, incident, seconds)
            for incident in (HUNG, ISOLATED)
            for seconds in PAUSES
        ),
    ]
    return await _measure(cluster, console, works, heartbeats=True)


async def failover_by_leases(cluster: Cluster, console: Console) -> Figures:
    """Measure power-off, clean stop and hung agent without heartbeats."""
    works: list[Work] = [partial(_lose, name, incident) for name, incident in LOSSES[:3]]
    return await _measure(cluster, console, works, heartbeats=False)


LOSSES = (
    ("power_off", WITHOUT_POWER),
    ("graceful_stop", STOPPED),
    ("hung_agent", HUNG),
    ("without_api", WITHOUT_API),
)
Work = Callable[[Run, str], Awaitable[None]]


async def _measure(
    cluster: Cluster, console: Console, works: list[Work], *, heartbeats: bool
) -> Figures:
    await cluster.api.apply_file(MANIFEST)
    await cluster.start_daemons(lease_seconds=LEASE_SECONDS, heartbeats=heartbeats)
    for node in cluster.nodes:
        await _until_known(cluster, node)
    addresses = await create(cluster, 1)
    address = next(one for one in addresses if ":" not in one)
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(observing(cluster, (address,), period=PERIOD))
        client = await stack.enter_async_context(pinging(cluster, (address,), period=PERIOD))
        run = Run(cluster, wire, client, console, address)
        await run.holder()
        await asyncio.sleep(SETTLE_SECONDS)
        for work in works:
            for _ in range(ROUNDS):
                await work(run, await run.holder())
        late = [seconds for one in (wire, client) for _, seconds in one.late]
    suffix = "" if heartbeats else "_by_leases"
    figures: Figures = {f"{name}{suffix}": summarize(run.samples[name]) for name in run.samples}
    return figures | {f"failover_observer_late_s{suffix}": max(late, default=0.0)}


async def _lose(name: str, incident: Incident, run: Run, node: str) -> None:
    """Let a node go until another one has the address, and come back."""
    begun = time.time()
    await incident.begin(run.cluster, node)
    came = await run.moved(node, begun)
    run.note(f"{name}_failover_s", came - begun)
    await run.told(came + 1.0)
    run.note(f"{name}_client_gap_s", longest(run.client.silences(begun)))
    run.note(f"{name}_two_answer_s", longest(run.wire.doubles(begun)))
    await _back(name, incident, run, node)


async def _pause(incident: Incident, seconds: float, run: Run, node: str) -> None:
    """Let a node go for so many seconds, and come back."""
    begun = time.time()
    await incident.begin(run.cluster, node)
    await asyncio.sleep(seconds)
    name = f"{incident.name}_for_{seconds:.0f}_s"
    await _back(name, incident, run, node)
    run.note(f"{name}.two_answer_s", longest(run.wire.doubles(begun)))


async def _back(name: str, incident: Incident, run: Run, node: str) -> None:
    ended = time.time()
    await incident.end(run.cluster, node)
    await _until_known(run.cluster, node)
    await asyncio.sleep(SETTLE_SECONDS)
    await run.holder()
    await run.told(time.time())
    run.note(f"{name}_return_two_answer_s", longest(run.wire.doubles(ended)))
    found = run.samples.get(f"{name}_failover_s", [])
    told = f", moved after {found[-1]:.3f} s" if found else ""
    run.console.print(f"  {name} {len(run.samples[f'{name}_return_two_answer_s'])}{told}")


async def _until_known(cluster: Cluster, node: str) -> None:
    """Wait until a node's agent knows all members."""
    wanted = f"purelb_election_member_count {float(len(cluster.nodes))}".encode()

    def knows_all(metrics: Reply) -> bool:
        return wanted in metrics.body

    url = f"http://{cluster.topology.node(node).main.v4.ip}:7472/metrics"
    await cluster.wait_answer(url, machine=node, accept=knows_all, seconds=SOON)
