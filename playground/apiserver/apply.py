"""Server-side apply: merge what an applier wants into an object and settle who owns what.

Belongs here: merging by schema, removal of fields an applier no longer lists, conflicts. Does not:
admission of the result, storing it (writes). Rules and messages follow
sigs.k8s.io/structured-merge-diff as kube-apiserver uses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from playground.apiserver.errors import ApiError
from playground.apiserver.fieldsets import (
    FieldSet,
    Path,
    difference,
    encoded,
    fields_of,
    is_associative,
    items_by_name,
    members_only,
    spelled,
)
from playground.apiserver.managers import Manager, tracked, with_fields
from playground.apiserver.schema import Node, child

JsonObject = dict[str, Any]
TYPED: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "string": ("string", (str,)),
    "integer": ("numeric (int or float)", (int, float)),
    "number": ("numeric (int or float)", (int, float)),
    "boolean": ("boolean", (bool,)),
    "object": ("map", (dict,)),
    "array": ("list", (list,)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply:
    """One apply request: who wants what. `ignored` are top-level fields this URL cannot change."""

    by: Manager
    config: JsonObject
    force: bool
    ignored: frozenset[str]


def applied(
    live: JsonObject | None, managers: tuple[Manager, ...], request: Apply, node: Node
) -> tuple[JsonObject, tuple[Manager, ...]]:
    """Return the merged object and its new owners; a Conflict if others own what would change."""
    wanted = tracked(
        path
        for path in fields_of(request.config, node)
        if path[0].removeprefix("f:") not in request.ignored
    )
    config = request.config
    if live is None:
        return config, with_fields((), request.by, wanted)
    others = tuple(one for one in managers if one.identity != request.by.identity)
    last = next((one for one in managers if one.identity == request.by.identity), None)
    new = merged(live, config, node)
    if last is not None:
        kept = wanted.union(*(other.fields for other in others))
        new = _without(new, node, encoded(last.fields - kept))
    assert isinstance(new, dict)  # an object merged with an object
    touched, removed = difference(live, new, node)
    touched = _noticed(members_only(touched, new, node), request)
    conflicts = [(other, other.fields & touched) for other in others if other.fields & touched]
    if conflicts and not request.force:
        raise conflict_error(conflicts)
    gone = touched | _noticed(removed, request)
    rest = tuple(replace(one, fields=one.fields - gone) for one in others if one.fields - gone)
    if last is not None and last.fields == wanted:
        return new, (*rest, last)
    return new, with_fields(rest, request.by, wanted)


def _noticed(paths: set[Path], request: Apply) -> set[Path]:
    """Leave out what this URL cannot change; the admission of the object resets it."""
    return {path for path in paths if path[0].removeprefix("f:") not in request.ignored}


def merged(live: object, config: object, node: Node) -> object:
    """Merge `config` into `live`: objects by key, lists as their schema says, the rest replaced."""
    if isinstance(live, dict) and isinstance(config, dict) and not node.is_atomic:
        result = dict(live)
        for key, inner in config.items():
            result[key] = merged(live.get(key), inner, child(node, key))
        return result
    if isinstance(live, list) and isinstance(config, list) and is_associative(node):
        before, after = items_by_name(live, node), items_by_name(config, node)
        inner_node = node.items or Node()
        both = before | {
            name: merged(before.get(name), item, inner_node) for name, item in after.items()
        }
        return list(both.values())
    return config


def _without(value: object, node: Node, marks: JsonObject) -> object:
    if not marks:
        return value
    if isinstance(value, dict):
        result = {}
        for key, inner in value.items():
            new = _reduced(inner, child(node, key), marks.get(f"f:{key}"))
            if new is not None:
                result[key] = new
        return result
    if isinstance(value, list) and is_associative(node):
        items = items_by_name(value, node).items()
        kept = [_reduced(item, node.items or Node(), marks.get(name)) for name, item in items]
        return [item for item in kept if item is not None]
    return value


def _reduced(value: object, node: Node, marks: JsonObject | None) -> object:
    """Return what is left of a marked value; None if it goes."""
    if marks is None:
        return value
    if not marks or "." in marks:
        return None
    new = _without(value, node, marks)
    return None if new in ({}, []) and value else new


def typing_problem(value: object, node: Node, path: str = "") -> str:
    """Return what does not fit the schema, "" if all does; appliers get no warnings but errors."""
    if isinstance(value, dict) and (node.type == "object" or node.properties):
        return _struct_problem(value, node, path)
    if isinstance(value, list) and node.type == "array":
        return _list_problem(value, node, path)
    wanted = TYPED.get(node.type)
    if wanted is None or value is None:
        return ""
    name, kinds = wanted
    if isinstance(value, kinds) and (name == "boolean" or not isinstance(value, bool)):
        return ""
    return f"{path}: expected {name}, got {value if node.type == 'string' else _kind(value)}"


def _struct_problem(value: JsonObject, node: Node, path: str) -> str:
    for key, inner in value.items():
        below = f"{path}.{key}"
        if key not in node.properties and node.additional is None and not node.is_open:
            return f"{below}: field not declared in schema"
        found = typing_problem(inner, child(node, key), below)
        if found:
            return found
    return ""


def _list_problem(value: list[Any], node: Node, path: str) -> str:
    names = items_by_name(value, node) if is_associative(node) else {}
    if is_associative(node) and len(names) < len(value):
        return f"{path}: duplicate entries or missing keys {list(node.list_keys)}"
    found = [
        typing_problem(item, node.items or Node(), f"{path}[{index}]")
        for index, item in enumerate(value)
    ]
    return next(filter(None, found), "")


def _kind(value: object) -> str:
    return {dict: "map", list: "list", str: "string", bool: "boolean"}.get(type(value), "number")


def conflict_error(conflicts: Sequence[tuple[Manager, FieldSet]]) -> ApiError:
    """409 that names every field and its owner."""
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {manager.spelled()}",
            "field": spelled(path),
        }
        for manager, fields in conflicts
        for path in sorted(fields)
    ]
    if len(causes) == 1:
        text = f"1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        lines = [f"{len(causes)} conflicts:"]
        for manager, fields in sorted(conflicts, key=lambda pair: pair[0].spelled()):
            lines.append(f"conflicts with {manager.spelled()}:")
            lines += [f"- {spelled(path)}" for path in sorted(fields)]
        text = f"{lines[0]} " + "\n".join(lines[1:])
    return ApiError(409, "Conflict", f"Apply failed with {text}", {"causes": causes})
