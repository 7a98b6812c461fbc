"""A running playground as seen from outside: finding, starting, entering, asking and ending it.

Nothing on disk points to it. Its supervisor is found by its command line in /proc, its files
through /proc/PID/root, and commands run inside by `nsenter`.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.plane import ControlPlane
from playground.planes import Choice, Kind, add_options, chosen
from playground.preflight import complaints, unshare, use_system_programs
from playground.state import CHECKOUT as CHECKOUT  # where commands are run from
from playground.state import INSIDE, Paths
from playground.topology import topology

SUPERVISOR = "playground.supervisor"
START_SECONDS = 180.0  # a backstop: every process has a deadline of its own
END_SECONDS = 30.0
LONGEST = 1 << 22  # bytes of an answer


class PlaygroundError(Exception):
    """The playground cannot do what was asked; the text is a sentence for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A playground by its name and the process ID of its supervisor, as seen from here."""

    name: str
    pid: int
    kind: Kind

    @property
    def paths(self) -> Paths:
        """Its files, reached from here."""
        return Paths(Path(f"/proc/{self.pid}/root"))

    def kubeconfig(self, client: str) -> Path:
        """Write the kubeconfig of a client of its API; returns its path inside."""
        return self._plane.kubeconfig(self.paths, client)

    def kubectl(self, arguments: Sequence[str]) -> tuple[str, ...]:
        """Return the command that runs kubectl on the control machine as an administrator."""
        # Its cache would otherwise be written to the home directory. Variables rather than options,
        # because a plugin's name must be kubectl's first argument.
        cache = Paths(INSIDE).folder / "kubectl"
        variables = (f"KUBECONFIG={self.kubeconfig('kubectl')}", f"KUBECACHEDIR={cache}")
        return ("env", *variables, self._plane.kubectl(), *arguments)

    @property
    def _plane(self) -> ControlPlane:
        return Choice(kind=self.kind).plane(topology(1))

    def enter(self, machine: str | None, argv: Sequence[str]) -> tuple[str, ...]:
        """Return the command that runs another one on a machine; None is where the bridges are."""
        user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
        namespaces = ("--mount", "--net", "--pid", "--uts", "--ipc", *user)
        there = ("ip", "netns", "exec", machine) if machine else ()
        target = ("nsenter", f"--target={self.pid}", *namespaces, f"--wdns={os.getcwd()}", "--")
        return (*target, *there, *argv)

    async def ask(self, do: str, **arguments: object) -> Any:  # noqa: ANN401  # the answer's JSON
        """Ask the supervisor; raises PlaygroundError with its refusal."""
        reader, writer = await asyncio.open_unix_connection(self.paths.supervisor, limit=LONGEST)
        try:
            writer.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            line = await reader.readline()
        finally:
            writer.close()
        if not line:
            raise PlaygroundError(f"the playground {self.name} ended")
        answer = json.loads(line)
        if "error" in answer:
            raise PlaygroundError(answer["error"])
        return answer["value"]

    def keep_logs(self, folder: Path) -> None:
        """Copy all logs to a folder."""
        shutil.copytree(self.paths.logs, folder, dirs_exist_ok=True)

    async def end(self) -> None:
        """End the playground with everything in it; returns when it is gone."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            async with asyncio.timeout(END_SECONDS):
                await _wait_readable(descriptor)
        except ProcessLookupError:
            return
        finally:
            os.close(descriptor)


def instances() -> tuple[Instance, ...]:
    """Return this user's running playgrounds, by name."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (instance := _supervised(entry)) is not None:
            found.append(instance)
    return tuple(sorted(found, key=lambda instance: instance.name))


def find(name: str) -> Instance:
    """Return a running playground; raises PlaygroundError with a sentence."""
    for instance in instances():
        if instance.name == name:
            return instance
    raise PlaygroundError(
        f"no playground named {name} is up: start it with `python -m playground up --name {name}`"
    )


def python_path() -> str:
    """Return a module search path that finds this project from any directory."""
    return os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))


async def launch(
    name: str, nodes: int, *, choice: Choice, until_eof: bool
) -> tuple[Instance, asyncio.subprocess.Process]:
    """Start a playground and wait until it serves.

    With `until_eof` it ends with this process. Raises PlaygroundError, also with what the system
    lacks, before anything happens.
    """
    use_system_programs()
    if found := complaints() or choice.plane(topology(nodes)).complaints():
        raise PlaygroundError("\n".join(found))
    if any(instance.name == name for instance in instances()):
        raise PlaygroundError(f"a playground named {name} is up already")
    command = (*unshare(is_root=os.geteuid() == 0), sys.executable, "-m", SUPERVISOR)
    options = ["--name", name, "--nodes", str(nodes), *choice.options()]
    options += ["--until-eof"] if until_eof else []
    process = await asyncio.create_subprocess_exec(
        *command,
        *options,
        stdin=asyncio.subprocess.PIPE if until_eof else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": python_path()},
        start_new_session=True,  # Ctrl-C is for this process, which then ends the playground
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            answer = await _first_line(process)
        if "error" in answer:
            raise PlaygroundError(answer["error"])
        return find(name), process
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise


async def _wait_readable(descriptor: int) -> None:
    """Wait for a process by its descriptor, which is readable once the process has ended."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)


async def _first_line(process: asyncio.subprocess.Process) -> Mapping[str, Any]:
    if process.stdout is None or process.stderr is None:
        raise PlaygroundError("the supervisor was started without pipes")
    line = await process.stdout.readline()
    if not line:
        reason = (await process.stderr.read()).decode(errors="replace").strip()
        raise PlaygroundError(f"the playground ended before it was up: {reason}")
    answer: Mapping[str, Any] = json.loads(line)
    return answer


def _supervised(entry: Path) -> Instance | None:
    """Return the playground if the process is the supervisor, which is init inside."""
    try:
        argv = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        if SUPERVISOR not in argv or entry.stat().st_uid != os.geteuid():
            return None
        status = (entry / "status").read_text()
    except OSError:
        return None  # it ended meanwhile
    numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
    # `unshare` has the same arguments, and the supervisor proper is a child of init.
    if len(numbers) < 2 or numbers[-1] != "1":
        return None
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--name")
    add_options(parser)
    try:
        arguments, _ = parser.parse_known_args(argv[argv.index(SUPERVISOR) + 1 :])
    except argparse.ArgumentError:
        return None  # of another version of this program
    return Instance(name=arguments.name, pid=int(entry.name), kind=chosen(arguments).kind)
