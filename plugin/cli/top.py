"""`top`: pools filling, who announces what, addresses as they move."""

import sys

import click

from plugin.cli.dashboard import seconds
from plugin.cli.flags import cluster_of
from plugin.cli.options import connection
from plugin.core import snapshot as kinds
from plugin.core.problem import PluginError
from plugin.shell.following import Following
from plugin.shell.output import warn


@click.command()
@connection
@click.option(
    "--interval", default="2s", callback=seconds, help="Longest time between two looks; as 2s."
)
@click.pass_context
def top(context: click.Context, interval: float) -> None:
    """Show a live view of the whole screen; without a terminal it is printed once."""
    from rich.console import Console
    from rich.live import Live

    from plugin.core.live import look
    from plugin.render.top import frame, trouble

    cluster = cluster_of(context)
    if not sys.stdout.isatty():
        found = cluster.read(*kinds.OVERVIEW)
        warn(found.gaps)
        Console(width=120, height=32).print(frame(look(found, None)))
        return
    following = Following(cluster, *kinds.OVERVIEW)
    seen = look(following.look(interval), None)
    with Live(screen=True, auto_refresh=False) as live:
        live.update(frame(seen, live.console.width), refresh=True)
        while True:
            try:
                seen = look(following.look(interval), seen)
            except PluginError as error:
                live.console.bell()
                live.update(trouble(str(error)), refresh=True)
            else:
                live.update(frame(seen, live.console.width), refresh=True)
