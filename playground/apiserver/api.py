"""Requests for resources: from a call to an answer.

Belongs here: one method per verb that puts the parts together, and the faults that strike before
them. Does not: the parts. Everything between reading a body and answering is synchronous.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import msgspec
from aiohttp import web

from playground.apiserver import answers, calls
from playground.apiserver.admit import Target, WriteOptions
from playground.apiserver.calls import Place
from playground.apiserver.deletes import DeleteOptions, Deleter
from playground.apiserver.errors import (
    ApiError,
    FieldProblem,
    NoSuchPathError,
    OptionsKind,
    bad_request,
    forbidden,
    forbidden_field,
    injected,
    invalid,
    method_not_allowed,
    no_such_resource,
    not_found,
    unsupported,
    unsupported_media_type,
)
from playground.apiserver.faults import Action, Faults
from playground.apiserver.kinds import Registry, Resource
from playground.apiserver.lists import Page, listed, read_options
from playground.apiserver.patches import json_patched, merge_patched, strategic_patched
from playground.apiserver.record import Audit, Entry, Requests
from playground.apiserver.store import Store
from playground.apiserver.streams import LONGEST_SECONDS, Streams, WatchRequest
from playground.apiserver.writes import Patch, Writer, Written

JsonObject = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Call:
    """One request for a resource."""

    request: web.BaseRequest
    query: Mapping[str, str]
    place: Place
    client: str
    verb: str
    body: bytes = b""
    code: int = 0
    is_changed: bool = False
    name: str = ""  # of the object that was written, if the URL does not tell

    @property
    def form(self) -> calls.Form:
        """Return the form of the answer."""
        return calls.form_of(self.request.headers.get("Accept", ""))

    @property
    def include(self) -> str:
        """Return which objects go into tables."""
        return self.query.get("includeObject", "Metadata")


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What answers requests for resources."""

    store: Store
    registry: Registry
    writer: Writer
    deleter: Deleter
    streams: Streams
    faults: Faults
    requests: Requests
    audit: Audit

    async def answer(self, request: web.BaseRequest, place: Place) -> web.StreamResponse:
        """Answer one request, faults included."""
        call = _call(request, place)
        self.requests.counts[call.client, call.verb, place.label] += 1
        try:
            if self.faults.switches:
                await self._suffer(call)
            if request.method not in ("GET", "HEAD"):
                call.body = await request.read()
            response = await self._respond(call)
            self._lose(call)
            call.code = response.status
        except ApiError as error:
            response = answers.failure(error)
            call.code = error.code
        finally:
            if request.method not in ("GET", "HEAD"):
                self.audit.entries.append(_entry(call))
        return response

    async def count(self, request: web.BaseRequest, place: Place) -> None:
        """Count a request for something that is no resource; faults strike it as well."""
        call = _call(request, place)
        call.verb = request.method.lower()
        self.requests.counts[call.client, call.verb, place.label] += 1
        if self.faults.switches:
            await self._suffer(call)

    async def _suffer(self, call: Call) -> None:
        """Do what the switches say."""
        about = (call.client, call.verb, call.place.label)
        if self.faults.find(Action.REFUSE, *about):
            _cut(call)
        if self.faults.find(Action.HANG, *about):
            await asyncio.Event().wait()  # until the client gives up
        if delay := self.faults.find(Action.DELAY, *about):
            await asyncio.sleep(delay.seconds)
        if fault := self.faults.due_failure(*about):
            raise injected(fault.code, fault.retry_after_seconds)
        if self.faults.find(Action.FORBID, *about):
            raise _refusal(call)

    def _lose(self, call: Call) -> None:
        if self.faults.find(Action.LOSE, call.client, call.verb, call.place.label):
            _cut(call)

    async def _respond(self, call: Call) -> web.StreamResponse:
        resource = self._resource(call)
        match call.verb:
            case "get":
                return self._get(call, resource)
            case "list":
                return self._list(call, resource)
            case "watch":
                return await self._watch(call, resource)
            case "create":
                return self._create(call, resource)
            case "update" | "patch":
                return self._write(call, resource)
            case "delete":
                return self._delete(call, resource)
            case "deletecollection":
                return self._delete_collection(call, resource)
        raise method_not_allowed()

    def _resource(self, call: Call) -> Resource:
        """Return the resource of a call; 404 or 405 if the URL does not offer it."""
        place = call.place
        resource = self.registry.find(place.group, place.version, place.plural)
        if resource is None:
            raise self._nothing_at(place)
        if bool(place.namespace) != resource.is_namespaced and (place.namespace or place.name):
            raise no_such_resource()
        if place.subresource and not (place.subresource == "status" and resource.has_status):
            raise no_such_resource()
        is_everywhere = resource.is_namespaced and not place.namespace
        offered = {
            "create": not place.name and not is_everywhere,
            "update": bool(place.name),
            "patch": bool(place.name),
            "delete": not place.subresource,
            "deletecollection": not is_everywhere,
        }
        if not offered.get(call.verb, True):
            raise method_not_allowed()
        return resource

    def _nothing_at(self, place: Place) -> Exception:
        """Return the 404 for a resource that is not served; only built-in groups explain it."""
        of_group = [one for one in self.registry if one.group == place.group]
        is_builtin = any(not one.is_custom and one.version == place.version for one in of_group)
        return no_such_resource() if is_builtin else NoSuchPathError(place.plural)

    def _get(self, call: Call, resource: Resource) -> web.Response:
        key = (call.place.namespace, call.place.name)
        item = self.store.collection(resource.name).items.get(key)
        if item is None:
            raise not_found(resource, call.place.name)
        return answers.raw(answers.item_body(resource, item, call.form, call.include))

    def _list(self, call: Call, resource: Resource) -> web.Response:
        options = read_options(call.query, resource)
        page = listed(self.store.collection(resource.name), call.place.namespace, options)
        return answers.raw(answers.list_body(resource, page, call.form, call.include))

    async def _watch(self, call: Call, resource: Resource) -> web.StreamResponse:
        options = read_options(call.query, resource)
        wanted = WatchRequest(
            client=call.client,
            resource=resource,
            namespace=call.place.namespace,
            options=options,
            form=call.form,
            include=call.include,
        )
        watcher = self.streams.open(wanted)
        seconds = options.timeout_seconds or LONGEST_SECONDS
        return await self.streams.carry(call.request, watcher, seconds)

    def _create(self, call: Call, resource: Resource) -> web.Response:
        options = self._options(call)
        media_type = calls.media_type_of(call.request.headers)
        body = calls.decoded_body(call.body, media_type, resource.kind)
        written = self.writer.create(_target(call, resource), body, options)
        return self._written(call, resource, written, options)

    def _write(self, call: Call, resource: Resource) -> web.Response:
        target, options = _target(call, resource), self._options(call)
        media_type = calls.media_type_of(call.request.headers)
        if call.verb == "update":
            body = calls.decoded_body(call.body, media_type, resource.kind)
            written = self.writer.update(target, body, options)
        elif media_type == calls.APPLY_PATCH:
            body = calls.decoded_body(call.body, media_type, resource.kind)
            written = self.writer.apply(target, body, options)
        else:
            written = self.writer.patch(target, _patch_of(resource, media_type, call.body), options)
        return self._written(call, resource, written, options)

    def _written(
        self, call: Call, resource: Resource, written: Written, options: WriteOptions
    ) -> web.Response:
        call.is_changed, call.name = written.is_changed, written.item.key[1]
        body = answers.item_body(resource, written.item, call.form, call.include)
        return answers.raw(body, written.code, options.warnings)

    def _options(self, call: Call) -> WriteOptions:
        query = call.query
        applies = calls.media_type_of(call.request.headers) == calls.APPLY_PATCH
        problems = list(_option_problems(query, applies=applies))
        if problems:
            raise invalid(OptionsKind(kind=f"{call.verb.capitalize()}Options"), "", problems)
        manager = query.get("fieldManager") or (
            "" if applies else calls.program_of(call.request.headers)
        )
        about = (call.client, call.verb, call.place.label)
        return WriteOptions(
            manager=manager,
            is_dry_run=bool(query.get("dryRun")),
            validation=query.get("fieldValidation") or "Warn",
            force=query.get("force") == "true",
            keeps_metadata=self.faults.find(Action.DROP_METADATA, *about) is not None,
        )

    def _delete(self, call: Call, resource: Resource) -> web.Response:
        options = _delete_options(call)
        deleted = self.deleter.delete(_target(call, resource), options)
        call.is_changed = deleted.is_changed
        if deleted.is_gone:
            return answers.json(answers.deleted_status(resource, deleted.item))
        return answers.raw(answers.item_body(resource, deleted.item, call.form, call.include))

    def _delete_collection(self, call: Call, resource: Resource) -> web.Response:
        options, list_options = _delete_options(call), read_options(call.query, resource)
        collection = self.store.collection(resource.name)
        page = listed(collection, call.place.namespace, list_options)
        gone = [self.deleter.delete_item(resource, item, options) for item in page.items]
        call.is_changed = any(deleted.is_changed for deleted in gone)
        page = Page([deleted.item for deleted in gone], self.store.versions.current)
        return answers.raw(answers.list_body(resource, page, call.form, call.include))


