"""The reconciler under a clock that jumps: minutes of back-off in milliseconds."""

import asyncio

from purelb.runtime.errors import TransientError
from purelb.runtime.reconciler import Reconciler


class JumpingClock:
    """Fake clock that jumps to the next due time once every other task waits."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        """Return virtual seconds."""
        return self.time

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        """Give the other tasks a few turns, then jump."""
        for _ in range(5):
            await asyncio.sleep(0)
        if until is None:
            await event.wait()
        elif not event.is_set():
            self.time = max(self.time, until)


def run(errors: list[Exception | None]) -> list[tuple[str, float]]:
    """Mark two keys often; "b" meets one of the errors at each call. Return the calls."""
    clock, calls, finished = JumpingClock(), [], asyncio.Event()

    async def reconcile(key: str) -> None:
        calls.append((key, round(clock.now(), 3)))
        if key == "b":
            if (error := errors.pop(0)) is not None:
                raise error
            finished.set()

    async def scenario() -> None:
        reconciler = Reconciler("test", reconcile, clock)
        for _ in range(1000):
            reconciler.mark("a")
            reconciler.mark("b")
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(reconciler.run())
            await finished.wait()
            running.cancel()

    asyncio.run(scenario())
    return calls


def test_many_marks_make_one_call_and_failures_back_off() -> None:
    """1,000 marks of two keys: one call each, then the failing one again after 0.1 and 0.2 s."""
    calls = run([TimeoutError(), TimeoutError(), None])
    assert calls == [("a", 0.0), ("b", 0.0), ("b", 0.1), ("b", 0.3)]


def test_the_server_may_ask_for_a_longer_wait() -> None:
    """Retry-After counts where it is longer than our own delay."""
    calls = run([TransientError("429", retry_after=7.0), None])
    assert calls == [("a", 0.0), ("b", 0.0), ("b", 7.0)]
