"""What is said when a process does not come to serve."""

import asyncio
from pathlib import Path

import pytest

from playground.plane import Step
from playground.processes import ProcessError, ProcessSpec
from playground.readiness import wait_ready

SPEC = ProcessSpec(name="etcd", machine="control", argv=("etcd",))


def step(seconds: float) -> Step:
    """Return a step that may take so long."""
    return Step(spec=SPEC, url="http://127.0.0.1:2379/health", seconds=seconds)


def test_a_server_is_ready_once_it_answers_200(tmp_path: Path) -> None:
    """Not when it refuses connections, nor when it says that it is not."""
    answers: list[str | OSError] = [
        ConnectionRefusedError("refused"),
        "HTTP/1.0 503 Service Unavailable\r\n\r\n200",
        "",
        "HTTP/1.0 200 OK\r\n\r\n",
    ]

    async def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    asyncio.run(wait_ready(step(20.0), ask, lambda: None, tmp_path / "log"))
    assert answers == []


def test_a_process_that_ends_is_named_with_its_last_words(tmp_path: Path) -> None:
    """At once, whatever time it had left."""
    (tmp_path / "log").write_text("x" * 10_000 + "cannot bind\n")

    async def ask() -> str:
        raise AssertionError("nobody is there to be asked")

    with pytest.raises(ProcessError, match=r"^etcd ended with 3: x{1000,2000}cannot bind$"):
        asyncio.run(wait_ready(step(20.0), ask, lambda: 3, tmp_path / "log"))


def test_a_process_that_takes_too_long_is_named_with_its_answer(tmp_path: Path) -> None:
    """It is the answer that says what it waits for."""
    (tmp_path / "log").write_text("still trying\n")

    async def ask() -> str:
        return "HTTP/1.0 500 no [-]rbac failed"

    with pytest.raises(ProcessError, match=r"^etcd was not ready after 0.05 s .*rbac.*: still"):
        asyncio.run(wait_ready(step(0.05), ask, lambda: None, tmp_path / "log"))