def _call(request: web.BaseRequest, place: Place) -> Call:
    query = request.query
    is_watch = query.get("watch") in ("true", "1", "True")
    verb = calls.verb_of(request.method, place, is_watch=is_watch)
    client = calls.client_of(request.headers)
    return Call(request=request, query=query, place=place, client=client, verb=verb)


def _target(call: Call, resource: Resource) -> Target:
    place = call.place
    return Target(
        resource=resource,
        namespace=place.namespace,
        name=place.name,
        subresource=place.subresource,
    )


def _patch_of(resource: Resource, media_type: str, body: bytes) -> Patch:
    accepted = [calls.JSON_PATCH, calls.MERGE_PATCH]
    accepted += [] if resource.is_custom else [calls.STRATEGIC_PATCH]
    if media_type not in accepted:
        raise unsupported_media_type([*accepted, calls.APPLY_PATCH])
    try:
        patch = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise bad_request(f"error decoding patch: {error}") from error
    if media_type == calls.JSON_PATCH:
        return partial(json_patched, operations=patch)
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: json: cannot unmarshal into Go value")
    if media_type == calls.STRATEGIC_PATCH:
        return partial(strategic_patched, patch=patch, node=resource.node)
    return partial(merge_patched, patch=patch)


def _option_problems(query: Mapping[str, str], *, applies: bool) -> Iterator[FieldProblem]:
    if query.get("force") and not applies:
        yield forbidden_field("force", "may not be specified for non-apply patch")
    if query.get("dryRun", "") not in ("", "All"):
        yield unsupported("dryRun", [query["dryRun"]], ("All",))
    allowed = ("", "Ignore", "Strict", "Warn")
    if query.get("fieldValidation", "") not in allowed:
        yield unsupported("fieldValidation", query["fieldValidation"], allowed)


def _delete_options(call: Call) -> DeleteOptions:
    body: object = {}
    if call.body:
        media_type = calls.media_type_of(call.request.headers)
        body = calls.decoded_body(call.body, media_type, "DeleteOptions")
    if not isinstance(body, dict):
        raise bad_request("the object provided is unrecognized (must be of type DeleteOptions)")
    query = call.query
    return DeleteOptions.read(body, query.get("propagationPolicy", ""), query.get("dryRun", ""))


def _cut(call: Call) -> NoReturn:
    """Close the connection without an answer."""
    if call.request.transport is not None:
        call.request.transport.abort()
    raise ConnectionResetError


def _refusal(call: Call) -> ApiError:
    place = call.place
    where = f'in the namespace "{place.namespace}"' if place.namespace else "at the cluster scope"
    why = (
        f'User "{call.client}" cannot {call.verb} resource "{place.label}" in API group '
        f'"{place.group}" {where}'
    )
    return forbidden(place, place.name, why)


def _entry(call: Call) -> Entry:
    return Entry(
        time=time.time(),
        client=call.client,
        verb=call.verb,
        resource=call.place.label,
        namespace=call.place.namespace,
        name=call.place.name or call.name,
        code=call.code,
        is_changed=call.is_changed,
    )
