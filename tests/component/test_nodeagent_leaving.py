"""An agent that stops: its Lease may go only when its addresses are seen to be gone."""

import asyncio

import pytest

from nodeagent.app import Agent, Clients
from nodeagent.core.links import Observed
from nodeagent.settings import load
from purelb.runtime.credentials import Access
from purelb.runtime.kube import Kube
from tests.component.harness import NAMESPACE

SETTINGS = load([], {"PURELB_NODE_NAME": "node-a", "PURELB_NAMESPACE": NAMESPACE})


def test_a_pass_that_could_not_look_does_not_prove_that_nothing_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pass before it may have added an address to a host on which it found none."""
    seen = [Observed(), None]

    async def observe(*_: object) -> Observed | None:
        return seen.pop(0)

    async def scenario() -> list[bool]:
        access = Access(server="http://192.0.2.2:6443")
        kube = Kube(access, "test")
        agent = Agent(SETTINGS, access, Clients(kube, kube, kube))
        monkeypatch.setattr(agent.kernel, "observe", observe)
        found = []
        while seen:
            await agent.loop.make_pass()
            waiting = asyncio.create_task(agent.loop.wait_empty())
            await asyncio.sleep(0)
            found.append(waiting.done())
            waiting.cancel()
        return found

    assert asyncio.run(scenario()) == [True, False]
