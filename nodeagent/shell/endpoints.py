"""Where Services have endpoints: EndpointSlices, watched only while some Service asks for them.

A cluster has as many slices as Services, and most agents never need to know one. Belongs here: the
cache and when it is kept. Does not: who asks and what counts (`core.endpoints`).
"""

import asyncio
from typing import NoReturn

from nodeagent.core.endpoints import matters, nodes_of
from nodeagent.shell.waker import Waker
from purelb.api.endpoints import HEADLESS_LABEL, SliceView, view_slice
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.api.resources import decode_endpoint_slice
from purelb.api.views import ServiceView
from purelb.runtime.clock import Clock
from purelb.runtime.informer import Informer, Source
from purelb.runtime.kube import Kube

LINGER_SECONDS = 60.0  # for which the watch goes on when nobody asks any more
SLICES = Source(
    path="/apis/discovery.k8s.io/v1/endpointslices",
    view=lambda body: view_slice(decode_endpoint_slice(body)),
    selector=(("labelSelector", f"!{HEADLESS_LABEL}"),),
)


class EndpointWatch:
    """The nodes with endpoints of the Services that ask.

    A Service that asks and is missing in `nodes` has no slice, if the watch `is_synced`; else
    nothing is known. Written by the watch on the loop, read by its passes.
    """

    def __init__(self, kube: Kube, clock: Clock, waker: Waker) -> None:
        self.nodes: dict[ServiceKey, frozenset[NodeName]] = {}
        self.is_synced = False
        self._kube, self._clock, self._waker = kube, clock, waker
        self._slices: dict[ServiceKey, dict[str, SliceView]] = {}
        self._asking: set[ServiceKey] = set()
        self._needed, self._idle = asyncio.Event(), asyncio.Event()

    def follow(self, old: ServiceView | None, new: ServiceView | None) -> None:
        """Take in a change of a Service: it may ask from now on, or no longer."""
        if new is not None and matters(new):
            if new.key not in self._asking:
                self._asking.add(new.key)
                self._count(new.key)
        elif old is not None:
            self._asking.discard(old.key)
            self.nodes.pop(old.key, None)
        wanted, other = (self._needed, self._idle) if self._asking else (self._idle, self._needed)
        wanted.set()
        other.clear()

    async def run(self) -> NoReturn:
        """Watch whenever somebody asks, until cancelled."""
        while True:
            await self._needed.wait()
            try:
                await self._watch()
            finally:
                self.is_synced = False
                self._slices.clear()
                self.nodes.clear()

    async def _watch(self) -> None:
        informer = Informer(self._kube, SLICES, self._changed, self._clock)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(informer.run())
            await informer.synced.wait()
            self.is_synced = True
            self._waker.wake()
            await self._wait_unasked()
            watching.cancel()

    async def _wait_unasked(self) -> None:
        """Wait until nobody has asked for a while."""
        while self._asking:
            await self._idle.wait()
            await self._clock.wait(self._needed, self._clock.now() + LINGER_SECONDS)

    def _changed(self, old: SliceView | None, new: SliceView | None) -> None:
        for one in (old, new):
            if one is not None:
                self._slices.setdefault(one.service, {}).pop(one.name, None)
        if new is not None:
            self._slices[new.service][new.name] = new
        for key in {one.service for one in (old, new) if one is not None}:
            if not self._slices[key]:
                del self._slices[key]
            if key in self._asking and self._count(key):
                self._waker.wake_soon()

    def _count(self, key: ServiceKey) -> bool:
        """Add up the slices of a Service; tells whether that makes a difference."""
        before, slices = self.nodes.get(key), self._slices.get(key)
        if slices is None:
            self.nodes.pop(key, None)
        else:
            self.nodes[key] = nodes_of(slices.values())
        return self.nodes.get(key) != before
