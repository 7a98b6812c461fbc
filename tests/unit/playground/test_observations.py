"""What follows from who answered for an address, and when."""

import json

from hypothesis import given
from hypothesis import strategies as st

from playground.observations import Observations, Span, longest, outside

MACS = {"a": "node-a", "b": "node-b"}
WEB = "192.0.2.200"


def seen(*steps: tuple[float, str], until: float = 10.0) -> Observations:
    """Build a record of who answered from when on, each letter being a MAC address."""
    record = Observations(_names=MACS)
    for at, by in steps:
        record.note(json.dumps({"at": at, "address": WEB, "by": list(by)}))
    record.note(json.dumps({"at": until}))
    return record


def span(start: float, end: float, *by: str) -> Span:
    """Build a span of the address."""
    return Span(address=WEB, start=start, end=end, by=frozenset(by))


def test_two_that_answer_in_a_row_are_one_time() -> None:
    """Whoever else joins them meanwhile."""
    record = seen((0.0, "a"), (1.0, "ab"), (1.5, "abc"), (2.0, "b"), (3.0, "ab"), until=4.0)
    expected = [span(1.0, 2.0, "node-a", "node-b", "c"), span(3.0, 4.0, "node-a", "node-b")]
    assert record.doubles() == expected
    assert longest(record.doubles()) == 1.0


def test_what_ended_before_does_not_count() -> None:
    """Nor do answers by one."""
    record = seen((0.0, ""), (1.0, "a"), (2.0, ""), (2.5, "b"))
    assert record.silences(since=1.0) == [span(2.0, 2.5)]
    assert longest(()) == 0.0


def test_an_address_moves_when_another_than_before_answers_alone() -> None:
    """However long nobody or both did in between."""
    record = seen((0.0, "a"), (1.0, ""), (2.0, "a"), (3.0, "ab"), (4.0, "b"), (5.0, ""), (6.0, "a"))
    assert record.moves(0.0, 10.0) == 2
    assert record.moves(4.5, 10.0) == 1


def test_the_time_in_which_the_observer_stood_still_is_told() -> None:
    """Nothing is known of it."""
    record = seen((0.0, "a"))
    record.note(json.dumps({"at": 1.0, "late": 0.5}))
    assert record.late == [(1.0, 0.5)]


def test_only_what_no_window_covers_is_outside() -> None:
    """The longest piece of it."""
    assert outside(span(1.0, 5.0), []) == 4.0
    assert outside(span(1.0, 5.0), [(0.0, 9.0)]) == 0.0
    assert outside(span(1.0, 5.0), [(4.5, 9.0), (0.0, 2.0), (2.5, 3.0)]) == 1.5
    assert outside(span(1.0, 5.0), [(6.0, 9.0), (0.0, 1.0)]) == 4.0


TIMES = st.integers(0, 12)


@given(TIMES, TIMES, st.lists(st.tuples(TIMES, TIMES)))
def test_outside_is_as_a_look_at_every_second_says(
    start: int, length: int, windows: list[tuple[int, int]]
) -> None:
    """Seconds are covered or not; the longest run that is not counts."""
    best = run = 0
    for second in range(start, start + length):
        run = 0 if any(a <= second < b for a, b in windows) else run + 1
        best = max(best, run)
    assert outside(span(start, start + length), windows) == best
