"""Create, update, patch and apply.

Belongs here: versions, no-op suppression, ownership, finalizers and storing. Does not: whether an
object is right (admit), deleting (deletes), HTTP. Every method is synchronous, so that nothing
happens between reading an object and storing its successor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import msgspec

from playground.apiserver import metadata as meta
from playground.apiserver.admit import (
    Target,
    WriteOptions,
    admitted_new,
    admitted_update,
    check_preconditions,
    checked_identity,
    parsed,
)
from playground.apiserver.apply import Apply, applied, typing_problem
from playground.apiserver.errors import (
    ApiError,
    FieldProblem,
    OptionsKind,
    UndecodableError,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    invalid_patch,
    no_name,
    not_found,
    required,
)
from playground.apiserver.kinds import CollectionName, Resource
from playground.apiserver.managers import (
    APPLY,
    UPDATE,
    Manager,
    Note,
    Trail,
    noted,
    read_back,
    settled,
    shown,
)
from playground.apiserver.store import Collection, Item, Key, Store, Version

JsonObject = dict[str, Any]
Patch: TypeAlias = Callable[[JsonObject], object]
PATCH_OPTIONS = OptionsKind(kind="PatchOptions")
NAMESPACES = CollectionName("namespaces")


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of a write. `is_changed` is false for no-ops and dry runs."""

    item: Item
    code: int
    is_changed: bool


