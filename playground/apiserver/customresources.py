"""CustomResourceDefinitions: check them, serve what they define, stop serving it.

Belongs here: the CRD resource itself and turning one into Resources. Does not: objects of custom
kinds (admit, structural, cel). A kind is served from the moment its CRD is stored; removing the
CRD deletes the objects and ends the watches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from playground.apiserver import metadata as meta
from playground.apiserver.builtin import columns, schemas
from playground.apiserver.builtin.notation import OBJECT_META
from playground.apiserver.cel import CelCompileError, compile_rules
from playground.apiserver.errors import FieldProblem, invalid_value, required, unsupported
from playground.apiserver.kinds import SELECTABLE, Admission, Problems, Registry, Resource
from playground.apiserver.schema import compiled
from playground.apiserver.selectors import path_getter
from playground.apiserver.store import Store
from playground.apiserver.tables import custom_columns

JsonObject = dict[str, Any]
GROUP = "apiextensions.k8s.io"


class CustomResources:
    """Keeps the registry in step with the stored CRDs. The only writer of custom Resources."""

    def __init__(
        self, store: Store, registry: Registry, on_removed: Callable[[Resource], None]
    ) -> None:
        self._store, self._registry, self._on_removed = store, registry, on_removed

    def resource(self) -> Resource:
        """Return the resource of CRDs."""
        schema = schemas.CUSTOM_RESOURCE_DEFINITION
        return Resource(
            group=GROUP,
            version="v1",
            plural="customresourcedefinitions",
            singular="customresourcedefinition",
            kind="CustomResourceDefinition",
            short_names=("crd", "crds"),
            categories=("api-extensions",),
            is_namespaced=False,
            node=compiled(schema),
            schema=schema,
            columns=columns.CUSTOM_RESOURCE_DEFINITION,
            admission=Admission(spec=admitted, stored=self._stored),
            has_status=True,
            has_generation=True,
            is_version_required=True,
        )

    def _stored(self, new: JsonObject | None, old: JsonObject | None) -> None:
        if new is not None and old is not None and new["spec"] is old["spec"]:
            return
        wanted = list(custom_resources(new)) if new is not None else []
        known = list(custom_resources(old)) if old is not None else []
        versions = {resource.version for resource in wanted}
        for resource in wanted:
            self._registry.add(resource)
        for resource in known:
            if resource.version not in versions:
                self._registry.remove(resource)
        if known and not wanted:
            collection = self._store.collection(known[0].name)
            for key in tuple(collection.items):
                collection.drop(key)
            self._on_removed(known[0])


def admitted(new: JsonObject, old: JsonObject | None, problems: Problems) -> JsonObject:
    """Complete and check a CRD; it counts as established at once."""
    spec = new.get("spec") or {}
    names = spec.get("names") or {}
    kind = names.get("kind", "")
    names = {"singular": kind.lower(), "listKind": f"{kind}List"} | names
    spec = spec | {"names": names}
    if not spec.get("conversion"):
        spec["conversion"] = {"strategy": "None"}
    problems += crd_problems(new["metadata"]["name"], spec, old)
    stored = [version["name"] for version in spec.get("versions", ()) if version.get("storage")]
    status = {
        "conditions": [
            _condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            _condition(
                "Established", "InitialNamesAccepted", "the initial names have been accepted"
            ),
        ],
        "acceptedNames": names,
        "storedVersions": stored,
    }
    if old is not None:
        status["conditions"] = old["status"]["conditions"]
    return new | {"spec": spec, "status": status}


def _condition(kind: str, reason: str, message: str) -> JsonObject:
    return {
        "type": kind,
        "status": "True",
        "lastTransitionTime": meta.timestamp(),
        "reason": reason,
        "message": message,
    }


def crd_problems(name: str, spec: JsonObject, old: JsonObject | None) -> Iterator[FieldProblem]:
    """Yield what is wrong with a CRD."""
    group, plural = spec.get("group", ""), spec["names"].get("plural", "")
    if not group:
        yield required("spec.group")
    for key in ("plural", "kind"):
        if not spec["names"].get(key):
            yield required(f"spec.names.{key}")
    if name != f"{plural}.{group}":
        yield invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        yield unsupported("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
    versions = spec.get("versions") or []
    if sum(bool(version.get("storage")) for version in versions) != 1:
        text = "must have exactly one version marked as storage version"
        yield invalid_value("spec.versions", [version.get("name") for version in versions], text)
    for index, version in enumerate(versions):
        yield from _version_problems(version, f"spec.versions[{index}]")
    if old is not None and spec.get("group") != old["spec"].get("group"):
        yield invalid_value("spec.group", spec.get("group"), "field is immutable")


def _version_problems(version: JsonObject, path: str) -> Iterator[FieldProblem]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if schema is None:
        yield required(f"{path}.schema.openAPIV3Schema", "schemas are required")
        return
    where = f"{path}.schema.openAPIV3Schema"
    if schema.get("type") != "object":
        yield invalid_value(f"{where}.type", schema.get("type", ""), "must be object at the root")
        return
    try:
        compile_rules(compiled(schema), where)
    except CelCompileError as error:
        yield invalid_value(error.path, error.text, f"compilation failed: {error.why}")
    try:
        custom_columns(version.get("additionalPrinterColumns"))
    except ValueError as error:
        text = f"{path}.additionalPrinterColumns"
        yield invalid_value(text, "", str(error))


def custom_resources(crd: JsonObject) -> Iterator[Resource]:
    """Yield a Resource for each served version of a CRD that was admitted.

    Versions share their objects, which are stored and served as they were last written.
    """
    spec = crd["spec"]
    names = spec["names"]
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        schema = _full_schema(version["schema"]["openAPIV3Schema"])
        node = compiled(schema)
        selectable = {
            item["jsonPath"].lstrip("."): path_getter(item["jsonPath"].lstrip("."))
            for item in version.get("selectableFields", ())
        }
        yield Resource(
            group=spec["group"],
            version=version["name"],
            plural=names["plural"],
            singular=names["singular"],
            kind=names["kind"],
            short_names=tuple(names.get("shortNames", ())),
            categories=tuple(names.get("categories", ())),
            is_namespaced=spec["scope"] == "Namespaced",
            node=node,
            schema=schema,
            rules=compile_rules(node),
            columns=custom_columns(version.get("additionalPrinterColumns")),
            selectable=dict(SELECTABLE) | selectable,
            is_custom=True,
            has_status="status" in (version.get("subresources") or {}),
            has_generation=True,
            is_version_required=True,
        )


def _full_schema(raw: JsonObject) -> JsonObject:
    """Return the schema of a version with the metadata that every object has."""
    properties = {
        "apiVersion": {"type": "string", "description": "The version of this object's schema."},
        "kind": {"type": "string", "description": "The kind of this object."},
    }
    properties |= raw.get("properties", {}) | {"metadata": OBJECT_META}
    named = [key for key in raw.get("required", ()) if key != "metadata"]
    return raw | {"properties": properties, "required": named}
