"""`report` and `top` as commands; the page in a real browser."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from plugin.core.allocation import allocator_of
from plugin.core.page import page_of
from plugin.render.page import page_html
from tests.plugin import scenes
from tests.plugin.stage import Stage, play, run
from tests.unit.plugin.worlds import world

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


def headless(folder: Path) -> list[str]:
    """Return the options of a browser without a screen."""
    profile = f"--user-data-dir={folder / 'profile'}"
    return ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", profile]


def printed(program: str, folder: Path, page: str) -> int:
    """Print a page and return the number of sheets."""
    source, target = folder / "page.html", folder / "page.pdf"
    source.write_text(page, encoding="utf-8")
    subprocess.run(
        [program, *headless(folder), f"--print-to-pdf={target}", source.as_uri()],
        capture_output=True,
        timeout=100,
        check=True,
    )
    return max(int(count) for count in re.findall(rb"/Count (\d+)", target.read_bytes()))


def test_paper_has_what_a_screen_folds_up(tmp_path: Path) -> None:
    """The addresses of a node: nobody can unfold them there."""
    program = browser()
    many = (
        scenes.service(f"shop/s{n}", f"192.0.2.{n}", slots=[f"node-b,eth0,192.0.2.{n}"])
        for n in range(150)
    )
    found = world([*scenes.healthy(), *many])
    page = page_html(page_of(found, allocator_of(found), "https://one:6443"))
    assert "<details>" in page
    unfolded = page.replace("<details>", "<details open>")
    assert printed(program, tmp_path, page) == printed(program, tmp_path, unfolded)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_the_page_without_complaint(tmp_path: Path, scheme: str) -> None:
    """Nothing is refused, nothing is asked for, the text is there, and a picture can be taken."""
    program = browser()
    path, picture = tmp_path / "page.html", tmp_path / "page.png"
    assert run(tmp_path, scenes.healthy(), "report", "--html", str(path)).code == 0
    options = [
        *headless(tmp_path),
        "--enable-logging=stderr",
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
