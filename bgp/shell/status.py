"""Writes this node's BGPNodeStatus: soon after a change, and at its cadence.

Belongs here: when to write, and the object's life. Does not: what is in it (`bgp.core.status`).
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from bgp.core.health import NodeState
from bgp.core.status import node_object, node_status
from purelb.api import bgp
from purelb.api.bgpstatus import (
    NodeStatus,
    StatusCondition,
    decode_bgp_node_status,
    status_body,
    without_times,
)
from purelb.api.resources import DecodeError, encode
from purelb.runtime.clock import Clock, wall_seconds
from purelb.runtime.errors import ConflictError, ForbiddenError, NotFoundError, PurelbError
from purelb.runtime.kube import Kube
from purelb.runtime.replace import replace_object

logger = logging.getLogger(__name__)

COLLECTION = f"/apis/{bgp.GROUP}/{bgp.VERSION}/bgpnodestatuses"
REST_SECONDS = 1.0  # between two writes
RETRY_SECONDS = 5.0


class StatusWriter:
    """Owns one BGPNodeStatus; `observe` returns what is to be told, None while too little is known.

    `is_wanted` False removes the object. Counters by result are in `writes`.
    """

    def __init__(
        self, kube: Kube, node: str, clock: Clock, observe: Callable[[], NodeState | None]
    ) -> None:
        self.writes = {"success": 0, "error": 0, "skipped": 0}
        self.written_at: float | None = None  # CLOCK_MONOTONIC
        self.wall_written_at = 0.0
        self.size = 0
        self.took: list[float] = []  # seconds of collecting, since the metrics last asked
        self.is_wanted = True
        self._kube, self._clock, self._observe = kube, clock, observe
        self._path = f"{COLLECTION}/{node}"
        self._wake = asyncio.Event()
        self._last: NodeStatus | None = None
        self._due = 0.0
        self._conditions: tuple[StatusCondition, ...] | None = None
        self._is_gone = False

    def wake(self) -> None:
        """Note that something may have changed."""
        self._wake.set()

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        while True:
            self._wake.clear()
            wait = RETRY_SECONDS
            try:
                wait = await self.write()
            except PurelbError as error:
                self.writes["error"] += 1
                self._last = None
                logger.warning("status is not written", extra={"error": str(error)})
            await asyncio.sleep(REST_SECONDS)
            await self._clock.wait(self._wake, self._clock.now() + wait)

    async def write(self) -> float:
        """Write if there is something to be told; returns for how long that is enough."""
        if not self.is_wanted:
            await self._remove()
            return RETRY_SECONDS
        self._is_gone = False
        begun = time.monotonic()
        state = self._observe()
        if state is None:
            return RETRY_SECONDS
        if self._conditions is None:
            await self._load(state)
        status = node_status(state, self._conditions or (), wall_seconds())
        self.took.append(time.monotonic() - begun)
        left = self._due - self._clock.now()
        if (
            self._last is not None
            and without_times(status) == without_times(self._last)
            and left > 0
        ):
            self.writes["skipped"] += 1
            return left
        await self._send(state, status)
        self._last = status
        self._conditions = status.conditions
        self._due = self._clock.now() + state.heartbeat
        self.writes["success"] += 1
        self.written_at, self.wall_written_at = time.monotonic(), time.time()
        return float(state.heartbeat)

    async def _load(self, state: NodeState) -> None:
        """Read what an earlier process has left, and make the object if there is none."""
        try:
            found = decode_bgp_node_status(await self._kube.get(self._path))
            self._conditions = found.status.conditions or ()
        except NotFoundError:
            await self._create(state)
        except DecodeError:
            self._conditions = ()

    async def _create(self, state: NodeState) -> None:
        self._conditions = ()
        with contextlib.suppress(ConflictError):  # made meanwhile
            await self._kube.post(COLLECTION, node_object(state))

    async def _send(self, state: NodeState, status: NodeStatus) -> None:
        body = {"status": status_body(status)}
        self.size = len(encode(body))
        try:
            await self._patch(body)
        except NotFoundError:
            await self._create(state)
            await self._patch(body)

    async def _patch(self, body: Mapping[str, Any]) -> None:
        try:
            await self._kube.patch(f"{self._path}/status", body)
        except ForbiddenError:
            await replace_object(self._kube, self._path, body, "/status")

    async def _remove(self) -> None:
        if self._is_gone:
            return
        with contextlib.suppress(NotFoundError):
            await self._kube.delete(self._path)
        self._is_gone, self._last, self._conditions = True, None, None
