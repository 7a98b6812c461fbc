"""The three client-computed patches: merge, JSON and strategic merge.

Belongs here: applying a patch to a JSON value. Does not: server-side apply (apply), versions and
preconditions (writes). Inputs are never changed; what a patch does not touch comes back as the same
object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playground.apiserver.errors import ApiError, bad_request
from playground.apiserver.schema import Node, child

JsonObject = dict[str, Any]
PATCH = "$patch"


def merge_patched(value: object, patch: object) -> object:
    """Apply a merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result: JsonObject = dict(value) if isinstance(value, dict) else {}
    for key, inner in patch.items():
        if inner is None:
            result.pop(key, None)
        elif isinstance(inner, dict):
            result[key] = merge_patched(result.get(key), inner)
        else:
            result[key] = inner
    return result


def json_patched(value: object, operations: object) -> object:
    """Apply a JSON patch (RFC 6902); 422 if an operation does not fit, 400 if it is none."""
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: json: cannot unmarshal into Go value")
    for operation in operations:
        if not isinstance(operation, dict) or "op" not in operation or "path" not in operation:
            raise bad_request("error decoding patch: an operation needs op and path")
        try:
            value = _operated(value, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            message = "the server rejected our request due to an error in our request"
            raise ApiError(422, "Invalid", message, {}) from error
    return value


def _operated(value: object, operation: JsonObject) -> object:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "add":
            return _edited(value, path, operation["value"], is_insert=True)
        case "replace":
            _looked_up(value, path)
            return _edited(value, path, operation["value"], is_insert=False)
        case "remove":
            return _removed(value, path)
        case "test":
            if _looked_up(value, path) != operation["value"]:
                raise ValueError("test failed")
            return value
        case "move" | "copy":
            source = _pointer(operation["from"])
            moved = _looked_up(value, source)
            value = _removed(value, source) if operation["op"] == "move" else value
            return _edited(value, path, moved, is_insert=True)
        case other:
            raise ValueError(other)


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise ValueError(text)
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _looked_up(value: object, path: Sequence[str]) -> object:
    for part in path:
        if isinstance(value, list):
            value = value[_index(part)]
        elif isinstance(value, dict):
            value = value[part]
        else:
            raise KeyError(part)
    return value


def _index(part: str) -> int:
    if not part.isdigit():
        raise ValueError(part)
    return int(part)


def _edited(value: object, path: Sequence[str], new: object, *, is_insert: bool) -> object:
    if not path:
        return new
    head, rest = path[0], path[1:]
    if isinstance(value, list):
        items = list(value)
        if rest:
            items[_index(head)] = _edited(items[_index(head)], rest, new, is_insert=is_insert)
        elif not is_insert:
            items[_index(head)] = new
        else:
            position = len(items) if head == "-" else _index(head)
            if position > len(items):
                raise IndexError(head)
            items.insert(position, new)
        return items
    if not isinstance(value, dict):
        raise KeyError(head)
    return value | {head: _edited(value[head], rest, new, is_insert=is_insert) if rest else new}


def _removed(value: object, path: Sequence[str]) -> object:
    head, rest = path[0], path[1:]
    if isinstance(value, list):
        items = list(value)
        if rest:
            items[_index(head)] = _removed(items[_index(head)], rest)
        else:
            del items[_index(head)]
        return items
    if not isinstance(value, dict):
        raise KeyError(head)
    if rest:
        return value | {head: _removed(value[head], rest)}
    kept = dict(value)
    del kept[head]
    return kept


def strategic_patched(value: object, patch: object, node: Node) -> object:
    """Apply a strategic merge patch: a merge patch whose lists may merge by a key.

    Understood are `$patch: replace|delete|merge`, `$deleteFromPrimitiveList/…` and
    `$setElementOrder/…` (the latter does not reorder).
    """
    if not isinstance(patch, dict):
        return patch
    if patch.get(PATCH) == "replace":
        return {key: inner for key, inner in patch.items() if key != PATCH}
    if patch.get(PATCH) == "delete":
        return {}
    result: JsonObject = dict(value) if isinstance(value, dict) else {}
    for key, inner in patch.items():
        if key.startswith("$"):
            _directive(result, key, inner)
        elif inner is None:
            result.pop(key, None)
        elif isinstance(inner, dict):
            result[key] = strategic_patched(result.get(key), inner, child(node, key))
        elif isinstance(inner, list):
            result[key] = _merged_list(result.get(key), inner, child(node, key))
        else:
            result[key] = inner
    return result


def _directive(result: JsonObject, key: str, values: object) -> None:
    name, _, target = key.partition("/")
    if name == "$deleteFromPrimitiveList" and isinstance(values, list):
        result[target] = [item for item in result.get(target, []) if item not in values]
    elif name == "$retainKeys" and isinstance(values, list):
        for extra in result.keys() - set(values):
            del result[extra]


def _merged_list(old: object, patch: list[Any], node: Node) -> object:
    strategy = node.raw.get("x-kubernetes-patch-strategy", "")
    if "merge" not in strategy:
        return patch
    current: list[Any] = list(old) if isinstance(old, list) else []
    if not node.merge_key:
        return current + [item for item in patch if item not in current]
    if any(isinstance(item, dict) and item.get(PATCH) == "replace" for item in patch):
        return [item for item in patch if item.get(PATCH) != "replace"]
    order = [item.get(node.merge_key) for item in current]
    for item in patch:
        _merge_item(current, item, node)
    return _in_order(current, [item.get(node.merge_key) for item in patch], order, node.merge_key)


def _in_order(
    items: list[Any], patched: Sequence[object], before: Sequence[object], key: str
) -> list[Any]:
    """Order a merged list as the server does.

    What the patch names stands in its order; the rest keeps its place before what it preceded.
    """
    named = sorted(
        (one for one in items if one[key] in patched), key=lambda one: patched.index(one[key])
    )
    others = [one for one in items if one[key] not in patched]
    result = []
    while named and others:
        left, right = others[0][key], named[0][key]
        goes_first = right in before and before.index(left) <= before.index(right)
        result.append((others if goes_first else named).pop(0))
    return result + named + others


def _merge_item(current: list[Any], item: object, node: Node) -> None:
    """Merge one item into `current`, a list of our own."""
    key = node.merge_key
    if not isinstance(item, dict) or key not in item:
        raise ApiError(500, "", f"map: {item} does not contain declared merge key: {key}")
    at = [index for index, old in enumerate(current) if old.get(key) == item[key]]
    if item.get(PATCH) == "delete":
        for index in reversed(at):
            del current[index]
    elif at and node.items is not None:
        current[at[0]] = strategic_patched(current[at[0]], item, node.items)
    else:
        current.append({name: inner for name, inner in item.items() if name != PATCH})
