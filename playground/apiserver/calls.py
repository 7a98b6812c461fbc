"""From an HTTP request to what it asks for.

Belongs here: the shape of URLs, client names, media types, bodies. Does not: carrying it out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import msgspec
import yaml

from playground.apiserver import protobuf
from playground.apiserver.errors import (
    ApiError,
    bad_request,
    not_acceptable,
    unsupported_media_type,
)

JsonObject = dict[str, Any]
Form: TypeAlias = Literal["plain", "table", "partial"]
JSON, YAML = "application/json", "application/yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
VERBS: Mapping[str, tuple[str, str]] = {  # by method: of a collection, of an object
    "GET": ("list", "get"),
    "HEAD": ("list", "get"),
    "POST": ("create", "create"),
    "PUT": ("update", "update"),
    "PATCH": ("patch", "patch"),
    "DELETE": ("deletecollection", "delete"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """What a URL names; `plural` is empty for URLs that are no resource."""

    group: str = ""
    version: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def label(self) -> str:
        """Return the resource as RBAC and the counters name it."""
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural

    @property
    def kind(self) -> str:
        """Return what an error calls the kind; a URL knows the plural only."""
        return self.plural


NOWHERE = Place()


def place_of(path: str) -> Place:
    """Read the path of a URL."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return NOWHERE
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3 or "" in rest:
        return NOWHERE
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    return Place(group, version, rest[0], namespace, name, subresource)


def verb_of(method: str, place: Place, *, is_watch: bool) -> str:
    """Return the verb of a request as RBAC names it."""
    verb = VERBS.get(method, ("", ""))[bool(place.name)]
    return "watch" if verb == "list" and is_watch else verb


def client_of(headers: Mapping[str, str]) -> str:
    """Return who asks: the bearer token, else the program named first in the User-Agent."""
    authorization = headers.get("Authorization", "")
    if authorization.startswith("Bearer "):
        return authorization[7:].strip()
    return program_of(headers)


def program_of(headers: Mapping[str, str]) -> str:
    """Return the program named first in the User-Agent, the default field manager."""
    return re.split(r"[/ ]", headers.get("User-Agent", ""), maxsplit=1)[0] or "unknown"


@lru_cache(maxsize=64)
def form_of(accept: str) -> Form:
    """Return the form an Accept header prefers; 406 if none is offered."""
    for part in accept.split(",") if accept else ["*/*"]:
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        if media_type not in (JSON, "*/*", "application/*", "text/*"):
            continue
        wanted = dict(parameter.partition("=")[::2] for parameter in parameters)
        match wanted.get("as"), wanted.get("v"):
            case None, _:
                return "plain"
            case "Table", "v1":
                return "table"
            case (("PartialObjectMetadata" | "PartialObjectMetadataList"), "v1"):
                return "partial"
    raise not_acceptable([JSON])


class _JsonLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # C or not
    """YAML as Kubernetes reads it: a timestamp is a string."""


_JsonLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def decoded_body(body: bytes, media_type: str, kind: str) -> object:
    """Decode a body; 415 for what is not understood, 400 for nonsense."""
    if "yaml" in media_type and not body.lstrip().startswith(b"{"):
        try:
            return yaml.load(body, _JsonLoader)  # safe: a SafeLoader
        except yaml.YAMLError as error:
            raise _unrecognized(kind, f"yaml: {error}") from error
    if media_type == protobuf.MEDIA_TYPE:
        return protobuf.decoded(body)
    if media_type and "json" not in media_type and "yaml" not in media_type:
        raise unsupported_media_type([JSON, YAML, protobuf.MEDIA_TYPE])
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise _unrecognized(kind, str(error)) from error


def _unrecognized(kind: str, why: str) -> ApiError:
    return bad_request(
        f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
        f"json parse error: {why}"
    )


def media_type_of(headers: Mapping[str, str]) -> str:
    """Return the media type of a body without parameters."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()
