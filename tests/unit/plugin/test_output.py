"""Colour: who gets it, and what is painted."""

import io

import pytest

from plugin.core.snapshot import Gap
from plugin.shell.output import BOLD, GREEN, PLAIN, RED, YELLOW, has_color, paint, text, warn


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: bool
) -> None:
    """See no-color.org: an empty variable is none."""
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert has_color(Terminal()) is expected
    assert not has_color(io.StringIO())
    assert (GREEN in text(["Overall: OK"], Terminal())) is expected
    assert text(["Overall: OK"], io.StringIO()) == "Overall: OK"


@pytest.mark.parametrize(
    ("line", "painted"),
    [
        ("NODE  ROUTER ID  STATE", f"{BOLD}NODE  ROUTER ID  STATE{PLAIN}"),
        ("shop  web  OK", f"shop  web  {GREEN}OK{PLAIN}"),
        ("shop  web  NO ANNOUNCER  ***", f"shop  web  NO ANNOUNCER  {RED}***{PLAIN}"),
        ("FAIL  a sentence", f"{RED}FAIL{PLAIN}  a sentence"),
        ("shop  late  <pending>", f"shop  late  {YELLOW}<pending>{PLAIN}"),
        ("Result: 10 FAIL, 0 WARN", f"Result: 10 {RED}FAIL{PLAIN}, 0 WARN"),
        ("Result: 0 FAIL, 2 WARN", f"Result: 0 FAIL, 2 {YELLOW}WARN{PLAIN}"),
        ("Result: 0 FAIL, 0 WARN, 3 PASS", f"Result: 0 FAIL, 0 WARN, 3 {GREEN}PASS{PLAIN}"),
        ("nothing of interest", "nothing of interest"),
    ],
)
def test_the_words_that_carry_a_verdict_are_painted(line: str, painted: str) -> None:
    """One in each line; the worst counts."""
    assert paint(line) == painted


def test_what_is_missing_is_told_aside(capsys: pytest.CaptureFixture[str]) -> None:
    """So that JSON stays JSON."""
    warn([Gap(what="nodes", why="forbidden")])
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "Warning: without nodes: forbidden\n")


@pytest.mark.parametrize(
    "evil", ["\x1b[2J", "\x1b]0;pwn\x07", "a\nshop  web  OK", "\x9b31m", "\r", "\u202e", "\udcff"]
)
def test_what_others_wrote_cannot_steer_a_terminal(
    evil: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An annotation is anybody's; one line stays one line."""
    line = text([f"key {evil} end"], io.StringIO())
    warn([Gap(what=f"services {evil}", why=evil)])
    for shown in (line, capsys.readouterr().err.rstrip("\n")):
        assert shown.isprintable()
        assert "?" in shown


def test_letters_of_all_languages_are_shown() -> None:
    """As they are."""
    assert text(["Grüße 共有 — ключ"], io.StringIO()) == "Grüße 共有 — ключ"
