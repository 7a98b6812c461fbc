"""LIST: which objects, of which version, in which pages.

Belongs here: the meaning of resourceVersion, resourceVersionMatch, limit and continue. Does not:
the form of the answer (tables, answers), watches.
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from playground.apiserver.errors import (
    ApiError,
    FieldProblem,
    OptionsKind,
    bad_request,
    expired,
    forbidden_field,
    invalid,
    too_large_version,
    unsupported,
)
from playground.apiserver.kinds import Resource
from playground.apiserver.selectors import Selector, parsed
from playground.apiserver.store import Collection, Item, Key, Version

EXPIRED_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)
INCONSISTENT = Version(-1)  # version of a continue token that goes on in the present


_LIST_OPTIONS = OptionsKind(kind="ListOptions")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """Query parameters of LIST and WATCH."""

    selector: Selector
    version: str = ""
    match: str = ""
    limit: int = 0
    token: str = ""
    is_watch: bool = False
    wants_bookmarks: bool = False
    wants_initial: bool | None = None
    timeout_seconds: float | None = None


def read_options(query: Mapping[str, str], resource: Resource) -> ListOptions:
    """Read the query of a LIST or WATCH; 400 or 422 on nonsense."""
    selector = parsed(
        query.get("labelSelector", ""), query.get("fieldSelector", ""), resource.selectable
    )
    initial = query.get("sendInitialEvents")
    options = ListOptions(
        selector=selector,
        version=query.get("resourceVersion", ""),
        match=query.get("resourceVersionMatch", ""),
        limit=_number(query, "limit"),
        token=query.get("continue", ""),
        is_watch=_flag(query.get("watch", "")),
        wants_bookmarks=_flag(query.get("allowWatchBookmarks", "")),
        wants_initial=None if initial is None else _flag(initial),
        timeout_seconds=_number(query, "timeoutSeconds") or None,
    )
    problems = _watch_problems(options) if options.is_watch else _list_problems(options)
    if problems:
        raise invalid(_LIST_OPTIONS, "", problems)
    return options


def _flag(text: str) -> bool:
    return text.lower() in ("true", "1")


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name) or "0"
    if not text.isdigit():
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def _watch_problems(options: ListOptions) -> list[FieldProblem]:
    if options.wants_initial is None:
        if not options.match:
            return []
        text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        return [forbidden_field("resourceVersionMatch", text)]
    if options.match != "NotOlderThan":
        text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        return [forbidden_field("resourceVersionMatch", text)]
    return []


def _list_problems(options: ListOptions) -> list[FieldProblem]:
    if options.wants_initial is not None:
        text = "sendInitialEvents is forbidden for list"
        return [forbidden_field("sendInitialEvents", text)]
    if not options.match:
        return []
    if not options.version:
        text = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        return [forbidden_field("resourceVersionMatch", text)]
    if options.token:
        text = "resourceVersionMatch is forbidden when continue is provided"
        return [forbidden_field("resourceVersionMatch", text)]
    if options.match not in ("Exact", "NotOlderThan"):
        allowed = ("Exact", "NotOlderThan", "")
        return [unsupported("resourceVersionMatch", options.match, allowed)]
    if options.match == "Exact" and options.version == "0":
        text = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        return [forbidden_field("resourceVersionMatch", text)]
    return []


def read_version(text: str) -> Version:
    """Read a resourceVersion; "" is 0. ValueError with the server's words on nonsense."""
    if text and not text.isdigit():
        raise ValueError(
            f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": '
            "invalid syntax"
        )
    return Version(int(text or "0"))


@dataclass(frozen=True, slots=True)
class Page:
    """What a LIST answers. `rest` is None if the number of items left is not told."""

    items: list[Item]
    version: Version
    token: str = ""
    rest: int | None = None


def listed(collection: Collection, namespace: str, options: ListOptions) -> Page:
    """Return the page that was asked for."""
    try:
        version = read_version(options.version)
    except ValueError as error:
        raise bad_request(f"invalid resource version: {error}") from error
    if version > collection.versions.current:
        raise too_large_version(version, collection.versions.current)
    if options.token:
        return _continued(collection, namespace, options)
    if options.match == "Exact" and version != collection.versions.current:
        items = _as_of(collection, namespace, version)
    else:
        items = list(collection.within(namespace))
        version = collection.versions.current
    limit = 0 if options.version == "0" else options.limit
    return _page(items, version, limit, options.selector)


def _page(items: list[Item], version: Version, limit: int, selector: Selector) -> Page:
    """Cut one page off `items`."""
    if not limit:
        return Page(_selected(items, selector), version)
    chosen: list[Item] = []
    for count, item in enumerate(items):
        if len(chosen) == limit:
            rest = len(items) - count if selector.is_empty else None
            token = _token(version, items[count - 1].key)
            return Page(chosen, version, token, rest)
        if selector.matches(item.obj):
            chosen.append(item)
    return Page(chosen, version)


def _selected(items: list[Item], selector: Selector) -> list[Item]:
    if selector.is_empty:
        return items
    return [item for item in items if selector.matches(item.obj)]


def _as_of(collection: Collection, namespace: str, version: Version) -> list[Item]:
    """Return the items as they were at `version`; 410 if that is no longer known."""
    changes = collection.since(version)
    if not changes:
        return list(collection.within(namespace))
    items = dict(collection.items)
    for change in reversed(changes):
        if change.before is None:
            items.pop(change.item.key, None)
        else:
            items[change.item.key] = change.before
    return [items[key] for key in sorted(items) if not namespace or key[0] == namespace]


def _continued(collection: Collection, namespace: str, options: ListOptions) -> Page:
    version, after = _read_token(options.token)
    if version == INCONSISTENT:
        items = list(collection.within(namespace, after))
        page = _page(items, INCONSISTENT, options.limit, options.selector)
        return Page(page.items, collection.versions.current, page.token, page.rest)
    try:
        items = _as_of(collection, namespace, version)
    except ApiError as error:
        gone = expired(EXPIRED_CONTINUE)
        gone.continue_token = _token(INCONSISTENT, after)
        raise gone from error
    rest = items[bisect_right(items, after, key=lambda item: item.key) :]
    return _page(rest, version, options.limit, options.selector)


def _token(version: Version, after: Key) -> str:
    raw = {"v": "meta.k8s.io/v1", "rv": version, "start": "/".join(after)}
    return base64.urlsafe_b64encode(msgspec.json.encode(raw)).decode().rstrip("=")


def _read_token(token: str) -> tuple[Version, Key]:
    try:
        raw = msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, _, name = raw["start"].partition("/")
        return Version(raw["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError, msgspec.DecodeError) as error:
        text = f"invalid continue token: continue key is not valid: {error}"
        raise bad_request(text) from error
