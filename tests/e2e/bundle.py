"""What a failed test leaves: everything a person needs to see why, in one folder.

Belongs here: finding the clusters of this process and asking them. Does not: when that is done
(`conftest`). It waits for no event loop, so a test that hangs in its own is no obstacle.
"""

import contextlib
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from playground.instance import Instance, instances

FOLDER = Path(__file__).parents[2] / "build/e2e-failures"
SECONDS = 15.0  # for one question
KINDS = (
    *("services", "endpointslices", "pods", "nodes", "namespaces", "leases"),
    *("servicegroups.purelb.io", "lbnodeagents.purelb.io"),
)
COMMANDS = (
    ("ip", "-d", "addr"),
    ("ip", "route", "show", "table", "all"),
    ("ip", "-6", "route", "show", "table", "all"),
    ("ip", "neigh"),
    ("nft", "list", "ruleset"),
)


def leave(test: str, failure: str) -> Path:
    """Write what all clusters of this process look like; returns the folder, named after `test`."""
    folder = FOLDER / re.sub(r"[^\w.-]+", "_", test.removeprefix("tests/e2e/"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "failure.txt").write_text(failure)
    for instance in instances():
        if os.getpid() in _ancestors(instance.pid):
            _describe(instance, folder / instance.name)
    return folder


def _describe(instance: Instance, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with contextlib.suppress(OSError):  # a log that is moved away meanwhile
        instance.keep_logs(folder / "log")
    events = ("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp")
    _keep(folder / "events.txt", instance, "control", instance.kubectl(events))
    for kind in KINDS:
        command = instance.kubectl(("get", kind, "--all-namespaces", "--output=yaml"))
        _keep(folder / f"{kind}.yaml", instance, "control", command)
    for line in _ask(instance, None, ("ip", "netns", "list")).splitlines():
        machine = line.split()[0]
        for command in COMMANDS:
            name = "_".join((machine, *command)) + ".txt"
            _keep(folder / name, instance, machine, command)


def _keep(file: Path, instance: Instance, machine: str, command: Sequence[str]) -> None:
    file.write_text(_ask(instance, machine, command))


def _ask(instance: Instance, machine: str | None, command: Sequence[str]) -> str:
    """Return what a command says, or why it does not: the world may be broken."""
    try:
        return subprocess.run(
            instance.enter(machine, command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return f"{error}\n"


def _ancestors(pid: int) -> set[int]:
    """Return the process IDs of a process's parents, as far as they can be seen."""
    found: set[int] = set()
    while pid > 1:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            break
        pid = int(status.split("PPid:")[1].split()[0])
        found.add(pid)
    return found
