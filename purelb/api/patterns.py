"""Regular expressions with RE2's syntax and semantics, as users' manifests were written for Go.

The one door to the `re2` library: no back-references, no look-around, linear time.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import re2


class _Expression(Protocol):
    """What we use of a compiled expression; re2 ships no types."""

    def search(self, text: str) -> object | None: ...


@dataclass(frozen=True, slots=True)
class Pattern:
    """An expression that compiles; matches anywhere in a text unless anchored."""

    text: str

    def found_in(self, name: str) -> bool:
        """Tell whether the expression matches somewhere in the name."""
        return _compiled(self.text).search(name) is not None


def parse_pattern(text: str) -> Pattern:
    """Check an expression; raises ValueError with RE2's own reason."""
    _compiled(text)
    return Pattern(text)


@lru_cache(maxsize=64)
def _compiled(text: str) -> _Expression:
    options = re2.Options()
    options.log_errors = False
    try:
        compiled: _Expression = re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0]
        shown = reason.decode() if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"{text!r} is not a regular expression: {shown}") from None
    return compiled
