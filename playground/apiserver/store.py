"""Objects, versions and history, in memory.

Belongs here: one `Collection` per resource with its objects, the log of its changes and the
watchers it tells; one version counter for all. Does not: deciding what is stored (writes), text of
watch lines beyond the object (watches). Everything is synchronous: a caller that reads and then
writes without an await in between cannot be interrupted.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NewType, Protocol, TypeAlias

import msgspec

from playground.apiserver.errors import expired
from playground.apiserver.kinds import CollectionName
from playground.apiserver.managers import Trail

JsonObject = dict[str, Any]
Key: TypeAlias = tuple[str, str]  # namespace ("" for cluster-scoped), name
Version = NewType("Version", int)
ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, eq=False)
class Item:
    """One version of an object. `body` is its JSON; nobody changes `obj`."""

    key: Key
    version: Version
    obj: JsonObject
    body: bytes
    trail: Trail


@dataclass(slots=True, eq=False)
class Change:
    """One entry of the log. `item` is what a watcher gets, `before` what was stored until then."""

    kind: str
    item: Item
    before: Item | None
    line: bytes = b""  # the watch line of those who see the change as it is, built once


class Listener(Protocol):
    """Whoever wants to hear of changes."""

    def offer(self, change: Change) -> None:
        """Take one change, in order; must not block."""


class Versions:
    """The resourceVersion of everything."""

    def __init__(self) -> None:
        self.current = Version(1)

    def next(self) -> Version:
        """Advance and return the new version."""
        self.current = Version(self.current + 1)
        return self.current


@dataclass(slots=True, eq=False)
class Collection:
    """The objects of one resource. All methods are synchronous."""

    name: CollectionName
    versions: Versions
    history: int  # changes kept for watches that start in the past
    items: dict[Key, Item] = field(default_factory=dict)
    _keys: list[Key] = field(default_factory=list)  # sorted
    _log: deque[Change] = field(default_factory=deque)
    _listeners: list[Listener] = field(default_factory=list)
    oldest: Version = Version(0)  # a watch can start at this version or later
    on_change: Callable[[Change], None] | None = None  # told before watchers are

    def put(self, key: Key, obj: JsonObject, trail: Trail) -> Item:
        """Store `obj` under the next version; its metadata must be a fresh dict."""
        version = self.versions.next()
        obj["metadata"]["resourceVersion"] = str(version)
        item = Item(key, version, obj, _encode(obj), trail)
        before = self.items.get(key)
        if before is None:
            insort(self._keys, key)
        self.items[key] = item
        self._tell(Change(MODIFIED if before else ADDED, item, before))
        return item

    def drop(self, key: Key) -> Item:
        """Delete an object; returns its last state, under the version of the deletion."""
        before = self._forget(key)
        version = self.versions.next()
        metadata = before.obj["metadata"] | {"resourceVersion": str(version)}
        obj = before.obj | {"metadata": metadata}
        item = Item(key, version, obj, _encode(obj), before.trail)
        self._tell(Change(DELETED, item, before))
        return item

    def vanish(self, key: Key) -> None:
        """Lose an object without telling anybody, and the history with it."""
        self._forget(key)
        self.versions.next()
        self.compact()

    def _forget(self, key: Key) -> Item:
        item = self.items.pop(key)
        del self._keys[bisect_left(self._keys, key)]
        return item

    def _tell(self, change: Change) -> None:
        self._log.append(change)
        if len(self._log) > self.history:
            self.oldest = self._log.popleft().item.version
        if self.on_change is not None:
            self.on_change(change)
        for listener in self._listeners:
            listener.offer(change)

    def compact(self) -> None:
        """Forget the past: older versions and continue tokens answer 410 from now on."""
        self._log.clear()
        self.oldest = self.versions.current

    def since(self, version: Version) -> list[Change]:
        """Return the changes after `version`, in order; 410 if they are no longer kept."""
        if version < self.oldest:
            raise expired(f"too old resource version: {version} ({self.oldest})")
        changes = []
        for change in reversed(self._log):
            if change.item.version <= version:
                break
            changes.append(change)
        changes.reverse()
        return changes

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of each change from now on."""
        self._listeners.append(listener)

    def unlisten(self, listener: Listener) -> None:
        """Stop telling `listener`, if it was told."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def listeners(self) -> tuple[Listener, ...]:
        """Return who is told."""
        return tuple(self._listeners)

    def within(self, namespace: str, after: Key | None = None) -> Iterator[Item]:
        """Yield the items of a namespace ("" for all) in order of key, after a key."""
        if not namespace and after is None:
            yield from map(self.items.__getitem__, self._keys)
            return
        start = after or (namespace, "")
        index = bisect_left(self._keys, start)
        while index < len(self._keys):
            key = self._keys[index]
            if namespace and key[0] != namespace:
                return
            if key != after:
                yield self.items[key]
            index += 1


class Store:
    """All collections, made on first use."""

    def __init__(self, history: int) -> None:
        self.versions = Versions()
        self._history = history
        self._collections: dict[CollectionName, Collection] = {}
        self.on_change: Callable[[CollectionName, Change], None] | None = None

    def collection(self, name: CollectionName) -> Collection:
        """Return the collection of a resource."""
        found = self._collections.get(name)
        if found is None:
            found = Collection(name, self.versions, self._history, oldest=self.versions.current)
            if self.on_change is not None:
                found.on_change = _named(self.on_change, name)
            self._collections[name] = found
        return found

    def compact(self) -> None:
        """Forget the past of everything."""
        for collection in self._collections.values():
            collection.compact()

    def __iter__(self) -> Iterator[Collection]:
        return iter(tuple(self._collections.values()))


def _named(
    tell: Callable[[CollectionName, Change], None], name: CollectionName
) -> Callable[[Change], None]:
    def tell_named(change: Change) -> None:
        tell(name, change)

    return tell_named
