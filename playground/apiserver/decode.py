"""Decoding of built-in kinds: what Go's typed decoder would make of an object.

Belongs here: dropping unknown fields, type errors (400, as from the JSON decoder), dropping empty
maps and lists. Does not: rules about values (strategies). Unchanged parts come back as the same
object, so that an update pays for what it changes only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from playground.apiserver.schema import Node, child

JsonObject = dict[str, Any]
SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
GO_NAMES = {"string": "string", "integer": "int32", "number": "float64", "boolean": "bool"}


# Times are read by Go layouts: metav1.Time takes any fraction, MicroTime exactly six digits.
TIMES = {
    "date-time": (
        re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"),
        "2006-01-02T15:04:05Z07:00",
    ),
    "micro-time": (
        re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$"),
        "2006-01-02T15:04:05.000000Z07:00",
    ),
}


class MismatchError(Exception):
    """A value has the wrong JSON type; `path` grows while the error travels up.

    `text` is what the decoder says if the value is of the right type and still cannot be read.
    """

    def __init__(self, value: object, wanted: str, text: str = "") -> None:
        super().__init__(wanted)
        self.path: list[str] = []
        self.value, self.wanted, self.text = value, wanted, text

    def __str__(self) -> str:
        if self.text:
            return self.text
        where = ".".join(reversed(self.path))
        return f"json: cannot unmarshal {_json_type(self.value)} into Go struct field {where} " + (
            f"of type {self.wanted}"
        )


def _json_type(value: object) -> str:
    names = {bool: "bool", str: "string", int: "number", float: "number", list: "array"}
    return names.get(type(value), "object")


def decoded(value: object, node: Node) -> object:
    """Return `value` as a built-in kind keeps it; MismatchError if a type is wrong."""
    if node.type == "object":
        return _decoded_object(value, node)
    if node.type == "array":
        return _decoded_array(value, node)
    if node.is_int_or_string:
        wanted: tuple[type, ...] = (int, str)
    elif node.type:
        wanted = SCALARS[node.type]
    else:
        return value
    if isinstance(value, wanted) and (type(value) is not bool or node.type == "boolean"):
        if node.format in TIMES:
            _check_time(str(value), node.format)
        return value
    raise MismatchError(value, GO_NAMES.get(node.type, "intstr.IntOrString"))


def _check_time(text: str, name: str) -> None:
    pattern, layout = TIMES[name]
    if not pattern.match(text):
        raise MismatchError(text, name, f'parsing time "{text}" as "{layout}": cannot parse')


def _decoded_object(value: object, node: Node) -> JsonObject:
    if not isinstance(value, dict):
        raise MismatchError(value, "map[string]string" if node.additional else "object")
    changed: JsonObject | None = None
    properties, additional = node.properties, node.additional
    for key, old in value.items():
        inner = properties.get(key) or additional
        if inner is None:
            if node.is_open:
                continue
        elif old is not None:
            new = _decoded_field(key, old, inner)
            if new is old:
                continue
            if new is not None:
                changed = dict(value) if changed is None else changed
                changed[key] = new
                continue
        changed = dict(value) if changed is None else changed
        del changed[key]
    return value if changed is None else changed


def _decoded_field(key: str, old: object, inner: Node) -> object:
    try:
        new = decoded(old, inner)
    except MismatchError as error:
        error.path.append(key)
        raise
    # Go's omitempty: an empty map or list of a named type is as good as none.
    if not new and (inner.type == "array" or inner.additional is not None):
        return None
    return new


def _decoded_array(value: object, node: Node) -> list[Any]:
    if not isinstance(value, list):
        raise MismatchError(value, "[]" + (GO_NAMES.get(node.items.type, "") if node.items else ""))
    if node.items is None:
        return value
    inner = node.items
    new = [decoded(item, inner) for item in value]
    same = all(one is other for one, other in zip(new, value, strict=True))
    return value if same else new


def unknown_fields(value: object, node: Node, path: str = "") -> Iterator[str]:
    """Yield the paths of fields that the schema does not have, such as `spec.foo` or `a[0].b`."""
    if isinstance(value, dict) and node.type in ("object", ""):
        for key, inner in value.items():
            below = f"{path}.{key}" if path else key
            if key in node.properties or node.additional is not None:
                yield from unknown_fields(inner, child(node, key), below)
            elif not node.is_open:
                yield below
    elif isinstance(value, list) and node.items is not None:
        for index, item in enumerate(value):
            yield from unknown_fields(item, node.items, f"{path}[{index}]")
