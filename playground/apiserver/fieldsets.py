"""Sets of fields of an object, the unit of ownership in server-side apply.

Belongs here: which fields a value has, which differ between two values, spelling them as FieldsV1
and as error messages do. Does not: deciding who owns them (managers). A path is a tuple of FieldsV1
elements such as ("f:spec", "f:ports", 'k:{"port":80,"protocol":"TCP"}', "f:nodePort").
Rules follow sigs.k8s.io/structured-merge-diff: leaves, atomic values and list items are members.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import msgspec

from playground.apiserver.schema import Node, child, item_key

JsonObject = dict[str, Any]
Path: TypeAlias = tuple[str, ...]
FieldSet: TypeAlias = frozenset[Path]
EMPTY: FieldSet = frozenset()


def fields_of(value: object, node: Node, path: Path = ()) -> Iterator[Path]:
    """Yield the members of the field set of `value`."""
    if isinstance(value, dict) and not node.is_atomic:
        for key, inner in value.items():
            below = (*path, f"f:{key}")
            yield from fields_of(inner, child(node, key), below)
            if inner is None or inner == {} or key not in node.properties:
                yield below
    elif isinstance(value, list) and is_associative(node):
        for name, item in items_by_name(value, node).items():
            below = (*path, name)
            yield below
            if node.list_keys and node.items is not None:
                yield from fields_of(item, node.items, below)
    elif path:
        yield path


def is_associative(node: Node) -> bool:
    """Return whether items of a list have owners of their own."""
    return bool(node.list_keys) or node.is_set


def items_by_name(value: object, node: Node) -> dict[str, object]:
    """Map the path element of each item of an associative list to the item, in list order."""
    items: list[object] = value if isinstance(value, list) else []
    if node.is_set:
        return {f"v:{_json(item)}": item for item in items}
    named: dict[str, object] = {}
    for item in items:
        key = item_key(node, item)
        if key is not None:
            pairs = dict(sorted(zip(node.list_keys, key, strict=True)))
            named[f"k:{_json(pairs)}"] = item
    return named


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def difference(
    old: object, new: object, node: Node, path: Path = ()
) -> tuple[set[Path], set[Path]]:
    """Return (fields added or modified, fields removed) between two values of one schema."""
    touched: set[Path] = set()
    removed: set[Path] = set()
    if old is new or old == new:
        return touched, removed
    if isinstance(old, dict) and isinstance(new, dict) and not node.is_atomic:
        pairs = [
            ((*path, f"f:{key}"), old.get(key), new.get(key), child(node, key))
            for key in [*old, *(key for key in new if key not in old)]
        ]
    elif isinstance(old, list) and isinstance(new, list) and is_associative(node):
        before, after = items_by_name(old, node), items_by_name(new, node)
        inner = node.items or Node()
        pairs = [
            ((*path, name), before.get(name), after.get(name), inner)
            for name in [*before, *(name for name in after if name not in before)]
        ]
    else:
        touched.add(path)
        return touched, removed
    for below, was, now, inner in pairs:
        if was is None and now is not None:
            touched.add(below)
            touched.update(fields_of(now, inner, below))
        elif now is None and was is not None:
            removed.add(below)
            removed.update(fields_of(was, inner, below))
        else:
            more, less = difference(was, now, inner, below)
            touched |= more
            removed |= less
    return touched, removed


def members_only(paths: Iterable[Path], value: object, node: Node) -> set[Path]:
    """Return those `paths` that are members of the field set of `value`.

    `difference` also names the maps above new leaves, which belong to nobody.
    """
    return set(fields_of(value, node)).intersection(paths)


def encoded(fields: Iterable[Path]) -> JsonObject:
    """Spell a set as FieldsV1."""
    root: JsonObject = {}
    for path in sorted(fields):
        level = root
        for element in path:
            level = level.setdefault(element, {})
        level["."] = {}
    return _without_leaf_dots(root)


def _without_leaf_dots(level: JsonObject) -> JsonObject:
    if level.keys() == {"."}:
        return {}
    return {key: _without_leaf_dots(value) if key != "." else {} for key, value in level.items()}


def decoded_fields(raw: JsonObject, path: Path = ()) -> Iterator[Path]:
    """Yield the members of a set spelled as FieldsV1."""
    if path and (not raw or "." in raw):
        yield path
    for key, value in raw.items():
        if key != ".":
            yield from decoded_fields(value, (*path, key))


def spelled(path: Path) -> str:
    """Spell a path as conflict messages do, such as `.spec.ports[port=80,protocol="TCP"].name`."""
    parts = []
    for element in path:
        kind, _, text = element.partition(":")
        if kind == "f":
            parts.append(f".{text}")
        elif kind == "k":
            keys = msgspec.json.decode(text)
            inside = ",".join(f"{key}={_json(value)}" for key, value in keys.items())
            parts.append(f"[{inside}]")
        else:
            parts.append(f"[={text}]" if kind == "v" else f"[{text}]")
    return "".join(parts)
