"""What gets into the log of a daemon."""

import logging

import pytest

from purelb.runtime.logs import Trouble

logger = logging.getLogger("somewhere")


def test_a_trouble_that_lasts_is_told_when_it_begins_changes_and_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And not at every attempt between."""
    trouble = Trouble(logger, "cannot look")
    caplog.set_level(logging.DEBUG)
    for error in ("", "no socket", "no socket", "no answer", "no answer", "", ""):
        trouble.note(error)
    told = [(line.levelname, getattr(line, "error", "")) for line in caplog.records]
    assert told == [("WARNING", "no socket"), ("WARNING", "no answer"), ("INFO", "")]
