"""A node whose NIC a real systemd-networkd configures, with agent, allocator and a hundred VIPs."""

import asyncio
import contextlib
import ipaddress
import json
import math
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nodeagent.core.struggles import SOON
from playground import networkd
from playground.api import path_of
from playground.cluster import Cluster
from playground.nicwatch import NicWatch, Step
from playground.processes import ProcessSpec

MANIFEST = Path(__file__).parents[2] / "playground/manifests/default.yaml"
SECONDS = 60.0  # far longer than anything here takes
NODE = "node-a"
NETWORKD = f"networkd-{NODE}"
# Asks the kernel again and again which source it would choose for traffic to the gateways, while it
# can be sent at all. `alone`: the node's own address is not there or not usable.
SOURCES = """
import socket, sys, time
def is_there(family, own):
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((own, 0))
        except OSError:
            return False
        return True
def chosen(family, gateway):
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((gateway, 9))
        except OSError:
            return None
        return probe.getsockname()[0]
ours = set(sys.argv[5:])
while True:
    for family, own, gateway in (socket.AF_INET, *sys.argv[1:3]), (socket.AF_INET6, *sys.argv[3:5]):
        before = is_there(family, own)
        source = chosen(family, gateway)
        if source in ours and open("/sys/class/net/eth0/operstate").read() == "up\\n":
            how = "beside" if before and is_there(family, own) else "alone"
            print(time.time(), how, source, flush=True)
    time.sleep(0.002)
"""
REACTION = 1.0  # seconds; a loaded machine needs far more than the usual few milliseconds


@dataclass(slots=True)
class Figures:
    """What rounds have shown; delays in seconds from the own address's return to a VIP's place."""

    rounds: int = 0
    delays: list[float] = field(default_factory=list)
    kept: int = 0  # VIPs that nobody touched, summed over the rounds
    beside: list[str] = field(default_factory=list)  # VIPs chosen although the own one was there
    alone: list[float] = field(default_factory=list)  # when a VIP was all there was to choose

    def line(self, title: str) -> str:
        """Return one line for people."""
        return (
            f"{title}: {self.rounds} rounds, {len(self.delays)} VIPs put back after the node's own "
            f"address{_spread(self.delays)}, {self.kept} never touched, "
            f"{len(self.beside)} times a VIP as source beside it, "
            f"without it for {self.longest_alone * 1e3:.0f} ms at most"
        )

    @property
    def longest_alone(self) -> float:
        """For how long at a time a VIP was the source because there was no other, in seconds."""
        longest, began, last = 0.0, math.inf, -math.inf
        for at in self.alone:
            began = began if at < last + 0.05 else at
            last, longest = at, max(longest, at - began)
        return longest


