"""Runs gobgpd: starts it, starts it again when it ends or hangs, and ends it with us.

Belongs here: the process, its socket and its output. Does not: what it is told (`engine`), what
its lines mean (`bgp.core.enginelog`).
"""

import asyncio
import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import NoReturn, Protocol

from bgp.shell.engine import Engine
from purelb.core.backoff import Backoff
from purelb.runtime.clock import Clock
from purelb.runtime.rpc import RpcError

logger = logging.getLogger(__name__)

PROGRAM = "gobgpd"
# Has the kernel kill the engine when we end (prctl PR_SET_PDEATHSIG, SIGKILL), and becomes it. Not
# done between fork and exec of this process, which has threads; and no image need have setpriv.
TETHER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""
POLL_SECONDS = 0.02  # between tries to reach a fresh engine
START_SECONDS = 15.0
PING_SECONDS = 5.0  # between questions whether it still answers
PINGS = 3  # without an answer, and it is killed
STOP_SECONDS = 5.0
LIVED = 30.0  # seconds after which an end is no crash loop
# Short beside the minutes for which neighbors keep routes with graceful restart.
BACKOFF = Backoff(first=0.25, longest=5.0)
LONGEST_LINE = 1 << 20  # bytes


class Listener(Protocol):
    """Who is told what the engine says and does."""

    def note(self, line: str) -> None:
        """Take in a line of its output."""

    def changed(self) -> None:
        """Hear that an engine began to answer, or ended."""


class Supervisor:
    """One gobgpd after the other.

    `generation` counts the engines that answered; `is_ready` is set while one does. It never
    outlives this process: the kernel kills it (PR_SET_PDEATHSIG).
    """

    def __init__(
        self,
        engine: Engine,
        socket: Path,
        clock: Clock,
        listener: Listener,
        ping_seconds: float = PING_SECONDS,
    ) -> None:
        self.generation = 0
        self.is_ready = asyncio.Event()
        self.answered_at = clock.now()
        self.failure = ""  # why there is no engine, for people
        self._engine, self._socket, self._clock = engine, socket, clock
        self._listener = listener
        self._ping_seconds = ping_seconds
        self._process: asyncio.subprocess.Process | None = None
        self._is_leaving = False

    @property
    def pid(self) -> int | None:
        """The engine's process, None if there is none."""
        return None if self._process is None else self._process.pid

    async def run(self) -> NoReturn:
        """Keep an engine running until cancelled; then kill it."""
        failures = 0
        while True:
            begun = self._clock.now()
            try:
                self.failure = await self._live()
            except OSError as error:
                self.failure = f"{PROGRAM} cannot be started: {error}"
            finally:
                self.is_ready.clear()
                self._engine.close()
            self._listener.changed()
            if self._is_leaving:
                await asyncio.Event().wait()
            failures = 1 if self._clock.now() - begun > LIVED else failures + 1
            delay = 0.0 if failures == 1 else BACKOFF.delay(failures - 1)
            logger.error("engine ended", extra={"why": self.failure, "seconds": delay})
            await asyncio.sleep(delay)

    async def stop(self, *, abruptly: bool) -> None:
        """End the engine for good: with goodbyes to its neighbors, or as if the power failed.

        Neighbors keep the routes of one that vanishes abruptly, where both sides have graceful
        restart (RFC 4724 section 4.2).
        """
        self._is_leaving = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill() if abruptly else process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()

    def kill(self) -> None:
        """Kill the engine, so that a fresh one begins: it does not do what it is told."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _live(self) -> str:
        """Run one engine and return why it ended."""
        self._socket.parent.mkdir(parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)  # else it says that the address is in use
        process = self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", TETHER, str(os.getpid()), PROGRAM),
            *("--api-hosts", f"unix://{self._socket}", "--pprof-disable"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LONGEST_LINE,
            start_new_session=True,  # signals to our group are for us: we end it in our own way
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(self._read(process))
                watching = tasks.create_task(self._watch(process))
                code = await process.wait()
                watching.cancel()
                await asyncio.wait([reading], timeout=1.0)
                reading.cancel()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return f"{PROGRAM} ended with {code}"

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            raise RuntimeError("the engine has no pipe")
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # longer than the limit: a Go traceback is many short lines
                continue
            if not line:
                return
            self._listener.note(line.decode(errors="replace").rstrip())

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Say when it answers; kill it when it does so no more."""
        silent_since = self._clock.now()
        while not await self._answers():
            if self._clock.now() - silent_since > START_SECONDS:
                process.kill()
                return
            await asyncio.sleep(POLL_SECONDS)
        self.failure = ""
        self.generation += 1
        self.is_ready.set()
        logger.info("engine started", extra={"pid": process.pid, "generation": self.generation})
        self._listener.changed()
        missed = 0
        while missed < PINGS:
            await asyncio.sleep(self._ping_seconds)
            missed = 0 if await self._answers() else missed + 1
        logger.error("engine does not answer, it is killed", extra={"pid": process.pid})
        process.kill()

    async def _answers(self) -> bool:
        try:
            await self._engine.ping()
        except RpcError:
            return False
        self.answered_at = self._clock.now()
        return True