class Writer:
    """The only way into the store, next to Deleter."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, target: Target, body: object, options: WriteOptions) -> Written:
        """Store a new object."""
        given = checked_identity(target, body)
        self._check_namespace(target)
        if (given.get("metadata") or {}).get("resourceVersion"):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        obj = parsed(target, given, None, options)
        note = Note(_manager(target, options, UPDATE), None, obj)
        return self._create(target, obj, noted(Trail(), note, target.resource.node), options)

    def _create(
        self, target: Target, obj: JsonObject, trail: Trail, options: WriteOptions
    ) -> Written:
        new = admitted_new(target, obj)
        name = new["metadata"]["name"]
        collection = self._store.collection(target.resource.name)
        key = (target.namespace, name)
        if key in collection.items:
            raise already_exists(target.resource, name)
        if trail.is_shown:
            new["metadata"]["managedFields"] = shown(trail.managers)
        if options.is_dry_run:
            del new["metadata"]["resourceVersion"]
            return Written(_loose_item(key, Version(0), new, trail), 201, False)
        item = collection.put(key, new, trail)
        target.resource.admission.stored(new, None)
        return Written(item, 201, True)

    def update(self, target: Target, body: object, options: WriteOptions) -> Written:
        """Replace an object (PUT)."""
        given = checked_identity(target, body)
        if not (given.get("metadata") or {}).get("name"):
            raise no_name(target.name)
        item = self._existing(target)
        if item is None:
            return self._create_by_update(target, given, options)
        version = (given.get("metadata") or {}).get("resourceVersion", "")
        if target.resource.is_version_required and version in ("", "0"):
            detail = "Invalid value: 0: must be specified for an update"
            problem = FieldProblem("FieldValueInvalid", "metadata.resourceVersion", detail)
            raise invalid(
                replace(target.resource, kind=target.resource.plural), target.name, [problem]
            )
        return self._replace(target, item, given, options)

    def _create_by_update(
        self, target: Target, given: JsonObject, options: WriteOptions
    ) -> Written:
        metadata = given.get("metadata") or {}
        if not target.resource.is_created_by_update or target.subresource:
            raise not_found(target.resource, target.name)
        if metadata.get("uid"):
            why = f"Precondition failed: UID in precondition: {metadata['uid']}, "
            raise conflict(target.resource, target.name, why + "UID in object meta: ")
        metadata = {key: value for key, value in metadata.items() if key != "resourceVersion"}
        return self.create(target, given | {"metadata": metadata}, options)

    def patch(self, target: Target, patch: Patch, options: WriteOptions) -> Written:
        """Change an object by a function from its current to its new JSON."""
        item = self._existing(target)
        if item is None:
            raise not_found(target.resource, target.name)
        body = patch(item.obj)
        try:
            given = checked_identity(target, body)
            if not (given.get("metadata") or {}).get("name"):
                raise no_name(target.name)
            return self._replace(target, item, given, options)
        except UndecodableError as error:
            raise invalid_patch(body, error.why) from error

    def _replace(
        self, target: Target, item: Item, given: JsonObject, options: WriteOptions
    ) -> Written:
        old = _bare(item)
        if options.keeps_metadata and target.is_status:
            check_preconditions(target, given.get("metadata") or {}, old["metadata"])
            given = given | {"metadata": old["metadata"]}
        new = admitted_update(target, parsed(target, given, old, options), old)
        trail = _stated_trail(item, given)
        if new != old:
            note = Note(_manager(target, options, UPDATE), old, new)
            trail = noted(trail, note, target.resource.node)
        return self._commit(target, item, new, trail, is_dry_run=options.is_dry_run)

    def apply(self, target: Target, body: object, options: WriteOptions) -> Written:
        """Merge what an applier wants (server-side apply); creates the object if need be."""
        config = _checked_config(target, body, options)
        request = Apply(
            by=_manager(target, options, APPLY),
            config=config,
            force=options.force,
            ignored=_reset_fields(target),
        )
        node = target.resource.node
        item = self._existing(target)
        if item is None:
            if target.subresource:
                raise not_found(target.resource, target.name)
            if not config["metadata"].get("name"):
                raise no_name(target.name)
            self._check_namespace(target)
            obj, managers = applied(None, (), request, node)
            return self._create(
                target, parsed(target, obj, None, options), Trail(managers, is_shown=True), options
            )
        old = _bare(item)
        check_preconditions(target, config["metadata"], old["metadata"])
        obj, managers = applied(old, settled(item.trail, node), request, node)
        new = admitted_update(target, parsed(target, obj, old, options), old)
        return self._commit(
            target, item, new, Trail(managers, is_shown=True), is_dry_run=options.is_dry_run
        )

    def _commit(
        self, target: Target, item: Item, new: JsonObject, trail: Trail, *, is_dry_run: bool
    ) -> Written:
        is_same = new == _bare(item)
        if is_same and (trail is item.trail or trail == item.trail):
            return Written(item, 200, False)
        new = new | {"metadata": dict(new["metadata"])}
        if trail.is_shown:
            new["metadata"]["managedFields"] = shown(trail.managers)
            if is_same and new == item.obj:
                return Written(item, 200, False)
        collection = self._store.collection(target.resource.name)
        if is_dry_run:
            return Written(_loose_item(item.key, item.version, new, trail), 200, False)
        if new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            return self._finish_deletion(target, collection, item, new)
        stored = collection.put(item.key, new, trail)
        target.resource.admission.stored(new, item.obj)
        return Written(stored, 200, True)

    def _finish_deletion(
        self, target: Target, collection: Collection, item: Item, new: JsonObject
    ) -> Written:
        """Delete what was waiting for the finalizer that `new` no longer has."""
        if target.resource.name == NAMESPACES:
            return Written(collection.put(item.key, new, item.trail), 200, True)
        collection.drop(item.key)
        target.resource.admission.stored(None, item.obj)
        return Written(_loose_item(item.key, item.version, new, item.trail), 200, True)

    def _existing(self, target: Target) -> Item | None:
        items = self._store.collection(target.resource.name).items
        return items.get((target.namespace, target.name))

    def _check_namespace(self, target: Target) -> None:
        """Raise unless the namespace exists and is not being deleted."""
        if not target.resource.is_namespaced:
            return
        item = self._store.collection(NAMESPACES).items.get(("", target.namespace))
        if item is None:
            details = {"name": target.namespace, "kind": "namespaces"}
            raise ApiError(404, "NotFound", f'namespaces "{target.namespace}" not found', details)
        if item.obj["metadata"].get("deletionTimestamp"):
            raise _terminating(target.resource, target)


def _terminating(resource: Resource, target: Target) -> ApiError:
    why = f"unable to create new content in namespace {target.namespace} because it is being "
    error = forbidden(resource, target.name, why + "terminated")
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {target.namespace} is being terminated",
        "field": "metadata.namespace",
    }
    error.details = (error.details or {}) | {"causes": [cause]}
    return error


def _manager(target: Target, options: WriteOptions, operation: str) -> Manager:
    return Manager(
        name=options.manager,
        operation=operation,
        api_version=target.resource.api_version,
        subresource=target.subresource,
        time=meta.timestamp(),
    )


def _bare(item: Item) -> JsonObject:
    """Return the object without managedFields, which the trail holds."""
    if not item.trail.is_shown:
        return item.obj
    kept = {key: v for key, v in item.obj["metadata"].items() if key != "managedFields"}
    return item.obj | {"metadata": kept}


def _stated_trail(item: Item, given: JsonObject) -> Trail:
    """Return the owners of an object, as the client says if it says anything else than is known.

    An empty list resets the record; kubectl rewrites it when it moves to server-side apply.
    """
    stated = (given.get("metadata") or {}).get("managedFields")
    if stated is None or stated == item.obj["metadata"].get("managedFields"):
        return item.trail
    return Trail(read_back(stated), is_shown=any(stated))


def _loose_item(key: Key, version: Version, obj: JsonObject, trail: Trail) -> Item:
    """Build an item that is shown but not stored."""
    return Item(key, version, obj, msgspec.json.encode(obj), trail)


def _reset_fields(target: Target) -> frozenset[str]:
    """Return the top-level fields that an apply to this URL neither changes nor owns."""
    if not target.is_status:
        return frozenset(("status",)) if target.resource.has_status else frozenset()
    names = frozenset(target.resource.node.properties) - {"apiVersion", "kind", "metadata"}
    return names - {"status"}


def _checked_config(target: Target, body: object, options: WriteOptions) -> JsonObject:
    if isinstance(body, dict) and not (body.get("apiVersion") and body.get("kind")):
        raise bad_request(f"invalid object type: /, Kind={body.get('kind', '')}")
    config = checked_identity(target, body)
    given = config.get("metadata") or {}
    if given.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    wrong = typing_problem(config, target.resource.node)
    if wrong:
        where = f"{given.get('namespace', '')}/{given.get('name', '')}"
        kind = f"{config['apiVersion'] if target.resource.group else '/v1'}, Kind={config['kind']}"
        text = f"failed to create typed patch object ({where}; {kind}): {wrong}"
        raise ApiError(500, "", text)
    if not options.manager:
        problem = required("fieldManager", "is required for apply patch")
        raise invalid(PATCH_OPTIONS, "", [problem])
    return config | {"metadata": given}
