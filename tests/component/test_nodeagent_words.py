"""The words in the node agent's log that tools search for: members, Leases, configuration."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from nodeagent.core.config import choose
from nodeagent.settings import load
from nodeagent.shell.leases import LeaseKeeper, Shown, lease_content
from nodeagent.shell.waker import Waker
from nodeagent.shell.world import WorldStore
from purelb.api.identifiers import NodeName
from purelb.api.views import NodeView
from purelb.runtime.clock import BootClock
from purelb.runtime.credentials import Access
from purelb.runtime.errors import TransientError
from purelb.runtime.kube import Kube
from purelb.runtime.leases import LeaseContent, LeaseStore
from tests.component.harness import NAMESPACE, Api, scenario

AGENTS = f"/apis/purelb.io/v2/namespaces/{NAMESPACE}/lbnodeagents"
SETTINGS = load([], {"PURELB_NODE_NAME": "node-a", "PURELB_NAMESPACE": NAMESPACE})
CONTENT = lease_content(
    SETTINGS,
    NodeView(name=NodeName("node-a")),
    choose((), NodeView(name=NodeName("node-a"))),
    Shown(subnets=(), macs=(), conditions=""),
)


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def words(caplog: pytest.LogCaptureFixture, key: str) -> list[Any]:
    """Return the words logged under a key so far, in order."""
    return [vars(one)[key] for one in caplog.records if key in vars(one)]


@asynccontextmanager
async def known(api: Api) -> AsyncIterator[WorldStore]:
    """Run what knows the cluster, on a Node of its own."""
    await api.send("POST", "/api/v1/nodes", {"metadata": {"name": "node-a"}})
    clock = BootClock()
    async with Kube(Access(server=api.server.url, token_text="nodeagent"), "test") as kube:
        world = WorldStore(kube, clock, SETTINGS, Waker(clock))
        await world.nodes.relist(kube)
        yield world


def test_leases_and_members_that_come_and_go_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """By the watch, and by the next look at who is a member."""
    lease = {
        "metadata": {"name": "purelb-node-node-b", "namespace": NAMESPACE},
        "spec": {
            "holderIdentity": "node-b",
            "leaseDurationSeconds": 3600,
            "renewTime": "2100-01-01T00:00:00.000000Z",
        },
    }
    path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"

    async def work(api: Api) -> None:
        async with known(api) as world:
            watching = asyncio.create_task(world.lease_watch.run(lambda: None))
            await world.lease_watch.synced.wait()

            async def is_told(word: str) -> bool:
                world.electorate(None, None)
                return word in words(caplog, "event")

            await api.send("POST", path, lease)
            await api.until(lambda: is_told("membershipChanged"), "a member")
            assert words(caplog, "event") == ["leaseAdd", "membershipChanged"]
            caplog.clear()
            await api.send("DELETE", f"{path}/purelb-node-node-b")
            await api.until(lambda: is_told("membershipChanged"), "no member")
            assert words(caplog, "event") == ["leaseDelete", "membershipChanged"]
            assert words(caplog, "left") == [["node-b"]]
            watching.cancel()

    scenario(work)


def test_a_node_that_nothing_configures_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """Without any LBNodeAgent, and with one that says nothing about local addresses."""

    async def work(api: Api) -> None:
        async with (
            known(api) as world,
            Kube(Access(server=api.server.url, token_text="nodeagent"), "test") as kube,
        ):
            await world.agents.relist(kube)
            await world.nodes.relist(kube)
            assert words(caplog, "event") == ["noConfig"]
            for name in ("one", "two"):
                body = {
                    "apiVersion": "purelb.io/v2",
                    "kind": "LBNodeAgent",
                    "metadata": {"name": name, "namespace": NAMESPACE},
                    "spec": {},
                }
                await api.send("POST", AGENTS, body)
                await world.agents.relist(kube)
            assert words(caplog, "event") == ["noConfig", "noLocalSpec"]

    scenario(work)


class FlakyStore(LeaseStore):
    """Fails once, and ends the test at the third renewal."""

    answers: Iterator[Exception | None]

    async def renew(self, content: LeaseContent) -> None:
        """Do what comes next."""
        if (error := next(self.answers)) is not None:
            raise error


class EnoughError(Exception):
    """The test has seen what it wants."""


def test_a_lease_that_is_renewed_again_after_a_failure_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once; renewals that succeed are not told."""

    async def run() -> None:
        async with Kube(Access(server="http://192.0.2.2:6443"), "test") as kube:
            store = FlakyStore(kube, NAMESPACE, "purelb-node-node-a")
            store.answers = iter((TransientError("away"), None, None, EnoughError()))
            keeper = LeaseKeeper(store, BootClock(), 0.1, lambda: None)
            keeper.publish(CONTENT)
            with pytest.raises(EnoughError):
                await keeper.run()

    asyncio.run(run())
    assert words(caplog, "action") == ["subnetsChanged", "renewFailed", "healthRestored"]
