"""Server-side apply: merge what an applier wants into an object and settle who owns what.

Belongs here: merging by schema, removal of fields an applier no longer lists, conflicts. Does not:
admission of the result, storing it (writes). Rules and messages follow
sigs.k8s.io/structured-merge-diff as kube-apiserver uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    config = {key: inner for key, inner in request.config.items() if key not in request.ignored}
    if live is None:
        return config, with_fields((), request.by, wanted)
    others = tuple(one for one in managers if one.identity != request.by.identity)
    last = next((one for one in managers if one.identity == request.by.identity), None)
    new = merged(live, config, node)
    if last is not None:
        kept = wanted.union(*(other.fields for other in others))
        new = _without(new, node, encoded(_removable(last.fields - kept, kept)))
    assert isinstance(new, dict)  # an object merged with an object
    touched, removed = difference(live, new, node)
    touched = members_only(touched, new, node)
    conflicts = [(other, other.fields & touched) for other in others if other.fields & touched]
    if conflicts and not request.force:
        raise conflict_error(conflicts)
    gone = touched | removed
    rest = tuple(replace(one, fields=one.fields - gone) for one in others if one.fields - gone)
    if last is not None and last.fields == wanted:
        return new, (*rest, last)
    return new, with_fields(rest, request.by, wanted)


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


def _removable(fields: FieldSet, kept: FieldSet) -> set[Path]:
    """Leave out what still contains a kept field: an item stays while others own parts of it."""
    inner = {path[:length] for path in kept for length in range(1, len(path))}
    return {path for path in fields if path not in inner}


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
