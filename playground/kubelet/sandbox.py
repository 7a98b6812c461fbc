"""The network of a Pod: its node's own, or a namespace behind a bridge of the node.

A Pod with a network of its own reaches everybody, in the node's name (masqueraded). Other nodes
reach it through the router, which knows whose the addresses are.
"""

import asyncio
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface
from pathlib import Path

from playground.kubelet import runs
from playground.kubelet.runs import Run

BRIDGE = "pods"
NUMBER = "number"  # the file that says which addresses a Pod has
UNSHARE_SECONDS = 5.0
POLL_SECONDS = 0.005
PAUSE = ("unshare", "--net", "--", "sleep", "infinity")


class SandboxError(Exception):
    """The network of a Pod could not be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A node's addresses for Pods; number 1 is the node itself. `node` is its own address."""

    node: IPv4Address

    @property
    def mac(self) -> str:
        """The bridge's MAC address: fixed, or it would change with every port."""
        return f"02:00:00:00:03:{self.node.packed[-1]:02x}"

    def v4(self, number: int) -> IPv4Interface:
        """Return an IPv4 address with its network."""
        return IPv4Interface(f"10.244.{self.node.packed[-1]}.{number}/24")

    def v6(self, number: int) -> IPv6Interface:
        """Return an IPv6 address with its network."""
        return IPv6Interface(f"fd00:10:244:{self.node.packed[-1]:x}::{number:x}/64")

    def both(self, number: int) -> tuple[IPv4Interface, IPv6Interface]:
        """Return the addresses of both families."""
        return self.v4(number), self.v6(number)


async def prepare(subnet: Subnet) -> None:
    """Make the node's bridge and its masquerading, whatever was there before."""
    if BRIDGE not in (name for _, name in socket.if_nameindex()):
        v4, v6 = subnet.both(1)
        await _feed(
            f"link add {BRIDGE} address {subnet.mac} type bridge stp_state 0\n"
            f"link set {BRIDGE} addrgenmode none\nlink set {BRIDGE} up\n"
            f"addr add {v4} dev {BRIDGE}\naddr add {v6} dev {BRIDGE} nodad",
            *("ip", "-batch", "-"),
        )
    own4, own6 = (own.network for own in subnet.both(1))
    await _feed(
        "table inet pods\ndelete table inet pods\n"
        "table inet pods { chain postrouting { type nat hook postrouting priority srcnat;\n"
        f'ip saddr {own4} oifname != "{BRIDGE}" masquerade\n'
        f'ip6 saddr {own6} oifname != "{BRIDGE}" masquerade\n}}\n}}',
        *("nft", "-f", "-"),
    )


class Sandboxes:
    """The networks of a node's Pods, each kept by a process that does nothing."""

    def __init__(self, subnet: Subnet) -> None:
        self._subnet = subnet
        self._numbers: dict[str, int] = {}  # by the Pod's uid

    async def open(self, uid: str, folder: Path) -> "Sandbox":
        """Return the network of a Pod; the one that it has, or a new one."""
        run = runs.last(folder)
        if run is None or not run.is_alive or not _has_number(run):
            fresh = runs.next_attempt(folder)
            run = await runs.start(fresh, folder / "log", PAUSE, os.environ)
            number = self._free()
            await self._connect(run, number)
            _set_number(run, number)
        self._numbers[uid] = _number(run)
        ips = tuple(str(own.ip) for own in self._subnet.both(_number(run)))
        return Sandbox(run=run, ips=ips)

    def close(self, uid: str) -> None:
        """Give a Pod's addresses free."""
        self._numbers.pop(uid, None)

    def adopt(self, folders: Iterable[Path]) -> None:
        """Take note of the networks that an earlier kubelet has made, by their folders."""
        for folder in folders:
            if (run := runs.last(folder)) is not None:
                if run.is_alive and _has_number(run):
                    self._numbers[folder.parent.name] = _number(run)
                run.close()

    def _free(self) -> int:
        used = set(self._numbers.values())
        return next(number for number in range(2, 255) if number not in used)

    async def _connect(self, run: Run, number: int) -> None:
        await _wait_unshared(run.pid)
        port = f"pod{number}"
        await _feed(
            f"link add {port} type veth peer name eth0 netns {run.pid}\n"
            f"link set {port} master {BRIDGE} addrgenmode none\nlink set {port} up",
            *("ip", "-batch", "-"),
        )
        v4, v6 = self._subnet.both(number)
        await _feed(
            "link set lo up\nlink set eth0 addrgenmode none\nlink set eth0 up\n"
            f"addr add {v4} dev eth0\naddr add {v6} dev eth0 nodad\n"
            f"route add default via {self._subnet.v4(1).ip}\n"
            f"route add default via {self._subnet.v6(1).ip}",
            *(*enter(run.pid), "ip", "-batch", "-"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """The network of one Pod: who keeps it, and its addresses, IPv4 first."""

    run: Run
    ips: tuple[str, ...]

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put before a command to run it in this network."""
        return enter(self.run.pid)


def _has_number(run: Run) -> bool:
    return (run.folder / NUMBER).exists()


def _number(run: Run) -> int:
    return int((run.folder / NUMBER).read_text())


def _set_number(run: Run, number: int) -> None:
    (run.folder / NUMBER).write_text(str(number))


async def _wait_unshared(pid: int) -> None:
    """Wait until a process has left our network."""
    own = os.readlink("/proc/self/ns/net")
    try:
        async with asyncio.timeout(UNSHARE_SECONDS):
            while True:
                if os.readlink(f"/proc/{pid}/ns/net") != own:
                    return
                await asyncio.sleep(POLL_SECONDS)
    except OSError as error:  # TimeoutError is one
        raise SandboxError("the network's process did not start") from error


def enter(pid: int) -> tuple[str, ...]:
    """Return what to put before a command to run it in a process's network."""
    return ("nsenter", f"--net=/proc/{pid}/ns/net", "--")


async def _feed(script: str, *argv: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate(f"{script}\n".encode())
    if process.returncode != 0:
        raise SandboxError(f"{' '.join(argv)}: {complaint.decode(errors='replace').strip()}")
