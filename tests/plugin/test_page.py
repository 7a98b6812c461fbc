"""`report` and `top` as commands; the page in a real browser."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.plugin import scenes
from tests.plugin.stage import Stage, play, run

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def without_time(page: str) -> str:
    """Return a page without the moment at which it was made."""
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME", page)


def test_a_page_is_written_to_a_file_or_to_standard_output(tmp_path: Path) -> None:
    """The same page."""

    async def work(stage: Stage) -> None:
        path = tmp_path / "page.html"
        result = await stage.run("report", "--html", str(path))
        assert (result.code, result.err) == (0, "")
        printed = await stage.run("report", "--html", "-")
        assert printed.out.startswith("<!DOCTYPE html>")
        assert without_time(path.read_text()) == without_time(printed.out)

    play(tmp_path, scenes.healthy(), work)


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """The cluster was read for nothing, but nobody sees a traceback."""
    result = run(tmp_path, scenes.healthy(), "report", "--html", str(tmp_path / "no" / "page"))
    assert (result.code, result.err.count("\n")) == (1, 1)


def browser() -> str:
    """Return the program of a browser, or skip."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser to try the page in: none of {', '.join(BROWSERS)} is installed")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_the_page_without_complaint(tmp_path: Path, scheme: str) -> None:
    """Nothing is refused, nothing is asked for, the text is there, and a picture can be taken."""
    program = browser()
    path, picture = tmp_path / "page.html", tmp_path / "page.png"
    assert run(tmp_path, scenes.healthy(), "report", "--html", str(path)).code == 0
    options = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1200,2400",
        *(["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []),
    ]
    done = subprocess.run(
        [program, *options, f"--screenshot={picture}", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert console == []
    assert picture.read_bytes().startswith(b"\x89PNG")
    dumped = subprocess.run(
        [program, *options, "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert "Occupancy of pools" in dumped.stdout


def test_top_is_printed_once_without_a_terminal(tmp_path: Path) -> None:
    """So that it can be looked at in a log."""
    result = run(tmp_path, scenes.healthy(), "top")
    assert (result.code, result.err) == (0, "")
    for piece in ("Pools", "Nodes", "Moves", "Waiting", "node-a"):
        assert piece in result.out
