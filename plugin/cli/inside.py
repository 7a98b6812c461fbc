"""`gobgp` and `ip`: programs in the BGP sidecar, on every node or on one."""

import sys
from collections.abc import Sequence

import click

from plugin.cli.flags import cluster_of, flags_of
from plugin.cli.options import long_connection
from plugin.core import snapshot as kinds
from plugin.core.bgpstate import BgpState, bgp_of
from plugin.core.components import SIDECAR
from plugin.core.problem import PluginError
from plugin.core.sidecars import sidecars
from plugin.shell.kubectl import Kubectl, Ran
from plugin.shell.output import warn

SOCKET = "unix:///var/run/gobgp/gobgp.sock"
PASS_ON = {
    "ignore_unknown_options": True,
    "allow_interspersed_args": False,
    "help_option_names": [],
}


@click.command(context_settings=PASS_ON)
@long_connection
@click.option("--node", default="", metavar="NAME", help="Only on this node.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def gobgp(context: click.Context, node: str, arguments: Sequence[str]) -> None:
    """Run gobgp in the BGP sidecars."""
    found, arguments = _node_of(arguments)
    command = ["gobgp", "--target", SOCKET, *arguments]
    _run(context, found or node, command, needs_active=True)


@click.command(context_settings=PASS_ON)
@long_connection
@click.option("--node", default="", metavar="NAME", help="Only on this node.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def ip(context: click.Context, node: str, arguments: Sequence[str]) -> None:
    """Run ip in the BGP sidecars, which see the networks of their nodes."""
    found, arguments = _node_of(arguments)
    _run(context, found or node, ["ip", *arguments], needs_active=False)


def _node_of(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Take `--node NAME` out of the arguments, wherever it stands; PluginError without a name."""
    rest, node, waiting = [], "", False
    for argument in arguments:
        if waiting:
            node, waiting = argument, False
        elif argument == "--node":
            waiting = True
        elif argument.startswith("--node="):
            node = argument.removeprefix("--node=")
        else:
            rest.append(argument)
    if waiting:
        raise PluginError("--node needs the name of a node")
    return node, rest


def _run(context: click.Context, node: str, command: list[str], *, needs_active: bool) -> None:
    found = cluster_of(context).read((kinds.PODS, kinds.BGP_NODES))
    warn(found.gaps)
    state = bgp_of(found).state
    if state is BgpState.NOT_ENABLED or (needs_active and state is not BgpState.ACTIVE):
        print(state.value)
        return
    pods, kubectl = sidecars(found, node), Kubectl(flags_of(context))
    runs = kubectl.run_on(found.namespace, pods, SIDECAR, command)
    for number, (on, ran) in enumerate(runs):
        if len(pods) > 1:
            print(("\n" if number else "") + f"=== {on} ===")
        _print(on, ran)


def _print(node: str, ran: Ran) -> None:
    print(ran.out, end="", flush=True)
    if ran.error:
        print(f"Error on {node}: {ran.error}", file=sys.stderr, flush=True)
