"""Deletion, and what follows from it.

Belongs here: preconditions, finalizers, owner references, the content of namespaces. Does not:
graceful ends of Pods (there is no kubelet: they go at once). `Deleter` is synchronous; `Collector`
is the background task that stands for the garbage collector and the namespace controller.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from playground.apiserver import metadata as meta
from playground.apiserver.admit import Target
from playground.apiserver.errors import (
    OptionsKind,
    invalid,
    not_found,
    precondition_failed,
    unsupported,
)
from playground.apiserver.kinds import CollectionName, Registry, Resource
from playground.apiserver.store import DELETED, Change, Collection, Item, Key, Store
from playground.apiserver.writes import NAMESPACES

JsonObject = dict[str, Any]
POLICIES = ("Foreground", "Background", "Orphan")
Place: TypeAlias = tuple[CollectionName, Key]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """The body of a DELETE; "" means no precondition."""

    uid: str = ""
    version: str = ""
    is_dry_run: bool = False
    orphans: bool = False

    @staticmethod
    def read(body: JsonObject, query_policy: str, dry_run: str) -> DeleteOptions:
        """Read metav1.DeleteOptions; query parameters fill in what the body leaves out."""
        conditions = body.get("preconditions") or {}
        policy = body.get("propagationPolicy") or query_policy
        if policy not in ("", *POLICIES):
            problem = unsupported("propagationPolicy", policy, (*POLICIES, "nil"))
            raise invalid(OptionsKind(kind="DeleteOptions"), "", [problem])
        return DeleteOptions(
            uid=conditions.get("uid") or "",
            version=conditions.get("resourceVersion") or "",
            is_dry_run=bool(body.get("dryRun") or dry_run),
            orphans=policy == "Orphan" or bool(body.get("orphanDependents")),
        )


@dataclass(frozen=True, slots=True)
class Deleted:
    """The outcome: the object as it was or as it waits; `is_gone` tells which."""

    item: Item
    is_gone: bool
    is_changed: bool


class Deleter:
    """Deletes objects, or marks those that have finalizers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def delete(self, target: Target, options: DeleteOptions) -> Deleted:
        """Delete one object; 404, or 409 if a precondition does not hold."""
        collection = self._store.collection(target.resource.name)
        item = collection.items.get((target.namespace, target.name))
        if item is None:
            raise not_found(target.resource, target.name)
        _check(target.resource, item, options)
        return self.delete_item(target.resource, item, options)

    def delete_item(self, resource: Resource, item: Item, options: DeleteOptions) -> Deleted:
        """Delete an object that exists."""
        metadata = item.obj["metadata"]
        waits = bool(metadata.get("finalizers")) or resource.name == NAMESPACES
        if options.is_dry_run:
            return Deleted(item, not waits, False)
        if options.orphans:
            self._orphan(metadata["uid"])
        collection = self._store.collection(resource.name)
        if not waits:
            gone = collection.drop(item.key)
            resource.admission.stored(None, item.obj)
            return Deleted(gone, True, True)
        if metadata.get("deletionTimestamp"):
            return Deleted(item, False, False)
        return Deleted(collection.put(item.key, _marked(item.obj), item.trail), False, True)

    def _orphan(self, uid: str) -> None:
        for collection in self._store:
            for item in tuple(collection.items.values()):
                owners = item.obj["metadata"].get("ownerReferences", [])
                kept = [owner for owner in owners if owner.get("uid") != uid]
                if len(kept) < len(owners):
                    metadata = dict(item.obj["metadata"]) | {"ownerReferences": kept}
                    collection.put(item.key, item.obj | {"metadata": metadata}, item.trail)


def _check(resource: Resource, item: Item, options: DeleteOptions) -> None:
    metadata = item.obj["metadata"]
    for label, wanted, actual, reason in (
        ("UID", options.uid, metadata["uid"], "deleted and then recreated"),
        ("ResourceVersion", options.version, metadata["resourceVersion"], "modified"),
    ):
        if wanted and wanted != actual:
            why = (
                f"the {label} in the precondition ({wanted}) does not match the {label} in record "
                f"({actual}). The object might have been {reason}"
            )
            raise precondition_failed(resource, metadata["name"], why)


