"""Answers: objects, lists and errors as HTTP bodies, in the form the client accepts.

Belongs here: encoding and headers. Does not: which objects (lists, writes). Bodies of stored
objects are reused as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from playground.apiserver.calls import Form
from playground.apiserver.errors import ApiError
from playground.apiserver.kinds import Resource
from playground.apiserver.lists import Page
from playground.apiserver.store import Item
from playground.apiserver.tables import table
from playground.apiserver.watches import Line, event_line, plain_line

JsonObject = dict[str, Any]
JSON_HEADERS: Final = {"Content-Type": "application/json"}
META_V1 = "meta.k8s.io/v1"


def raw(body: bytes, code: int = 200, warnings: Sequence[str] = ()) -> web.Response:
    """Answer with JSON that is encoded already."""
    response = web.Response(body=body, status=code, headers=JSON_HEADERS)
    for text in dict.fromkeys(warnings):
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


def json(obj: object, code: int = 200) -> web.Response:
    """Answer with anything."""
    return raw(msgspec.json.encode(obj), code)


def failure(error: ApiError) -> web.Response:
    """Answer with a Status."""
    response = json(error.status(), error.code)
    seconds = (error.details or {}).get("retryAfterSeconds")
    if seconds:
        response.headers["Retry-After"] = str(seconds)
    return response


def deleted_status(resource: Resource, item: Item) -> JsonObject:
    """Return the Status that answers a DELETE."""
    metadata = item.obj["metadata"]
    details = {"name": metadata["name"], "group": resource.group, "kind": resource.plural}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {k: v for k, v in details.items() if v} | {"uid": metadata["uid"]},
    }


def item_body(resource: Resource, item: Item, form: Form, include: str) -> bytes:
    """Return one object in a form."""
    match form:
        case "plain":
            return item.body
        case "partial":
            return msgspec.json.encode(_partial(item))
        case "table":
            metadata = {"resourceVersion": item.obj["metadata"].get("resourceVersion", "")}
            return msgspec.json.encode(table(resource, [item], metadata, include))


def _partial(item: Item) -> JsonObject:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": META_V1,
        "metadata": item.obj["metadata"],
    }


def list_body(resource: Resource, page: Page, form: Form, include: str) -> bytes:
    """Return a list in a form. Items of built-in kinds have no kind, as in the real server."""
    metadata: JsonObject = {"resourceVersion": str(page.version)}
    if resource.is_custom and form == "plain":
        metadata = {"continue": ""} | metadata
    if page.token:
        metadata["continue"] = page.token
        if page.rest is not None:
            metadata["remainingItemCount"] = page.rest
    match form:
        case "table":
            return msgspec.json.encode(table(resource, page.items, metadata, include))
        case "partial":
            items = [_partial(item) for item in page.items]
            head = {"kind": "PartialObjectMetadataList", "apiVersion": META_V1}
            return msgspec.json.encode(head | {"metadata": metadata, "items": items})
        case "plain":
            return _plain_list(resource, page, metadata)


def _plain_list(resource: Resource, page: Page, metadata: JsonObject) -> bytes:
    head = msgspec.json.encode(
        {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": metadata}
    )
    bodies = [item.body for item in page.items]
    if not resource.is_custom:
        # The body of a built-in object begins with its kind and apiVersion; see admit.parsed.
        types = {"kind": resource.kind, "apiVersion": resource.api_version}
        skip = len(msgspec.json.encode(types))
        bodies = [b"{" + body[skip:] for body in bodies]
    return b'%b,"items":[%b]}\n' % (head[:-1], b",".join(bodies))


def line_of(resource: Resource, form: Form, include: str) -> Line:
    """Return the function that makes watch lines in a form."""
    match form:
        case "plain":
            return plain_line
        case "partial":
            return lambda kind, item: event_line(kind, _partial(item))
        case "table":
            return _table_lines(resource, include)


def _table_lines(resource: Resource, include: str) -> Callable[[str, Item], bytes]:
    """Return a line function whose first line carries the columns, as kubectl expects."""
    is_first = True

    def line(kind: str, item: Item) -> bytes:
        nonlocal is_first
        metadata = {"resourceVersion": item.obj["metadata"]["resourceVersion"]}
        obj = table(resource, [item], metadata, include)
        if not is_first:
            obj["columnDefinitions"] = None
        is_first = False
        return event_line(kind, obj)

    return line
