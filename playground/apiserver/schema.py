"""OpenAPI v3 schemas in the form the server works with: a tree of `Node`.

Belongs here: compiling a schema, and questions about its shape (list keys, child of a key). Does
not: checking objects (decode for built-in kinds, structural for custom resources).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

JsonObject = dict[str, Any]
MISSING: Final = object()
NO_PROPERTIES: Mapping[str, Node] = {}


@dataclass(slots=True, kw_only=True, eq=False)
class Rule:
    """One entry of x-kubernetes-validations, as written; `cel` compiles it."""

    rule: str
    message: str = ""
    message_expression: str = ""
    reason: str = "FieldValueInvalid"
    field_path: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class Node:
    """The schema of one value. `type` is "" where any value fits."""

    type: str = ""
    properties: Mapping[str, Node] = field(default_factory=dict)
    additional: Node | None = None  # schema of values under keys that are no properties
    is_open: bool = False  # keys that are no properties are kept as they are
    items: Node | None = None
    is_atomic: bool = False  # one owner, replaced as a whole
    list_keys: tuple[str, ...] = ()  # identity of an item of a list that is a map
    is_set: bool = False
    merge_key: str = ""  # identity of an item for strategic merge patches
    is_nullable: bool = False
    is_int_or_string: bool = False
    format: str = ""
    is_embedded: bool = False
    default: object = MISSING
    rules: tuple[Rule, ...] = ()
    raw: JsonObject = field(default_factory=dict)  # the schema as written, for the other keywords


ANYTHING = Node(is_open=True)


def compiled(raw: JsonObject) -> Node:
    """Build the tree of a schema; an empty schema accepts anything."""
    additional = raw.get("additionalProperties")
    list_type = raw.get("x-kubernetes-list-type", "atomic")
    is_preserving = bool(raw.get("x-kubernetes-preserve-unknown-fields"))
    return Node(
        type=raw.get("type", ""),
        properties={key: compiled(value) for key, value in raw.get("properties", {}).items()},
        additional=compiled(additional) if isinstance(additional, dict) else None,
        is_open=is_preserving or additional is True or not raw.get("type"),
        items=compiled(raw["items"]) if isinstance(raw.get("items"), dict) else None,
        is_atomic=_is_atomic(raw, list_type),
        list_keys=tuple(raw.get("x-kubernetes-list-map-keys", ())) if list_type == "map" else (),
        is_set=list_type == "set",
        merge_key=raw.get("x-kubernetes-patch-merge-key", ""),
        is_nullable=bool(raw.get("nullable")),
        is_int_or_string=bool(raw.get("x-kubernetes-int-or-string")),
        format=raw.get("format", ""),
        is_embedded=bool(raw.get("x-kubernetes-embedded-resource")),
        default=raw.get("default", MISSING),
        rules=tuple(_rule(item) for item in raw.get("x-kubernetes-validations", ())),
        raw=raw,
    )


def _is_atomic(raw: JsonObject, list_type: str) -> bool:
    if raw.get("type") == "array":
        return list_type == "atomic"
    return bool(raw.get("x-kubernetes-map-type") == "atomic")


def _rule(raw: JsonObject) -> Rule:
    return Rule(
        rule=raw["rule"],
        message=raw.get("message", ""),
        message_expression=raw.get("messageExpression", ""),
        reason=raw.get("reason", "FieldValueInvalid"),
        field_path=raw.get("fieldPath", ""),
    )


def child(node: Node, key: str) -> Node:
    """Return the schema of the value under `key` of an object."""
    found = node.properties.get(key)
    if found is not None:
        return found
    return node.additional or ANYTHING


def item_key(node: Node, item: object) -> tuple[object, ...] | None:
    """Return the identity of an item of a list that is a map, None if it has no such keys.

    Absent keys take their default: the protocol of a Service port is "TCP" if left out.
    """
    if not isinstance(item, dict):
        return None
    values = tuple(_key_value(node, item, key) for key in node.list_keys)
    return None if MISSING in values else values


def _key_value(node: Node, item: JsonObject, key: str) -> object:
    value = item.get(key, MISSING)
    if value is MISSING and node.items is not None:
        return child(node.items, key).default
    return value
