"""Tables, the form in which kubectl asks for lists.

Belongs here: rows from columns, human-readable ages, columns of CRDs. Does not: columns of built-in
kinds (builtin.columns), deciding whether a table is wanted (answers).
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from playground.apiserver.jsonpath import compiled_path
from playground.apiserver.kinds import Column, Resource
from playground.apiserver.store import Item

JsonObject = dict[str, Any]
UNKNOWN_AGE = "<unknown>"


def name_of(obj: JsonObject) -> object:
    """Return the cell of the first column."""
    return obj["metadata"]["name"]


def age_of(obj: JsonObject) -> object:
    """Return the cell of the usual last column."""
    return age(obj["metadata"].get("creationTimestamp"))


NAME = Column(name="Name", format="name", description="Name of the object", cell=name_of)
AGE = Column(name="Age", description="Time since the object was created", cell=age_of)


def age(moment: object) -> str:
    """Return the time since an RFC 3339 moment as kubectl prints it: 5s, 3m4s, 5d2h."""
    if not isinstance(moment, str) or not moment:
        return UNKNOWN_AGE
    try:
        then = datetime.datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return UNKNOWN_AGE
    return duration(int(time.time() - then))


def duration(seconds: int) -> str:
    """Return a duration in the two units that matter (duration.HumanDuration)."""
    if seconds < 0:
        return "0s" if seconds >= -1 else "<invalid>"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 365 * 2:
        return f"{days}d"
    years = days // 365
    rest = days % 365
    return f"{years}y{rest}d" if years < 8 and rest else f"{years}y"


def custom_columns(raw: Iterable[JsonObject] | None) -> tuple[Column, ...]:
    """Return the columns of a CRD version; without any, Name and Age as the server has them."""
    if raw is None:
        return (NAME, AGE)
    return (NAME, *(_custom_column(column) for column in raw))


def _custom_column(raw: JsonObject) -> Column:
    return Column(
        name=raw["name"],
        type=raw["type"],
        format=raw.get("format", ""),
        description=raw.get("description", ""),
        priority=raw.get("priority", 0),
        cell=_custom_cell(raw["type"], compiled_path(raw["jsonPath"])),
    )


def _custom_cell(kind: str, find: Callable[[object], list[Any]]) -> Callable[[JsonObject], object]:
    def cell(obj: JsonObject) -> object:
        found = find(obj)
        return _shown(kind, found[0]) if found else None

    return cell


def _shown(kind: str, value: object) -> object:
    if kind == "string":
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if kind == "date":
        return age(value)
    wanted: dict[str, tuple[type, ...]] = {
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
    }
    is_right = isinstance(value, wanted[kind]) and (kind == "boolean" or value is not True)
    return value if is_right else None


def table(
    resource: Resource, items: Iterable[Item], metadata: JsonObject, include: str
) -> JsonObject:
    """Build a meta.k8s.io/v1 Table; `include` is "Metadata", "Object" or "None"."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [_definition(column) for column in resource.columns],
        "rows": [_row(resource, item, include) for item in items],
    }


def _definition(column: Column) -> JsonObject:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _row(resource: Resource, item: Item, include: str) -> JsonObject:
    row: JsonObject = {"cells": [column.cell(item.obj) for column in resource.columns]}
    if include == "Object":
        row["object"] = msgspec.Raw(item.body)
    elif include != "None":
        row["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": item.obj["metadata"],
        }
    return row
