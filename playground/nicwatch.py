"""What happens to the addresses of one node's NIC, as its kernel tells it, in order and with times.

One `ip monitor`. For tests that ask how long something was away, and what stood before what.
"""

import asyncio
import contextlib
import datetime
import json
import re
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from playground.cluster import Cluster

LINE = re.compile(
    r"\[(?P<at>[^]]+)] (?P<gone>Deleted )?\d+: (?P<link>\S+)\s+inet6? "
    r"(?P<ip>[^/ ]+)(?:/(?P<prefix>\d+))?(?P<rest>.*)"
)
UNUSABLE = frozenset({"tentative", "dadfailed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One event: an address came, changed or went; `at` is wall clock.

    `is_usable`: the kernel answers for it, as duplicate address detection has ended.
    """

    at: float
    address: str
    prefix: int
    is_gone: bool
    is_usable: bool


class NicWatch:
    """Keeps `steps` and `present`; use it as a context manager.

    `present` are the addresses that are there, each with its last step.
    """

    def __init__(self, cluster: Cluster, node: str) -> None:
        self.steps: list[Step] = []
        self.present: dict[tuple[str, int], Step] = {}
        self.node = node
        self._cluster = cluster
        self._nic = cluster.topology.node(node).main.name
        self._changed = asyncio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Begin to watch."""
        command = ("ip", "-ts", "-o", "monitor", "address")
        lines = await self._stack.enter_async_context(self._cluster.running(self.node, *command))
        reading = asyncio.create_task(self._read(lines))
        self._stack.push_async_callback(_cancelled, reading)
        for entry in await self.listing():
            step = Step(
                at=0.0,
                address=entry["local"],
                prefix=entry["prefixlen"],
                is_gone=False,
                is_usable=not UNUSABLE & entry.keys(),
            )
            self.present.setdefault((step.address, step.prefix), step)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop watching."""
        await self._stack.aclose()

    async def listing(self) -> list[dict[str, Any]]:
        """Return the NIC's addresses in the kernel's order, as `ip -j` shows them."""
        done = await self._cluster.run(self.node, "ip", "-j", "address", "show", "dev", self._nic)
        found: list[dict[str, Any]] = json.loads(done.stdout)[0]["addr_info"]
        return found

    async def wait(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until a claim about this object holds; False if it does not in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        return holds()

    def is_usable(self, address: str) -> bool:
        """Tell whether the kernel answers for an address, with whatever prefix length."""
        return any(text == address and step.is_usable for (text, _), step in self.present.items())

    async def _read(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            self._note(line.decode())

    def _note(self, line: str) -> None:
        found = LINE.match(line)
        if found is None or found["link"] != self._nic:
            return
        longest = 128 if ":" in found["ip"] else 32  # `ip` leaves the length of hosts out
        step = Step(
            at=datetime.datetime.fromisoformat(found["at"]).timestamp(),
            address=found["ip"],
            prefix=int(found["prefix"] or longest),
            is_gone=bool(found["gone"]),
            is_usable=not UNUSABLE & set(found["rest"].split()),
        )
        self.steps.append(step)
        if step.is_gone:
            self.present.pop((step.address, step.prefix), None)
        else:
            self.present[step.address, step.prefix] = step
        self._changed.set()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
