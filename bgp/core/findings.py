"""What is wrong with a configuration, as data: where, what, and what would change it."""

from collections.abc import Iterable
from dataclasses import dataclass

MOST_SHOWN = 8  # in one text for people


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One remark. `path` is the field, as in `spec.neighbors[2].config.peerAsn`.

    What is fatal keeps the configuration from being used at all: the one before it stays.
    """

    path: str
    message: str
    is_fatal: bool = True

    def __str__(self) -> str:
        """Return the text for people."""
        return f"{self.path}: {self.message}"


def remark(path: str, message: str) -> Finding:
    """Return a finding about something that has no effect, or not the expected one."""
    return Finding(path, message, is_fatal=False)


def listed(findings: Iterable[Finding]) -> str:
    """Return one text of several findings, at most a handful of them."""
    texts = [str(finding) for finding in findings]
    more = len(texts) - MOST_SHOWN
    return "; ".join(texts[:MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")
