"""Go's durations: what `time.ParseDuration` takes and refuses."""

import pytest

from purelb.api.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("500ms", 0.5),
        ("1m30s", 90.0),
        ("1.5s", 1.5),
        (".5h", 1800.0),
        ("2.s", 2.0),
        ("1h0m0.25s", 3600.25),
        ("1us", 1e-6),
        ("1\u00b5s", 1e-6),
        ("1\u03bcs", 1e-6),
        ("3ns", 3e-9),
        ("+1s", 1.0),
        ("-1.5m", -90.0),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, seconds: float) -> None:
    """Every unit, fractions, several parts, signs."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "1", "s", "1 s", "1d", ".s", "1s2", "--1s", "1e3s", "00"])
def test_what_go_refuses_is_refused_with_the_text(text: str) -> None:
    """A bare number most of all: nobody could tell its unit."""
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)
