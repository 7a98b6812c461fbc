"""What the API server asks a kubelet for: the logs of containers (`kubectl logs`), and health.

HTTPS with the certificate the kubelet is known by; the API server does not check it unless told to.
A kubelet without one serves plain HTTP, for a control plane that never asks.
"""

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

from aiohttp import web

from purelb.runtime.credentials import Access

POLL_SECONDS = 0.1  # between two looks for more of a log
CHUNK = 65536


class HasLogs(Protocol):
    """A Pod as far as logs go."""

    def attempt(self, container: str) -> int | None:
        """Return the number of a container's latest run; None if it is unknown."""

    def log(self, container: str, attempt: int) -> Path:
        """Return the log of a container's run."""


Find = Callable[[str, str], HasLogs | None]  # namespace, name → the Pod


@contextlib.asynccontextmanager
async def serving(find: Find, access: Access, port: int) -> AsyncIterator[None]:
    """Serve on all addresses while the block runs."""

    async def logs(request: web.Request) -> web.StreamResponse:
        return await _logs(request, find)

    app = web.Application()
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", logs)
    app.router.add_get("/healthz", _healthy)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, None, port, ssl_context=_certificate(access)).start()
        yield
    finally:
        await runner.cleanup()


def last_lines(text: bytes, count: int) -> bytes:
    """Return the last lines, of which the very last may have no end yet."""
    lines = text.splitlines(keepends=True)
    return b"".join(lines[len(lines) - min(count, len(lines)) :])


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _logs(request: web.Request, find: Find) -> web.StreamResponse:
    where, query = request.match_info, request.query
    pod = find(where["namespace"], where["pod"])
    attempt = pod.attempt(where["container"]) if pod is not None else None
    if pod is None or attempt is None:
        return web.Response(status=404, text="no such container\n")
    if query.get("previous") == "true":
        attempt -= 1
    path = pod.log(where["container"], attempt)
    if not path.exists():
        return web.Response(status=400, text=f"container {where['container']} has no such log\n")
    text = await asyncio.to_thread(path.read_bytes)
    shown = last_lines(text, int(query["tailLines"])) if "tailLines" in query else text
    if "limitBytes" in query:
        shown = shown[: int(query["limitBytes"])]
    reply = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await reply.prepare(request)
    await reply.write(shown)
    if query.get("follow") == "true":
        await _follow(reply, path, len(text), lambda: pod.attempt(where["container"]) == attempt)
    return reply


async def _follow(
    reply: web.StreamResponse, path: Path, offset: int, is_current: Callable[[], bool]
) -> None:
    """Send what is added to a log until a later run has begun."""
    with path.open("rb") as log:
        log.seek(offset)
        while True:
            is_last = not is_current()
            while chunk := log.read(CHUNK):
                await reply.write(chunk)
            if is_last:
                return
            await asyncio.sleep(POLL_SECONDS)


def _certificate(access: Access) -> ssl.SSLContext | None:
    if access.certificate is None or access.key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # OpenSSL reads key pairs from files only; a memory file is nobody else's.
    pair = os.memfd_create("serving-certificate")
    try:
        os.write(pair, f"{access.certificate}\n{access.key}".encode())
        context.load_cert_chain(f"/proc/self/fd/{pair}")
    finally:
        os.close(pair)
    return context
