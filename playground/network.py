"""Builds the network of a topology in the current namespace, and breaks it on demand.

Everything here runs in the supervisor's own mount and network namespace, where the bridges are.
"""

import asyncio
import os
from collections.abc import Iterable
from itertools import product
from pathlib import Path

from playground.namespaces import inside
from playground.topology import (
    Machine,
    Topology,
    boot_script,
    bridges_script,
    plug_script,
    sysctls,
    unplug_script,
)

DUMMY = (
    "kube-lb0"  # created as an ifb on kernels without the dummy type: agents adopt what is there
)

FAULTS = """
table bridge playground {
  set cut {
    type ifname . ifname
  }
  chain forward {
    type filter hook forward priority 0
    iifname . oifname @cut drop
  }
}
"""


class NetworkError(Exception):
    """A command refused; the text names it and its complaint."""


class Network:
    """The machines and their cables."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self._dummy: str | None = None

    async def build(self) -> None:
        """Create all; afterwards every machine reaches every other."""
        self._dummy = None if await _has_dummy() else DUMMY
        plugs = [plug_script(machine) for machine in self.topology.machines]
        # Not side by side: a hook made while the bridges are sometimes never runs (measured).
        await _feed("\n".join([bridges_script(), *plugs]), "ip", "-batch", "-")
        await _feed(FAULTS, "nft", "-f", "-")
        await asyncio.gather(*map(self._boot, self.topology.machines))

    async def reboot(self, machine: Machine) -> None:
        """Replace a machine by a fresh one: same addresses, nothing left of its kernel state."""
        await _feed(unplug_script(machine), "ip", "-batch", "-")
        await _feed(plug_script(machine), "ip", "-batch", "-")
        await self._boot(machine)

    async def set_carrier(self, machine: Machine, *, is_up: bool) -> None:
        """Plug or pull the cables of a machine; its NICs see the carrier come or go."""
        state = "up" if is_up else "down"
        lines = [f"link set {port} {state}" for port in _ports((machine,))]
        await _feed("\n".join(lines), "ip", "-batch", "-")

    async def cut(self, some: Iterable[Machine], others: Iterable[Machine]) -> None:
        """Drop every frame between two sets of machines; carriers stay up."""
        if elements := ", ".join(f'"{a}" . "{b}"' for a, b in _pairs(some, others)):
            rule = f"add element bridge playground cut {{ {elements} }}"
            await _feed(rule, "nft", "-f", "-")

    async def heal(self) -> None:
        """Undo every `cut`."""
        await _feed("flush set bridge playground cut", "nft", "-f", "-")

    async def _boot(self, machine: Machine) -> None:
        _write_sysctls(machine)
        dummy = self._dummy if machine in self.topology.nodes else None
        script = boot_script(machine, dummy=dummy)
        await _feed(script, "ip", "-n", machine.name, "-batch", "-")


def pids_of(machine: Machine) -> tuple[int, ...]:
    """Return every process that runs in a machine's network namespace."""
    home = os.stat(f"/run/netns/{machine.name}")
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            there = os.stat(entry / "ns/net")
        except OSError:
            continue  # it ended meanwhile
        if (there.st_dev, there.st_ino) == (home.st_dev, home.st_ino):
            found.append(int(entry.name))
    return tuple(found)


def _write_sysctls(machine: Machine) -> None:
    with inside(machine.name):
        for key, value in sysctls(machine).items():
            Path("/proc/sys/net", key).write_text(value)


def _ports(machines: Iterable[Machine]) -> tuple[str, ...]:
    return tuple(machine.port(nic) for machine in machines for nic in machine.interfaces)


def _pairs(some: Iterable[Machine], others: Iterable[Machine]) -> tuple[tuple[str, str], ...]:
    pairs = product(_ports(some), _ports(others))
    return tuple(pair for a, b in pairs if a != b for pair in ((a, b), (b, a)))


async def _has_dummy() -> bool:
    try:
        await _feed("link add probe type dummy\nlink del probe", "ip", "-batch", "-")
    except NetworkError:
        return False
    return True


async def _feed(script: str, *argv: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate(f"{script}\n".encode())
    if process.returncode != 0:
        raise NetworkError(f"{' '.join(argv)}: {complaint.decode(errors='replace').strip()}")
