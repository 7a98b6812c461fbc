"""What is wrong on a node, as its agent writes it on its own Lease, and as others read it.

The text is a JSON array, empty where all is well. Belongs here: the text. Does not: what is wrong
(`nodeagent.core.hostchecks`).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from purelb.api.problems import NoticeType

# The types whose subject is an address of Services: who answers for it on the wire.
NO_ANSWER: Final = "NoAnswer"
SEVERAL_ANSWERS: Final = "SeveralAnswers"
FOREIGN_ANSWER: Final = "ForeignAnswer"
ABOUT_ADDRESSES: Final = frozenset({NO_ANSWER, SEVERAL_ANSWERS, FOREIGN_ANSWER})
MOST: Final = 20  # conditions in one text; the last says how many are left out
LONGEST: Final = 600  # characters of one message: every agent receives every Lease
# Of one subject: users write some of them, and the API server refuses annotations beyond 256 KiB
# together. A Lease that is not renewed costs its node all addresses.
LONGEST_SUBJECT: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCondition:
    """One finding. `type` is a CamelCase word; `since` an RFC 3339 time of the node's clock.

    `subject` is the field, link or address that is meant.
    """

    type: str
    subject: str
    severity: NoticeType
    message: str
    since: str


def encode_conditions(conditions: Iterable[NodeCondition]) -> str:
    """Return the text; its order is that of type and subject."""
    ordered = sorted(conditions, key=lambda one: (one.type, one.subject, one.message))
    if not ordered:
        return ""
    entries = [
        {
            "type": one.type,
            "subject": one.subject[:LONGEST_SUBJECT],
            "severity": one.severity.value,
            "message": one.message[:LONGEST],
            "since": one.since,
        }
        for one in ordered[:MOST]
    ]
    if len(ordered) > MOST:
        entries[-1]["message"] += f" ({len(ordered) - MOST} more are not shown)"
    return json.dumps(entries, ensure_ascii=False, separators=(",", ":"))


def parse_conditions(text: str) -> tuple[NodeCondition, ...]:
    """Read the text; what is not understood is left out."""
    try:
        entries = json.loads(text or "[]")
    except ValueError:
        return ()
    if not isinstance(entries, list):
        return ()
    return tuple(one for entry in entries if (one := _condition(entry)) is not None)


def _condition(entry: object) -> NodeCondition | None:
    if not isinstance(entry, dict):
        return None
    found = [entry.get(key) for key in ("type", "subject", "severity", "message", "since")]
    texts = [text for text in found if isinstance(text, str)]
    if len(texts) < len(found):
        return None
    type_, subject, severity, message, since = texts
    try:
        kind = NoticeType(severity)
    except ValueError:
        return None
    return NodeCondition(type=type_, subject=subject, severity=kind, message=message, since=since)
