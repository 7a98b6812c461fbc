"""Long computations in steps, between which a loop may give others their turns. Pure.

A computation is a generator that yields nothing, now and then, and returns its result. What it goes
by must not change meanwhile. Who drives it: `purelb.runtime.turns`, or `finished` in one go.
"""

from collections.abc import Generator, Iterable, Iterator
from typing import Final, TypeAlias, TypeVar

T = TypeVar("T")
Steps: TypeAlias = Generator[None, None, T]

STEP: Final = 100  # addresses; each takes some 20 microseconds


def finished(steps: Steps[T]) -> T:
    """Return the result of a computation without a break."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def chunks(items: Iterable[T]) -> Iterator[list[T]]:
    """Yield the items in lists of `STEP` at most: between two, a computation may pause."""
    chunk: list[T] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == STEP:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
