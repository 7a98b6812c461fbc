"""A node's Lease in an API server: what the other nodes read there, and how it is kept."""

import asyncio
from dataclasses import replace
from ipaddress import ip_network

import pytest

from nodeagent.core.config import Unconfigured, choose
from nodeagent.settings import load
from nodeagent.shell.leases import LeaseKeeper, Shown, lease_content
from purelb.api.identifiers import Instant, NodeName, Uid
from purelb.api.resources import LocalSpec, NodeAgent, NodeAgentSpec, decode_lease
from purelb.api.views import LeaseView, NodeView, view_lease
from purelb.runtime.credentials import Access
from purelb.runtime.errors import TransientError
from purelb.runtime.kube import Kube
from purelb.runtime.leases import LeaseContent, LeaseStore
from tests.component.harness import NAMESPACE, Api, scenario

NAME = "purelb-node-node-a"
SETTINGS = load([], {"PURELB_NODE_NAME": "node-a", "PURELB_NAMESPACE": NAMESPACE})
NODE = NodeView(name=NodeName("node-a"))
SHOWN = Shown(subnets=(), macs=(bytes.fromhex("020000000007"),), conditions="")


def test_a_node_is_a_candidate_as_soon_as_it_is_configured() -> None:
    """Its Lease is older than its LBNodeAgent: what it said before must not stay."""

    async def work(api: Api) -> None:
        made = await api.send("POST", "/api/v1/nodes", {"metadata": {"name": "node-a"}})
        node = NodeView(name=NodeName("node-a"), uid=Uid(made["metadata"]["uid"]))
        said = []
        async with Kube(Access(server=api.server.url, token_text="nodeagent"), "test") as kube:
            store = LeaseStore(kube, NAMESPACE, NAME)
            for agents in ((), (NodeAgent(spec=NodeAgentSpec(local=LocalSpec())),)):
                config = choose(agents, node)
                await store.renew(lease_content(SETTINGS, node, config, SHOWN))
                said.append((isinstance(config, Unconfigured), (await read(kube)).is_announcing))
        assert said == [(True, False), (False, True)]

    scenario(work)


def test_an_evacuated_node_is_no_candidate_for_anybody() -> None:
    """PureLB's agents know only by the networks who is one."""

    async def work(api: Api) -> None:
        made = await api.send("POST", "/api/v1/nodes", {"metadata": {"name": "node-a"}})
        config = choose((NodeAgent(spec=NodeAgentSpec(local=LocalSpec())),), NODE)
        shown = replace(SHOWN, subnets=(ip_network("192.0.2.0/24"),))
        said = []
        async with Kube(Access(server=api.server.url, token_text="nodeagent"), "test") as kube:
            store = LeaseStore(kube, NAMESPACE, NAME)
            for is_evacuated in (False, True, False):
                node = replace(NODE, uid=Uid(made["metadata"]["uid"]), is_evacuated=is_evacuated)
                await store.renew(lease_content(SETTINGS, node, config, shown))
                lease = await read(kube)
                said.append((lease.is_announcing, len(lease.subnets)))
        assert said == [(True, 1), (False, 0), (True, 1)]
        assert (lease.heeds_wishes, lease.is_non_revertive) == (True, False)

    scenario(work)


class AwayStore(LeaseStore):
    """Its API server is away."""

    async def renew(self, content: LeaseContent) -> None:
        """Fail at once."""
        raise TransientError("no answer")


class JumpingClock:
    """Is at once where somebody waits for, and ends the test after many waits."""

    def __init__(self) -> None:
        self.at, self.waits = 100.0, list[float]()

    def now(self) -> Instant:
        """Return the time until which the last wait was."""
        return self.at

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        """Jump there."""
        if len(self.waits) == 100:
            raise EnoughError
        until = self.at if until is None else until
        self.waits.append(until - self.at)
        self.at = until


class EnoughError(Exception):
    """The test has seen what it wants."""


def test_a_node_whose_lease_has_ended_tries_again_every_few_seconds() -> None:
    """However long the API server is away: until the next try nobody holds its addresses."""

    async def run() -> list[float]:
        clock = JumpingClock()
        async with Kube(Access(server="http://192.0.2.2:6443"), "test") as kube:
            keeper = LeaseKeeper(AwayStore(kube, NAMESPACE, NAME), clock, 10.0, lambda: None)
            node, config = (
                NodeView(name=NodeName("node-a")),
                choose((), NodeView(name=NodeName(""))),
            )
            keeper.publish(lease_content(SETTINGS, node, config, SHOWN))
            with pytest.raises(EnoughError):
                await keeper.run()
        return clock.waits

    waits = asyncio.run(run())
    assert 1.5 < max(waits) <= 4.5


class SparedStore(LeaseStore):
    """Its API server takes one renewal, and then asks to be spared for minutes."""

    async def renew(self, content: LeaseContent) -> None:
        """Succeed once."""
        if self._version:
            raise TransientError("503", retry_after=300.0)
        self._version = "1"


def test_a_server_that_asks_for_minutes_gets_what_the_right_leaves() -> None:
    """Else a node gives up its addresses although the server would take the next renewal."""

    async def run() -> tuple[list[float], float]:
        clock = JumpingClock()
        async with Kube(Access(server="http://192.0.2.2:6443"), "test") as kube:
            keeper = LeaseKeeper(SparedStore(kube, NAMESPACE, NAME), clock, 10.0, lambda: None)
            node = NodeView(name=NodeName("node-a"))
            keeper.publish(lease_content(SETTINGS, node, choose((), node), SHOWN))
            with pytest.raises(EnoughError):
                await keeper.run()
            return clock.waits, keeper.lease.until - 100.0

    waits, right = asyncio.run(run())
    tries = [sum(waits[: number + 1]) for number in range(len(waits))]
    assert len([at for at in tries if at < right]) >= 4
    assert max(waits) < 10.1


async def read(kube: Kube) -> LeaseView:
    """Return the Lease as another node sees it."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{NAME}"
    view = view_lease(decode_lease(await kube.get(path)))
    assert view is not None
    return view
