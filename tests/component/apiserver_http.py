"""Plays a scenario with an embedded API server and a client that gives its name."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from playground.apiserver import ApiServer, Limits

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
SERVICES = "/api/v1/namespaces/default/services"
SECONDS = 20.0  # generous
JsonObject = dict[str, Any]


class Http:
    """A client with a name."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, method: str, path: str, body: object = None, client: str = "me") -> int:
        """Send a request and return the status of the answer."""
        code, _ = await self.read(method, path, body, client)
        return code

    async def read(
        self, method: str, path: str, body: object = None, client: str = "me"
    ) -> tuple[int, JsonObject]:
        """Send a request and return status and body of the answer."""
        media_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {client}", "Content-Type": media_type}
        data = None if body is None else json.dumps(body)
        async with self._session.request(method, path, data=data, headers=headers) as reply:
            return reply.status, await reply.json()

    @contextlib.asynccontextmanager
    async def watch(
        self, path: str = CONFIG_MAPS, client: str = "me", **query: str
    ) -> AsyncIterator[Stream]:
        """Open a watch."""
        headers = {"Authorization": f"Bearer {client}"}
        params = {"watch": "true", **query}
        async with self._session.get(path, params=params, headers=headers) as reply:
            yield Stream(reply)


class Stream:
    """An open watch."""

    def __init__(self, reply: aiohttp.ClientResponse) -> None:
        self.reply = reply

    async def next(self) -> JsonObject:
        """Return the next event; fails on the end of the stream."""
        line = await self.reply.content.readline()
        event = json.loads(line)
        assert isinstance(event, dict)
        return event

    async def rest(self) -> list[JsonObject]:
        """Return what comes until the stream ends properly."""
        return [json.loads(line) async for line in self.reply.content]


Scenario = Callable[[ApiServer, Http], Awaitable[None]]


def play(scenario: Scenario, limits: Limits | None = None, control: Path | None = None) -> None:
    """Run a scenario with a server and a client."""

    async def run() -> None:
        server = ApiServer(control=control, limits=limits or Limits())
        async with asyncio.timeout(SECONDS), server, aiohttp.ClientSession(server.url) as session:
            await scenario(server, Http(session))

    asyncio.run(run())


def named(name: str, **more: object) -> JsonObject:
    """Build a ConfigMap."""
    return {"metadata": {"name": name}, **more}
