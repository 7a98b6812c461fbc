"""Watches what belongs to the cluster itself: nodes, their Pods, Services' own addresses, the API.

Belongs here: which objects tell it; those that others watch are passed to `note`. Does not: what
follows (`allocator.core.guarding`). A kind that is not served, or not allowed as under PureLB's own
RBAC, guards nothing and delays nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from allocator.core.guarding import api_server_guards, cidr_guards, node_guards
from allocator.core.guards import Guard, Guards, guards_of
from purelb.api.resources import decode_endpoint_slice, decode_node, decode_service_cidr
from purelb.runtime.clock import Clock
from purelb.runtime.errors import ForbiddenError, NotFoundError, PurelbError
from purelb.runtime.informer import Informer, Source
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

ASK_AGAIN_SECONDS = 600.0  # for a kind that is not served or not allowed
RETRY_SECONDS = 2.0
SLICE = "kubernetes"  # the EndpointSlice of the API server, kept by the API server

Found: TypeAlias = tuple[Guard, ...]  # what one object guards


@dataclass(slots=True)
class _Kind:
    informer: Informer[Found]
    source: Source[Found]
    settled: asyncio.Event  # known, or known to be unavailable


class GuardWatch:
    """Keeps the guards true, and tells when they have changed."""

    def __init__(self, kube: Kube, clock: Clock, on_change: Callable[[Guards], None]) -> None:
        self._kube, self._clock, self._on_change = kube, clock, on_change
        self._counts: dict[Guard, int] = {}  # several objects may guard the same
        self._is_stale = False  # what was told last
        self._kinds = [
            self._kind("/api/v1/nodes", _node),
            self._kind("/apis/networking.k8s.io/v1/servicecidrs", _service_cidr),
            self._kind(
                "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", _api_server, SLICE
            ),
        ]

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for kind in self._kinds:
                tasks.create_task(self._follow(kind))

    async def wait_settled(self) -> None:
        """Wait until each kind is known and told, or known to be unavailable."""
        for kind in self._kinds:
            await kind.settled.wait()
        self._tell()

    def _kind(self, path: str, view: Callable[[bytes], Found], only: str = "") -> _Kind:
        selector = (("fieldSelector", f"metadata.name={only}"),) if only else ()
        source: Source[Found] = Source(path=path, view=view, selector=selector)
        informer = Informer(self._kube, source, self.note, self._clock)
        return _Kind(informer, source, asyncio.Event())

    async def _follow(self, kind: _Kind) -> None:
        await self._wait_served(kind)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(kind.informer.run())
            await kind.informer.synced.wait()
            kind.settled.set()

    async def _wait_served(self, kind: _Kind) -> None:
        while True:
            try:
                await self._kube.get(kind.source.path, {"limit": "1", **dict(kind.source.selector)})
            except (ForbiddenError, NotFoundError) as error:
                if not kind.settled.is_set():
                    logger.info(
                        "cannot guard the addresses of a kind",
                        extra={"path": kind.source.path, "error": str(error)},
                    )
                kind.settled.set()
                await asyncio.sleep(ASK_AGAIN_SECONDS)
            except PurelbError:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def note(self, old: Found | None, new: Found | None) -> None:
        """Take in what an object guarded and guards now."""
        if old == new:
            return  # a node's heartbeat
        for guard in new or ():
            self._counts[guard] = self._counts.get(guard, 0) + 1
        for guard in old or ():
            self._counts[guard] -= 1
            if not self._counts[guard]:
                del self._counts[guard]
        if not self._is_stale:  # once for a whole LIST: all guards are put in order each time
            self._is_stale = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        if self._is_stale:
            self._is_stale = False
            self._on_change(guards_of(self._counts))


def _node(body: bytes) -> Found:
    return node_guards(decode_node(body))


def _service_cidr(body: bytes) -> Found:
    return cidr_guards(decode_service_cidr(body))


def _api_server(body: bytes) -> Found:
    return api_server_guards(decode_endpoint_slice(body))
