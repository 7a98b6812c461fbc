"""Writes what a pass decided about Services: announcing slots and traffic policies.

One PATCH per Service, conditional on the version it was decided on. A conflict needs no retry of
its own: the newer version is on its way, and the pass that sees it decides again.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeAlias

from nodeagent.core.report import Override
from nodeagent.core.slots import SlotWrite
from purelb.api.identifiers import ServiceKey, split_key
from purelb.runtime.clock import Clock
from purelb.runtime.errors import ConflictError, ForbiddenError, NotFoundError
from purelb.runtime.kube import Kube
from purelb.runtime.reconciler import Reconciler
from purelb.runtime.replace import replace_object

logger = logging.getLogger(__name__)

Write: TypeAlias = SlotWrite | Override

WRITERS = 2  # of each node: together they must leave room for the allocator


class SlotWriter:
    """Sends the slot writes of the last pass, each once."""

    def __init__(self, kube: Kube, clock: Clock, on_written: Callable[[Write], None]) -> None:
        self._kube, self._on_written = kube, on_written
        self._wanted: dict[ServiceKey, tuple[Write, ...]] = {}
        self._sent: dict[ServiceKey, tuple[Write, ...]] = {}
        self._may_patch = True  # PureLB's own RBAC grants update only
        self._loop: Reconciler[ServiceKey] = Reconciler("slots", self._write, clock, room=WRITERS)

    def want(self, writes: Iterable[Write]) -> None:
        """Take over what the last pass wants written; what it no longer wants is forgotten."""
        wanted: dict[ServiceKey, tuple[Write, ...]] = {}
        for write in writes:
            wanted[write.service] = (*wanted.get(write.service, ()), write)
        news = [key for key, mine in wanted.items() if self._wanted.get(key) != mine]
        self._wanted = wanted
        self._sent = {key: sent for key, sent in self._sent.items() if key in wanted}
        for key in news:
            self._loop.mark(key)

    async def wait_idle(self) -> None:
        """Wait until everything is written."""
        await self._loop.wait_idle()

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        await self._loop.run()

    async def _write(self, key: ServiceKey) -> None:
        writes = self._wanted.get(key)
        if writes is None or self._sent.get(key) == writes:
            return
        try:
            await self._send(key, _body(writes))
        except (ConflictError, NotFoundError):
            return
        self._sent[key] = writes
        for write in writes:
            self._on_written(write)

    async def _send(self, key: ServiceKey, body: dict[str, Any]) -> None:
        namespace, name = split_key(key)
        path = f"/api/v1/namespaces/{namespace}/services/{name}"
        if self._may_patch:
            try:
                await self._kube.patch(path, body)
            except ForbiddenError as error:
                logger.info(
                    "patch is not allowed, replacing the whole object",
                    extra={"path": path, "error": str(error)},
                )
            else:
                return
        await replace_object(self._kube, path, body)
        self._may_patch = False  # not before: a webhook's refusal is a 403 as well


def _body(writes: Iterable[Write]) -> dict[str, Any]:
    """Return one merge patch for all writes of a Service; they were decided on one version."""
    metadata: dict[str, Any] = {}
    body: dict[str, Any] = {"metadata": metadata}
    for write in writes:
        metadata["resourceVersion"] = write.version
        match write:
            case SlotWrite():
                metadata.setdefault("annotations", {})[write.annotation] = write.text
            case Override():
                body["spec"] = {"externalTrafficPolicy": "Cluster"}
    return body
