"""Puts learned routes into the kernel and takes them out: the loop of the other direction.

Belongs here: when to look, the kernel's answers, changes. Does not: which routes
(`bgp.core.exports`).
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NoReturn

from bgp.core.exportrules import OFF, Place, Policy
from bgp.core.exports import Exported, Table, Ways, exported, fib_plan, place_of, questions
from bgp.shell.engine import Engine
from bgp.shell.kernel import Kernel
from purelb.api.routes import KernelRoute, RouteKey
from purelb.runtime.clock import Clock
from purelb.runtime.errors import PurelbError
from purelb.runtime.netlink.fib import RouteSocket
from purelb.runtime.rpc import RpcError

logger = logging.getLogger(__name__)

AUDIT_SECONDS = 30.0
RETRY_SECONDS = 1.0
# For so long after an engine's start routes of before stay, unless all sessions are up earlier:
# the neighbors may still be about to send the same ones.
GRACE_SECONDS = 60.0
SETTLE_SECONDS = 3.0  # from the last session's start to the end of its first table


class Exporter:
    """The learned routes of one engine after the other, and ours in the kernel."""

    def __init__(
        self, engine: Engine, kernel: Kernel, clock: Clock, on_change: Callable[[], None]
    ) -> None:
        self.policy = OFF
        self.found: tuple[Exported, ...] = ()
        self.installed: frozenset[RouteKey] = frozenset()
        self.table = Table()
        self.engine, self._kernel, self._clock = engine, kernel, clock
        self._on_change = on_change
        self._wake, self._turn = asyncio.Event(), asyncio.Lock()
        self._grace_until = clock.now() + GRACE_SECONDS
        self._places: frozenset[Place] = frozenset()  # where routes of ours may be
        self._errors: dict[RouteKey, str] = {}

    def set_policy(self, policy: Policy) -> None:
        """Change what is exported."""
        if policy != self.policy:
            self.policy = policy
            self._wake.set()

    def look(self) -> None:
        """Look again soon: ways may have changed."""
        self._wake.set()

    def begin(self) -> None:
        """Note that a fresh engine begins, which knows nothing yet."""
        self.table = Table()
        self._grace_until = self._clock.now() + GRACE_SECONDS
        self._wake.set()

    def settle(self) -> None:
        """Note that every session is up: what is not learned soon will not be."""
        self._grace_until = min(self._grace_until, self._clock.now() + SETTLE_SECONDS)
        self._wake.set()

    async def watch(self) -> None:
        """Take in what the present engine learns, until it ends."""
        with contextlib.suppress(RpcError):
            async with contextlib.aclosing(self.engine.watch_paths()) as batches:
                async for batch in batches:
                    if self.table.take(batch):
                        self._wake.set()
                        self._on_change()

    async def run(self) -> NoReturn:
        """Keep the kernel's routes right until cancelled."""
        async with RouteSocket() as routes:
            while True:
                self._wake.clear()
                due = self._clock.now() + AUDIT_SECONDS
                try:
                    due = min(due, await self._pass(routes))
                except PurelbError as error:
                    logger.warning("routes are not exported", extra={"error": str(error)})
                    due = self._clock.now() + RETRY_SECONDS
                await self._clock.wait(self._wake, due)
                await asyncio.sleep(self.policy.dampening)

    async def leave(self) -> None:
        """Take all our routes out of the kernel, and put none there any more."""
        self.policy = replace(self.policy, is_on=False)
        self._grace_until = self._clock.now()
        async with RouteSocket() as routes:
            await self._pass(routes)

    async def _pass(self, routes: RouteSocket) -> float:
        """Compare once and change what differs; returns when to look again at the latest."""
        async with self._turn:  # the pass of a drain waits for the loop's
            return await self._compare(routes)

    async def _compare(self, routes: RouteSocket) -> float:
        policy = self.policy
        wanted = exported(policy, self.table, await self._ways(policy))
        self._places |= policy.places
        actual = await self._dump(routes)
        is_early = policy.is_on and self._clock.now() < self._grace_until
        plan = fib_plan(wanted, actual, keeps_unknown=is_early)
        if plan.install or plan.remove:
            self._note_errors(plan.install, await routes.install(plan.install))
            await routes.remove(plan.remove)
            actual = await self._dump(routes)
            logger.info(
                "routes exported",
                extra={"installed": len(plan.install), "removed": len(plan.remove)},
            )
        self._places = policy.places | {place_of(route) for route in actual}
        self._tell(wanted, actual)
        return self._grace_until if is_early else self._clock.now() + AUDIT_SECONDS

    async def _dump(self, routes: RouteSocket) -> tuple[KernelRoute, ...]:
        """Return what is in the places of ours."""
        found: list[KernelRoute] = []
        for protocol in sorted({place.protocol for place in self._places}):
            found += await routes.dump(protocol)
        return tuple(route for route in found if place_of(route) in self._places)

    async def _ways(self, policy: Policy) -> Ways:
        queries = questions(policy, self.table)
        answers = await self._kernel.ways(queries) if queries else {}
        return Ways(answers=answers, links=self._kernel.indices)

    def _note_errors(self, installed: Iterable[KernelRoute], errors: Iterable[int]) -> None:
        self._errors = {
            route.key: os.strerror(number)
            for route, number in zip(installed, errors, strict=True)
            if number
        }

    def _tell(self, wanted: tuple[Exported, ...], actual: tuple[KernelRoute, ...]) -> None:
        there = frozenset(route.key for route in actual)
        found = tuple(
            one if one.key in there or one.route is None else self._refused(one) for one in wanted
        )
        if (found, there) != (self.found, self.installed):
            self.found, self.installed = found, there
            self._on_change()

    def _refused(self, one: Exported) -> Exported:
        return replace(one, reason=self._errors.get(one.key, ""))
