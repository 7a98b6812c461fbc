"""FRR on a machine of a playground: a router that speaks BGP, as real ones do.

Demo, tests and benchmarks use it; it is asked and configured as an administrator would, by vtysh.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from playground import frr
from playground.cluster import Cluster
from playground.processes import ProcessSpec

FOLDER = Path("run/playground/frr")
START_SECONDS = 30.0
POLL_SECONDS = 0.05
ROUTES = ("ip", "-j", "route", "show", "proto", "bgp")
ROUTES6 = ("ip", "-j", "-6", "route", "show", "proto", "bgp")


class Router:
    """FRR's daemons on one machine, with one configuration."""

    def __init__(self, cluster: Cluster, machine: str, config: str) -> None:
        self.machine = machine
        self._cluster, self._config = cluster, config

    @property
    def inside(self) -> Path:
        """The daemons' folder, as they see it."""
        return Path("/") / FOLDER / self.machine

    @property
    def outside(self) -> Path:
        """The same, seen from here."""
        return self._cluster.paths.root / FOLDER / self.machine

    async def start(self) -> None:
        """Start the daemons; returns when they answer."""
        await asyncio.to_thread(frr.prepare, self.outside, self._config)
        for daemon in frr.DAEMONS:
            frr.vty_socket(daemon, self.outside).unlink(missing_ok=True)
            argv = frr.daemon_argv(daemon, self.inside)
            name = self.process(daemon)
            await self._cluster.start(ProcessSpec(name=name, machine=self.machine, argv=argv))
            async with asyncio.timeout(START_SECONDS):
                while True:
                    if frr.vty_socket(daemon, self.outside).exists():
                        break
                    await asyncio.sleep(POLL_SECONDS)

    async def crash(self) -> None:
        """Kill the daemons; the kernel's routes stay until zebra starts again."""
        for daemon in reversed(frr.DAEMONS):
            await self._cluster.kill(self.process(daemon))

    def process(self, daemon: str) -> str:
        """Return the name of a daemon's process."""
        return f"{daemon}-{self.machine}"

    async def ask(self, *commands: str) -> str:
        """Return what the router answers to commands of vtysh."""
        argv = frr.vtysh_argv(self.inside, *commands)
        return (await self._cluster.run(self.machine, *argv, check=False)).stdout

    async def configure(self, *lines: str) -> None:
        """Change the running configuration; lines as in a configuration file."""
        await self.ask("configure terminal", *lines)

    async def show(self, what: str) -> Any:  # noqa: ANN401  # whatever FRR says
        """Return the answer to `show WHAT json`."""
        return json.loads(await self.ask(f"show {what} json") or "{}")

    async def routes(self) -> dict[str, tuple[str, ...]]:
        """Return the next hops of what BGP has put into the kernel, by prefix."""
        found: dict[str, tuple[str, ...]] = {}
        for command in (ROUTES, ROUTES6):
            done = await self._cluster.run(self.machine, *command)
            for route in json.loads(done.stdout or "[]"):
                hops = route.get("nexthops") or [route]
                found[route["dst"]] = tuple(sorted(_gateway(hop) for hop in hops))
        return found


def _gateway(hop: dict[str, Any]) -> str:
    return str(hop.get("gateway") or hop.get("via", {}).get("host") or hop.get("dev"))
