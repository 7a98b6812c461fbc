"""Command line: `python -m playground up|down|status|demo|shell|kubectl`.

A thin layer over `instance` and `cluster`; messages for people are written here only.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from playground.cluster import Cluster
from playground.install import install
from playground.instance import Instance, PlaygroundError, find, instances, launch
from playground.planes import add_options, chosen
from playground.preflight import use_system_programs
from playground.topology import topology

DEFAULT_NAME = "playground"

Command = Callable[[argparse.Namespace], int]


def up(arguments: argparse.Namespace) -> int:
    """Start a playground, in the background unless told otherwise."""
    if arguments.keep_logs is not None and not arguments.foreground:
        raise PlaygroundError("--keep-logs is for `up --foreground` and for `down`")
    if not arguments.foreground:
        print(_greeting(asyncio.run(_leave_running(arguments)), arguments.nodes))
        return 0
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_stay(arguments))
    return 0


async def _leave_running(arguments: argparse.Namespace) -> Instance:
    choice, nodes = chosen(arguments), arguments.nodes
    instance, _ = await launch(arguments.name, nodes, choice=choice, until_eof=False)
    await install(instance, choice, nodes)
    return instance


async def _stay(arguments: argparse.Namespace) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with Cluster(
        nodes=arguments.nodes,
        name=arguments.name,
        control_plane=arguments.control_plane,
        node_grace_seconds=arguments.node_grace,
        keep_logs=arguments.keep_logs,
    ) as cluster:
        await install(cluster.instance, chosen(arguments), arguments.nodes)
        print(_greeting(cluster.instance, arguments.nodes), flush=True)
        print("Ctrl-C ends it.", flush=True)
        await ended.wait()


def down(arguments: argparse.Namespace) -> int:
    """End a playground."""
    instance = find(arguments.name)
    if arguments.keep_logs is not None:
        instance.keep_logs(arguments.keep_logs)
    asyncio.run(instance.end())
    return 0


def status(arguments: argparse.Namespace) -> int:
    """Show what runs."""
    for instance in instances():
        try:
            lines = asyncio.run(_state(instance))
        except (PlaygroundError, OSError) as error:  # it may be starting or ending
            lines = [f"  {error}"]
        print("\n".join([f"{instance.name}: supervisor {instance.pid}", *lines]))
    return 0


async def _state(instance: Instance) -> list[str]:
    lines = [f"  nodes {' '.join(await instance.ask('nodes'))}"]
    for process in await instance.ask("list"):
        code = process["returncode"]
        state = "running" if code is None else f"ended with {code}"
        lines.append(f"  {process['machine']:10} {process['name']:24} {state}")
    return lines


def shell(arguments: argparse.Namespace) -> NoReturn:
    """Become a shell on a machine."""
    program = os.environ.get("SHELL", "/bin/sh")
    command = arguments.command or [program]
    _become(find(arguments.name), arguments.node, command)


def kubectl(arguments: argparse.Namespace) -> NoReturn:
    """Become kubectl on the control machine."""
    instance = find(arguments.name)
    _become(instance, "control", instance.kubectl(arguments.command))


def demo(arguments: argparse.Namespace) -> int:
    """Show everything the product promises in a world of its own; 0 only if all of it held."""
    # Imported here: the other commands start faster without it.
    from playground.demo import run

    return 0 if asyncio.run(run(arguments.nodes)) else 1


def _become(instance: Instance, machine: str, command: Sequence[str]) -> NoReturn:
    argv = instance.enter(machine, command)
    os.execvp(argv[0], argv)


def _greeting(instance: Instance, nodes: int) -> str:
    option = "" if instance.name == DEFAULT_NAME else f" --name {instance.name}"
    last = topology(nodes).nodes[-1].name
    return (
        f"The playground {instance.name} is up: node-a to {last}, control, router, client.\n"
        f"  python -m playground{option} kubectl apply -f playground/manifests/echo.yaml\n"
        f"  python -m playground{option} kubectl get services\n"
        f"  python -m playground{option} shell node-a\n"
        f"  python -m playground{option} down"
    )


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    root = argparse.ArgumentParser(prog="python -m playground", description=__doc__)
    root.add_argument("--name", default=DEFAULT_NAME, help="several may be up at once")
    commands = root.add_subparsers(required=True)

    def command(name: str, function: Command) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=function.__doc__, description=function.__doc__)
        sub.add_argument("--name", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        sub.set_defaults(function=function)
        return sub

    start = command("up", up)
    start.add_argument("--nodes", type=int, default=3)
    add_options(start)
    start.add_argument("--foreground", action="store_true", help="stay until Ctrl-C")
    end = command("down", down)
    for sub in (start, end):
        sub.add_argument("--keep-logs", type=Path, metavar="DIR", help="copy the logs at the end")
    command("status", status)
    show = command("demo", demo)
    show.add_argument("--nodes", type=int, default=3)
    enter = command("shell", shell)
    enter.add_argument("node", help="node-a, ..., control, router or client")
    enter.add_argument("command", nargs=argparse.REMAINDER, help="instead of a shell")
    tool = command("kubectl", kubectl)
    tool.add_argument("command", nargs=argparse.REMAINDER)
    return root


def main() -> int:
    """Run one command; returns its exit code."""
    arguments = parser().parse_args()
    use_system_programs()
    try:
        code: int = arguments.function(arguments)
    except (PlaygroundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # as shells count it; what was up is gone
    return code


if __name__ == "__main__":
    sys.exit(main())
