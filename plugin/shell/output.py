"""Printing: a document as table, JSON or YAML; colour only on a terminal; warnings aside."""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TextIO

from plugin.core.document import Document, fields
from plugin.core.snapshot import Gap

RED, YELLOW, GREEN, BOLD, PLAIN = "\033[31m", "\033[33m", "\033[32m", "\033[1m", "\033[0m"
CLEAR = "\033[2J\033[H"
_PAINTS = (
    (
        re.compile(
            r"\*\*\*.*|(?<!\b0 )\b(?:FAIL|UNHEALTHY|UNCOVERED|EXHAUSTED|DEGRADED|INVALID)\b"
        ),
        RED,
    ),
    (re.compile(r"NO ANNOUNCER|NO CANDIDATES|EXPIRED [^ ]+ ago|>>> .* <<<"), RED),
    (re.compile(r"(?<!\b0 )\b(?:WARN|WARNING|PENDING)\b|<pending>"), YELLOW),
    (re.compile(r"\b(?:OK|PASS|Established)\b"), GREEN),
)


class Format(StrEnum):
    """Values of `--output`."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"

    @property
    def is_text(self) -> bool:
        """Whether it is for people."""
        return self in (Format.TABLE, Format.WIDE)


def structured(document: Document, output: Format) -> str:
    """Return a document as JSON, indented by two, or as YAML with sorted keys."""
    body = fields(document)
    if output is Format.YAML:
        return _yaml(body)
    return json.dumps(body, indent=2, ensure_ascii=False)


def text(lines: Iterable[str], stream: TextIO | None = None) -> str:
    """Return lines as they are printed, painted if the stream is a terminal."""
    joined = "\n".join(map(plain, lines))
    return paint(joined) if has_color(stream or sys.stdout) else joined


def plain(line: str) -> str:
    """Return a line in which nothing moves the cursor, or does more than that, to a terminal.

    Annotations and messages are written by others than who reads them.
    """
    return (
        line if line.isprintable() else "".join(one if one.isprintable() else "?" for one in line)
    )


def has_color(stream: TextIO) -> bool:
    """Tell whether colour is welcome; see https://no-color.org."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(joined: str) -> str:
    """Paint the words that carry a verdict, and table headings; widths do not change."""
    return "\n".join(_painted(line) for line in joined.split("\n"))


def _painted(line: str) -> str:
    if re.fullmatch(r"[A-Z%?]+(?: ?[ A-Z%?]+)*", line) and "  " in line:
        return f"{BOLD}{line}{PLAIN}"
    for pattern, color in _PAINTS:
        if (found := pattern.search(line)) is not None:
            start, end = found.span()
            return f"{line[:start]}{color}{line[start:end]}{PLAIN}{line[end:]}"
    return line


def warn(gaps: Sequence[Gap]) -> None:
    """Say on stderr what the answer had to do without."""
    for gap in gaps:
        print(plain(f"Warning: without {gap.what}: {gap.why}"), file=sys.stderr)


def _yaml(body: object) -> str:
    import yaml  # costs more to import than most commands need

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    dumped: str = yaml.dump(body, Dumper=dumper, sort_keys=True, allow_unicode=True)
    return dumped.rstrip("\n")
