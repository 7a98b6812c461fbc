"""One container of a Pod: runs it, restarts it, probes it, ends it."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from playground.kubelet import runs
from playground.kubelet.commands import CommandError
from playground.kubelet.probes import Prober, Verdicts
from playground.kubelet.runs import Exit, Run, RunError
from playground.kubelet.status import ContainerFacts, Running, Waiting
from playground.kubelet.wire import Container
from purelb.core.backoff import Backoff

logger = logging.getLogger(__name__)

BACKOFF = Backoff(first=1.0, longest=10.0)  # a real kubelet's: 10 s to 5 min
STEADY = 20.0  # seconds: after a run this long the next restart is immediate again


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What there is to run; `command` and `environment` raise CommandError."""

    container: Container
    folder: Path
    log: Callable[[int], Path]  # attempt → file
    restart_policy: str
    grace_seconds: float
    host: str  # where probes ask
    command: Callable[[], tuple[str, ...]]
    environment: Callable[[], dict[str, str]]


class ContainerLoop:
    """One container; `facts` is its state, `on_change` is called when it changes."""

    def __init__(
        self, plan: Plan, http: aiohttp.ClientSession, on_change: Callable[[], None]
    ) -> None:
        container = plan.container
        self.facts = ContainerFacts(
            name=container.name, image=container.image, state=Waiting(reason="ContainerCreating")
        )
        self._plan, self._http, self._on_change = plan, http, on_change
        self._run: Run | None = None
        self._stop = asyncio.Event()
        self._is_killed = False
        self._failures = 0  # ends in a row that came too soon

    async def run(self, *, was_started: bool, was_ready: bool) -> None:
        """Work until told to stop, or until the container has ended for good.

        A run that another kubelet started goes on, with what was known about it.
        """
        run = runs.last(self._plan.folder)
        state = Running(since=0.0, is_started=was_started, is_ready=was_ready)
        while not self._stop.is_set():
            if run is None:
                run, state = await self._start(), Running(since=0.0)
            if run is not None:
                end = await self._live(run, replace(state, since=run.started))
                if self._is_final(end):
                    self._set(state=end)
                    return
                self._note(end)
            run = None
            await self._pause()
        if isinstance(self.facts.state, Waiting) and self.facts.last is not None:
            self._set(state=self.facts.last)

    def stop(self) -> None:
        """Ask the container to end, and restart it no more."""
        self._stop.set()
        if self._run is not None:
            self._run.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the container at once, and restart it no more."""
        self._is_killed = True
        self._stop.set()
        if self._run is not None:
            self._run.signal(signal.SIGKILL)

    async def _start(self) -> Run | None:
        folder = runs.next_attempt(self._plan.folder)
        try:
            command, environment = self._plan.command(), self._plan.environment()
            return await runs.start(folder, self._plan.log(int(folder.name)), command, environment)
        except CommandError as error:
            self._fail(error.reason, str(error))
        except RunError as error:
            self._fail("RunContainerError", str(error))
        return None

    async def _live(self, run: Run, state: Running) -> Exit:
        """Follow one run to its end."""
        self._run = run
        self._set(state=state, restarts=run.attempt, last=self.facts.last or run.previous())
        verdicts = Verdicts(started=self._started, ready=self._ready, dead=self._dead)
        prober = Prober(self._http, self._plan.container, self._plan.host, verdicts)
        try:
            async with asyncio.TaskGroup() as tasks:
                probing = tasks.create_task(prober.run())
                if self._stop.is_set():  # it came while the container was being started
                    run.signal(signal.SIGKILL if self._is_killed else signal.SIGTERM)
                end = await run.wait()
                probing.cancel()
            return end
        finally:
            self._run = None
            run.close()

    def _is_final(self, end: Exit) -> bool:
        policy = self._plan.restart_policy
        is_wanted = policy == "Always" or (policy == "OnFailure" and end.code != 0)
        return self._stop.is_set() or not is_wanted

    def _note(self, end: Exit) -> None:
        self._failures = 0 if end.ended - end.started > STEADY else self._failures
        name = self._plan.container.name
        logger.info("%s ended with %s", name, end.code)
        self._fail("CrashLoopBackOff", f"container {name} ended with {end.code}", last=end)

    def _fail(self, reason: str, message: str, last: Exit | None = None) -> None:
        self._failures += 1
        state = Waiting(reason=reason, message=message)
        self._set(state=state, last=last or self.facts.last)

    async def _pause(self) -> None:
        """Wait before the next try; the first follows at once."""
        if self._failures > 1:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BACKOFF.delay(self._failures - 1)):
                    await self._stop.wait()

    def _started(self) -> None:
        self._change(is_started=True)

    def _ready(self, is_ready: bool) -> None:
        self._change(is_ready=is_ready)

    async def _dead(self, why: str) -> None:
        """End a run that failed a probe; the loop starts the next."""
        logger.info("%s: %s", self._plan.container.name, why)
        if (run := self._run) is not None:
            run.signal(signal.SIGTERM)
            await asyncio.sleep(self._plan.grace_seconds)
            run.signal(signal.SIGKILL)

    def _change(self, **news: bool) -> None:
        if isinstance(self.facts.state, Running):
            self._set(state=replace(self.facts.state, **news))

    def _set(self, **news: object) -> None:
        facts = replace(self.facts, **news)  # type: ignore[arg-type]  # names are checked at run time
        if facts != self.facts:
            self.facts = facts
            self._on_change()
