"""Waiting until a process serves, by asking it; and saying whose fault it is if it does not.

Called by the supervisor.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from playground.plane import Step
from playground.processes import ProcessError
from playground.relay import Target, dial

POLL_SECONDS = 0.01  # the embedded server needs some 0.5 s to start
ATTEMPT_SECONDS = 2.0
SHOWN = 2000  # characters of an answer and of a log that go into an error


async def wait_ready(
    step: Step, ask: Callable[[], Awaitable[str]], returncode: Callable[[], int | None], log: Path
) -> None:
    """Wait until a started process answers 200.

    `ask` returns an HTTP answer from its status line on, or raises OSError; `returncode` is None
    while the process runs. Raises ProcessError with the end of its log if it ends, or takes longer
    than it may.
    """
    name, answer = step.spec.name, "no answer"
    try:
        async with asyncio.timeout(step.seconds):
            while True:
                if (code := returncode()) is not None:
                    raise ProcessError(f"{name} ended with {code}: {_end(log)}")
                try:
                    answer = await ask()
                except OSError as error:
                    answer = f"no answer: {error}"
                if answer.split()[1:2] == ["200"]:
                    return
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        what = f"{name} was not ready after {step.seconds:g} s ({answer[:SHOWN]})"
        raise ProcessError(f"{what}: {_end(log)}") from None


async def ask(step: Step, tls: ssl.SSLContext | None) -> str:
    """GET a step's URL from its machine; raises OSError, TimeoutError among them."""
    parts = urlsplit(step.url)
    host, port = parts.hostname or "", parts.port or 80
    target = Target(machine=step.spec.machine, host=host, port=port, seconds=ATTEMPT_SECONDS)
    async with asyncio.timeout(ATTEMPT_SECONDS):
        reader, writer = await dial(target, tls if parts.scheme == "https" else None)
        try:
            writer.write(f"GET {parts.path} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
            return (await reader.read()).decode(errors="replace")
        finally:
            writer.close()


def _end(log: Path) -> str:
    return log.read_text(errors="replace").strip()[-SHOWN:]
