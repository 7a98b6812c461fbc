"""Durations as users write them: Go's texts (`1m30s`, `500ms`), in seconds here."""

import math
import re
from typing import Final

UNITS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,  # both characters for micro, as in Go
    "\u03bcs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")


def parse_duration(text: str) -> float:
    """Return the seconds of a Go duration; raises ValueError naming the text.

    One or more decimal numbers, each with a unit, or `0` alone, with an optional sign before all of
    it, as `time.ParseDuration` has it. A bare number is none: nobody could tell its unit.
    """
    sign, body = (-1.0, text[1:]) if text.startswith("-") else (1.0, text.removeprefix("+"))
    if body == "0":
        return 0.0
    parts, end = [], 0
    while found := _PART.match(body, end):
        parts.append(float(found[1]) * UNITS[found[2]])
        end = found.end()
    if not parts or end != len(body):
        raise ValueError(f"{text!r} is not a duration; write a number with a unit, such as 500ms")
    return sign * math.fsum(parts)