class Scene:
    """A running node with its VIPs in place."""

    def __init__(self, cluster: Cluster, watch: NicWatch, vips: list[str]) -> None:
        self.cluster, self.watch, self.vips = cluster, watch, vips
        self.machine = cluster.topology.node(NODE)
        self.own = {4: str(self.machine.main.v4.ip), 6: str(self.machine.main.v6.ip)}
        self.figures = Figures()
        self._pid = 0

    async def start_networkd(self, network: str) -> None:
        """Let networkd configure the NIC, and wait until it has."""
        status = await self.cluster.start(networkd.spec(self.machine, network))
        self._pid = status.pid
        await self._until_configured(0)
        await self.until_whole()

    async def restart(self) -> None:
        """Do what a package upgrade does."""
        times = self._configured
        await self.cluster.stop(NETWORKD)
        self._pid = (await self.cluster.restart(NETWORKD)).pid
        await self._until_configured(times)

    async def flap(self) -> None:
        """Pull the cable and plug it in again."""
        times = self._configured
        await self.cluster.flap(NODE, seconds=0.5)
        await self._until_configured(times)

    @property
    def _configured(self) -> int:
        """How often networkd has configured the NIC so far."""
        return self.cluster.log(NETWORKD).count(networkd.CONFIGURED)

    async def _until_configured(self, times: int) -> None:
        async with asyncio.timeout(SECONDS):
            while self._configured <= times:  # noqa: ASYNC110  # a file has no event
                await asyncio.sleep(0.02)

    async def reload(self) -> None:
        """Rewrite the .network file, with the same content, and let networkd read it.

        After a while: reloads that follow each other at once are a fight, and waited with.
        """
        await asyncio.sleep(SOON)
        path = f"{networkd.state(self.machine)}/systemd/network/10-nic.network"
        times = self._configured
        await self.cluster.run(NODE, "sh", "-c", f"cp {path} {path}.new; mv {path}.new {path}")
        await self.cluster.run(NODE, *networkd.control(self._pid, "reload"))
        await self._until_configured(times)

    async def swap(self) -> list[float]:
        """Let VIPs stand before the node's own address; returns for how long each was away then.

        The agent hangs meanwhile, so that it finds the wrong order only later.
        """
        agent, nic = f"nodeagent-{NODE}", self.machine.main
        own, gateway = f"{nic.v4} dev {nic.name}", self.cluster.topology.gateway(4)
        await self.cluster.signal(agent, signal.SIGSTOP)
        script = f"ip addr del {own}; ip addr add {own}; ip route replace default via {gateway}"
        await self.cluster.run(NODE, "sh", "-c", script)
        first = len(self.watch.steps)
        await self.cluster.signal(agent, signal.SIGCONT)
        await self.until_whole()
        gone: dict[str, float] = {}
        outages: dict[str, float] = {}

        def note() -> bool:
            for step in self.watch.steps[first:]:
                if step.is_gone:
                    gone.setdefault(step.address, step.at)
                elif step.address in gone:
                    outages.setdefault(step.address, step.at - gone[step.address])
            return len(outages) == len(self.vips) / 2

        assert await self.watch.wait(note, SECONDS), f"{len(outages)} were put behind"
        return list(outages.values())

    async def start_dhcp(self) -> None:
        """Let a DHCP server run on the router, with leases of four seconds."""
        server, nic = self.cluster.topology.router.main, self.machine.main
        argv = (sys.executable, "-m", "playground.dhcp", "--nic", server.name)
        options = ("--server", str(server.v4), "--seconds", "4", "--give", f"{nic.mac}={nic.v4}")
        await self.cluster.start(ProcessSpec(name="dhcp", machine="router", argv=(*argv, *options)))
        await self.cluster.wait_log("dhcp", "serving")

    async def renewal(self) -> None:
        """Wait for the renewal of the DHCP lease."""
        times = self.cluster.log("dhcp").count("renewed")
        async with asyncio.timeout(SECONDS):
            while self.cluster.log("dhcp").count("renewed") == times:  # noqa: ASYNC110  # a file
                await asyncio.sleep(0.02)

    async def lapse(self) -> None:
        """Have no DHCP server until the lease has ended, and then one again."""
        own = self.own[4]
        await self.cluster.kill("dhcp")
        assert await self.watch.wait(lambda: not self.watch.is_usable(own), SECONDS)
        await self.cluster.restart("dhcp")
        assert await self.watch.wait(lambda: self.watch.is_usable(own), SECONDS)

    async def round(self, disturb: Callable[[], Awaitable[None]]) -> None:
        """Disturb, wait until all is well again, and take the figures."""
        first = len(self.watch.steps)
        await disturb()
        await self.until_whole()
        wanted = {*self.vips, *self.own.values()}
        assert await self.watch.wait(
            lambda: wanted <= {address for address, _ in self.watch.present}, SECONDS
        )
        self._measure(self.watch.steps[first:])
        self.figures.rounds += 1

    async def until_whole(self) -> None:
        """Wait until the node is as it should be, by the kernel's lists, and stays so."""
        found = "nothing was looked at"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                while found:
                    found = await self._fault()
                    if found:
                        await asyncio.sleep(0.05)
        assert not found, found

    async def _fault(self) -> str:
        """Return what is wrong now, empty if nothing is."""
        entries = await self.watch.listing()
        lengths = {entry["local"]: entry["prefixlen"] for entry in entries}
        expected = dict.fromkeys(self.vips) | dict.fromkeys(self.own.values())
        expected |= dict.fromkeys([str(self.machine.main.link_local.ip)])
        if len(lengths) != len(entries) or lengths.keys() != expected.keys():
            missing, extra = expected.keys() - lengths.keys(), lengths.keys() - expected.keys()
            return f"{len(entries)} addresses; missing {sorted(missing)}, too many {sorted(extra)}"
        v4 = [entry["local"] for entry in entries if entry["family"] == "inet"]
        if v4[0] != self.own[4]:
            return f"{v4[0]} stands before {self.own[4]}"
        for entry in entries:
            if entry["local"] in self.vips and not _is_harmless(entry):
                return f"a VIP as it must not be: {entry}"
            if entry["local"] == self.own[6] and "tentative" in entry:
                return "the own IPv6 address is not usable yet"
        return await self._routing_fault()

    async def _routing_fault(self) -> str:
        for version, own in self.own.items():
            gateway = str(self.cluster.topology.gateway(version))
            command = ("ip", "-j", f"-{version}", "route")
            listed = await self.cluster.run(NODE, *command)
            routes = {route["dst"] for route in json.loads(listed.stdout)}
            nic = self.machine.main
            network = str(nic.v4.network if version == 4 else nic.v6.network)
            if not {"default", network} <= routes:
                return f"routes are missing: {sorted(routes)}"
            got = await self.cluster.run(NODE, *command, "get", gateway)
            source = json.loads(got.stdout)[0]["prefsrc"]
            if source != own:
                return f"{source} is the source of traffic to {gateway}"
        return ""

    def _measure(self, steps: list[Step]) -> None:
        usable: dict[int, float | None] = dict.fromkeys(self.own, 0.0)  # since when
        gone: dict[str, float] = {}
        back: dict[str, float] = {}
        for step in steps:
            version = 6 if ":" in step.address else 4
            if step.address == self.own[version]:
                since = usable[version] if usable[version] is not None else step.at
                usable[version] = since if step.is_usable and not step.is_gone else None
            elif step.address in self.vips and step.is_gone:
                gone[step.address] = step.at
                back.pop(step.address, None)
            elif step.address in self.vips:
                back.setdefault(step.address, step.at)
        self.figures.kept += len(set(self.vips) - gone.keys())
        for address, at in gone.items():
            since = usable[6 if ":" in address else 4]
            assert since is not None, "a VIP is there without the node's own address"
            self.figures.delays.append(back[address] - max(since, at))


