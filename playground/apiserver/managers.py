"""Who owns which field of an object (metadata.managedFields).

Belongs here: keeping the record up to date after writes, and showing it. Does not: conflicts and
merging (apply). Most objects are never touched by server-side apply; for them a write only leaves a
note, and ownership is worked out when somebody applies. Their managedFields stay hidden, which also
keeps them small; the first apply makes them visible.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from playground.apiserver.fieldsets import (
    EMPTY,
    FieldSet,
    Path,
    decoded_fields,
    difference,
    encoded,
    fields_of,
    members_only,
)
from playground.apiserver.schema import Node

JsonObject = dict[str, Any]
APPLY, UPDATE = "Apply", "Update"
MOST_NOTES = 8  # then ownership is worked out, so that old versions are let go
UNTRACKED = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "generation",
            "managedFields",
            "resourceVersion",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        )
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """One entry of managedFields. Identity is everything but time and fields."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""
    time: str = ""
    fields: FieldSet = EMPTY

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """Return what tells entries apart; appliers of one name share theirs across versions."""
        version = "" if self.operation == APPLY else self.api_version
        return self.name, self.operation, version, self.subresource

    def spelled(self) -> str:
        """Name the manager as conflict messages do."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return text if self.operation == APPLY else f"{text} using {self.api_version}"


@dataclass(frozen=True, slots=True)
class Note:
    """A write whose effect on ownership is not worked out yet; `before` is None for a create."""

    by: Manager
    before: JsonObject | None
    after: JsonObject


@dataclass(frozen=True, slots=True)
class Trail:
    """What is known of an object's owners: the record, and notes on later writes, oldest first.

    `is_shown` tells whether managedFields are part of the object; then there are no notes.
    """

    managers: tuple[Manager, ...] = ()
    notes: tuple[Note, ...] = ()
    is_shown: bool = False


def noted(trail: Trail, note: Note, node: Node) -> Trail:
    """Return the trail after one more write that was no apply."""
    longer = Trail(trail.managers, (*trail.notes, note), trail.is_shown)
    if trail.is_shown or len(longer.notes) >= MOST_NOTES:
        return Trail(settled(longer, node), is_shown=trail.is_shown)
    return longer


def settled(trail: Trail, node: Node) -> tuple[Manager, ...]:
    """Work out the owners of all fields."""
    managers = trail.managers
    for note in trail.notes:
        managers = _after_update(managers, note, node)
    return managers


def _after_update(managers: tuple[Manager, ...], note: Note, node: Node) -> tuple[Manager, ...]:
    if note.before is None:
        return with_fields((), note.by, tracked(fields_of(note.after, node)))
    touched, removed = difference(note.before, note.after, node)
    touched = members_only(touched, note.after, node)
    gone = touched | removed
    own = EMPTY
    others = []
    for manager in managers:
        if manager.identity == note.by.identity:
            own = manager.fields
        elif manager.fields - gone:
            others.append(replace(manager, fields=manager.fields - gone))
    new = tracked((own | touched) - removed)
    if new == own:
        return tuple(_keep_time(others, managers, note.by))
    return with_fields(tuple(others), note.by, new)


def _keep_time(
    others: list[Manager], managers: Iterable[Manager], by: Manager
) -> Iterable[Manager]:
    return [*others, *(manager for manager in managers if manager.identity == by.identity)]


def with_fields(others: tuple[Manager, ...], by: Manager, fields: FieldSet) -> tuple[Manager, ...]:
    """Return the record with `fields` as what `by` owns; an owner of nothing is left out."""
    kept = tuple(manager for manager in others if manager.identity != by.identity)
    return (*kept, replace(by, fields=fields)) if fields else kept


def tracked(fields: Iterable[Path]) -> FieldSet:
    """Return `fields` without those that nobody owns."""
    return frozenset(fields) - UNTRACKED


def shown(managers: Iterable[Manager]) -> list[JsonObject]:
    """Spell the record as metadata.managedFields, applies first."""
    entries = []
    for manager in sorted(managers, key=lambda one: (one.operation, one.time, one.name)):
        entry: JsonObject = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": manager.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": encoded(manager.fields),
        }
        if manager.subresource:
            entry["subresource"] = manager.subresource
        entries.append(entry)
    return entries


def read_back(entries: Iterable[JsonObject]) -> tuple[Manager, ...]:
    """Read metadata.managedFields as a client states it."""
    return tuple(
        Manager(
            name=entry.get("manager", ""),
            operation=entry.get("operation", UPDATE),
            api_version=entry.get("apiVersion", ""),
            subresource=entry.get("subresource", ""),
            time=entry.get("time", ""),
            fields=frozenset(decoded_fields(entry.get("fieldsV1", {}))),
        )
        for entry in entries
        if entry.get("fieldsV1")
    )
