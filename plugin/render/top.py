"""The full-screen view of `top`, made with rich; a value in, a renderable out."""

from datetime import datetime

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from plugin.core.election import MemberRow
from plugin.core.live import Fill, Look
from plugin.core.nodeconfig import State

HOT, WARM = 0.95, 0.8  # shares of a pool from which on it is red, yellow
HEADER, MOST_WAITING = 4, 8
NARROW = 90  # columns, below which there are no two tables side by side


def frame(look: Look, width: int = NARROW) -> RenderableType:
    """Return the whole screen, of so many columns."""
    layout = Layout()
    layout.split_column(
        Layout(_header(look), size=HEADER + min(3, len(look.status.warnings))),
        Layout(name="body"),
    )
    body = layout["body"]
    split = body.split_row if width >= NARROW else body.split_column
    split(Layout(name="left"), Layout(name="right"))
    layout["left"].split_column(
        Layout(Panel(_pools(look), title="Pools", border_style="dim")),
        Layout(Panel(_waiting(look), title="Waiting", border_style="dim")),
    )
    layout["right"].split_column(
        Layout(Panel(_nodes(look), title="Nodes", border_style="dim")),
        Layout(Panel(_changes(look), title="Moves", border_style="dim")),
    )
    return layout


def trouble(message: str) -> RenderableType:
    """Return what is shown while nothing is known; brackets, as of an IPv6 address, stay."""
    return Text(f"{message}; trying again", "yellow")


def _header(look: Look) -> RenderableType:
    status = look.status
    good = status.overall == "OK"
    first = Text.assemble(
        ("PureLB ", "bold"),
        (status.overall, "bold green" if good else "bold yellow"),
        (f"   {_clock(look.at)}   Ctrl-C ends", "dim"),
    )
    second = Text(
        f"{status.services.summary}   election {status.election.summary}   BGP {status.bgp.summary}"
    )
    warnings = [Text(f"! {warning}", "yellow") for warning in status.warnings[:3]]
    for line in (first, second, *warnings):  # each has one line, which the size counts on
        line.no_wrap, line.overflow = True, "ellipsis"
    return Panel(Group(first, second, *warnings), border_style="green" if good else "yellow")


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%H:%M:%S}"


def _pools(look: Look) -> RenderableType:
    table = Table.grid(padding=(0, 1), expand=True)
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for fill in sorted(look.fills, key=_is_roomy):  # a screen may end before a table does
        trend = f"{fill.trend:+d}" if fill.trend else ""
        counts = f"{fill.used}/{fill.size}" if fill.size < 10**9 else f"{fill.used}"
        table.add_row(fill.pool, Text(fill.family, "dim"), _bar(fill), counts, trend)
    return table if look.fills else Text("no ServiceGroup", "dim")


def _is_roomy(fill: Fill) -> bool:
    return bool(fill.available) and fill.used / fill.size < HOT


def _bar(fill: Fill) -> ProgressBar:
    warm = fill.used / fill.size >= WARM
    color = "red" if not _is_roomy(fill) else "yellow" if warm else "green"
    # Of a large pool a single address should be seen as well.
    done = max(fill.used, fill.size / 50) if fill.used else 0
    return ProgressBar(fill.size, done, complete_style=color, finished_style=color)


def _nodes(look: Look) -> RenderableType:
    table = Table(box=None, expand=True, header_style="dim", padding=(0, 1, 0, 0))
    for title in ("NODE", "LEASE", "CONFIG"):
        table.add_column(title, no_wrap=True)
    table.add_column("IPS", justify="right")
    for node in sorted(look.nodes, key=_by_trouble):
        lease = Text(node.expires_in, "" if node.healthy else "bold red")
        findings = f" ({node.findings} finding(s))" if node.findings else ""
        config = Text(node.config.state + findings, "" if _is_serving(node) else "yellow")
        table.add_row(node.name, lease, config, str(node.announcing))
    return table


def _is_serving(node: MemberRow) -> bool:
    return node.config.state == State.CONFIGURED and not node.findings


def _by_trouble(node: MemberRow) -> tuple[bool, bool]:
    return node.healthy, _is_serving(node)


def _waiting(look: Look) -> RenderableType:
    if not look.waiting:
        return Text("no Service waits for an address", "dim")
    lines = [Text(key, "yellow") for key in look.waiting[:MOST_WAITING]]
    more = len(look.waiting) - MOST_WAITING
    if more > 0:
        lines.append(Text(f"and {more} more", "dim"))
    return Group(*lines)


def _changes(look: Look) -> RenderableType:
    if not look.changes:
        return Text("no address has moved since this view began", "dim")
    table = Table.grid(padding=(0, 1))
    for change in look.changes:
        table.add_row(
            Text(_clock(change.at), "dim"),
            change.service,
            str(change.address),
            Text(f"{change.old} → {change.new}", "bold"),
        )
    return table
