"""What the server knows of a resource, and the list of all it serves.

Belongs here: `Resource` and the registry that URLs and discovery ask. Does not: where resources
come from (builtin, customresources).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NewType, TypeAlias

from playground.apiserver.cel import RuleTree
from playground.apiserver.errors import ApiError, FieldProblem
from playground.apiserver.schema import Node
from playground.apiserver.selectors import FieldGetter, path_getter

JsonObject = dict[str, Any]
CollectionName = NewType("CollectionName", str)  # "services", "servicegroups.purelb.io"
Problems: TypeAlias = list[FieldProblem]
OBJECT_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
SELECTABLE: Mapping[str, FieldGetter] = {
    name: path_getter(name) for name in ("metadata.name", "metadata.namespace")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of kubectl's tables. `cell` gets the object; columns above priority 0 are wide."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0
    cell: Callable[[JsonObject], object]


def keep(new: JsonObject, _: JsonObject | None, __: Problems) -> JsonObject:
    """Admit an object as it is."""
    return new


def same(obj: JsonObject) -> JsonObject:
    """Leave an object as it was sent."""
    return obj


def ignore(_: JsonObject | None, __: JsonObject | None) -> None:
    """Take no note of a stored change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a kind does with objects on their way into the store.

    `spec` and `status` get (new, old, problems), return the object to store and append problems;
    old is None on create. They may replace parts of new, never change them in place. `stored` is
    told (new, old) after the fact; new is None after a delete. `decoded` fills in defaults of what
    the client sent, before anything is taken from the old object.
    """

    decoded: Callable[[JsonObject], JsonObject] = same

    spec: Callable[[JsonObject, JsonObject | None, Problems], JsonObject] = keep
    status: Callable[[JsonObject, JsonObject | None, Problems], JsonObject] = keep
    stored: Callable[[JsonObject | None, JsonObject | None], None] = ignore


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resource:
    """One resource in one version."""

    group: str
    version: str
    plural: str
    kind: str
    singular: str = ""
    is_namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    node: Node
    schema: JsonObject
    rules: RuleTree | None = None
    columns: tuple[Column, ...]
    selectable: Mapping[str, FieldGetter] = field(default_factory=lambda: SELECTABLE)
    admission: Admission = Admission()
    name_rule: str = "subdomain"
    is_custom: bool = False
    has_status: bool = False  # a status subresource
    keeps_status: bool = False  # of an object that is created
    has_generation: bool = False
    is_version_required: bool = False  # of an update
    is_created_by_update: bool = False

    @property
    def api_version(self) -> str:
        """Return what objects say in apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def name(self) -> CollectionName:
        """Return the name that versions of the resource share."""
        return CollectionName(f"{self.plural}.{self.group}" if self.group else self.plural)

    @property
    def list_kind(self) -> str:
        """Return the kind of its lists."""
        return f"{self.kind}List"


def no_kind(api_version: str, kind: str) -> ApiError:
    """400 for an object whose kind is not served."""
    message = f'no kind "{kind}" is registered for version "{api_version}"'
    return ApiError(400, "BadRequest", message)


class Registry:
    """Everything that is served. The only writer is whoever starts the server or changes CRDs."""

    def __init__(self) -> None:
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self.revision = 0  # grows with each change: discovery and OpenAPI depend on it

    def add(self, resource: Resource) -> None:
        """Serve a resource, in place of one of the same group, version and plural."""
        self._by_path[resource.group, resource.version, resource.plural] = resource
        self.revision += 1

    def remove(self, resource: Resource) -> None:
        """Serve a resource no longer."""
        self._by_path.pop((resource.group, resource.version, resource.plural), None)
        self.revision += 1

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """Return the resource of a URL."""
        return self._by_path.get((group, version, plural))

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        """Return the resource whose objects are of this kind."""
        for resource in self._by_path.values():
            if resource.kind == kind and resource.api_version == api_version:
                return resource
        return None

    def by_name(self, name: str) -> Resource | None:
        """Return a resource by its collection name."""
        for resource in self._by_path.values():
            if resource.name == name:
                return resource
        return None

    def __iter__(self) -> Iterator[Resource]:
        return iter(tuple(self._by_path.values()))
