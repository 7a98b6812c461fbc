"""Custom resources against their structural schema: prune, default, validate.

Belongs here: what apiextensions does with the OpenAPI part of a schema, with its messages. Does
not: CEL rules (cel), metadata (objects). Inputs are never changed; unchanged parts come back as the
same object.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import re2

from playground.apiserver.errors import (
    FieldProblem,
    duplicate,
    invalid_value,
    required,
    shown,
    unsupported,
)
from playground.apiserver.schema import MISSING, Node, child, item_key

JsonObject = dict[str, Any]
JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}


def pruned(value: object, node: Node) -> object:
    """Return `value` without the fields that the schema does not have."""
    if isinstance(value, list) and node.items is not None:
        items = [pruned(item, node.items) for item in value]
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else items
    if not isinstance(value, dict):
        return value
    kept = {
        key: pruned(inner, child(node, key))
        for key, inner in value.items()
        if node.is_open
        or node.additional is not None
        or key in node.properties
        or (node.is_embedded and key in ("apiVersion", "kind", "metadata"))
    }
    same = len(kept) == len(value) and all(kept[key] is value[key] for key in kept)
    return value if same else kept


def defaulted(value: object, node: Node) -> object:
    """Return `value` with defaults filled in; null counts as absent where it is not allowed."""
    if isinstance(value, list) and node.items is not None:
        items = [defaulted(item, node.items) for item in value]
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else items
    if not isinstance(value, dict):
        return value
    filled = {
        key: defaulted(inner, child(node, key))
        for key, inner in value.items()
        if not _falls_back(inner, node.properties.get(key) or node.additional)
    }
    for key, inner_node in node.properties.items():
        if inner_node.default is not MISSING and key not in filled:
            filled[key] = defaulted(inner_node.default, inner_node)
    same = len(filled) == len(value) and all(filled[key] is value.get(key) for key in filled)
    return value if same else filled


def _falls_back(value: object, node: Node | None) -> bool:
    if value is not None or node is None:
        return False
    return not node.is_nullable and bool(node.type or node.is_int_or_string)


def problems_of(value: object, node: Node, path: str) -> Iterator[FieldProblem]:
    """Yield what is wrong with `value`, in the order of the schema."""
    if value is None and (node.is_nullable or not node.type):
        return
    wrong = _type_problem(value, node, path)
    if wrong is not None:
        yield wrong
        return
    if isinstance(value, dict):
        yield from _object_problems(value, node, path)
    elif isinstance(value, list):
        yield from _array_problems(value, node, path)
    elif isinstance(value, str):
        yield from _string_problems(value, node.raw, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_problems(value, node.raw, path)
    enum = node.raw.get("enum")
    if enum is not None and value not in enum:
        yield unsupported(path, value, enum)
    yield from _junctor_problems(value, node.raw, path)


def _type_problem(value: object, node: Node, path: str) -> FieldProblem | None:
    actual = "null" if value is None else JSON_TYPES.get(type(value), "object")
    if node.is_int_or_string:
        fits = actual in ("integer", "string")
    else:
        fits = not node.type or actual == node.type or (node.type, actual) == ("number", "integer")
    if fits or _is_whole(value, node.type):
        return None
    wanted = "integer,string" if node.is_int_or_string else node.type
    detail = f'Invalid value: "{actual}": {path} in body must be of type {wanted}: "{actual}"'
    return FieldProblem("FieldValueTypeInvalid", path, detail)


def _is_whole(value: object, wanted: str) -> bool:
    return wanted == "integer" and isinstance(value, float) and value.is_integer()


def _object_problems(value: JsonObject, node: Node, path: str) -> Iterator[FieldProblem]:
    raw = node.raw
    if len(value) < raw.get("minProperties", 0):
        yield _in_body(path, value, f"should have at least {raw['minProperties']} properties")
    if len(value) > raw.get("maxProperties", len(value)):
        yield _too_many(path, len(value), raw["maxProperties"])
    for key, inner in value.items():
        if key in node.properties or node.additional is not None:
            yield from problems_of(inner, child(node, key), _join(path, key))
    for key in raw.get("required", ()):
        if key not in value:
            yield required(_join(path, key))


def _array_problems(value: list[Any], node: Node, path: str) -> Iterator[FieldProblem]:
    raw = node.raw
    if len(value) < raw.get("minItems", 0):
        yield _in_body(path, value, f"should have at least {raw['minItems']} items")
    if len(value) > raw.get("maxItems", len(value)):
        yield _too_many(path, len(value), raw["maxItems"])
    seen: list[object] = []
    for index, item in enumerate(value):
        if node.items is not None:
            yield from problems_of(item, node.items, f"{path}[{index}]")
        identity: object = item_key(node, item) if node.list_keys else item
        if (node.list_keys or node.is_set) and identity in seen:
            known = dict(zip(node.list_keys, identity, strict=True)) if node.list_keys else item  # type: ignore[call-overload]  # a tuple where list_keys is set
            yield duplicate(f"{path}[{index}]", known)
        seen.append(identity)


def _string_problems(value: str, raw: JsonObject, path: str) -> Iterator[FieldProblem]:
    pattern = raw.get("pattern")
    if len(value) > raw.get("maxLength", len(value)):
        detail = f"Too long: may not be more than {raw['maxLength']} bytes"
        yield FieldProblem("FieldValueTooLong", path, detail)
    elif len(value) < raw.get("minLength", 0):
        yield _in_body(path, value, f"should be at least {raw['minLength']} chars long")
    elif pattern is not None and not _pattern(pattern).search(value):
        yield _in_body(path, value, f"should match '{pattern}'")
    check = FORMATS.get(raw.get("format", ""))
    if check is not None and not check(value):
        detail = f"must be of type {raw['format']}: {shown(value)}"
        yield invalid_value(path, value, f"{path} in body {detail}")


def _number_problems(value: float, raw: JsonObject, path: str) -> Iterator[FieldProblem]:
    low, high = raw.get("minimum"), raw.get("maximum")
    if low is not None and (value <= low if raw.get("exclusiveMinimum") else value < low):
        or_equal = "" if raw.get("exclusiveMinimum") else " or equal to"
        yield _in_body(path, value, f"should be greater than{or_equal} {low}")
    if high is not None and (value >= high if raw.get("exclusiveMaximum") else value > high):
        or_equal = "" if raw.get("exclusiveMaximum") else " or equal to"
        yield _in_body(path, value, f"should be less than{or_equal} {high}")
    step = raw.get("multipleOf")
    if step and value % step:
        yield _in_body(path, value, f"should be a multiple of {step}")


def _junctor_problems(value: object, raw: JsonObject, path: str) -> Iterator[FieldProblem]:
    for part in raw.get("allOf", ()):
        yield from problems_of(value, _partial(part), path)
    matches = [_fits(value, part) for part in raw.get("anyOf", ())]
    if matches and not any(matches):
        yield _in_body(path, "", "must validate at least one schema (anyOf)")
    matches = [_fits(value, part) for part in raw.get("oneOf", ())]
    if matches and sum(matches) != 1:
        yield _in_body(path, "", "must validate one and only one schema (oneOf)")
    if "not" in raw and _fits(value, raw["not"]):
        yield _in_body(path, "", "must not validate the schema (not)")


def _fits(value: object, raw: JsonObject) -> bool:
    return next(problems_of(value, _partial(raw), ""), None) is None


def _partial(raw: JsonObject) -> Node:
    """Compile a junctor's schema, which states conditions only and so has no type."""
    properties = {key: _partial(inner) for key, inner in raw.get("properties", {}).items()}
    items = _partial(raw["items"]) if "items" in raw else None
    return Node(properties=properties, items=items, type=raw.get("type", ""), raw=raw)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _in_body(path: str, value: object, rule: str) -> FieldProblem:
    return invalid_value(path, value, f"{path} in body {rule}")


def _too_many(path: str, count: int, limit: int) -> FieldProblem:
    detail = f"Too many: {count}: must have at most {limit} items"
    return FieldProblem("FieldValueTooMany", path, detail)


@cache
def _pattern(text: str) -> Any:  # noqa: ANN401  # re2 ships no types
    return re2.compile(text)


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _date_time(text: str) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None or "T" not in text.upper():
        raise ValueError(text)
    return moment


FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _parses(_date_time),
    "date": _parses(datetime.date.fromisoformat),
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
}
