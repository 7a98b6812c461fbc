"""External IPAM sidecars for tests: the real process with its records, and one that plays a script.

The records of the real one are read from its file, behind its back: what it holds is the proof that
nothing leaks.
"""

import asyncio
import contextlib
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from purelb.runtime import ipam_pb2 as wire
from purelb.runtime.ipam import ALLOCATE, RELEASE, STATS
from purelb.runtime.rpc import Answering, serving


@dataclass
class Process:
    """The reference sidecar as a process of its own; `start` again after `kill`.

    The folder has its records. `socket` is where it serves.
    """

    folder: Path
    pools: Sequence[str]
    socket: Path
    running: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it serves."""
        flags = [word for pool in self.pools for word in ("--pool", pool)]
        self.running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ipam", "--socket", str(self.socket),
            "--state", str(self.folder / "book.sqlite"), *flags,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self.running.stdout is not None
        assert b"serving" in await self.running.stdout.readline()

    async def kill(self) -> None:
        """Kill it, as by the kernel; its records stay."""
        if self.running is not None:
            self.running.kill()
            await self.running.wait()
            self.running = None

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self.running is not None
        self.running.send_signal(number)

    def held(self) -> set[tuple[str, str, str]]:
        """Return its records: pool, Service, address."""
        with contextlib.closing(sqlite3.connect(self.folder / "book.sqlite")) as db:
            return set(db.execute("select pool, service, ip from held"))


@contextlib.asynccontextmanager
async def process(folder: Path, *pools: str, socket: Path | None = None) -> AsyncIterator[Process]:
    """Run the reference sidecar for pools such as `prod=192.0.2.0/28`."""
    sidecar = Process(folder, pools, socket or folder / "ipam.sock")
    await sidecar.start()
    try:
        yield sidecar
    finally:
        await sidecar.kill()


@dataclass
class Script:
    """A sidecar that does as it is told, and remembers every call as (method, pool, Service)."""

    allocate: Callable[[wire.AllocateRequest], Awaitable[wire.AllocateResponse]]
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    released: list[wire.ReleaseRequest] = field(default_factory=list)

    async def on_allocate(self, request: wire.AllocateRequest) -> wire.AllocateResponse:
        """Play the script."""
        self.calls.append(("Allocate", request.pool, request.service))
        return await self.allocate(request)

    async def on_release(self, request: wire.ReleaseRequest) -> wire.ReleaseResponse:
        """Take everything back."""
        self.calls.append(("Release", request.pool, request.service))
        self.released.append(request)
        return wire.ReleaseResponse()

    async def on_stats(self, request: wire.StatsRequest) -> wire.StatsResponse:
        """Know nothing."""
        self.calls.append(("Stats", request.pool, ""))
        return wire.StatsResponse()


@contextlib.asynccontextmanager
async def scripted(
    socket: Path, allocate: Callable[[wire.AllocateRequest], Awaitable[wire.AllocateResponse]]
) -> AsyncIterator[Script]:
    """Serve a script in this process."""
    script = Script(allocate)
    methods = (
        Answering(ALLOCATE, script.on_allocate),
        Answering(RELEASE, script.on_release),
        Answering(STATS, script.on_stats),
    )
    async with serving(socket, *methods):
        yield script


def answer(*addresses: str) -> wire.AllocateResponse:
    """Build a reply."""
    return wire.AllocateResponse(ips=[wire.AllocatedIP(ip=ip) for ip in addresses])
