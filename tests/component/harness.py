"""An allocator in this process against an embedded API server in this process."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from allocator.app import Allocator, connected
from allocator.settings import Settings
from playground.apiserver import ApiServer
from purelb.runtime.credentials import Access

CRDS = Path(__file__).parents[2] / "crds"
NAMESPACE = "purelb-system"
SECONDS = 30.0  # generous: a healthy allocator needs milliseconds
Object = dict[str, Any]
T = TypeVar("T")

SETTINGS = Settings(
    port=0,
    kubeconfig="",
    namespace=NAMESPACE,
    is_default_announcer=True,
    log_level="info",
    identity="allocator",
    lease_seconds=10.0,
)


class Api:
    """A user of the API server, with the words that tests need."""

    def __init__(self, http: aiohttp.ClientSession, server: ApiServer) -> None:
        self.server = server
        self._http = http

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> Object:
        """Send one request that must succeed."""
        kind = headers.get("kind", "application/json")
        async with self._http.request(
            method, path, json=body, headers={"Content-Type": kind, "Authorization": "Bearer user"}
        ) as reply:
            answer: Object = await reply.json()
            assert reply.status < 300, answer
            return answer

    async def group(self, name: str = "default", **spec: object) -> None:
        """Create a ServiceGroup; by default one of four IPv4 addresses and a large IPv6 range."""
        local = {
            "v4pool": {"pool": "192.0.2.0/30", "subnet": "192.0.2.0/24"},
            "v6pool": {"pool": "2001:db8::/64", "subnet": "2001:db8::/64"},
        }
        body = {
            "apiVersion": "purelb.io/v2",
            "kind": "ServiceGroup",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": spec or {"local": local},
        }
        await self.send("POST", f"/apis/purelb.io/v2/namespaces/{NAMESPACE}/servicegroups", body)

    async def service(
        self, name: str, annotations: dict[str, str] | None = None, **spec: object
    ) -> None:
        """Create a Service of type LoadBalancer in namespace default."""
        body = {
            "metadata": {"name": name, "annotations": annotations or {}},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec},
        }
        await self.send("POST", "/api/v1/namespaces/default/services", body)

    async def get(self, name: str) -> Object:
        """Read a Service."""
        return await self.send("GET", f"/api/v1/namespaces/default/services/{name}")

    async def items(self, path: str) -> list[Object]:
        """List a collection."""
        found: list[Object] = (await self.send("GET", path))["items"]
        return found

    async def watch(self, path: str) -> AsyncIterator[tuple[str, Object]]:
        """Yield what happens to the objects of a collection, those that are there first."""
        params = {"watch": "true", "resourceVersion": "0"}
        headers, timeout = {"Authorization": "Bearer user"}, aiohttp.ClientTimeout(total=None)
        async with self._http.get(path, params=params, headers=headers, timeout=timeout) as reply:
            while line := await reply.content.readline():
                event = json.loads(line)
                yield event["type"], event["object"]

    async def until(self, check: Callable[[], Awaitable[T | None]], what: str) -> T:
        """Ask again and again until the answer is true; return it."""
        answer: T | None = None
        try:
            async with asyncio.timeout(SECONDS):
                # A person would poll too; whatever comes true is asked of the server itself.
                while not (answer := await check()):  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"never came true: {what}; last: {answer}") from None
        return answer

    async def addresses(self, name: str, count: int = 1) -> list[str]:
        """Wait until a Service has that many addresses, and return them."""

        async def shown() -> list[str] | None:
            found = ingress(await self.get(name))
            return found if len(found) >= count else None

        return await self.until(shown, f"{count} address(es) of {name}")

    async def warning(self, name: str) -> Object:
        """Wait for the Warning Event of a Service, and return it."""

        async def found() -> Object | None:
            for event in await self.items("/api/v1/namespaces/default/events"):
                if event["involvedObject"]["name"] == name and event["type"] == "Warning":
                    return event
            return None

        return await self.until(found, f"a Warning of {name}")


def ingress(service: Object) -> list[str]:
    """Return the addresses a Service shows."""
    entries = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return [entry["ip"] for entry in entries]


@contextlib.asynccontextmanager
async def api_server() -> AsyncIterator[Api]:
    """Run an API server with our CRDs and the install namespace."""
    async with ApiServer(crds=CRDS) as server, aiohttp.ClientSession(server.url) as http:
        api = Api(http, server)
        await api.send("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        yield api


@contextlib.asynccontextmanager
async def allocator(api: Api, settings: Settings = SETTINGS) -> AsyncIterator[Allocator]:
    """Run an allocator; at the end of the block it is cancelled, as by a kill."""
    access = Access(server=api.server.url, token_text="allocator")
    async with connected(access, settings.lease_seconds) as clients:
        running = Allocator(settings, access, clients)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(running.run())
            try:
                yield running
            finally:
                task.cancel()


def scenario(work: Callable[[Api], Awaitable[None]]) -> None:
    """Run a coroutine function with an API server."""

    async def run() -> None:
        async with api_server() as api:
            await work(api)

    asyncio.run(run())
