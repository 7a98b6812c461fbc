"""Which node carries which address, as their kernels say it, and since when.

One `ip monitor` per node. For the demo and the tests; what it knows is what a person would see.
"""

import asyncio
import contextlib
import datetime
import json
import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from playground.cluster import Cluster

# "[2026-01-31T12:00:00.123456] Deleted 2: eth0    inet 192.0.2.200/32 scope global eth0 ..."
LINE = re.compile(r"\[(?P<at>[^]]+)] (?P<gone>Deleted )?\d+: (?P<link>\S+)\s+inet6? (?P<ip>[^/ ]+)")
NIC = "eth0"


class AddressWatch:
    """Keeps `holders`: address → node → when it came (wall clock). Use it as a context manager."""

    def __init__(self, cluster: Cluster, link: str = NIC) -> None:
        self.holders: dict[str, dict[str, float]] = {}
        self.lost: dict[tuple[str, str], float] = {}  # (node, address) → when it last went
        self._cluster, self._link = cluster, link
        self._changed = asyncio.Event()
        self._monitors: dict[str, AsyncExitStack] = {}

    async def __aenter__(self) -> Self:
        """Begin to watch every node."""
        for node in self._cluster.nodes:
            await self.watch(node)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop watching."""
        for node in list(self._monitors):
            await self._unwatch(node)

    async def watch(self, node: str) -> None:
        """Watch a node, from its present state on; also after it was powered on again."""
        await self._unwatch(node)
        monitor = AsyncExitStack()
        command = ("ip", "-ts", "-o", "monitor", "address")
        lines = await monitor.enter_async_context(self._cluster.running(node, *command))
        monitor.push_async_callback(_cancelled, asyncio.create_task(self._read(node, lines)))
        self._monitors[node] = monitor
        listed = await self._cluster.run(node, "ip", "-j", "address", "show")
        links = (link for link in json.loads(listed.stdout) if link["ifname"] == self._link)
        for entry in (entry for link in links for entry in link["addr_info"]):
            self.holders.setdefault(entry["local"], {}).setdefault(node, time.time())
        self._changed.set()

    def nodes_with(self, address: str) -> tuple[str, ...]:
        """Return the nodes that carry an address, sorted."""
        return tuple(sorted(self.holders.get(address, {})))

    def forget(self, node: str) -> None:
        """Count a node as carrying nothing: it lost its power."""
        for holders in self.holders.values():
            holders.pop(node, None)
        self._changed.set()

    async def wait(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until a claim about `holders` holds; False if it does not in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        return holds()

    async def _unwatch(self, node: str) -> None:
        if (monitor := self._monitors.pop(node, None)) is not None:
            await monitor.aclose()

    async def _read(self, node: str, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            self._note(node, line.decode())

    def _note(self, node: str, line: str) -> None:
        found = LINE.match(line)
        if found is None or found["link"] != self._link:
            return
        at = datetime.datetime.fromisoformat(found["at"]).timestamp()
        holders = self.holders.setdefault(found["ip"], {})
        if found["gone"]:
            holders.pop(node, None)
            self.lost[node, found["ip"]] = at
        else:
            holders.setdefault(node, at)
        self._changed.set()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
