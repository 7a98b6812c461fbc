"""The HTTP port of a daemon: /metrics, /healthz (our loops turn), /readyz (we serve)."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from aiohttp import web

from purelb.runtime.errors import SettingsError
from purelb.runtime.metrics import CollectorRegistry, generate_latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is asked at each request; each check returns what is wrong, or None."""

    registry: CollectorRegistry
    is_alive: Callable[[], str | None]
    is_ready: Callable[[], str | None]


@contextlib.asynccontextmanager
async def serving(health: Health, host: str, port: int) -> AsyncIterator[None]:
    """Serve while the block runs; an empty host means all addresses."""
    app = web.Application()
    app.router.add_get("/metrics", lambda _: _metrics(health))
    app.router.add_get("/healthz", lambda _: _check(health.is_alive))
    app.router.add_get("/readyz", lambda _: _check(health.is_ready))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host or None, port).start()
    except OSError as error:
        await runner.cleanup()
        raise SettingsError(f"cannot serve metrics on {host or '*'}:{port}: {error}") from error
    try:
        yield
    finally:
        await runner.cleanup()


async def _metrics(health: Health) -> web.Response:
    body = generate_latest(health.registry)
    return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4"})


async def _check(check: Callable[[], str | None]) -> web.Response:
    wrong = check()
    return web.Response(status=503 if wrong else 200, text=f"{wrong or 'ok'}\n")
