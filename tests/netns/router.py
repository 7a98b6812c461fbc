"""FRR in a network namespace of a test: what gobgpd's neighbors are, most of the time."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from playground import frr
from tests.netns.conftest import Namespace

SECONDS = 30.0  # far longer than anything here takes
MISSING = "FRR is not installed: apt-get install frr"


class Router:
    """zebra and bgpd with one configuration; use it as a context manager."""

    def __init__(self, namespace: Namespace, folder: Path, config: str) -> None:
        self.folder = folder
        self._namespace, self._config = namespace, config
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        """Start both daemons and wait until they answer."""
        if not frr.is_installed():
            pytest.skip(MISSING)
        frr.prepare(self.folder, self._config)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill them, and leave no file behind."""
        self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start the daemons."""
        for daemon in frr.DAEMONS:
            frr.vty_socket(daemon, self.folder).unlink(missing_ok=True)
            with self._namespace.entered(), (self.folder / f"{daemon}.log").open("ab") as log:
                argv = frr.daemon_argv(daemon, self.folder)
                self._processes.append(subprocess.Popen(argv, stdout=log, stderr=log))
            wait(lambda name=daemon: frr.vty_socket(name, self.folder).exists())  # type: ignore[misc]

    def crash(self) -> None:
        """Kill both daemons, as if the router lost its power; its kernel keeps the routes."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        self._processes = []

    def ask(self, *commands: str) -> str:
        """Return what a router answers to commands."""
        argv = frr.vtysh_argv(self.folder, *commands)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS)
        return done.stdout + done.stderr

    def show(self, command: str) -> Any:  # noqa: ANN401  # whatever FRR says
        """Return the answer to a `show ... json`."""
        return json.loads(self.ask(f"show {command} json") or "{}")

    def configure(self, *lines: str) -> None:
        """Change the running configuration; lines are in the order of a configuration file."""
        self.ask("configure terminal", *lines)

    def log(self) -> str:
        """Return what both have written."""
        return "\n".join((self.folder / f"{one}.log").read_text() for one in frr.DAEMONS)

    def neighbor(self, address: str) -> dict[str, Any]:
        """Return what is known of one neighbor; empty if it is not one."""
        found: dict[str, Any] = self.show(f"bgp neighbors {address}").get(address, {})
        return found

    def routes(self) -> dict[str, list[str]]:
        """Return the next hops of the kernel's routes by prefix, those that BGP put there."""
        found: dict[str, list[str]] = {}
        with self._namespace.entered():
            for family in ("-4", "-6"):
                argv = ["ip", "-j", family, "route", "show", "proto", "bgp"]
                done = subprocess.run(argv, capture_output=True, text=True, check=True)
                for route in json.loads(done.stdout or "[]"):
                    hops = route.get("nexthops") or [route]
                    found[route["dst"]] = sorted(_gateway(hop) for hop in hops)
        return found


def _gateway(hop: dict[str, Any]) -> str:
    return str(hop.get("gateway") or hop.get("via", {}).get("host") or hop.get("dev"))


def wait(claim: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Wait until a claim holds."""
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)
