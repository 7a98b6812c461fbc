"""Builds the programs that are nowhere to be found, one after another, into the cache.

An interruption costs the program that was being built and no other; two builders do not collide.
"""

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from playground.controlplane.binaries import built, cache, locate
from playground.controlplane.programs import ENVIRONMENT, MODULES, PROGRAMS, Program, arguments
from playground.controlplane.toolchain import Say, find_go

SILENT_SECONDS = 60.0  # longest time without a word: who reads a log must see that it goes on


class BuildError(Exception):
    """Go refused; the text ends with what it said."""


def build(environment: Mapping[str, str], say: Say) -> Path:
    """Make every program available and return the folder of those that had to be built.

    Tells `say` what happens. Raises BuildError or ToolchainError. A cold build takes some 15
    minutes on two cores and 4 GB of Go's caches; from warm caches it takes seconds.
    """
    folder = built(environment)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder, say):
        absent = [program for program in PROGRAMS if locate(program.name, environment) is None]
        for program in PROGRAMS:
            if program not in absent:
                say(f"{program.name}: {locate(program.name, environment)}")
        if absent:
            _build_all(absent, folder, environment, say)
    return folder


def _build_all(
    programs: Sequence[Program], folder: Path, environment: Mapping[str, str], say: Say
) -> None:
    go = find_go(cache(environment), environment, say)
    for number, program in enumerate(programs, 1):
        say(f"{program.name}: building, {number} of {len(programs)}")
        begun = time.monotonic()
        _compile(go, program, folder, environment, say)
        say(f"{program.name}: built in {time.monotonic() - begun:.0f} s")


def _compile(
    go: Path, program: Program, folder: Path, environment: Mapping[str, str], say: Say
) -> None:
    partial = folder / f".{program.name}"
    with subprocess.Popen(
        [go, "build", "-o", partial, *arguments(program)],
        cwd=MODULES / program.module,
        env=dict(environment) | ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as compiler:
        output = _wait(compiler, lambda: say(f"{program.name}: still building"))
    if compiler.returncode != 0:
        raise BuildError(f"{program.name} cannot be built: {output.strip()[-2000:]}")
    partial.rename(folder / program.name)


def _wait(process: subprocess.Popen[str], meanwhile: Callable[[], None]) -> str:
    """Return what a process has said when it has ended."""
    while True:
        try:
            return process.communicate(timeout=SILENT_SECONDS)[0]
        except subprocess.TimeoutExpired:
            meanwhile()


@contextlib.contextmanager
def _alone(folder: Path, say: Say) -> Iterator[None]:
    """Hold the folder's lock; the kernel drops it with the process."""
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build is under way: waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
