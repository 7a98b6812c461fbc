"""The one loop of the sidecar: observe → desire → plan → execute.

Start-up, a new address, a changed configuration and a restarted engine are the same pass. What it
decides by comes from the core; this module only carries values around.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from pathlib import Path
from typing import NoReturn

from bgp.core.desired import Wanted, World, desire, hop_targets
from bgp.core.drain import depreferred
from bgp.core.exportrules import export_policy
from bgp.core.findings import Finding
from bgp.core.imports import NO_IMPORTS, Imports, gather, sources
from bgp.core.model import STOPPED, Engine
from bgp.core.nexthops import choose_hops, question
from bgp.core.observed import SessionFacts
from bgp.core.plan import (
    AddRoutes,
    Op,
    RemoveRoutes,
    SetPolicies,
    StartSpeaker,
    StopSpeaker,
    after,
    plan,
    settle,
)
from bgp.core.routerid import NodeFacts, RouterId, resolve
from bgp.core.words import absences, announcements, describe, selection, session_news
from bgp.shell.engine import Engine as Gobgp
from bgp.shell.exports import Exporter
from bgp.shell.kernel import Kernel
from bgp.shell.metrics import BgpMetrics
from bgp.shell.monitor import Monitor
from bgp.shell.radv import Advertiser
from bgp.shell.reporter import Reporter
from bgp.shell.supervisor import Supervisor
from bgp.shell.world import WorldStore
from purelb.api.bgp import BgpSpec
from purelb.api.problems import Notice, NoticeType
from purelb.runtime.clock import Clock
from purelb.runtime.errors import PurelbError
from purelb.runtime.rpc import RpcError

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
AUDIT_SECONDS = 30.0  # between two comparisons with what the engine lists
LOST = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "CANCELLED")  # not an answer of the engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Who does what the loop decides, and knows what it asks."""

    world: WorldStore
    kernel: Kernel
    gobgp: Gobgp
    supervisor: Supervisor
    monitor: Monitor
    exporter: Exporter
    advertiser: Advertiser
    reporter: Reporter
    metrics: BgpMetrics
    changed: Callable[[], None]  # told whenever something else is to be shown


