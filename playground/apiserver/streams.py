"""The HTTP side of a watch.

Belongs here: opening a watch at the right version, carrying its lines to the client, its timeout,
bookmarks. Does not: what is in a line (watches).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from aiohttp import web

from playground.apiserver.answers import JSON_HEADERS, line_of
from playground.apiserver.calls import Form
from playground.apiserver.errors import ApiError, injected
from playground.apiserver.faults import Action, Faults
from playground.apiserver.kinds import CollectionName, Resource
from playground.apiserver.lists import ListOptions, read_version
from playground.apiserver.store import Collection, Store, Version
from playground.apiserver.watches import Watcher

LONGEST_SECONDS = 3600.0  # of a watch that sets no timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRequest:
    """Who wants to watch what."""

    client: str
    resource: Resource
    namespace: str
    options: ListOptions
    form: Form
    include: str


class Streams:
    """All open watches."""

    def __init__(self, store: Store, faults: Faults, most_bytes: int) -> None:
        self._store, self._faults, self._most_bytes = store, faults, most_bytes

    def open(self, request: WatchRequest) -> Watcher:
        """Register a watcher and hand it what it has missed; no await, so nothing slips through.

        Raises 410 only if the switch for it is on: as in the real server, too old a version is told
        in the stream.
        """
        options, resource = request.options, request.resource
        collection = self._store.collection(resource.name)
        watcher = Watcher(
            client=request.client,
            resource=resource,
            namespace=request.namespace,
            selector=options.selector,
            line=line_of(resource, request.form, request.include),
            wants_bookmarks=options.wants_bookmarks,
            most_bytes=self._most_bytes,
        )
        try:
            version = read_version(options.version)
        except ValueError as error:
            raise ApiError(500, "", str(error)) from error
        try:
            self._catch_up(watcher, collection, version, options.wants_initial)
        except ApiError as error:
            if self._faults.find(Action.GONE_STATUS, request.client, "watch", resource.plural):
                raise
            watcher.fail(error)
            return watcher
        collection.listen(watcher)
        self.obey_faults(watcher)
        return watcher

    def _catch_up(
        self,
        watcher: Watcher,
        collection: Collection,
        version: Version,
        wants_initial: bool | None,
    ) -> None:
        if wants_initial or (wants_initial is None and version == 0):
            watcher.begin(collection.within(watcher.namespace))
            if wants_initial:
                watcher.bookmark(collection.versions.current, ends_initial=True)
        elif version:
            for change in collection.since(version):
                watcher.offer(change)

    def obey_faults(self, watcher: Watcher) -> None:
        """Bring a watcher in line with the switches that are on."""
        about = (watcher.client, "watch", watcher.resource.plural)
        watcher.stall(is_stalled=self._faults.find(Action.STALL, *about) is not None)
        fault = self._faults.find(Action.WATCH_ERROR, *about)
        if fault is not None:
            watcher.fail(injected(fault.code))

    async def carry(
        self, request: web.BaseRequest, watcher: Watcher, seconds: float
    ) -> web.StreamResponse:
        """Send lines until the watch is over."""
        response = web.StreamResponse(headers=JSON_HEADERS)
        transport = request.transport
        if transport is not None:
            watcher.abort = transport.abort
        try:
            await response.prepare(request)
            async with asyncio.timeout(seconds):
                while lines := await watcher.wait_lines():
                    await response.write(lines)
        except TimeoutError:
            pass
        finally:
            self._store.collection(watcher.resource.name).unlisten(watcher)
        if watcher.is_cut:
            raise ConnectionResetError  # aiohttp's word for: there is nobody to answer
        await response.write_eof()
        return response

    def watchers(self, name: CollectionName | None = None) -> Iterator[Watcher]:
        """Yield the open watches, those of one resource if `name` is given."""
        for collection in self._store:
            if name in (None, collection.name):
                for listener in collection.listeners():
                    if isinstance(listener, Watcher):
                        yield listener

    def bookmark_all(self) -> None:
        """Send every watcher that wants one a bookmark."""
        for watcher in self.watchers():
            watcher.bookmark(self._store.versions.current)
