"""WATCH: one stream of changes to one client.

Belongs here: what a watcher sees of each change, waiting lines, bookmarks, being stalled or ended.
Does not: HTTP. The store calls `offer` inside the write that made the change; the HTTP handler
takes the lines out, all that wait at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from playground.apiserver.errors import ApiError
from playground.apiserver.kinds import Resource
from playground.apiserver.selectors import Selector
from playground.apiserver.store import ADDED, DELETED, MODIFIED, Change, Item, Version

JsonObject = dict[str, Any]
Line: TypeAlias = Callable[[str, Item], bytes]  # (type of event, item) → the line with its newline
INITIAL_END = {"k8s.io/initial-events-end": "true"}


def plain_line(kind: str, item: Item) -> bytes:
    """Return the line of an event with the whole object."""
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), item.body)


def event_line(kind: str, obj: JsonObject) -> bytes:
    """Return the line of an event whose object is no stored one."""
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), msgspec.json.encode(obj))


def nothing() -> None:
    """Break no connection: there is none yet."""


@dataclass(slots=True, eq=False, kw_only=True)
class Watcher:
    """One open watch. A slow client is cut off once `most_bytes` wait for it."""

    client: str
    resource: Resource
    namespace: str
    selector: Selector
    line: Line
    wants_bookmarks: bool
    most_bytes: int
    abort: Callable[[], None] = nothing  # breaks the connection
    is_stalled: bool = False
    is_ended: bool = False  # after what still waits
    is_cut: bool = False  # at once, without a proper end
    _lines: list[bytes] = field(default_factory=list)
    _size: int = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, change: Change) -> None:
        """Take a change from the store."""
        if self.is_cut or (self.namespace and change.item.key[0] != self.namespace):
            return
        if self.selector.is_empty and self.line is plain_line:
            line = change.line
            if not line:
                line = change.line = plain_line(change.kind, change.item)
        else:
            line = self._selected(change)
            if not line:
                return
        self._lines.append(line)
        self._size += len(line)
        if self._size > self.most_bytes:
            self.cut()
        elif not self.is_stalled:
            self._wake.set()

    def _selected(self, change: Change) -> bytes:
        """Return the line for a selection: entering it is ADDED, leaving it DELETED."""
        was = change.before is not None and self.selector.matches(change.before.obj)
        if change.kind == DELETED:
            return self.line(DELETED, change.item) if was else b""
        if self.selector.matches(change.item.obj):
            return self.line(MODIFIED if was else ADDED, change.item)
        if was and change.before is not None:
            return self.line(DELETED, _at(change.before, change.item.version))
        return b""

    def begin(self, items: Iterable[Item]) -> None:
        """Send existing objects as ADDED; their size does not count as being slow."""
        self._lines += [self.line(ADDED, item) for item in items if self.selector.matches(item.obj)]
        self._wake.set()

    def bookmark(self, version: Version, *, ends_initial: bool = False) -> None:
        """Tell how far the client has seen, if it wants to know."""
        if not self.wants_bookmarks or self.is_stalled:
            return
        metadata: JsonObject = {"resourceVersion": str(version)}
        if ends_initial:
            metadata["annotations"] = INITIAL_END
        obj = {
            "kind": self.resource.kind,
            "apiVersion": self.resource.api_version,
            "metadata": metadata,
        }
        self._lines.append(event_line("BOOKMARK", obj))
        self._wake.set()

    def fail(self, error: ApiError) -> None:
        """Send an ERROR event and end."""
        self._lines.append(event_line("ERROR", error.status()))
        self.end()

    def end(self) -> None:
        """End the stream properly once everything is sent."""
        self.is_ended = True
        self._wake.set()

    def cut(self) -> None:
        """Break the connection at once."""
        self.is_cut = True
        self._lines.clear()
        self._wake.set()
        self.abort()

    def stall(self, *, is_stalled: bool) -> None:
        """Keep silent, or send what has come up meanwhile."""
        self.is_stalled = is_stalled
        if not is_stalled:
            self._wake.set()

    async def wait_lines(self) -> bytes:
        """Wait for something to send and return all of it; empty once the stream is over."""
        while not self.is_cut:
            if self._lines and not self.is_stalled:
                lines, self._lines, self._size = self._lines, [], 0
                return b"".join(lines)
            if self.is_ended:
                break
            self._wake.clear()
            await self._wake.wait()
        return b""


def _at(item: Item, version: Version) -> Item:
    """Return an older state under the version of the event that tells of it."""
    obj = item.obj | {"metadata": item.obj["metadata"] | {"resourceVersion": str(version)}}
    return Item(item.key, version, obj, msgspec.json.encode(obj), item.trail)
