"""`report`: the state of the cluster as one page to print or send."""

from pathlib import Path

import click

from plugin.cli.flags import cluster_of, target_of
from plugin.cli.options import connection
from plugin.core import snapshot as kinds
from plugin.core.problem import PluginError
from plugin.shell.output import warn


@click.command()
@connection
@click.option(
    "--html",
    "file",
    type=click.Path(),
    required=True,
    metavar="FILE",
    help="Page to write; - for stdout.",
)
@click.pass_context
def report(context: click.Context, file: str) -> None:
    """Write one self-contained page: occupancy as a map, who announces what, what has moved."""
    from plugin.core.allocation import allocator_of
    from plugin.core.page import page_of
    from plugin.render.page import page_html

    found = cluster_of(context).read(kinds.OVERVIEW[0], (*kinds.OVERVIEW[1], kinds.EVENTS))
    warn(found.gaps)
    page = page_html(page_of(found, allocator_of(found), target_of(context).server))
    if file == "-":
        print(page, end="")
        return
    try:
        written = Path(file).write_bytes(page.encode())
    except OSError as error:
        raise PluginError(f"cannot write {file}: {error.strerror}") from error
    print(f"{file}: {written} bytes")