def _marked(obj: JsonObject) -> JsonObject:
    old = obj["metadata"]
    metadata = old | {"deletionTimestamp": meta.timestamp(), "deletionGracePeriodSeconds": 0}
    if "generation" in old:
        metadata["generation"] = old["generation"] + 1
    marked = obj | {"metadata": meta.ordered(metadata)}
    if obj["kind"] == "Namespace":
        del metadata["deletionGracePeriodSeconds"]
        marked |= {"metadata": meta.ordered(metadata), "status": {"phase": "Terminating"}}
    return marked


class Collector:
    """Deletes objects whose owners are gone and the content of namespaces that are deleted."""

    def __init__(self, store: Store, registry: Registry, deleter: Deleter) -> None:
        self._store, self._registry, self._deleter = store, registry, deleter
        self._wake = asyncio.Event()
        self._owned: dict[str, set[Place]] = {}  # by uid of the owner
        self._suspects: set[Place] = set()
        self._terminating: set[str] = set()

    def note(self, name: CollectionName, change: Change) -> None:
        """Take note of a change; called for each one, so it must be quick."""
        metadata = change.item.obj["metadata"]
        if change.kind == DELETED:
            orphans = self._owned.pop(metadata["uid"], None)
            if orphans:
                self._suspects |= orphans
                self._wake.set()
            if change.item.key[0] in self._terminating:
                self._wake.set()
        elif metadata.get("ownerReferences"):
            for owner in metadata["ownerReferences"]:
                self._owned.setdefault(owner["uid"], set()).add((name, change.item.key))
            self._suspects.add((name, change.item.key))
            self._wake.set()
        if name == NAMESPACES and metadata.get("deletionTimestamp"):
            self._terminating.add(metadata["name"])
            self._wake.set()

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            began = time.monotonic()
            for resource, item in self._condemned():
                if time.monotonic() - began > 0.01:  # let requests through
                    await asyncio.sleep(0)
                    began = time.monotonic()
                if self._store.collection(resource.name).items.get(item.key) is item:
                    self._deleter.delete_item(resource, item, DeleteOptions())
            for namespace in tuple(self._terminating):
                self._finish(namespace)

    def _condemned(self) -> Iterator[tuple[Resource, Item]]:
        suspects, self._suspects = self._suspects, set()
        for name, key in sorted(suspects):
            item = self._store.collection(name).items.get(key)
            resource = self._registry.by_name(name)
            if item is not None and resource is not None and self._is_orphan(item):
                yield resource, item
        for namespace in sorted(self._terminating):
            for resource, item in self._content(namespace):
                if not item.obj["metadata"].get("deletionTimestamp"):
                    yield resource, item

    def _is_orphan(self, item: Item) -> bool:
        """Return whether no owner is left; owners of kinds that are not served count as alive."""
        namespace = item.key[0]
        owners = item.obj["metadata"].get("ownerReferences", [])
        return bool(owners) and not any(self._lives(owner, namespace) for owner in owners)

    def _lives(self, owner: JsonObject, namespace: str) -> bool:
        resource = self._registry.by_kind(owner.get("apiVersion", ""), owner.get("kind", ""))
        if resource is None:
            return True
        key = (namespace if resource.is_namespaced else "", owner.get("name", ""))
        item = self._store.collection(resource.name).items.get(key)
        return item is not None and item.obj["metadata"]["uid"] == owner.get("uid")

    def _content(self, namespace: str) -> list[tuple[Resource, Item]]:
        found = {}
        for resource in self._registry:
            if resource.is_namespaced:
                for item in self._store.collection(resource.name).within(namespace):
                    found[resource.name, item.key] = resource, item
        return list(found.values())

    def _finish(self, namespace: str) -> None:
        """Remove a namespace once it is empty and nobody's finalizer holds it."""
        collection: Collection = self._store.collection(NAMESPACES)
        item = collection.items.get(("", namespace))
        if item is None:
            self._terminating.discard(namespace)
        elif not self._content(namespace) and not item.obj["metadata"].get("finalizers"):
            self._terminating.discard(namespace)
            collection.drop(item.key)
