"""The watch of EndpointSlices: only while a Service asks, and never half a truth."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from nodeagent.shell.endpoints import LINGER_SECONDS, EndpointWatch
from nodeagent.shell.waker import Waker
from purelb.api.identifiers import Instant, NodeName, ServiceKey
from purelb.api.views import ServiceView
from purelb.runtime.credentials import Access
from purelb.runtime.kube import Kube
from tests.component.harness import Api, scenario
from tests.unit.nodeagent.builders import service

WEB = ServiceKey("default/web")
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
ASKING = service(WEB, node_affinity="service-endpoints")
SILENT = service(WEB)


class Clock:
    """Stands at `at`; `pass_time` lets every wait end that has an end by then."""

    def __init__(self) -> None:
        self.at = 100.0
        self.waits = asyncio.Event()  # somebody waits for time to pass
        self._moved = asyncio.Condition()

    def now(self) -> Instant:
        """Return the time that was set."""
        return self.at

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        """Wait for the event or for the time to be set far enough."""
        self.waits.set()
        happened = asyncio.create_task(event.wait())
        passed = asyncio.create_task(self._wait_until(until))
        try:
            await asyncio.wait([happened, passed], return_when=asyncio.FIRST_COMPLETED)
        finally:
            happened.cancel()
            passed.cancel()

    async def _wait_until(self, until: Instant | None) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: until is not None and self.at >= until)

    async def pass_time(self, seconds: float) -> None:
        """Move on."""
        self.at += seconds
        async with self._moved:
            self._moved.notify_all()


class Scene:
    """A watch that runs, the clock it goes by, and the API."""

    def __init__(self, api: Api, clock: Clock, watch: EndpointWatch) -> None:
        self.api, self.clock, self.watch = api, clock, watch

    async def knows(self, nodes: frozenset[NodeName] | None, *, is_synced: bool = True) -> None:
        """Wait until this is known of the Service."""

        async def holds() -> bool:
            return (self.watch.nodes.get(WEB), self.watch.is_synced) == (nodes, is_synced)

        await self.api.until(holds, f"{nodes} is known")

    def follow(self, old: ServiceView | None, new: ServiceView | None) -> None:
        """Let the Service change."""
        self.watch.follow(old, new)


async def put(api: Api, node: str, name: str = "web-1") -> None:
    """Create a slice of the Service with one endpoint."""
    meta = {"name": name, "labels": {"kubernetes.io/service-name": "web"}}
    one = {"addresses": ["10.1.0.1"], "nodeName": node, "conditions": {"ready": True}}
    body = {"metadata": meta, "addressType": "IPv4", "endpoints": [one]}
    await api.send("POST", SLICES, body)


@contextlib.asynccontextmanager
async def running(api: Api) -> AsyncIterator[Scene]:
    """Run a watch; nobody asks yet."""
    clock = Clock()
    access = Access(server=api.server.url, token_text="nodeagent-node-a")
    async with Kube(access, "nodeagent") as kube, asyncio.TaskGroup() as tasks:
        watch = EndpointWatch(kube, clock, Waker(clock))
        task = tasks.create_task(watch.run())
        try:
            yield Scene(api, clock, watch)
        finally:
            task.cancel()


def test_nothing_is_watched_before_a_service_asks() -> None:
    """Then all slices are listed, and what it asked for is known at once."""

    async def work(api: Api) -> None:
        await put(api, "node-a")
        async with running(api) as scene:
            scene.follow(None, SILENT)
            assert not scene.watch.is_synced
            scene.follow(SILENT, ASKING)
            await scene.knows(frozenset({NodeName("node-a")}))

    scenario(work)


def test_a_service_that_asks_later_finds_what_is_there() -> None:
    """The slices of silent Services are kept as well while the watch goes on."""

    async def work(api: Api) -> None:
        other = service(ServiceKey("default/other"), node_affinity="service-endpoints")
        await put(api, "node-a")
        async with running(api) as scene:
            scene.follow(None, other)
            await scene.knows(None)
            scene.follow(None, ASKING)
            assert scene.watch.nodes == {WEB: {NodeName("node-a")}}

    scenario(work)


def test_slices_add_up_as_they_come_and_go() -> None:
    """A Service whose last slice is gone has none, which is known."""

    async def work(api: Api) -> None:
        async with running(api) as scene:
            scene.follow(None, ASKING)
            await scene.knows(None)
            await put(api, "node-a")
            await put(api, "node-b", "web-2")
            await scene.knows(frozenset({NodeName("node-a"), NodeName("node-b")}))
            await api.send("DELETE", f"{SLICES}/web-1")
            await scene.knows(frozenset({NodeName("node-b")}))
            await api.send("DELETE", f"{SLICES}/web-2")
            await scene.knows(None)

    scenario(work)


def test_the_watch_ends_a_while_after_nobody_asks_any_more() -> None:
    """A Service that asks again meanwhile keeps it; afterwards everything is listed anew."""

    async def work(api: Api) -> None:
        await put(api, "node-a")
        async with running(api) as scene:
            scene.follow(None, ASKING)
            await scene.knows(frozenset({NodeName("node-a")}))
            scene.clock.waits.clear()
            scene.follow(ASKING, SILENT)
            await scene.clock.waits.wait()
            await scene.clock.pass_time(LINGER_SECONDS - 1)
            scene.follow(SILENT, ASKING)
            await put(api, "node-c", "web-3")
            await scene.knows(frozenset({NodeName("node-a"), NodeName("node-c")}))
            scene.clock.waits.clear()
            scene.follow(ASKING, None)
            await scene.clock.waits.wait()
            await scene.clock.pass_time(LINGER_SECONDS)
            await scene.knows(None, is_synced=False)
            await api.send("DELETE", f"{SLICES}/web-1")
            await api.send("DELETE", f"{SLICES}/web-3")
            await put(api, "node-b", "web-2")
            scene.follow(None, ASKING)
            await scene.knows(frozenset({NodeName("node-b")}))

    scenario(work)