class Loop:
    """Owns what the engine was brought to, and what stands in the way of more.

    `marker` is a file that says that an engine has spoken: the next one, of this process or of one
    that is started in its place, resumes its sessions where graceful restart is wanted.
    `drains_softly`: an evacuated node asks neighbors to prefer others and withdraws nothing.
    """

    def __init__(self, parts: Parts, clock: Clock, marker: Path, *, drains_softly: bool) -> None:
        self.actual: Engine = STOPPED
        self.wanted = Wanted()
        self.imports: Imports = NO_IMPORTS
        self.router_id: RouterId | None = None
        self.refusals: tuple[str, ...] = ()
        self.hops: dict[str, IPv6Address | None] = {}
        self.turned_at = time.monotonic()
        self.passes = 0
        self._parts, self._clock, self._marker = parts, clock, marker
        self._drains_softly = drains_softly
        self._wake, self._turn = asyncio.Event(), asyncio.Lock()
        self._generation = 0
        self._hops_as_of = -1
        self._audit_at = 0.0
        self._told: tuple[SessionFacts, ...] = ()
        self._problem: Finding | None = None
        self._is_leaving = self._is_depreferred = False
        self._configured: list[tuple[str, str]] = []  # whose configuration the engine has

    def wake(self) -> None:
        """Ask for a pass."""
        self._wake.set()

    def told_sessions(self) -> None:
        """Tell of sessions that have changed since the last call."""
        monitor = self._parts.monitor
        before, self._told = self._told, monitor.sessions
        notices = session_news(self.wanted.engine.peers, before, self._told, monitor.errors)
        self._parts.reporter.tell(notices)
        peers = self.wanted.engine.peers.values()
        up = {one.address for one in self._told if one.is_up}
        if peers and all(peer.address in up or peer.is_down for peer in peers):
            self._parts.exporter.settle()

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        while True:
            self._wake.clear()
            due, begun = self._clock.now() + AUDIT_SECONDS, time.monotonic()
            try:
                if not await self._pass():
                    due = self._clock.now() + RETRY_SECONDS
            except PurelbError as error:
                self._count("failed")
                logger.warning("pass failed", extra={"error": str(error)})
                due = self._clock.now() + RETRY_SECONDS
            for labels in self._labels():
                seconds = time.monotonic() - begun
                self._parts.metrics.reconcile_seconds.labels(*labels).observe(seconds)
            self.passes += 1
            self.turned_at = time.monotonic()
            await self._clock.wait(self._wake, due)

    async def deprefer(self) -> None:
        """Ask neighbors to prefer every other way from now on (RFC 8326)."""
        self._is_depreferred = True
        await self._pass()

    async def withdraw(self) -> None:
        """Withdraw every route from now on."""
        self._is_leaving = True
        await self._pass()

    def forget(self) -> None:
        """Leave no word that sessions are to be resumed."""
        self._marker.unlink(missing_ok=True)

    async def _pass(self) -> bool:
        """Compare once and change what differs; returns whether nothing is left to be tried."""
        async with self._turn:  # a drain's pass waits for the loop's
            return await self._compare()

    async def _compare(self) -> bool:
        parts = self._parts
        if not parts.world.is_complete:
            return True
        await parts.kernel.refresh()
        await self._desire(parts.world.in_use.spec, parts.world.node)
        if not parts.supervisor.is_ready.is_set():
            return True
        self._note_generation()
        if self._clock.now() >= self._audit_at:
            await self._audit()
        return await self._execute(plan(self.wanted.engine, self.actual))

    async def _desire(self, spec: BgpSpec | None, node: NodeFacts | None) -> None:
        """Decide what the engine should be like."""
        parts, before = self._parts, self.wanted
        self._resolve(spec, node)
        if spec is None or node is None or self.router_id is None:
            self.wanted, self.imports = Wanted(), NO_IMPORTS
            parts.exporter.set_policy(export_policy(spec, parts.kernel.links))
            parts.advertiser.set_links({})
            return
        self._watch_links(spec)
        self.imports = gather(sources(spec), parts.kernel.links, parts.kernel.addresses)
        await self._find_hops(spec, node)
        withdraws = self._is_leaving or (node.is_evacuated and not self._drains_softly)
        self.wanted = desire(
            spec,
            World(
                node=node,
                router_id=self.router_id.address,
                passwords=parts.world.passwords,
                routers=parts.advertiser.routers,
                next_hops=self.hops,
                routes=frozenset() if withdraws else self.imports.routes,
            ),
        )
        if self._is_depreferred or (node.is_evacuated and self._drains_softly):
            self.wanted = replace(self.wanted, engine=depreferred(self.wanted.engine))
        parts.exporter.set_policy(export_policy(spec, parts.kernel.links))
        parts.reporter.tell(absences(before.absent, self.wanted.absent))
        parts.reporter.tell(selection(before, self.wanted))
        if before.absent != self.wanted.absent:
            parts.changed()

    def _resolve(self, spec: BgpSpec | None, node: NodeFacts | None) -> None:
        """Find the router ID; one that cannot be found any more stays."""
        if spec is None or node is None:
            return
        begun = time.monotonic()
        found = resolve(spec.global_.router_id, spec.global_.router_id_pool, node)
        self._parts.metrics.resolution_seconds.observe(time.monotonic() - begun)
        if isinstance(found, Finding):
            if found != self._problem:
                self._parts.metrics.resolutions.labels("failure").inc()
                self._tell(NoticeType.WARNING, "RouterIDResolutionFailed", str(found))
            self._problem = found
            return
        self._problem = None
        if found != self.router_id:
            self._parts.metrics.resolutions.labels("success").inc()
            self._tell(NoticeType.NORMAL, "RouterIDResolved", f"{found.address} ({found.source})")
            self.router_id = found

    @property
    def problem(self) -> Finding | None:
        """Why the router ID cannot be found."""
        return self._problem

    def _watch_links(self, spec: BgpSpec) -> None:
        indices = {str(name): index for name, index in self._parts.kernel.indices.items()}
        names = [one.config.neighbor_interface for one in spec.neighbors or ()]
        self._parts.advertiser.set_links({name: indices[name] for name in names if name in indices})

    async def _find_hops(self, spec: BgpSpec, node: NodeFacts) -> None:
        """Find our IPv6 addresses towards IPv4 neighbors, if anything has changed about them."""
        targets = hop_targets(spec, node.labels)
        kernel = self._parts.kernel
        as_of = kernel.routes_changed
        if self._hops_as_of == as_of and targets.keys() == self.hops.keys():
            return
        answers = await kernel.ways({question(target) for target in targets.values()})
        self.hops = choose_hops(targets, answers, kernel.addresses)
        self._hops_as_of = as_of

    def _note_generation(self) -> None:
        """Begin from nothing where the engine did."""
        parts = self._parts
        if parts.supervisor.generation == self._generation:
            return
        self._generation = parts.supervisor.generation
        self.actual = STOPPED
        parts.gobgp.restarts = self._marker.exists()
        parts.monitor.end()
        parts.exporter.begin()
        self._audit_at = self._clock.now() + AUDIT_SECONDS

    async def _audit(self) -> None:
        """Find out what others have changed in the engine."""
        self._audit_at = self._clock.now() + AUDIT_SECONDS
        if self.actual.speaker is None:
            return
        try:
            seen = await self._parts.gobgp.look()
        except RpcError as error:
            logger.warning("engine is not compared", extra={"error": str(error)})
            return
        settled = settle(self.actual, seen)
        if settled != self.actual:
            logger.warning("somebody else has changed the engine, it is set right")
            self.actual = settled

    async def _execute(self, ops: tuple[Op, ...]) -> bool:
        if not ops:
            if self.refusals:
                self.refusals = ()
                self._parts.changed()
            return True
        await self._parts.reporter.announce(announcements(ops))
        refusals: list[str] = []
        for op in ops:
            if not isinstance(op, AddRoutes | RemoveRoutes):
                logger.info("engine is told", extra={"op": describe(op)})
            begun = time.monotonic()
            try:
                await self._parts.gobgp.execute(op)
            except RpcError as error:
                if error.status in LOST:
                    return self._give_up(op, error)
                refusals.append(f"{describe(op)}: {error.message}")
                for labels in self._configured if isinstance(op, StopSpeaker) else ():
                    self._parts.metrics.cleanup_retries.labels(*labels).inc()
                logger.warning("engine refuses", extra={"op": describe(op), "error": error.message})
                if isinstance(op, StartSpeaker | SetPolicies):
                    break  # sessions without policies would say too much
                continue
            self.actual = after(self.actual, op)
            self._note_done(op, time.monotonic() - begun)
        self._count("failed" if refusals else "success")
        self.refusals = tuple(refusals)
        self._parts.monitor.look(self.actual.routes)
        self._parts.changed()
        return not refusals

    def _give_up(self, op: Op, error: RpcError) -> bool:
        """Have a fresh engine: what this one has done is not known."""
        self._count("connection_failed")
        endpoint = f"unix://{self._marker.parent / 'gobgp.sock'}"
        self._parts.metrics.connection_errors.labels(endpoint).inc()
        logger.error("engine gives no answer", extra={"op": describe(op), "error": str(error)})
        self._parts.supervisor.kill()
        return False

    def _note_done(self, op: Op, seconds: float) -> None:
        parts = self._parts
        match op:
            case StartSpeaker():
                self._marker.touch()
                self._configured = self._labels()
                parts.monitor.begin()
            case StopSpeaker():
                # Neighbors were told: there is nothing to be resumed.
                self._marker.unlink(missing_ok=True)
                parts.gobgp.restarts = False
                for labels in self._configured:
                    parts.metrics.cleanup_seconds.labels(*labels).observe(seconds)
                parts.monitor.end()
                parts.exporter.begin()
            case _:
                pass

    def _count(self, result: str) -> None:
        for labels in self._labels():
            self._parts.metrics.reconciles.labels(*labels, result).inc()

    def _labels(self) -> list[tuple[str, str]]:
        """Return name and namespace of each BGPConfiguration."""
        return [(one.metadata.name, one.metadata.namespace) for one in self._parts.world.objects]

    def _tell(self, kind: NoticeType, reason: str, message: str) -> None:
        self._parts.reporter.tell([Notice(type=kind, reason=reason, message=message)])
