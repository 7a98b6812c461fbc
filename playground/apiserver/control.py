"""The control endpoint: faults, counters and audit over HTTP on a unix socket.

GET, PUT, DELETE /faults; PUT, DELETE /faults/NAME; POST /drop-watches, /fail-watches, /compact,
/vanish; GET, DELETE /requests, /audit; GET /watches. PUT /faults takes
{"bookmarkSeconds": 1, "faults": {"a name": {"action": "fail", "code": 503, ...}}} and replaces all;
PUT /faults/NAME takes one switch. What GET returns is an object with one key, the last part of the
path.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
from aiohttp import web

from playground.apiserver.faults import Fault, Faults
from playground.apiserver.record import Audit, Requests

T = TypeVar("T")


class Controlled(Protocol):
    """What the endpoint needs of the server."""

    faults: Faults
    requests: Requests
    audit: Audit

    def drop_watches(self, client: str = "", resource: str = "") -> int:
        """Break open watches."""

    def fail_watches(self, code: int, client: str = "", resource: str = "") -> int:
        """End open watches with an error."""

    def compact(self) -> None:
        """Forget all history."""

    def vanish(self, resource: str, namespace: str, name: str) -> None:
        """Lose an object without an event."""

    def open_watches(self) -> Iterator[tuple[str, str]]:
        """Yield client and resource of each open watch."""


class FaultsBody(msgspec.Struct, rename="camel"):
    """Body of GET and PUT /faults."""

    faults: dict[str, Fault] = {}
    bookmark_seconds: float | None = None


@contextlib.asynccontextmanager
async def serving(server: Controlled, path: Path) -> AsyncIterator[None]:
    """Serve the endpoint on a unix socket while the context is open."""
    app = web.Application()
    app.add_routes(_routes(_Control(server)))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await asyncio.to_thread(path.unlink, missing_ok=True)  # of a server that was killed
        await web.UnixSite(runner, str(path)).start()
        yield
    finally:
        await runner.cleanup()


def _routes(control: _Control) -> list[web.RouteDef]:
    return [
        web.get("/faults", control.get_faults, allow_head=False),
        web.put("/faults", control.put_faults),
        web.delete("/faults", control.delete_faults),
        web.put("/faults/{name}", control.put_fault),
        web.delete("/faults/{name}", control.delete_fault),
        web.post("/drop-watches", control.drop_watches),
        web.post("/fail-watches", control.fail_watches),
        web.post("/compact", control.compact),
        web.post("/vanish", control.vanish),
        web.get("/watches", control.get_watches, allow_head=False),
        web.get("/requests", control.get_requests, allow_head=False),
        web.delete("/requests", control.delete_requests),
        web.get("/audit", control.get_audit, allow_head=False),
        web.delete("/audit", control.delete_audit),
    ]


def _answer(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


class _Control:
    """One method per route."""

    def __init__(self, server: Controlled) -> None:
        self._server = server

    async def get_faults(self, _: web.Request) -> web.Response:
        faults = self._server.faults
        return _answer(FaultsBody(dict(faults.switches), faults.bookmark_seconds))

    async def put_faults(self, request: web.Request) -> web.Response:
        body = _decoded(await request.read(), FaultsBody)
        faults = self._server.faults
        faults.clear()
        for name, fault in body.faults.items():
            faults.add(fault, name)
        if body.bookmark_seconds is not None:
            faults.bookmark_seconds = body.bookmark_seconds
        return await self.get_faults(request)

    async def delete_faults(self, request: web.Request) -> web.Response:
        self._server.faults.clear()
        return await self.get_faults(request)

    async def put_fault(self, request: web.Request) -> web.Response:
        fault = _decoded(await request.read(), Fault)
        self._server.faults.add(fault, request.match_info["name"])
        return await self.get_faults(request)

    async def delete_fault(self, request: web.Request) -> web.Response:
        self._server.faults.remove(request.match_info["name"])
        return await self.get_faults(request)

    async def drop_watches(self, request: web.Request) -> web.Response:
        return _answer({"dropped": self._server.drop_watches(**_whom(request.query))})

    async def fail_watches(self, request: web.Request) -> web.Response:
        code = int(request.query.get("code", "500"))
        return _answer({"failed": self._server.fail_watches(code, **_whom(request.query))})

    async def compact(self, _: web.Request) -> web.Response:
        self._server.compact()
        return _answer({})

    async def vanish(self, request: web.Request) -> web.Response:
        query = request.query
        try:
            self._server.vanish(query["resource"], query.get("namespace", ""), query["name"])
        except KeyError as error:
            raise web.HTTPNotFound(text=f"not found: {error}") from error
        return _answer({})

    async def get_watches(self, _: web.Request) -> web.Response:
        pairs = self._server.open_watches()
        watches = [{"client": client, "resource": name} for client, name in pairs]
        return _answer({"watches": watches})

    async def get_requests(self, _: web.Request) -> web.Response:
        counts = self._server.requests.counts.items()
        entries = [
            {"client": client, "verb": verb, "resource": resource, "count": number}
            for (client, verb, resource), number in counts
        ]
        return _answer({"requests": entries})

    async def delete_requests(self, _: web.Request) -> web.Response:
        self._server.requests.clear()
        return _answer({})

    async def get_audit(self, _: web.Request) -> web.Response:
        return _answer({"audit": list(self._server.audit)})

    async def delete_audit(self, _: web.Request) -> web.Response:
        self._server.audit.clear()
        return _answer({})


def _whom(query: Mapping[str, str]) -> dict[str, str]:
    return {key: query.get(key, "") for key in ("client", "resource")}


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
