"""Runs of containers as processes: started through a shim, found again, signalled, awaited.

Belongs here: files and processes. Does not: when to start or stop (`containers`). A run's folder is
POD_UID/CONTAINER/ATTEMPT below the kubelet's.
"""

import asyncio
import contextlib
import json
import math
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SHIM = Path(__file__).with_name("shim.py")
RUN, EXIT = "run.json", "exit.json"  # the files the shim writes
KILLED = 128 + signal.SIGKILL


class RunError(Exception):
    """A container could not be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a run ended; times are wall clock. The code is 128 + N after signal N."""

    code: int
    started: float
    ended: float


class Run:
    """One run of a container, alive or not."""

    def __init__(self, folder: Path) -> None:
        facts = json.loads((folder / RUN).read_text())
        self.folder, self.attempt = folder, int(folder.name)
        self.started: float = facts["started"]
        self.pid: int = facts["pid"]
        self._shim = _open(facts["shim"], self.started)
        # A shim that lives has not collected its child: the number is still the container's.
        self._process = _open(self.pid, self.started) if self._shim is not None else None

    @property
    def is_alive(self) -> bool:
        """Whether it was running when it was found."""
        return self._process is not None

    async def wait(self) -> Exit:
        """Wait for the end; what was killed together with its shim counts as killed."""
        if self._shim is not None:
            await _wait_readable(self._shim)
        self.close()
        return _exit(self.folder) or Exit(code=KILLED, started=self.started, ended=time.time())

    def previous(self) -> Exit | None:
        """Return how the run before this one ended, None if there was none."""
        return _exit(self.folder.with_name(str(self.attempt - 1)))

    def signal(self, number: int) -> None:
        """Send a signal to the container's first process, unless it has ended."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, number)

    def close(self) -> None:
        """Let go of the process; it goes on."""
        for descriptor in (self._shim, self._process):
            if descriptor is not None:
                os.close(descriptor)
        self._shim = self._process = None


async def start(
    folder: Path, log: Path, command: Sequence[str], environment: Mapping[str, str]
) -> Run:
    """Start a container; raises RunError."""
    _make_folders(folder, log)
    shim = (sys.executable, "-I", "-S", str(SHIM), str(folder), str(log))
    process = await asyncio.create_subprocess_exec(*shim, *command, env=dict(environment))
    if await process.wait() != 0:
        raise RunError("the shim did not start")
    return Run(folder)


def next_attempt(container: Path) -> Path:
    """Return the folder of a container's next run."""
    return container / str(len([path for path in container.glob("*") if path.is_dir()]))


def last(container: Path) -> Run | None:
    """Return the latest run of a container, from its folder."""
    attempts = sorted(container.glob(f"*/{RUN}"), key=lambda path: int(path.parent.name))
    return Run(attempts[-1].parent) if attempts else None


async def end_all(pod: Path, seconds: float) -> None:
    """End whatever runs in a Pod's folder: SIGTERM, and SIGKILL after the given time."""
    left = _latest(pod)
    for run in left:
        run.signal(signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for run in left:
                await run.wait()
    for run in left:
        run.signal(signal.SIGKILL)
        run.close()


def _latest(pod: Path) -> list[Run]:
    found = [last(container) for container in sorted(pod.glob("*"))]
    return [run for run in found if run is not None]


def _exit(folder: Path) -> Exit | None:
    """Return how a run ended, None if it has not or was killed together with its shim."""
    try:
        begun, ended = (json.loads((folder / name).read_text()) for name in (RUN, EXIT))
    except FileNotFoundError:
        return None
    return Exit(code=ended["code"], started=begun["started"], ended=ended["at"])


def _make_folders(folder: Path, log: Path) -> None:
    folder.mkdir(parents=True)
    log.parent.mkdir(parents=True, exist_ok=True)


def _open(pid: int, started: float) -> int | None:
    """Return a descriptor of a process, None if it has ended or the number is another's now."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if _born(pid) > started + 1.0:  # a tick is 10 ms, be generous
        os.close(descriptor)
        return None
    return descriptor


def _born(pid: int) -> float:
    """Return when a process started by the wall clock, which is never for one that is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return math.inf
    ticks = int(text.rsplit(")", 1)[1].split()[19])  # field 22 in proc(5)
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return booted + ticks / os.sysconf("SC_CLK_TCK")


async def _wait_readable(descriptor: int) -> None:
    """Wait for a process by its descriptor, which is readable once the process has ended."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
