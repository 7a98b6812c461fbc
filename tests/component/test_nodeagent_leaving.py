"""An agent that stops: its Lease may go only when its addresses are seen to be gone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from nodeagent.app import Agent, Clients
from nodeagent.core.links import Observed
from nodeagent.settings import load
from purelb.runtime.credentials import Access
from purelb.runtime.kube import Kube
from tests.component.harness import NAMESPACE

SETTINGS = load([], {"PURELB_NODE_NAME": "node-a", "PURELB_NAMESPACE": NAMESPACE})
SECONDS = 30.0

Look = Callable[[Agent], Observed | None]


@contextlib.asynccontextmanager
async def passes(monkeypatch: pytest.MonkeyPatch, look: Look) -> AsyncIterator[Agent]:
    """Let an agent make passes over what `look` sees of its host."""
    access = Access(server="http://192.0.2.2:6443")
    kube = Kube(access, "test")
    agent = Agent(SETTINGS, access, Clients(kube, kube, kube))

    async def observe(*_: object) -> Observed | None:
        seen = look(agent)
        await asyncio.sleep(0)
        return seen

    monkeypatch.setattr(agent.kernel, "observe", observe)
    running = asyncio.create_task(agent.loop.run())
    try:
        async with asyncio.timeout(SECONDS):
            yield agent
    finally:
        running.cancel()


def test_a_pass_that_could_not_look_does_not_prove_that_nothing_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pass before it may have added an address to a host on which it found none."""
    seen: list[Observed | None] = [Observed()]

    async def scenario() -> bool:
        async with passes(monkeypatch, lambda _: seen.pop() if seen else None) as agent:
            await agent.loop.wait_pass()
            waiting = asyncio.create_task(agent.loop.wait_empty())
            for _ in range(5):
                await agent.loop.wait_pass()
            return waiting.done() or not waiting.cancel()

    assert not asyncio.run(scenario())


def test_passes_without_a_rest_between_them_prove_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one has begun before whoever waits for the last one has its turn."""

    others = set()

    def look(agent: Agent) -> Observed:
        others.add(asyncio.create_task(agent.loop.wait_pass()))  # somebody wants another one
        return Observed()

    async def scenario() -> bool:
        async with passes(monkeypatch, look) as agent:
            return await agent.loop.wait_empty()

    assert asyncio.run(scenario())
