"""Sidecars on the nodes of a playground, FRR on its router, and the words that tests need."""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from playground import daemons, frr
from playground.api import path_of
from playground.cluster import Cluster
from playground.processes import ProcessSpec
from playground.router import Router
from playground.topology import FIRST_NODE, Machine

SECONDS = 60.0
LINK = "kube-lb0"
ASN, ROUTER_ASN = 64512, 64513
ROUTER4, ROUTER6 = "192.0.2.1", "2001:db8:0:1::1"
Body = dict[str, Any]

needs_bgp = pytest.mark.skipif(
    shutil.which("gobgpd") is None or not frr.is_installed(),
    reason="needs gobgpd and FRR: apt-get install gobgpd frr",
)


def frr_config(*lines: str, nodes: int = 3, dials: bool = False, router_id: str = ROUTER4) -> str:
    """Return the configuration of a router with the nodes as neighbors of both families.

    Lines are added to `router bgp`. Unless it `dials`, the router only waits, so that a session
    depends on the nodes alone.
    """
    text = [
        "log stdout",
        f"router bgp {ROUTER_ASN}",
        f" bgp router-id {router_id}",
        " no bgp ebgp-requires-policy",
        " no bgp network import-check",
        " bgp bestpath as-path multipath-relax",
        " neighbor nodes peer-group",
        f" neighbor nodes remote-as {ASN}",
        " neighbor nodes timers 3 9",
        " neighbor nodes timers connect 1",
        " neighbor nodes advertisement-interval 0",
    ]
    text += [] if dials else [" neighbor nodes passive"]
    for number in range(FIRST_NODE, FIRST_NODE + nodes):
        for address in (f"192.0.2.{number}", f"2001:db8:0:1::{number}"):
            text.append(f" neighbor {address} peer-group nodes")
    text += [f" {line}" for line in lines]
    text += [
        " address-family ipv4 unicast",
        "  neighbor nodes soft-reconfiguration inbound",
        " exit-address-family",
        " address-family ipv6 unicast",
        "  neighbor nodes activate",
        " exit-address-family",
        "exit",
    ]
    return "\n".join(text) + "\n"


def neighbor(address: str = ROUTER4, **parts: Any) -> Body:  # noqa: ANN401  # JSON
    """Return a neighbor; `config` is added to its address and ASN."""
    config = {"neighborAddress": address, "peerAsn": ROUTER_ASN, **parts.pop("config", {})}
    timers = {"config": {"connectRetry": 5, "holdTime": 9, "keepaliveInterval": 3}}
    return {"config": config, "timers": timers, **parts}


def configuration(*neighbors: Body, **parts: Any) -> Body:  # noqa: ANN401  # JSON
    """Return a BGPConfiguration; parts are its spec's."""
    spec: Body = {
        "global": {"asn": ASN, **parts.pop("overall", {})},
        "neighbors": list(neighbors or (neighbor(),)),
        "netlinkImport": {"enabled": True, "interfaceList": [LINK]},
        **parts,
    }
    return {
        "apiVersion": "bgp.purelb.io/v1",
        "kind": "BGPConfiguration",
        "metadata": {"name": "default", "namespace": "purelb-system"},
        "spec": spec,
    }


