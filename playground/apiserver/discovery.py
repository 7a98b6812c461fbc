"""Discovery: which groups, versions and resources there are.

Belongs here: /api, /apis and what is below, in the legacy and in the aggregated form; /version.
Does not: schemas (openapi).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from playground.apiserver.kinds import OBJECT_VERBS, Registry, Resource

JsonObject = dict[str, Any]
AGGREGATED = re.compile(r"g=apidiscovery\.k8s\.io")
VERSION: JsonObject = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
STATUS_VERBS = ("get", "patch", "update")


def document(path: str, accept: str, registry: Registry) -> tuple[JsonObject, str] | None:
    """Return the discovery document of a path and its media type; None if there is none.

    `path` has no slash at its end.
    """
    if path in ("/api", "/apis") and (version := _aggregated_version(accept)):
        media_type = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        return _aggregated(registry, version, is_core=path == "/api"), media_type
    found = _legacy(path.strip("/").split("/"), registry)
    return None if found is None else (found, "application/json")


def _aggregated_version(accept: str) -> str:
    for part in accept.split(","):
        if AGGREGATED.search(part):
            for version in ("v2", "v2beta1"):
                if f"v={version};" in f"{part.strip()};":
                    return version
    return ""


def _legacy(parts: list[str], registry: Registry) -> JsonObject | None:
    match parts:
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            groups = [_group(name, registry) for name in _groups(registry)]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        case ["apis", group] if group in _groups(registry):
            return {"kind": "APIGroup", "apiVersion": "v1"} | _group(group, registry)
        case ["api", version]:
            return _resource_list("", version, registry)
        case ["apis", group, version]:
            return _resource_list(group, version, registry)
    return None


def _groups(registry: Registry) -> list[str]:
    return list(dict.fromkeys(resource.group for resource in registry if resource.group))


def _versions(group: str, registry: Registry) -> list[str]:
    """Return the versions of a group, the preferred one first: v2 before v1 before v1beta1."""
    found = {resource.version for resource in registry if resource.group == group}
    return sorted(found, key=_priority)


def _priority(version: str) -> tuple[int, int, int]:
    match = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if match is None:
        return 3, 0, 0
    stage = {"": 0, "beta": 1, "alpha": 2}[match[2] or ""]
    return stage, -int(match[1]), -int(match[3] or 0)


def _group(name: str, registry: Registry) -> JsonObject:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version}
        for version in _versions(name, registry)
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _of(group: str, version: str, registry: Registry) -> list[Resource]:
    return sorted(
        (one for one in registry if (one.group, one.version) == (group, version)),
        key=lambda one: one.plural,
    )


def _resource_list(group: str, version: str, registry: Registry) -> JsonObject | None:
    found = _of(group, version, registry)
    if not found:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": found[0].api_version,
        "resources": [entry for resource in found for entry in _legacy_entries(resource)],
    }


def _legacy_entries(resource: Resource) -> Iterable[JsonObject]:
    entry = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.is_namespaced,
        "kind": resource.kind,
        "verbs": list(OBJECT_VERBS),
        "shortNames": list(resource.short_names),
        "categories": list(resource.categories),
        "storageVersionHash": "",
    }
    yield {key: value for key, value in entry.items() if value not in ("", []) or key in _KEPT}
    if resource.has_status:
        yield {
            "name": f"{resource.plural}/status",
            "singularName": "",
            "namespaced": resource.is_namespaced,
            "kind": resource.kind,
            "verbs": list(STATUS_VERBS),
        }


_KEPT = ("singularName",)


def _aggregated(registry: Registry, version: str, *, is_core: bool) -> JsonObject:
    groups = [""] if is_core else _groups(registry)
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": [_aggregated_group(group, registry) for group in groups],
    }


def _aggregated_group(group: str, registry: Registry) -> JsonObject:
    return {
        "metadata": {"name": group} if group else {},
        "versions": [
            {
                "version": version,
                "freshness": "Current",
                "resources": [_aggregated_entry(one) for one in _of(group, version, registry)],
            }
            for version in _versions(group, registry)
        ],
    }


def _aggregated_entry(resource: Resource) -> JsonObject:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    entry: JsonObject = {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": "Namespaced" if resource.is_namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(OBJECT_VERBS),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.has_status:
        status = {"subresource": "status", "responseKind": kind, "verbs": list(STATUS_VERBS)}
        entry["subresources"] = [status]
    return entry