def _is_harmless(entry: Mapping[str, Any]) -> bool:
    if entry["family"] == "inet":
        return bool(entry["prefixlen"] == 32)
    return bool(entry["prefixlen"] == 128 and entry.get("deprecated"))


def _spread(samples: list[float]) -> str:
    if not samples:
        return ""
    median, high = (quantile(samples, share) * 1e3 for share in (0.5, 0.99))
    return f" (p50 {median:.0f} ms, p99 {high:.0f} ms, max {max(samples) * 1e3:.0f} ms)"


def quantile(samples: list[float], share: float) -> float:
    """Return the smallest sample that is not exceeded by this share of all."""
    return sorted(samples)[max(0, math.ceil(len(samples) * share) - 1)]


@contextlib.asynccontextmanager
async def scene(pairs: int = 50) -> AsyncIterator[Scene]:
    """Run a node with an agent and so many dual-stack Services; skips where networkd lacks."""
    if complaint := networkd.complaint():
        pytest.skip(complaint)
    async with Cluster(nodes=1) as cluster:
        try:
            await cluster.api.apply_file(MANIFEST)
            await cluster.start_daemons(lease_seconds=10.0)
            for number in range(pairs):
                await cluster.api.create(_service(f"web-{number}"))
            vips = await _addresses(cluster, 2 * pairs)
            async with NicWatch(cluster, NODE) as watch:
                assert await watch.wait(lambda: all(map(watch.is_usable, vips)), SECONDS)
                stage = Scene(cluster, watch, vips)
                async with _watching_sources(stage):
                    yield stage
        except BaseException:
            for process in await cluster.processes():
                print(f"==== {process.name} {process.returncode}")
                print(cluster.log(process.name)[-6000:])
            raise


def _service(name: str) -> dict[str, Any]:
    spec = {
        "type": "LoadBalancer",
        "ports": [{"port": 80}],
        "ipFamilies": ["IPv4", "IPv6"],
        "ipFamilyPolicy": "RequireDualStack",
    }
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


async def _addresses(cluster: Cluster, count: int) -> list[str]:
    found: dict[str, list[str]] = {}
    async with asyncio.timeout(SECONDS):
        async for _, service in cluster.api.watch(path_of("Service", "default")):
            entries = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
            texts = [str(ipaddress.ip_address(entry["ip"])) for entry in entries]
            found[service["metadata"]["name"]] = texts
            if sum(map(len, found.values())) == count:
                break
    return [address for name in sorted(found) for address in found[name]]


@contextlib.asynccontextmanager
async def _watching_sources(stage: Scene) -> AsyncIterator[None]:
    pairs = [(stage.own[v], str(stage.cluster.topology.gateway(v))) for v in (4, 6)]
    command = (sys.executable, "-c", SOURCES, *pairs[0], *pairs[1], *stage.vips)
    async with stage.cluster.running(NODE, *command) as lines:
        reading = asyncio.create_task(_read(stage, lines))
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.wait([reading])


async def _read(stage: Scene, lines: asyncio.StreamReader) -> None:
    while line := await lines.readline():
        at, how, _ = line.split()
        if how == b"alone":
            stage.figures.alone.append(float(at))
        else:
            stage.figures.beside.append(line.decode())
