"""What a witness's answers add up to: when two answered for one address, and when nobody did.

Pure. An answer stands for the time around it: somebody who answers each question of a row answers
all the while.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

MISSED = 3.5  # periods without an answer until somebody counts as silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time in which something was the case, for one address, in seconds (wall clock)."""

    address: str
    begun: float
    ended: float
    who: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended - self.begun


def doubles(address: str, answers: Sequence[tuple[float, str]], period: float) -> list[Span]:
    """Return when two answered for an address; answers are (time, who), in order."""
    spans = [
        Span(address=address, begun=begun, ended=ended, who=(who,))
        for who in sorted({who for _, who in answers})
        for begun, ended in _stretches([at for at, one in answers if one == who], period)
    ]
    found = []
    for one, other in combinations(spans, 2):
        begun, ended = max(one.begun, other.begun), min(one.ended, other.ended)
        if one.who != other.who and ended > begun:
            found.append(Span(address=address, begun=begun, ended=ended, who=one.who + other.who))
    return sorted(found, key=lambda span: span.begun)


def silences(
    address: str, answers: Sequence[tuple[float, str]], period: float, until: float
) -> list[Span]:
    """Return when nobody answered for an address, from the first answer to the end of the watch."""
    times = [*(at for at, _ in answers), until]
    return [
        Span(address=address, begun=one, ended=other)
        for one, other in pairwise(times)
        if other - one > MISSED * period
    ]


def _stretches(times: Sequence[float], period: float) -> Iterable[tuple[float, float]]:
    """Yield the beginnings and ends of answers in a row."""
    begun = last = times[0]
    for at in times[1:]:
        if at - last > MISSED * period:
            yield begun, last
            begun = at
        last = at
    yield begun, last
