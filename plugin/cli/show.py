"""Fetch, compute, render: the three steps of every command that shows something."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, NoReturn, TypeVar

from plugin.core.document import Document
from plugin.core.problem import CheckFailedError, PluginError
from plugin.core.snapshot import Gap, Kind, Snapshot
from plugin.shell.cluster import Cluster
from plugin.shell.output import CLEAR, Format, structured, text, warn

D = TypeVar("D", bound=Document)
WATCH_SECONDS = 1.0  # after which a watch looks again, though only time has passed


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


def _follow(cluster: Cluster, view: View[D], output: Format) -> NoReturn:
    from plugin.shell.following import Following

    following = Following(cluster, view.needs, view.wishes)
    before, told, gaps = "", "", set[Gap]()
    while True:
        try:
            found = following.look(WATCH_SECONDS)
            shown = _shown(view.compute(found), view, output)
        except PluginError as error:
            if not before:
                raise
            if str(error) != told:
                print(f"Error: {error}; trying again", file=sys.stderr)
            told = str(error)
            continue
        told = ""
        warn([gap for gap in found.gaps if gap not in gaps])
        gaps.update(found.gaps)
        if shown != before:
            clear = CLEAR if sys.stdout.isatty() else "---\n" if before else ""
            print(f"{clear}{shown}", flush=True)
        before = shown