class Scene:
    """A cluster whose nodes run sidecars."""

    def __init__(self, cluster: Cluster, router: Router) -> None:
        self.cluster, self.router = cluster, router

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The nodes."""
        return self.cluster.topology.nodes

    def sidecar(self, node: str) -> str:
        """Return the name of a node's sidecar process."""
        return f"k8gobgp-{node}"

    async def start(self, *nodes: str, **environment: str) -> None:
        """Start sidecars, by default on all nodes."""
        for machine in self.machines:
            if not nodes or machine.name in nodes:
                kubeconfig = self.cluster.kubeconfig
                await self.cluster.start(daemons.sidecar(machine, kubeconfig, **environment))

    def engine_pid(self, node: str) -> int | None:
        """Return the process of a node's gobgpd, as the playground numbers it."""
        machine = next(one for one in self.machines if one.name == node)
        mark = f"gobgpd\0--api-hosts\0unix://{daemons.gobgp_socket(machine)}"
        for entry in (self.cluster.paths.root / "proc").iterdir():
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):
                    if (entry / "cmdline").read_text().startswith(mark):
                        return int(entry.name)
        return None

    async def kill_engine(self, node: str) -> None:
        """Kill a node's gobgpd, if it has one right now."""
        pid = await asyncio.to_thread(self.engine_pid, node)  # clients must not wait for that
        if pid is not None:
            await self.cluster.run(node, "kill", "-9", str(pid), check=False)

    async def apply(self, body: Body) -> None:
        """Create or change an object."""
        await self.cluster.api.apply(body)

    async def add(self, node: str, *addresses: str) -> None:
        """Put addresses on a node's dummy link, as its agent would."""
        lines = [f"address add {one} dev {LINK}" for one in addresses]
        await self.ip(node, *lines)

    async def remove(self, node: str, *addresses: str) -> None:
        """Take addresses off a node's dummy link."""
        await self.ip(node, *(f"address del {one} dev {LINK}" for one in addresses))

    async def ip(self, node: str, *lines: str) -> None:
        """Run commands of `ip` on a machine."""
        for start in range(0, len(lines), 200):
            script = "\\n".join(lines[start : start + 200])
            await self.cluster.run(node, "sh", "-c", f"printf '{script}\\n' | ip -batch -")

    async def status(self, node: str, claim: Callable[[Body], object]) -> Body:
        """Wait until a claim about a node's status holds, and return the status."""
        path, only = path_of("BGPNodeStatus"), f"metadata.name={node}"
        last: Body = {}
        try:
            async with asyncio.timeout(SECONDS):
                async for _, found in self.cluster.api.watch(path, fieldSelector=only):
                    last = found.get("status", {})
                    if last and claim(last):
                        return last
        except TimeoutError:
            raise AssertionError(f"it never came true; the last status is {last}") from None
        raise AssertionError("the watch ended")

    async def routes(self, claim: Callable[[dict[str, tuple[str, ...]]], object]) -> None:
        """Wait until a claim about the router's kernel holds."""
        async with asyncio.timeout(SECONDS):
            while True:
                found = await self.router.routes()
                if claim(found):
                    return
                await asyncio.sleep(0.05)

    async def routed(self, **expected: tuple[str, ...]) -> None:
        """Wait until the router's kernel has exactly these routes."""
        await self.routes(lambda found: found == expected)

    async def until(self, claim: Callable[[], Awaitable[object]]) -> None:
        """Wait until something that is asked for holds."""
        async with asyncio.timeout(SECONDS):
            while True:
                if await claim():
                    return
                await asyncio.sleep(0.05)

    async def events(self, reason: str) -> list[str]:
        """Wait for Events of a reason and return their messages."""
        path = path_of("Event", "purelb-system")
        async with asyncio.timeout(SECONDS):
            async for _, found in self.cluster.api.watch(path):
                if found["reason"] == reason:
                    return [found["message"]]
        raise AssertionError("the watch ended")


@contextlib.asynccontextmanager
async def scene(nodes: int = 1, config: str | None = None) -> AsyncIterator[Scene]:
    """Run a cluster with a router and an empty dummy link on every node; no daemon yet."""
    async with Cluster(nodes=nodes) as cluster:
        try:
            router = Router(cluster, "router", config or frr_config())
            await router.start()
            stage = Scene(cluster, router)
            for machine in stage.machines:
                await cluster.run(machine.name, "sh", "-c", MAKE_LINK)
            yield stage
        except BaseException:
            for process in await cluster.processes():
                print(f"==== {process.name} {process.returncode}")
                print(cluster.log(process.name)[-8000:])
            raise


MAKE_LINK = f"""
ip link show {LINK} >/dev/null 2>&1 || ip link add {LINK} type dummy || ip link add {LINK} type ifb
ip link set {LINK} up
echo 1 > /proc/sys/net/ipv4/conf/{LINK}/promote_secondaries
"""


def play(
    work: Callable[[Scene], Awaitable[None]], nodes: int = 1, config: str | None = None
) -> None:
    """Run a coroutine function in a scene."""

    async def run() -> None:
        async with scene(nodes, config) as stage:
            await work(stage)

    asyncio.run(run())


def is_up(status: Body) -> bool:
    """Tell whether a node has neighbors and every session is up."""
    neighbors = status.get("neighbors") or []
    return bool(neighbors) and all(one["state"] == "Established" for one in neighbors)


def condition(status: Body, type_: str) -> Body:
    """Return one condition."""
    found: Body = next((one for one in status["conditions"] if one["type"] == type_), {})
    return found


def echo(machine: str, address: str, name: str) -> ProcessSpec:
    """Return a server that answers on an address of a machine."""
    argv = (sys.executable, "-m", "playground.backend", "--node", machine, "--pod", name)
    return ProcessSpec(name=name, machine=machine, argv=(*argv, "--port", "80", "--host", address))
