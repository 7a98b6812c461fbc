"""A real allocator process while the API server fails and users go on.

At no moment do two Services show one address without the right to, no address is taken away, and
soon after the storm everybody has what can be had and says where it is from.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from playground.apiserver import Action, Fault
from tests.component.harness import Api, scenario
from tests.component.replicas import kubeconfig, start
from tests.component.town import Town

CLIENT = frozenset({"allocator"})
WRITES = frozenset({"create", "update", "patch"})
ACTS, PAUSE = 80, 0.02  # of users in a storm, and seconds between two of them
LEASE = "3s"


class Scene:
    """The server, and the allocator's process beside it."""

    def __init__(self, api: Api, config: Path) -> None:
        self.api, self._config = api, config
        self.blows = 0  # that struck something
        self._process: asyncio.subprocess.Process | None = None

    async def begin(self) -> None:
        """Start the allocator."""
        self._process = await start(self._config, pod="the-same", lease=LEASE)

    async def kill(self) -> None:
        """End it as the kernel does when there is no memory left."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()

    async def wait_writing(self) -> None:
        """Wait until the allocator gives addresses."""

        async def has_written() -> bool:
            return any(entry.resource == "services/status" for entry in self.api.server.audit)

        await self.api.until(has_written, "the allocator gives addresses")

    def failures(self) -> int:
        """Return how many of its writes were refused or never answered so far."""
        answers = [e.code for e in self.api.server.audit if e.client == "allocator"]
        return sum(1 for code in answers if code == 0 or code == 429 or code >= 500)


async def _drop(scene: Scene) -> None:
    scene.blows += scene.api.server.drop_watches(client="allocator")


async def _expire(scene: Scene) -> None:
    scene.api.server.compact()
    scene.blows += scene.api.server.fail_watches(410, client="allocator")


async def _kill(scene: Scene) -> None:
    await scene.kill()
    await scene.begin()
    scene.blows += 1


async def _blink(scene: Scene) -> None:
    """Let the watches tell all at once, then nothing for a while: not what is written upon it."""
    scene.api.server.faults.remove("silence")
    await asyncio.sleep(PAUSE)
    scene.api.server.faults.add(SILENT, "silence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """What goes wrong: switches that are on all the time, and a blow before every so many acts."""

    faults: tuple[Fault, ...] = ()
    blow: Callable[[Scene], Awaitable[None]] | None = None
    every: int = 1
    is_felt: bool = True  # as a write that fails, or a blow that strikes


def _switch(action: Action, *, code: int = 500, rate: float = 1.0, wait: int = 0) -> Fault:
    return Fault(
        action=action, clients=CLIENT, code=code, rate=rate, retry_after_seconds=wait, seconds=0.2
    )


THROTTLED = _switch(Action.FAIL, code=429, rate=0.8, wait=1)
HANGING = Fault(action=Action.HANG, clients=CLIENT, verbs=WRITES)
LOSING = Fault(action=Action.LOSE, clients=CLIENT, resources=frozenset({"services/status"}))
SILENT = _switch(Action.STALL)
STORMS = {
    "throttled": Storm(faults=(THROTTLED,)),
    "failing": Storm(faults=(_switch(Action.FAIL, code=503, rate=0.5),)),
    "refused": Storm(faults=(_switch(Action.REFUSE),)),
    "hanging": Storm(faults=(HANGING,)),
    "answers-lost": Storm(faults=(LOSING,)),
    "answers-lost-and-silent": Storm(faults=(LOSING,), blow=_blink, every=15),
    "slow": Storm(faults=(_switch(Action.DELAY),), is_felt=False),
    "without-metadata": Storm(faults=(_switch(Action.DROP_METADATA),), is_felt=False),
    "silent": Storm(faults=(SILENT,), is_felt=False),
    "watches-lost": Storm(blow=_drop, every=5),
    "watches-expired": Storm(blow=_expire, every=10),
    "killed": Storm(blow=_kill, every=20),
    "answers-lost-and-killed": Storm(faults=(LOSING,), blow=_kill, every=20),
    "failing-and-expired": Storm(
        faults=(_switch(Action.FAIL, code=500, rate=0.3),), blow=_expire, every=10
    ),
}


@pytest.mark.parametrize("kind", STORMS)
def test_a_storm_neither_doubles_nor_moves_an_address_and_leaves_nobody_behind(
    kind: str, tmp_path: Path
) -> None:
    """Users act all the time, before, in and after it; each kind has dice of its own."""

    async def work(api: Api) -> None:
        town = Town(api, random.Random(kind))
        scene = Scene(api, kubeconfig(tmp_path, api.server.url, "allocator"))
        await town.found()
        observing = asyncio.create_task(town.observe())
        await scene.begin()
        try:
            await _play(scene, town, STORMS[kind])
            await town.wait_rest()
        finally:
            await scene.kill()
            observing.cancel()
        assert town.faults == []

    scenario(work)


async def _play(scene: Scene, town: Town, storm: Storm) -> None:
    for _ in range(ACTS // 4):
        await town.act()
    await scene.wait_writing()
    before = scene.failures()
    for fault in storm.faults:
        scene.api.server.faults.add(fault)
    for number in range(ACTS):
        if storm.blow is not None and number % storm.every == 0:
            await storm.blow(scene)
        await town.act()
        await asyncio.sleep(PAUSE)  # the storm lasts for a while, whatever the allocator does
    assert not storm.is_felt or scene.blows or scene.failures() > before
    scene.api.server.faults.clear()
    for _ in range(ACTS // 4):
        await town.act()
    await town.wait_rest()
    await town.make_room()
