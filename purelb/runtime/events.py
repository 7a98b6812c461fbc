"""Sends core/v1 Events: aggregated, limited in rate, and never in anybody's way.

Equal Events (object, reason, message) become one with a count. The queue is bounded; when it is
full the oldest Event that is not a Warning goes first. Every dropped one is counted.
"""

import asyncio
import itertools
import logging
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from purelb.core.backoff import Backoff
from purelb.runtime.clock import Clock, wall_seconds
from purelb.runtime.errors import NotFoundError, PermanentError, PurelbError
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

MOST_QUEUED = 20_000
REMEMBERED = 4_096  # Events whose count can still be raised
PER_SECOND, AT_ONCE = 25.0, 25.0  # of all objects together
BACKOFF = Backoff(first=0.5, longest=30.0)


@dataclass(frozen=True, slots=True)
class Reference:
    """The object an Event is about; `namespace` is empty for cluster-wide kinds."""

    kind: str
    api_version: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Event:
    """What happened; `type` is Normal or Warning."""

    about: Reference
    type: str
    reason: str
    message: str


@dataclass(slots=True)
class _Sent:
    path: str
    count: int


class EventPoster:
    """Takes Events from anywhere on the loop and posts them one after another."""

    def __init__(self, kube: Kube, component: str, host: str, clock: Clock) -> None:
        self.dropped = 0
        self._kube, self._component, self._host, self._clock = kube, component, host, clock
        self._queue: OrderedDict[Event, int] = OrderedDict()  # event -> times since last posted
        self._normal: OrderedDict[Event, None] = OrderedDict()  # those that are no Warnings
        self._sent: OrderedDict[Event, _Sent] = OrderedDict()
        self._wake = asyncio.Event()
        self._allowance, self._refilled_at = AT_ONCE, clock.now()
        self._names = _names()

    def post(self, event: Event) -> None:
        """Queue one Event; an equal one that waits only counts once more."""
        self._put(event, 1)
        if len(self._queue) > MOST_QUEUED:
            self._drop_one()
        self._wake.set()

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        failures = 0
        while True:
            self._wake.clear()
            if not self._queue:
                await self._clock.wait(self._wake, None)
                continue
            await self._wait_allowance()
            event, times = self._queue.popitem(last=False)
            self._normal.pop(event, None)
            try:
                await self.send(event, times)
                failures = 0
            except PermanentError as error:
                self.dropped += 1
                logger.debug("event refused", extra={"error": str(error)})
            except PurelbError:
                failures += 1
                self._put(event, times)
                self._queue.move_to_end(event, last=False)
                if event in self._normal:
                    self._normal.move_to_end(event, last=False)
                await self._clock.wait(asyncio.Event(), self._clock.now() + BACKOFF.delay(failures))

    async def send(self, event: Event, times: int = 1) -> None:
        """Send one Event now, past the queue; for those that must exist before what follows."""
        sent = self._sent.get(event)
        if sent is not None:
            try:
                count = sent.count + times
                await self._kube.patch(sent.path, {"count": count, "lastTimestamp": wall_seconds()})
            except NotFoundError:  # Events live for an hour
                self._sent.pop(event, None)
            else:
                sent.count = count
                return
        body = self._body(event, times)
        collection = f"/api/v1/namespaces/{body['metadata']['namespace']}/events"
        await self._kube.post(collection, body)
        self._sent[event] = _Sent(f"{collection}/{body['metadata']['name']}", times)
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    def _body(self, event: Event, times: int) -> dict[str, Any]:
        about, now = event.about, wall_seconds()
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{about.name[:200]}.{next(self._names)}",
                "namespace": about.namespace or "default",
            },
            "involvedObject": {
                "kind": about.kind,
                "apiVersion": about.api_version,
                "namespace": about.namespace,
                "name": about.name,
                "uid": about.uid,
            },
            "type": event.type,
            "reason": event.reason,
            "message": event.message[:1024],
            "source": {"component": self._component, "host": self._host},
            "reportingComponent": self._component,
            "reportingInstance": self._host,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": times,
        }

    async def _wait_allowance(self) -> None:
        now = self._clock.now()
        self._allowance += (now - self._refilled_at) * PER_SECOND
        self._allowance, self._refilled_at = min(AT_ONCE, self._allowance) - 1, now
        if self._allowance < 0:
            await self._clock.wait(asyncio.Event(), now - self._allowance / PER_SECOND)

    def _put(self, event: Event, times: int) -> None:
        self._queue[event] = self._queue.get(event, 0) + times
        if event.type != "Warning":
            self._normal[event] = None

    def _drop_one(self) -> None:
        victim = next(iter(self._normal or self._queue))
        del self._queue[victim]
        self._normal.pop(victim, None)
        self.dropped += 1


def _names() -> Iterator[str]:
    """Yield suffixes that no other process uses: the kubelet's way, nanoseconds in hexadecimal."""
    start = time.time_ns()
    return (f"{start + number:x}" for number in itertools.count())
