"""A client outside the cluster that asks a Service all the time, over new connections."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import pairwise

from playground.cluster import Cluster
from tests.e2e.world import SECONDS

EVERY = 0.05  # seconds between two attempts, whatever became of the one before
PATIENCE = 1.0  # seconds; a lost SYN is sent again after one


class Outsider:
    """When a Service has answered, in seconds of the loop's clock."""

    def __init__(self) -> None:
        self._answers: list[float] = []
        self._answered = asyncio.Event()
        self._refusals = 0

    def longest_gap(self) -> float:
        """Return the longest time without an answer, in seconds."""
        return max((b - a for a, b in pairwise(self._answers)), default=0.0)

    @property
    def counts(self) -> str:
        """How many attempts were answered, and how many not."""
        return f"{len(self._answers)} answers, {self._refusals} without"

    async def wait_answer(self) -> None:
        """Wait for an answer to come."""
        self._answered.clear()
        async with asyncio.timeout(SECONDS):
            await self._answered.wait()

    async def ask(self, cluster: Cluster, url: str) -> None:
        """Ask once."""
        try:
            await cluster.fetch(url, seconds=PATIENCE)
        except OSError:
            self._refusals += 1
        else:
            self._answers.append(asyncio.get_running_loop().time())
            self._answered.set()

    async def ask_on(self, cluster: Cluster, url: str) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self.ask(cluster, url))
                await asyncio.sleep(EVERY)


@contextlib.asynccontextmanager
async def asking(cluster: Cluster, address: str) -> AsyncIterator[Outsider]:
    """Ask an address while the block runs; begins and ends with an answer."""
    host = f"[{address}]" if ":" in address else address
    outsider = Outsider()
    task = asyncio.create_task(outsider.ask_on(cluster, f"http://{host}/"))
    try:
        await outsider.wait_answer()
        yield outsider
        await outsider.wait_answer()
    finally:
        task.cancel()
        await asyncio.wait([task])
