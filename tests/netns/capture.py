"""What other machines of the playground hear about who has which address."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from playground.cluster import Cluster
from playground.topology import Interface

SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame as `playground.capture` describes it."""

    at: float
    to: str
    by: str
    kind: str
    mac: str
    source: str
    target: str
    flags: int = 0

    @property
    def is_announcement(self) -> bool:
        """Whether it says, unasked, that the target is at `mac`."""
        is_gratuitous = self.kind.startswith("arp") and self.source == self.target
        return is_gratuitous or (self.kind == "advertisement" and self.to == "33:33:00:00:00:01")

    @property
    def is_probe(self) -> bool:
        """Whether it asks on behalf of nobody."""
        return self.source in ("0.0.0.0", "::")


@dataclass(slots=True)
class Capture:
    """Grows while the cluster runs."""

    frames: list[Frame] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def about(self, address: str, by: Interface | None = None) -> list[Frame]:
        """Return the announcements of an address, sent by a NIC or by anybody."""
        return [
            frame
            for frame in self.frames
            if frame.is_announcement and frame.target == address
            if by is None or frame.by == by.mac
        ]

    def probes(self, address: str) -> list[Frame]:
        """Return the questions of nobody about an address."""
        return [frame for frame in self.frames if frame.is_probe and frame.target == address]

    async def wait_for(self, address: str, count: int, by: Interface | None = None) -> None:
        """Wait until there are at least so many announcements of an address."""
        try:
            async with asyncio.timeout(SECONDS):
                while len(self.about(address, by)) < count:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"{address}: heard only {self.about(address, by)}") from None

    async def wait_for_probe(self, address: str, by: str) -> None:
        """Wait until the NIC with this MAC has asked for an address on behalf of nobody."""
        async with asyncio.timeout(SECONDS):
            while not any(frame.by == by for frame in self.probes(address)):
                self._more.clear()
                await self._more.wait()

    async def until(self, at: float) -> None:
        """Wait until everything that was sent before a time (wall clock) has been heard.

        Frames come in order, so a later one from anywhere would do; time alone does, too.
        """
        await asyncio.sleep(max(0.0, at - time.time()) + 0.2)

    async def read(self, lines: asyncio.StreamReader) -> None:
        """Take in frames until the end."""
        while line := await lines.readline():
            self.frames.append(Frame(**json.loads(line)))
            self._more.set()


@contextlib.asynccontextmanager
async def listening(cluster: Cluster, machine: str, link: str = "eth0") -> AsyncIterator[Capture]:
    """Listen on a machine's link while the block runs."""
    command = (sys.executable, "-m", "playground.capture", link)
    async with cluster.running(machine, *command) as lines:
        assert await lines.readline() == b"{}\n"
        capture = Capture()
        task = asyncio.create_task(capture.read(lines))
        try:
            yield capture
        finally:
            task.cancel()
            await asyncio.wait([task])
