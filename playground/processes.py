"""The processes of a playground: started in their machines, each with its own log, restarted never.

Called by the supervisor only. Whatever a process leaves behind when the supervisor ends dies with
the supervisor's PID namespace.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

from playground.state import Paths

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to run: a name that is unique in the playground, a machine, a command line.

    `environment` is added to the supervisor's own.
    """

    name: str
    machine: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
    """How a process is doing; `returncode` is None while it runs, negative after a signal."""

    name: str
    machine: str
    pid: int
    returncode: int | None
    log: str


class ProcessError(Exception):
    """A request that makes no sense for the process as it is; the text is a sentence."""


class Processes:
    """All processes by name; one that ended stays listed until its name is started again."""

    def __init__(self, paths: Paths, tasks: asyncio.TaskGroup) -> None:
        self._paths, self._tasks = paths, tasks
        self._specs: dict[str, ProcessSpec] = {}
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def start(self, spec: ProcessSpec) -> ProcessStatus:
        """Start a process, appending to its log."""
        if spec.name in self._running and self._running[spec.name].returncode is None:
            raise ProcessError(f"{spec.name} runs already")
        environment = os.environ | {"TMPDIR": str(self._paths.scratch)} | dict(spec.environment)
        with self._paths.log(spec.name).open("ab") as log:
            self._running[spec.name] = await asyncio.create_subprocess_exec(
                # No process stays between: `ip netns exec` gives its place to the command.
                *("ip", "netns", "exec", spec.machine, *spec.argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        self._specs[spec.name] = spec
        self._tasks.create_task(self._report(spec.name))
        return self.status(spec.name)

    async def restart(self, name: str) -> ProcessStatus:
        """Start a process that has ended again, as it was started before."""
        self._process(name)
        return await self.start(self._specs[name])

    async def wait(self, name: str) -> int:
        """Wait until a process has ended; returns its code."""
        return await self._process(name).wait()

    async def stop(self, name: str, seconds: float) -> int:
        """Ask a process to end with SIGTERM, and kill it after the given time."""
        process = self._process(name)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                self.signal(name, signal.SIGTERM)
                return await self.wait(name)
        self.signal(name, signal.SIGKILL)
        return await process.wait()

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a process and to those it started, unless it has ended."""
        process = self._process(name)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)

    async def kill_all(self, machine: str, others: tuple[int, ...]) -> tuple[ProcessSpec, ...]:
        """Kill everything on a machine at once, `others` too; returns what to start again."""
        specs = tuple(
            self._specs[name]
            for name, process in self._running.items()
            if self._specs[name].machine == machine and process.returncode is None
        )
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for spec in specs:
            self.signal(spec.name, signal.SIGKILL)
            await self.wait(spec.name)
        return specs

    def status(self, name: str) -> ProcessStatus:
        """Return how one process is doing."""
        process, spec = self._process(name), self._specs[name]
        return ProcessStatus(
            name=name,
            machine=spec.machine,
            pid=process.pid,
            returncode=process.returncode,
            log=str(self._paths.log(name)),
        )

    def statuses(self) -> tuple[ProcessStatus, ...]:
        """Return all, in the order of their first start."""
        return tuple(map(self.status, self._specs))

    async def _report(self, name: str) -> None:
        process = self._process(name)
        logger.info("%s started as %s", name, process.pid)
        logger.info("%s ended with %s", name, await process.wait())

    def _process(self, name: str) -> asyncio.subprocess.Process:
        if name not in self._running:
            raise ProcessError(f"no process is called {name!r}")
        return self._running[name]
