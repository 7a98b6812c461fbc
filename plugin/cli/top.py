"""`top`: pools filling, who announces what, addresses as they move."""

import sys
import time

import click

from plugin.cli.dashboard import seconds
from plugin.cli.flags import cluster_of
from plugin.cli.options import connection
from plugin.core import snapshot as kinds
from plugin.core.problem import PluginError
from plugin.core.snapshot import Snapshot
from plugin.shell.cluster import Cluster


@click.command()
@connection
@click.option("--interval", default="2s", callback=seconds, help="Between two looks; as 2s.")
@click.pass_context
def top(context: click.Context, interval: float) -> None:
    """Show a live view of the whole screen; without a terminal it is printed once."""
    from rich.console import Console
    from rich.live import Live

    from plugin.core.live import look
    from plugin.render.top import frame

    cluster = cluster_of(context)
    seen = look(_read(cluster), None)
    if not sys.stdout.isatty():
        Console(width=120, height=32).print(frame(seen))
        return
    with Live(frame(seen), screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(interval)
            try:
                seen = look(_read(cluster), seen)
            except PluginError as error:
                live.console.bell()
                live.update(f"{error}; trying again", refresh=True)
            else:
                live.update(frame(seen), refresh=True)


def _read(cluster: Cluster) -> Snapshot:
    return cluster.read(
        (kinds.SERVICES, kinds.GROUPS, kinds.LEASES, kinds.AGENTS),
        (kinds.PODS, kinds.NODES, kinds.CIDRS, kinds.BGP_NODES),
    )
