"""OpenAPI: schemas for explain and for the questions kubectl asks before it writes.

Belongs here: /openapi/v3 with one document per group and version, and what is needed of
/openapi/v2 (JSON without operations; protobuf with a single one). Does not: the schemas themselves.
kubectl reads from an operation's parameters whether the server does dry runs and field validation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from playground.apiserver.discovery import VERSION
from playground.apiserver.kinds import Registry, Resource

JsonObject = dict[str, Any]
KIND_KEY = "x-kubernetes-group-version-kind"
WRITE_PARAMETERS: list[JsonObject] = [
    {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    for name in ("dryRun", "fieldManager", "fieldValidation", "force")
]


def index(registry: Registry) -> JsonObject:
    """Return the document at /openapi/v3, which names all others."""
    paths = {}
    for resource in registry:
        root = _root(resource)
        url = f"/openapi/v3/{root}?hash={registry.revision}"
        paths[root] = {"serverRelativeURL": url}
    return {"paths": paths}


def document(root: str, registry: Registry) -> JsonObject | None:
    """Return the document of "api/v1" or "apis/GROUP/VERSION"; None if nothing is served there."""
    found = [resource for resource in registry if _root(resource) == root]
    if not found:
        return None
    paths: JsonObject = {}
    for resource in found:
        paths |= _paths(resource, f"/{root}")
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": paths,
        "components": {"schemas": {_name(one): _schema(one) for one in found}},
    }


def swagger(registry: Registry) -> JsonObject:
    """Return the OpenAPI v2 document: the same schemas, no operations."""
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": {},
        "definitions": {_name(one): _schema(one) for one in registry},
    }


def swagger_protobuf(registry: Registry) -> bytes:
    """Return the OpenAPI v2 document as protobuf (gnostic's openapi.v2.Document).

    kubectl reads it before it creates from a `kind: List`, only to see whether the PATCH of a
    Namespace has a parameter fieldValidation; so that is all there is.
    """
    found = registry.by_kind("v1", "Namespace")
    paths = b"" if found is None else _swagger_path(found)
    info = _field(1, b"Kubernetes") + _field(2, str(VERSION["gitVersion"]).encode())
    return _field(1, b"2.0") + _field(2, info) + _field(8, paths)


def _swagger_path(resource: Resource) -> bytes:
    parameters = b""
    for parameter in WRITE_PARAMETERS:
        query = _field(2, b"query") + _field(4, str(parameter["name"]).encode())
        # Operation.parameters → ParametersItem → Parameter → NonBodyParameter → query parameter
        parameters += _field(8, _field(1, _field(2, _field(3, query))))
    kind = "".join(f'{key}: "{value}"\n' for key, value in _kind(resource).items())
    extension = _field(1, KIND_KEY.encode()) + _field(2, _field(2, kind.encode()))
    patch = parameters + _field(13, extension)
    name = f"/{_root(resource)}/{resource.plural}/{{name}}"
    return _field(2, _field(1, name.encode()) + _field(2, _field(8, patch)))


def _field(number: int, data: bytes) -> bytes:
    """Encode a length-delimited field."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _root(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def _name(resource: Resource) -> str:
    group = ".".join(reversed(resource.group.split("."))) or "io.k8s.api.core"
    return f"{group}.{resource.version}.{resource.kind}"


def _kind(resource: Resource) -> JsonObject:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _schema(resource: Resource) -> JsonObject:
    return resource.schema | {KIND_KEY: [_kind(resource)]}


def _paths(resource: Resource, root: str) -> JsonObject:
    scope = "/namespaces/{namespace}" if resource.is_namespaced else ""
    base = f"{root}{scope}/{resource.plural}"
    paths = {
        base: _operations(resource, {"get": "list", "post": "post", "delete": "deletecollection"}),
        f"{base}/{{name}}": _operations(
            resource, {"get": "get", "put": "put", "patch": "patch", "delete": "delete"}
        ),
    }
    if resource.has_status:
        paths[f"{base}/{{name}}/status"] = _operations(
            resource, {"get": "get", "put": "put", "patch": "patch"}
        )
    return paths


def _operations(resource: Resource, actions: dict[str, str]) -> JsonObject:
    return {method: _operation(resource, method, action) for method, action in actions.items()}


def _operation(resource: Resource, method: str, action: str) -> JsonObject:
    reference = {"$ref": f"#/components/schemas/{_name(resource)}"}
    operation: JsonObject = {
        "operationId": f"{action}{resource.version}{resource.kind}",
        "x-kubernetes-action": action,
        KIND_KEY: _kind(resource),
        "responses": {"200": _content("OK", ["application/json"], reference)},
    }
    if method in ("post", "put", "patch"):
        media_types = ["application/json"] if method != "patch" else _patch_types(resource)
        body = _content("", media_types, reference)
        operation["requestBody"] = {"content": body["content"], "required": True}
    if method != "get":
        operation["parameters"] = WRITE_PARAMETERS
    return operation


def _content(description: str, media_types: Iterable[str], schema: JsonObject) -> JsonObject:
    content = {media_type: {"schema": schema} for media_type in media_types}
    return {"description": description, "content": content}


def _patch_types(resource: Resource) -> list[str]:
    types = ["application/apply-patch+yaml", "application/json-patch+json"]
    types.append("application/merge-patch+json")
    return types if resource.is_custom else [*types, "application/strategic-merge-patch+json"]
