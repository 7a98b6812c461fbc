"""Fetch, compute, render: the three steps of every command that shows something."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from plugin.core.document import Document
from plugin.core.problem import CheckFailedError, PluginError
from plugin.core.snapshot import Kind, Snapshot
from plugin.shell.cluster import Cluster
from plugin.shell.output import CLEAR, Format, structured, text, warn

D = TypeVar("D", bound=Document)
WATCH_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class View(Generic[D]):
    """What a command reads, computes and prints.

    `needs` must be readable, `wishes` may be missing. `problem` returns what the exit code is to
    tell, empty for nothing.
    """

    needs: Sequence[Kind]
    wishes: Sequence[Kind] = ()
    compute: Callable[[Snapshot], D]
    render: Callable[[D, bool], list[str]]  # the second argument: wide
    problem: Callable[[D], str] = field(default=lambda _: "")


def show(cluster: Cluster, view: View[D], output: Format, *, watch: bool = False) -> None:
    """Print the view, once or whenever it has changed; CheckFailedError if it is bad news."""
    if watch:
        _follow(cluster, view, output)
    document = _fetched(cluster, view)
    print(_shown(document, view, output))
    if problem := view.problem(document):
        raise CheckFailedError(problem)


def _fetched(cluster: Cluster, view: View[D]) -> D:
    snapshot = cluster.read(view.needs, view.wishes)
    warn(snapshot.gaps)
    return view.compute(snapshot)


def _shown(document: D, view: View[D], output: Format) -> str:
    if not output.is_text:
        return structured(document, output)
    return text(view.render(document, output is Format.WIDE))


def _follow(cluster: Cluster, view: View[D], output: Format) -> None:
    import sys

    before, told = "", ""
    while True:
        try:
            shown = _shown(view.compute(cluster.read(view.needs, view.wishes)), view, output)
        except PluginError as error:
            if str(error) != told:
                print(f"Error: {error}; trying again", file=sys.stderr)
            told = str(error)
        else:
            told = ""
            if shown != before:
                clear = CLEAR if sys.stdout.isatty() else "---\n" if before else ""
                print(f"{clear}{shown}", flush=True)
            before = shown
        time.sleep(WATCH_SECONDS)
