"""The pictures in docs/images show what the commands print today."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin.screenshots import cluster, in_utc, terminals
from tests.plugin.stage import ROOT, stage

IMAGES = ROOT / "docs" / "images"


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", os.environ.get("TZ", ""))
    in_utc()
    yield
    monkeypatch.undo()
    time.tzset()


def test_pictures_are_those_that_would_be_made_now(tmp_path: Path) -> None:
    """If this fails, look at `make screenshots` and its diff."""

    async def scenario() -> dict[str, str]:
        async with stage(tmp_path, cluster()) as found:
            return await terminals(found)

    for name, content in asyncio.run(scenario()).items():
        assert (IMAGES / name).read_text() == content, name


def test_pictures_refer_to_nothing_elsewhere() -> None:
    """They are shown where there is no network as well."""
    for path in IMAGES.glob("*.svg"):
        assert "@font-face" not in path.read_text()
        assert "url(http" not in path.read_text()
    assert (IMAGES / "report.png").exists()
