"""What is wrong with a node besides its host, from the settings to the text for its Lease."""

import asyncio
import math
from dataclasses import replace

from nodeagent.app import Agent, Clients
from nodeagent.core.config import choose
from nodeagent.core.links import Observed
from nodeagent.core.verdicts import DesiredState
from nodeagent.settings import load
from nodeagent.shell.inspector import Pass
from purelb.api.conditions import NodeCondition, parse_conditions
from purelb.api.identifiers import NodeName
from purelb.api.views import NodeView
from purelb.runtime.credentials import Access
from purelb.runtime.kube import Kube
from tests.component.harness import NAMESPACE, SECONDS

SETTINGS = load([], {"PURELB_NODE_NAME": "node-a", "PURELB_NAMESPACE": NAMESPACE})
PASS = Pass(
    config=choose((), NodeView(name=NodeName("node-a"))),
    observed=Observed(),
    desired=DesiredState(is_whole=False),
    held={},
    struggles={},
    conflicts={},
    witnessed=(),
)


def test_a_node_that_may_not_count_the_others_says_so_on_its_lease() -> None:
    """As long as it lives, whatever else is wrong or not."""

    async def scenario() -> tuple[NodeCondition, ...]:
        access = Access(server="http://192.0.2.2:6443")
        async with Kube(access, "test") as kube:
            settings = replace(SETTINGS, uncounted="nodes: forbidden")
            agent = Agent(settings, access, Clients(kube, kube, kube))
            inspector = agent.inspector
            inspector.note(PASS)
            looking = asyncio.create_task(inspector.run())
            async with asyncio.timeout(SECONDS):
                while not inspector.conditions:  # the settling time of a finding must pass
                    agent.waker.begin()
                    await agent.waker.wait(math.inf, math.inf)
            looking.cancel()
            return parse_conditions(inspector.conditions)

    (found,) = asyncio.run(scenario())
    assert (found.type, found.subject, found.severity) == ("NodeCount", "nodes", "Warning")
    assert "forbidden" in found.message
