"""Label and field selectors of LIST and WATCH.

Belongs here: parsing (400 on nonsense) and matching. Does not: which fields a kind offers
(`Resource.selectable`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from playground.apiserver.errors import bad_request

JsonObject = dict[str, Any]
FieldGetter: TypeAlias = Callable[[JsonObject], str]

SET_BASED = re.compile(r"^(\S+)\s+(in|notin)\s*\(([^()]*)\)$")
EQUALITY = re.compile(r"^([^\s=!<>]+)\s*(==|=|!=)\s*([^\s=!<>]*)$")
INEQUALITY = re.compile(r"^([^\s=!<>]+)\s*(<|>)\s*(-?\d+)$")
EXISTENCE = re.compile(r"^(!?)\s*([A-Za-z0-9][-A-Za-z0-9_./]*)$")
COMMA = re.compile(r",(?![^(]*\))")  # not those inside in (a,b)
FIELD_COMMA = re.compile(r"(?<!\\),")
FIELD = re.compile(r"^([^=!\s]+)\s*(==|=|!=)\s*(.*)$")


@dataclass(frozen=True, slots=True)
class Selector:
    """Requirements that must all hold; empty matches everything."""

    labels: tuple[Callable[[Mapping[str, str]], bool], ...] = ()
    fields: tuple[Callable[[JsonObject], bool], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Return whether everything matches."""
        return not self.labels and not self.fields

    def matches(self, obj: JsonObject) -> bool:
        """Return whether an object is selected."""
        labels = obj["metadata"].get("labels") or {}
        return all(holds(labels) for holds in self.labels) and all(
            holds(obj) for holds in self.fields
        )


def parsed(labels: str, fields: str, selectable: Mapping[str, FieldGetter]) -> Selector:
    """Parse both selectors of a request."""
    return Selector(
        tuple(_requirement(part.strip()) for part in COMMA.split(labels) if part.strip()),
        tuple(
            _field_requirement(part.strip(), selectable)
            for part in FIELD_COMMA.split(fields)
            if part.strip()
        ),
    )


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    if match := SET_BASED.match(text):
        key, operator, inside = match.groups()
        values = frozenset(part.strip() for part in inside.split(","))
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if match := EQUALITY.match(text):
        key, operator, value = match.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := INEQUALITY.match(text):
        key, operator, number = match.group(1), match.group(2), int(match.group(3))
        return lambda labels: _compares(labels.get(key, ""), operator, number)
    if match := EXISTENCE.match(text):
        negated, key = match.groups()
        return (lambda labels: key not in labels) if negated else (lambda labels: key in labels)
    raise bad_request(f"unable to parse requirement: {text}")


def _compares(value: str, operator: str, number: int) -> bool:
    try:
        actual = int(value)
    except ValueError:
        return False
    return actual < number if operator == "<" else actual > number


def _field_requirement(
    text: str, selectable: Mapping[str, FieldGetter]
) -> Callable[[JsonObject], bool]:
    match = FIELD.match(text)
    if match is None:
        raise bad_request(f"invalid selector: '{text}'; can't understand '{text}'")
    name, operator, value = match.groups()
    getter = selectable.get(name)
    if getter is None:
        raise bad_request(f"field label not supported: {name}")
    wanted = re.sub(r"\\(.)", r"\1", value)
    if operator == "!=":
        return lambda obj: getter(obj) != wanted
    return lambda obj: getter(obj) == wanted


def path_getter(path: str) -> FieldGetter:
    """Return a getter for a dotted path; what is absent reads as "", true as "true"."""
    keys = path.split(".")

    def get(obj: JsonObject) -> str:
        value: Any = obj
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            return ""
        return str(value).lower() if isinstance(value, bool) else str(value)

    return get
