"""`dashboard`: status, Services, pools and the BGP table together, again and again."""

import sys
import time
from collections.abc import Callable

import click

from plugin.cli.flags import cluster_of, flags_of
from plugin.cli.options import connection, output
from plugin.core import snapshot as kinds
from plugin.core.bgpstate import BgpState, bgp_of
from plugin.core.components import SIDECAR
from plugin.core.document import Document
from plugin.core.problem import PluginError
from plugin.core.sidecars import sidecars
from plugin.core.snapshot import Snapshot
from plugin.shell.following import Following
from plugin.shell.kubectl import Kubectl
from plugin.shell.output import CLEAR, Format, structured, text
from purelb.api.durations import parse_duration

SHORTEST = 0.1  # seconds: nobody reads faster
RIB = ("gobgp", "--target", "unix:///var/run/gobgp/gobgp.sock", "global", "rib")


def seconds(_: click.Context, option: click.Parameter, value: str) -> float:
    """Return the seconds of an option that takes a Go duration."""
    try:
        return max(SHORTEST, parse_duration(value))
    except ValueError as error:
        raise PluginError(f"--{option.name}: {error}") from error


@click.command()
@output
@connection
@click.option(
    "--interval", default="1s", callback=seconds, help="Longest time between two looks; as 1s."
)
@click.option(
    "--gobgp-interval",
    default="5s",
    callback=seconds,
    help="Between two looks into the sidecars' tables; as 5s.",
)
@click.pass_context
def dashboard(
    context: click.Context, output: Format, interval: float, gobgp_interval: float
) -> None:
    """Show status, Services, pools and the BGP table, until it is interrupted."""
    following = Following(cluster_of(context), *kinds.OVERVIEW)
    table = _Table(lambda: Kubectl(flags_of(context)), gobgp_interval)
    told = ""
    while True:
        try:
            found = following.look(interval)
            page = "\n\n".join([*_sections(found, output), table.page(found)])
        except PluginError as error:
            if str(error) != told:
                print(f"fetch error: {error}", file=sys.stderr)
            told = str(error)
        else:
            told = ""
            print(f"{CLEAR if sys.stdout.isatty() else '---'}\n{page}", flush=True)


def _sections(found: Snapshot, output: Format) -> list[str]:
    from plugin.core.allocation import allocator_of
    from plugin.core.pools import report_pools
    from plugin.core.services import Filter, report_services
    from plugin.core.status import report_status
    from plugin.render.overview import pools_text, services_text, status_text

    is_wide, allocator = output is Format.WIDE, allocator_of(found)
    status = report_status(found, allocator)
    services = report_services(found, Filter())
    pools = report_pools(found, allocator)
    pages: list[tuple[Document, list[str]]] = [
        (status, status_text(status, is_wide=is_wide)),
        (services, services_text(services, is_wide=is_wide)),
        (pools, pools_text(pools, shows_services=False, is_wide=is_wide)),
    ]
    if output.is_text:
        return [text(lines) for _, lines in pages]
    return [structured(document, output) for document, _ in pages]


class _Table:
    """The BGP tables of all sidecars, asked for less often than the API."""

    def __init__(self, kubectl: Callable[[], Kubectl], interval: float) -> None:
        self._kubectl, self._interval = kubectl, interval
        self._due, self._shown = 0.0, ""

    def page(self, found: Snapshot) -> str:
        """Return the section; what went wrong stands in it."""
        title = "GoBGP Global RIB"
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._interval
            self._shown = self._ask(found)
        return f"{title}\n{'=' * len(title)}\n{self._shown}"

    def _ask(self, found: Snapshot) -> str:
        state = bgp_of(found).state
        if state is not BgpState.ACTIVE:
            return state.value
        try:
            pods, kubectl = sidecars(found), self._kubectl()
        except PluginError as error:
            return str(error)
        runs = kubectl.run_on(found.namespace, pods, SIDECAR, RIB)
        return "\n".join(f"=== {node} ===\n{ran.error or ran.out.rstrip()}" for node, ran in runs)
