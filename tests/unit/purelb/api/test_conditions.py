"""The text of a node's conditions on its Lease."""

import json

import pytest

from purelb.api.conditions import (
    LONGEST,
    MOST,
    NodeCondition,
    encode_conditions,
    parse_conditions,
)
from purelb.api.problems import NoticeType


def condition(subject: str = "eth1", message: str = "has no carrier") -> NodeCondition:
    """Build a condition."""
    return NodeCondition(
        type="Carrier",
        subject=subject,
        severity=NoticeType.WARNING,
        message=message,
        since="2026-01-02T03:04:05.000000Z",
    )


def test_what_is_written_can_be_read() -> None:
    """In the order of type and subject, whatever the order of the findings."""
    one, other = condition("eth0"), condition("eth1", "\u00fcberall")
    assert parse_conditions(encode_conditions([other, one])) == (one, other)


def test_a_node_without_findings_has_an_empty_text() -> None:
    """Leases are many, and read by all."""
    assert encode_conditions([]) == ""
    assert parse_conditions("") == ()


def test_the_text_is_bounded_and_says_what_it_leaves_out() -> None:
    """Every agent receives every Lease."""
    found = parse_conditions(
        encode_conditions(condition(f"eth{n:02}", "x" * 999) for n in range(25))
    )
    assert len(found) == MOST
    assert len(found[0].message) == LONGEST
    assert found[-1].message.endswith("(5 more are not shown)")


@pytest.mark.parametrize("char", ["x", '"', "\x00", "\U0001f525"])
def test_texts_of_users_never_make_a_lease_too_long_to_be_renewed(char: str) -> None:
    """The API server takes 256 KiB of annotations, and counts bytes."""
    text = encode_conditions(condition(char * 250_000, char * 999) for _ in range(MOST + 1))
    assert len(text.encode()) < 128 << 10


@pytest.mark.parametrize(
    "entry",
    [
        "text",
        {"type": "Carrier"},
        {"type": 1, "subject": "", "severity": "Warning", "message": "", "since": ""},
        {"type": "", "subject": "", "severity": "Odd", "message": "", "since": ""},
    ],
)
def test_entries_that_are_not_understood_are_left_out(entry: object) -> None:
    """Other versions may write other things."""
    good = json.loads(encode_conditions([condition()]))
    assert parse_conditions(json.dumps([entry, *good])) == (condition(),)


@pytest.mark.parametrize("text", ["{", "{}", "7"])
def test_a_text_that_is_no_list_says_nothing(text: str) -> None:
    """Somebody may have edited it."""
    assert parse_conditions(text) == ()
