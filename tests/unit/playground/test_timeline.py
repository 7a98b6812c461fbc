"""What a witness's answers add up to."""

from playground.timeline import Span, doubles, silences

PERIOD = 0.1


def row(who: str, begun: float, count: int) -> list[tuple[float, str]]:
    """Build answers in a row."""
    return [(begun + PERIOD * number, who) for number in range(count)]


def test_two_that_take_turns_once_never_answered_together() -> None:
    """The second begins after the last answer of the first."""
    assert doubles("v", row("a", 0.0, 10) + row("b", 1.0, 10), PERIOD) == []


def test_two_that_answer_the_same_questions_are_seen_for_as_long_as_both_do() -> None:
    """From the first answer of the second to the last of the first."""
    seen = sorted(row("a", 0.0, 11) + row("b", 0.52, 20))
    (found,) = doubles("v", seen, PERIOD)
    assert (found.who, round(found.seconds, 2)) == (("a", "b"), 0.48)


def test_one_that_comes_back_after_a_while_was_not_there_meanwhile() -> None:
    """Its two rows are two stretches."""
    seen = sorted(row("a", 0.0, 5) + row("b", 1.0, 10) + row("a", 3.0, 5))
    assert doubles("v", seen, PERIOD) == []


def test_silence_is_what_lies_between_two_answers_of_anybody() -> None:
    """Two lost answers are none; the end of the watch counts."""
    seen = [(0.0, "a"), (0.3, "b"), (1.0, "b")]
    assert silences("v", seen, PERIOD, until=1.5) == [
        Span(address="v", begun=0.3, ended=1.0),
        Span(address="v", begun=1.0, ended=1.5),
    ]
