"""What incidents explain, and what they do not."""

import json

import pytest

from playground.chaos import SILENT_SECONDS, TAKE_OVER, Happening, Story, judge, tell
from playground.incidents import (
    API_REFUSED,
    HUNG,
    ISOLATED,
    WITHOUT_PEERS,
    WITHOUT_POWER,
    Incident,
)
from playground.observations import Observations

WEB = "192.0.2.200"
END = 100.0


def seen(*steps: tuple[float, str]) -> Observations:
    """Build a record of who answered from when on; node-a does at first."""
    record = Observations()
    for at, by in ((0.0, "a"), *steps):
        record.note(json.dumps({"at": at, "address": WEB, "by": list(by)}))
    record.note(json.dumps({"at": END}))
    return record


def happened(incident: Incident, begun: float, ended: float, node: str = "node-a") -> Happening:
    """Build something that happened."""
    return Happening(incident, node, begun, ended)


@pytest.mark.parametrize(
    ("story", "steps", "is_good"),
    [
        (Story(), [(5.0, ""), (5.9, "b")], True),
        (Story(), [(5.0, ""), (6.1, "b")], False),
        (Story(), [(5.0, "ab"), (5.2, "b")], True),
        (Story(), [(5.0, "ab"), (5.4, "b")], False),
        (Story(), [(5.0, "")], False),
        (Story([happened(HUNG, 5.0, 40.0)]), [(5.0, ""), (16.5, "b")], True),
        (Story([happened(HUNG, 5.0, 40.0)]), [(5.0, ""), (17.5, "b")], False),
        (Story([happened(HUNG, 5.0, 40.0)]), [(5.0, "ab"), (5.4, "b")], False),
        (Story([happened(API_REFUSED, 5.0, 40.0, "")]), [(6.0, ""), (8.0, "b")], False),
        (Story([happened(WITHOUT_PEERS, 5.0, 40.0)]), [(6.0, "ab"), (40.0, "b")], True),
        (Story([happened(WITHOUT_PEERS, 5.0, 40.0)]), [(6.0, "ab"), (41.0, "b")], False),
        (
            Story([happened(WITHOUT_POWER, 5.0, 40.0), happened(ISOLATED, 20.0, 60.0, "node-b")]),
            [(5.0, ""), (70.0, "b")],
            False,
        ),
        (
            Story([happened(WITHOUT_POWER, 5.0, 40.0), happened(ISOLATED, 20.0, 60.0, "node-b")]),
            [(20.0, ""), (70.0, "b")],
            True,
        ),
    ],
)
def test_only_what_an_incident_explains_is_excused(
    story: Story, steps: list[tuple[float, str]], *, is_good: bool
) -> None:
    """Until whom it concerned is replaced, and while two overlap."""
    assert judge(seen(*steps), story, since=0.0).is_good is is_good


def test_the_judgement_names_the_worst_and_what_happened_then() -> None:
    """And who has no node in the end."""
    story = Story([happened(HUNG, 5.0, 30.0)])
    record = seen((6.0, "ab"), (6.4, "a"), (50.0, ""))
    record.note(json.dumps({"at": 40.0, "late": 0.25}))
    found = judge(record, story, since=0.0)
    assert found.unexplained == END - 50.0 > SILENT_SECONDS
    text = tell(found, record, story, since=0.0)
    assert "1 incidents in 100 s: 1 hung" in text
    assert f"worst double: {WEB} for 0.400 s by ['a', 'b'], 1.00 s after the beginning" in text
    assert f"worst silence: {WEB} for 50.000 s by [], nothing happened" in text
    assert "late by 0.250 s" in text
    assert text.endswith(f"not with one node in the end: {WEB}")
    assert TAKE_OVER > SILENT_SECONDS
