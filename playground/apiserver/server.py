"""The embedded Kubernetes API server: everything put together, started and stopped.

Belongs here: wiring, background tasks, one-off faults. Does not: how requests are answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import yaml
from aiohttp import web

from playground.apiserver import control as control_endpoint
from playground.apiserver.admit import Target, WriteOptions
from playground.apiserver.api import Api
from playground.apiserver.builtin.kinds import builtin_resources
from playground.apiserver.customresources import CustomResources
from playground.apiserver.deletes import Collector, Deleter
from playground.apiserver.errors import injected
from playground.apiserver.faults import Faults
from playground.apiserver.front import Front
from playground.apiserver.kinds import CollectionName, Registry, Resource
from playground.apiserver.record import Audit, Requests
from playground.apiserver.store import Store
from playground.apiserver.streams import Streams
from playground.apiserver.watches import Watcher
from playground.apiserver.writes import Writer

logger = logging.getLogger(__name__)
JsonObject = dict[str, Any]
FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
SHUTDOWN_SECONDS = 0.1  # for requests under way


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much the server keeps.

    The range of node ports is wider than kube-apiserver's default, whose 2768 ports would cap the
    number of Services.
    """

    history: int = 100_000  # changes per resource, for watches that start in the past
    watch_bytes: int = 32 * 1024 * 1024  # waiting for one client; then it is cut off
    audit_entries: int = 50_000
    node_ports: range = range(30000, 62768)


class ApiServer:
    """An async context manager; ready to serve once entered.

    `crds` is a folder of YAML files to load at start. `port` 0 means any. `control` is the path of
    a unix socket for the control endpoint.
    """

    def __init__(
        self,
        crds: Path | None = None,
        host: str | Sequence[str] = "127.0.0.1",
        port: int = 0,
        control: Path | None = None,
        limits: Limits = Limits(),  # frozen
    ) -> None:
        self.faults = Faults(on_change=self._on_faults_changed)
        self.requests, self.audit = Requests(), Audit(limits.audit_entries)
        self.url = ""  # of the first host, once started
        self.registry, self.store = Registry(), Store(limits.history)
        self._crds, self._port, self._control = crds, port, control
        self._hosts = [host] if isinstance(host, str) else list(host)
        self._streams = Streams(self.store, self.faults, limits.watch_bytes)
        self._writer, self._deleter = Writer(self.store), Deleter(self.store)
        self._bookmarks_changed = asyncio.Event()
        self._collector = Collector(self.store, self.registry, self._deleter)
        self.store.on_change = self._collector.note
        self._stack = contextlib.AsyncExitStack()
        self._custom = CustomResources(self.store, self.registry, self._on_removed)
        for resource in builtin_resources(limits.node_ports):
            self.registry.add(resource)
        self.registry.add(self._custom.resource())

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self._seed()
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            for work in (self._collector.run(), self._send_bookmarks()):
                stack.callback(tasks.create_task(work).cancel)
            await self._listen(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Not told of `error`: the task group would wrap it in a group of its own.
        await self._stack.aclose()

    def _seed(self) -> None:
        for name in FIRST_NAMESPACES:
            self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for path in sorted(self._crds.glob("*.yaml")) if self._crds else ():
            for document in yaml.safe_load_all(path.read_text()):
                if document:
                    self.create(document)

    async def _listen(self, stack: contextlib.AsyncExitStack) -> None:
        api = Api(
            store=self.store,
            registry=self.registry,
            writer=self._writer,
            deleter=self._deleter,
            streams=self._streams,
            faults=self.faults,
            requests=self.requests,
            audit=self.audit,
        )
        handle = Front(api, self.registry).handle
        server = web.Server(handle, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.callback(self.drop_watches)
        for host in self._hosts:
            site = web.TCPSite(runner, host, self._port, backlog=1024)
            await site.start()
            self._port = runner.addresses[0][1]
        text = f"[{self._hosts[0]}]" if ":" in self._hosts[0] else self._hosts[0]
        self.url = f"http://{text}:{self._port}"
        if self._control is not None:
            await stack.enter_async_context(control_endpoint.serving(self, self._control))

    def create(self, document: JsonObject) -> None:
        """Store an object as if a client had created it; ApiError if it is refused."""
        resource = self.registry.by_kind(document["apiVersion"], document["kind"])
        if resource is None:
            raise ValueError(f"no such kind: {document['apiVersion']} {document['kind']}")
        metadata = document["metadata"]
        namespace = metadata.get("namespace", "default") if resource.is_namespaced else ""
        target = Target(resource=resource, namespace=namespace, name=metadata["name"])
        self._writer.create(target, document, WriteOptions(manager="apiserver"))

    def drop_watches(self, client: str = "", resource: str = "") -> int:
        """Break the connections of open watches at once; "" means all. Returns how many."""
        return self._each_watcher(Watcher.cut, client, resource)

    def fail_watches(self, code: int, client: str = "", resource: str = "") -> int:
        """End open watches with an ERROR event; "" means all. Returns how many."""
        return self._each_watcher(lambda one: one.fail(injected(code)), client, resource)

    def _each_watcher(self, act: Callable[[Watcher], None], client: str, resource: str) -> int:
        chosen = [
            watcher
            for watcher in self._streams.watchers()
            if client in ("", watcher.client)
            and resource in ("", watcher.resource.plural, watcher.resource.name)
        ]
        for watcher in chosen:
            act(watcher)
        return len(chosen)

    def open_watches(self) -> Iterator[tuple[str, str]]:
        """Yield (client, resource) of each open watch."""
        for watcher in self._streams.watchers():
            yield watcher.client, watcher.resource.plural

    def compact(self) -> None:
        """Forget all history: older versions and continue tokens answer 410."""
        self.store.compact()

    def vanish(self, resource: str, namespace: str, name: str) -> None:
        """Lose an object without an event, as an outage longer than the history does.

        `resource` is a collection name such as "services" or "servicegroups.purelb.io". KeyError
        if there is no such object.
        """
        found = self.registry.by_name(resource)
        if found is None:
            raise KeyError(resource)
        collection = self.store.collection(CollectionName(resource))
        item = collection.items[namespace, name]
        collection.vanish(item.key)
        found.admission.stored(None, item.obj)

    def _on_removed(self, resource: Resource) -> None:
        for watcher in self._streams.watchers(resource.name):
            watcher.end()

    def _on_faults_changed(self) -> None:
        self._bookmarks_changed.set()
        for watcher in self._streams.watchers():
            self._streams.obey_faults(watcher)

    async def _send_bookmarks(self) -> NoReturn:
        while True:
            self._bookmarks_changed.clear()
            try:
                async with asyncio.timeout(self.faults.bookmark_seconds):
                    await self._bookmarks_changed.wait()
            except TimeoutError:
                self._streams.bookmark_all()
