"""How the demo looks: a live table on a terminal, plain lines elsewhere.

Belongs here: rendering. Does not: what is done and measured (`demo`).
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

REFRESH_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step found: whether it held, and what was measured, in words."""

    held: bool
    measured: str


@dataclass(slots=True)
class Line:
    """One step as it is shown; `outcome` is None while it runs."""

    title: str
    begun: float
    outcome: Outcome | None = None


class DemoView:
    """Shows steps as they go; `holders` is address → nodes that carry it, asked at each refresh."""

    def __init__(
        self, nodes: Sequence[str], holders: Callable[[], Mapping[str, Sequence[str]]]
    ) -> None:
        self.lines: list[Line] = []
        self._console = Console(highlight=False)
        self._nodes, self._holders = nodes, holders
        self._dark: set[str] = set()

    @property
    def is_live(self) -> bool:
        """Whether there is a terminal to draw on."""
        return self._console.is_terminal

    def say(self, text: str) -> None:
        """Print a sentence that is no step."""
        self._console.print(text)

    def darken(self, node: str) -> None:
        """Show a node as having no power."""
        self._dark.add(node)

    def begin(self, title: str) -> None:
        """Show that a step has begun."""
        self.lines.append(Line(title, time.monotonic()))
        if not self.is_live:
            self._console.print(f"[{len(self.lines):2}] {title}")

    def end(self, outcome: Outcome) -> None:
        """Show what the present step found."""
        self.lines[-1].outcome = outcome
        if not self.is_live:
            self._console.print(_marked(outcome), soft_wrap=True)

    @contextlib.asynccontextmanager
    async def drawing(self) -> AsyncIterator[None]:
        """Keep the screen up to date while the block runs."""
        if not self.is_live:
            yield
            return
        with Live(self._draw(), console=self._console, auto_refresh=False) as live:
            drawer = asyncio.create_task(self._redraw(live))
            try:
                yield
            finally:
                drawer.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await drawer
                live.update(self._draw(), refresh=True)

    async def _redraw(self, live: Live) -> None:
        while True:
            live.update(self._draw(), refresh=True)
            await asyncio.sleep(REFRESH_SECONDS)

    def _draw(self) -> Group:
        addresses = Table(title="who carries what", title_justify="left")
        addresses.add_column("address")
        for node in self._nodes:
            is_dark = node in self._dark
            addresses.add_column(
                f"{node} (off)" if is_dark else node, style="dim" if is_dark else None
            )
        for address, holders in sorted(self._holders().items(), key=lambda item: item[0]):
            marks = ("●" if node in holders else "" for node in self._nodes)
            addresses.add_row(address, *marks)
        return Group(*(self._step(line) for line in self.lines), addresses)

    def _step(self, line: Line) -> Text:
        if line.outcome is None:
            text = Text(f"… {line.title}", style="yellow")
            return text.append(f"  {time.monotonic() - line.begun:.1f} s", style="dim")
        mark, style = ("✓", "green") if line.outcome.held else ("✗", "bold red")
        text = Text(f"{mark} ", style=style).append(line.title, style="default")
        return text.append(f"\n    {line.outcome.measured}", style="dim")


def _marked(outcome: Outcome) -> Text:
    mark, style = ("held", "green") if outcome.held else ("DID NOT HOLD", "bold red")
    return Text("     ").append(mark, style=style).append(f": {outcome.measured}")
