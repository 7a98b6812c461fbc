"""Random faults for as long as you like, with a witness on the wire that asks who has each address.

    python -m playground.chaos --seconds 3600 --seed 7

Agents are killed, stopped and hung; nodes lose power, the network or the API server; links flap;
the server refuses, hangs and fails. At the end it says for how long two nodes answered for one
address, and how long nobody did, by what had happened before. Clocks cannot be set in a namespace.
"""

import argparse
import asyncio
import contextlib
import json
import random
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playground.api import Api, path_of
from playground.cluster import Cluster
from playground.http import Reply
from playground.timeline import Span, doubles, silences

MANIFEST = Path(__file__).parent / "manifests/default.yaml"
LEASE_SECONDS = 10.0
SERVICES = 6
PERIOD = 0.04  # seconds between two questions of the witness
WITNESS = "router"
SOON = 60.0
MOST_DOUBLE = 0.3  # seconds for which two may answer: whoever was paused yields within that
# Seconds without an answer that a fault explains: by heartbeats, or by Lease and kernel lifetime.
QUICK, SLOW = 2.5, LEASE_SECONDS + 3.0
Fault = Callable[["Chaos", str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the witness saw; `unexplained` silences are longer than any fault before them allows."""

    faults: dict[str, int]
    doubles: list[Span]
    silences: dict[str, list[Span]]
    unexplained: list[Span]

    @property
    def longest_double(self) -> float:
        """Seconds for which two answered at the longest."""
        return max((span.seconds for span in self.doubles), default=0.0)

    def lines(self) -> list[str]:
        """Return it in words."""
        total = sum(span.seconds for span in self.doubles)
        words = [f"faults: {json.dumps(self.faults)}"]
        words.append(f"two answered: {total:.3f} s in all, {self.longest_double:.3f} s at most")
        for kind, spans in sorted(self.silences.items()):
            longest = max(span.seconds for span in spans)
            words.append(f"silent after {kind}: {len(spans)} times, {longest:.2f} s at most")
        words += [f"unexplained: {span}" for span in self.unexplained]
        return words


@dataclass(slots=True)
class Chaos:
    """A cluster under faults. `answers` are those of the witness by address."""

    cluster: Cluster
    dice: random.Random
    answers: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    log: list[tuple[float, float, str]] = field(default_factory=list)  # begun, ended, fault

    async def run(self, seconds: float) -> Report:
        """Let faults happen, one or two at a time, then wait until all is well."""
        until = time.time() + seconds
        while time.time() < until:
            fault = self.dice.choice(FAULTS)
            node = self.dice.choice(self.cluster.nodes)
            begun = time.time()
            await fault(self, node)
            self.log.append((begun, time.time(), fault.__name__))
            await self.settle()
        return self.report(time.time())

    async def settle(self) -> None:
        """Wait until every agent knows all members, or just for a moment: faults may overlap."""
        if self.dice.random() < 0.3:
            await asyncio.sleep(self.dice.uniform(0.2, 3.0))
            return
        for node in self.cluster.nodes:
            await until_known(self.cluster, node)
        await asyncio.sleep(self.dice.uniform(0.5, LEASE_SECONDS + 2.0))

    def report(self, until: float) -> Report:
        """Sum up what the witness saw."""
        counts: dict[str, int] = {}
        for _, _, kind in self.log:
            counts[kind] = counts.get(kind, 0) + 1
        both = [s for a, seen in self.answers.items() for s in doubles(a, seen, PERIOD)]
        quiet = [s for a, seen in self.answers.items() for s in silences(a, seen, PERIOD, until)]
        by_kind: dict[str, list[Span]] = {}
        unexplained = []
        for span in quiet:
            kinds = {k for b, e, k in self.log if b <= span.ended and span.begun <= e + SLOW}
            by_kind.setdefault("+".join(sorted(kinds)) or "nothing", []).append(span)
            if span.seconds > max((LIMITS.get(kind, SLOW) for kind in kinds), default=0.5):
                unexplained.append(span)
        return Report(faults=counts, doubles=both, silences=by_kind, unexplained=unexplained)

    async def outage(self, *faults: dict[str, Any], clients: tuple[str, ...] = ()) -> None:
        """Break the API server, for all or for some clients; without faults it is whole again."""
        async with Api(self.cluster.paths.faults) as control:
            wanted = {
                f"f{number}": {**fault, "clients": list(clients)}
                for number, fault in enumerate(faults)
            }
            await control.put("/faults", {"faults": wanted})
            if {"action": "stall"} not in faults:
                await control.post("/drop-watches", {})


async def power(chaos: Chaos, node: str) -> None:
    """Take a node's power for a while."""
    await chaos.cluster.power_off(node)
    await asyncio.sleep(chaos.dice.uniform(1.0, 15.0))
    await chaos.cluster.power_on(node)


async def kill(chaos: Chaos, node: str) -> None:
    """Kill an agent; it is started again at once, as the kubelet would, or after a while."""
    await chaos.cluster.kill(f"nodeagent-{node}")
    await asyncio.sleep(chaos.dice.choice([0.0, 1.0, 15.0]))
    await chaos.cluster.restart(f"nodeagent-{node}")


async def stop(chaos: Chaos, node: str) -> None:
    """Stop an agent in order, and start it again."""
    await chaos.cluster.stop(f"nodeagent-{node}")
    await chaos.cluster.restart(f"nodeagent-{node}")


async def hang(chaos: Chaos, node: str) -> None:
    """Stop an agent by SIGSTOP for some seconds."""
    await chaos.cluster.signal(f"nodeagent-{node}", signal.SIGSTOP)
    await asyncio.sleep(chaos.dice.choice([0.5, 2.0, 5.0, 30.0]))
    await chaos.cluster.signal(f"nodeagent-{node}", signal.SIGCONT)


async def cut(chaos: Chaos, node: str) -> None:
    """Cut a node off everything."""
    machines = (*chaos.cluster.nodes, "router", "client")
    await chaos.cluster.partition([node], [name for name in machines if name != node])
    await asyncio.sleep(chaos.dice.choice([0.3, 2.0, 5.0, 20.0]))
    await chaos.cluster.heal()


async def flap(chaos: Chaos, node: str) -> None:
    """Pull a node's cable for a while."""
    await chaos.cluster.flap(node, seconds=chaos.dice.choice([0.1, 1.0, 5.0]))


async def api_of_one(chaos: Chaos, node: str) -> None:
    """Let one agent's requests to the API fail."""
    faults = chaos.dice.choice(([{"action": "refuse"}], [{"action": "hang"}, {"action": "stall"}]))
    await chaos.outage(*faults, clients=(f"nodeagent-{node}",))
    await asyncio.sleep(chaos.dice.choice([2.0, 20.0]))
    await chaos.outage()


async def api_of_all(chaos: Chaos, _: str) -> None:
    """Break the API server for all."""
    error = {"action": "fail", "code": 503}
    ways: tuple[list[dict[str, Any]], ...] = (
        [{"action": "refuse"}],
        [{"action": "hang"}, {"action": "stall"}],
        [error, {"action": "stall"}],
    )
    await chaos.outage(*chaos.dice.choice(ways))
    await asyncio.sleep(chaos.dice.choice([3.0, 25.0]))
    await chaos.outage()


FAULTS: tuple[Fault, ...] = (power, kill, stop, hang, cut, flap, api_of_one, api_of_all)
LIMITS = {"power": QUICK, "stop": QUICK, "cut": QUICK, "flap": QUICK, "api_of_all": QUICK}


@contextlib.asynccontextmanager
async def under_watch(seed: int, nodes: int = 3) -> AsyncIterator[Chaos]:
    """Run a cluster with heartbeats and Services whose addresses a witness asks for."""
    async with Cluster(nodes=nodes) as cluster:
        try:
            await cluster.api.apply_file(MANIFEST)
            await cluster.start_daemons(lease_seconds=LEASE_SECONDS, heartbeats=True)
            for node in cluster.nodes:
                await until_known(cluster, node)
            addresses = [await serve(cluster, f"chaos-{number}") for number in range(SERVICES)]
            await asyncio.sleep(LEASE_SECONDS + 2.0)
            command = (sys.executable, "-m", "playground.observer", "eth0", f"{PERIOD:g}")
            async with cluster.running(WITNESS, *command, *addresses) as lines:
                assert await lines.readline() == b"{}\n"
                chaos = Chaos(cluster, random.Random(seed))
                watching = asyncio.create_task(_watch(chaos, lines))
                yield chaos
                watching.cancel()
                await asyncio.wait([watching])
        except BaseException:
            for process in await cluster.processes():
                print(f"==== {process.name} {process.returncode}")
                print(cluster.log(process.name)[-6000:])
            raise


async def serve(cluster: Cluster, name: str) -> str:
    """Create a Service, and return its address."""
    body = {"apiVersion": "v1", "kind": "Service"}
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "ipFamilies": ["IPv4"]}
    await cluster.api.create(
        {**body, "metadata": {"name": name, "namespace": "default"}, "spec": spec}
    )
    async with asyncio.timeout(SOON):
        query = {"fieldSelector": f"metadata.name={name}"}
        async for _, found in cluster.api.watch(path_of("Service", "default"), **query):
            if ingress := found.get("status", {}).get("loadBalancer", {}).get("ingress"):
                return str(ingress[0]["ip"])
    raise RuntimeError("the watch ended")


async def until_known(cluster: Cluster, node: str) -> None:
    """Wait until a node's agent knows all members."""
    wanted = f"purelb_election_member_count {float(len(cluster.nodes))}".encode()

    def knows_all(metrics: Reply) -> bool:
        return wanted in metrics.body

    url = f"http://{cluster.topology.node(node).main.v4.ip}:7472/metrics"
    await cluster.wait_answer(url, machine=node, accept=knows_all, seconds=SOON)


async def _watch(chaos: Chaos, lines: asyncio.StreamReader) -> None:
    while line := await lines.readline():
        found = json.loads(line)
        chaos.answers.setdefault(found["ip"], []).append((found["at"], found["mac"]))


async def _play(seconds: float, seed: int) -> Report:
    async with under_watch(seed) as chaos:
        return await chaos.run(seconds)


def main() -> int:
    """Play, and say what the witness saw; 1 if that must not be."""
    parser = argparse.ArgumentParser(prog="python -m playground.chaos")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    report = asyncio.run(_play(given.seconds, given.seed))
    print("\n".join(report.lines()))
    return 1 if report.longest_double > MOST_DOUBLE or report.unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
