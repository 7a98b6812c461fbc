"""Which node had which address when: the history that the nodes' kernels tell.

Belongs here: what a person with `ip monitor` on every node would write down, and what follows from
it. Called by the tests about addresses that move.
"""

import asyncio
import contextlib
import datetime
import json
import math
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from itertools import combinations

from playground.cluster import Cluster
from tests.e2e.world import SECONDS

# "[2026-01-31T12:00:00.123456] Deleted 2: eth0    inet 192.0.2.200/32 scope global eth0 ..."
LINE = re.compile(r"\[(?P<at>[^]]+)] (?P<gone>Deleted )?\d+: (?P<link>\S+)\s+inet6? (?P<ip>[^/ ]+)")
NIC = "eth0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One stay of an address on a node, in seconds of the wall clock; endless while it lasts."""

    node: str
    begun: float
    ended: float = math.inf


class Journal:
    """The stays of every address on every node's NIC, since `journal` was entered."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._spans: dict[str, list[Span]] = {}
        self._changed = asyncio.Event()
        self._readers: dict[str, contextlib.AsyncExitStack] = {}

    def spans(self, address: str) -> tuple[Span, ...]:
        """Return the stays of an address, oldest first."""
        return tuple(sorted(self._spans.get(address, ()), key=lambda span: span.begun))

    def holders(self, address: str) -> tuple[str, ...]:
        """Return the nodes that have an address now."""
        return tuple(span.node for span in self.spans(address) if span.ended == math.inf)

    def overlap(self, address: str) -> float:
        """Return the longest time in which two nodes had an address, in seconds."""
        pairs = combinations(self.spans(address), 2)
        shared = (min(a.ended, b.ended) - max(a.begun, b.begun) for a, b in pairs)
        return max((0.0, *shared))

    def gap(self, address: str) -> float:
        """Return the longest time between two stays in which no node had an address."""
        longest, until = 0.0, math.inf
        for span in self.spans(address):
            longest = max(longest, span.begun - until)
            until = span.ended if until == math.inf else max(until, span.ended)
        return longest

    async def wait_holder(self, address: str, *, but: str = "", only: str = "") -> Span:
        """Wait until exactly one node has an address, and that neither `but` nor another."""
        async with asyncio.timeout(SECONDS):
            while True:
                match self.holders(address):
                    case [node] if node != but and only in ("", node):
                        return self.spans(address)[-1]
                self._changed.clear()
                await self._changed.wait()

    async def wait_nobody(self, address: str) -> float:
        """Wait until no node has an address; returns when the last lost it."""
        async with asyncio.timeout(SECONDS):
            while self.holders(address):
                self._changed.clear()
                await self._changed.wait()
        return max((span.ended for span in self.spans(address)), default=time.time())

    async def follow(self, node: str) -> None:
        """Follow a node from its present state on; also after it was powered on again."""
        await self._unfollow(node)
        reader = contextlib.AsyncExitStack()
        command = ("ip", "-ts", "-o", "monitor", "address")
        lines = await reader.enter_async_context(self._cluster.running(node, *command))
        reader.push_async_callback(_cancelled, asyncio.create_task(self._read(node, lines)))
        self._readers[node] = reader
        listed = await self._cluster.run(node, "ip", "-j", "address", "show", "dev", NIC)
        for entry in json.loads(listed.stdout)[0]["addr_info"]:
            self._came(node, entry["local"], time.time())

    async def power_off(self, node: str) -> float:
        """Take a node's power, which ends its stays; returns when."""
        at = time.time()
        await self._cluster.power_off(node)
        for address in self._spans:
            self._went(node, address, at)
        return at

    async def close(self) -> None:
        """Follow nobody any more."""
        for node in list(self._readers):
            await self._unfollow(node)

    async def _unfollow(self, node: str) -> None:
        if (reader := self._readers.pop(node, None)) is not None:
            await reader.aclose()

    async def _read(self, node: str, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            found = LINE.match(line.decode())
            if found is None or found["link"] != NIC:
                continue
            at = datetime.datetime.fromisoformat(found["at"]).timestamp()
            if found["gone"]:
                self._went(node, found["ip"], at)
            else:
                self._came(node, found["ip"], at)

    def _came(self, node: str, address: str, at: float) -> None:
        if node not in self.holders(address):  # else it was given a new lifetime
            self._spans.setdefault(address, []).append(Span(node=node, begun=at))
            self._changed.set()

    def _went(self, node: str, address: str, at: float) -> None:
        self._spans[address] = [
            replace(span, ended=at) if span.node == node and span.ended == math.inf else span
            for span in self._spans.get(address, ())
        ]
        self._changed.set()


@contextlib.asynccontextmanager
async def journal(cluster: Cluster) -> AsyncIterator[Journal]:
    """Follow every node while the block runs."""
    kept = Journal(cluster)
    try:
        for node in cluster.nodes:
            await kept.follow(node)
        yield kept
    finally:
        await kept.close()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
