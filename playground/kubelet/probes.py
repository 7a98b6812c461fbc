"""Asks containers whether they have started, live and are ready."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from playground.kubelet.commands import CommandError, port_number
from playground.kubelet.wire import Container, HttpGet, Probe


@dataclass(slots=True, kw_only=True)
class Tally:
    """Equal answers in a row, against the thresholds of a probe."""

    probe: Probe
    is_good: bool | None = None
    count: int = 0

    def take(self, is_good: bool) -> bool | None:
        """Count an answer; returns the verdict if a threshold is reached, else None."""
        self.count = self.count + 1 if is_good == self.is_good else 1
        self.is_good = is_good
        needed = self.probe.success_threshold if is_good else self.probe.failure_threshold
        return is_good if self.count >= needed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """Who is told: started (once), ready or not, and dead, which ends the container."""

    started: Callable[[], None]
    ready: Callable[[bool], None]
    dead: Callable[[str], Awaitable[None]]


class Prober:
    """Probes one run of a container."""

    def __init__(
        self, http: aiohttp.ClientSession, container: Container, host: str, verdicts: Verdicts
    ) -> None:
        self._http, self._container = http, container
        self._host, self._verdicts = host, verdicts

    async def run(self) -> None:
        """Probe until cancelled, or until there is nothing to probe."""
        if not await self._has_started():
            return
        self._verdicts.started()
        if self._container.readiness_probe is None:
            self._verdicts.ready(True)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_life())
            tasks.create_task(self._follow_readiness())

    async def _has_started(self) -> bool:
        if (probe := self._container.startup_probe) is not None:
            if await self._until(probe, lambda verdict: True):
                return True
            await self._verdicts.dead("startup probe failed")
            return False
        return True

    async def _follow_life(self) -> None:
        if (probe := self._container.liveness_probe) is not None:
            await self._until(probe, lambda verdict: not verdict)
            await self._verdicts.dead("liveness probe failed")

    async def _follow_readiness(self) -> None:
        def tell(verdict: bool) -> bool:
            self._verdicts.ready(verdict)
            return False

        if (probe := self._container.readiness_probe) is not None:
            await self._until(probe, tell)

    async def _until(self, probe: Probe, ends: Callable[[bool], bool]) -> bool:
        """Probe until a verdict ends it; returns that verdict."""
        tally = Tally(probe=probe)
        await asyncio.sleep(probe.initial_delay_seconds)
        while True:
            verdict = tally.take(await self._asked(probe))
            if verdict is not None and ends(verdict):
                return verdict
            await asyncio.sleep(probe.period_seconds)

    async def _asked(self, probe: Probe) -> bool:
        """Ask once; probes of other kinds than httpGet always succeed."""
        if probe.http_get is None:
            return True
        try:
            url = self._url(probe.http_get)
            timeout = aiohttp.ClientTimeout(total=probe.timeout_seconds)
            async with self._http.get(url, timeout=timeout, allow_redirects=False) as reply:
                return 200 <= reply.status < 400
        except (aiohttp.ClientError, TimeoutError, OSError, CommandError):
            return False

    def _url(self, get: HttpGet) -> str:
        host = get.host or self._host
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{port_number(get.port, self._container.ports)}{get.path}"
