"""Composition root of the BGP sidecar: builds every object once, owns every long-lived task."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from contextlib import AsyncExitStack

from bgp import settings as config
from bgp.core.exportrules import OFF
from bgp.core.health import NodeState
from bgp.core.model import STOPPED
from bgp.settings import Settings
from bgp.shell.cluster import ClusterWriter
from bgp.shell.engine import Engine
from bgp.shell.exports import Exporter
from bgp.shell.kernel import Kernel
from bgp.shell.metrics import BgpMetrics, Snapshot
from bgp.shell.monitor import Monitor
from bgp.shell.radv import Advertiser
from bgp.shell.reconcile import Loop, Parts
from bgp.shell.reporter import Reporter
from bgp.shell.status import StatusWriter
from bgp.shell.supervisor import Supervisor
from bgp.shell.world import WorldStore
from purelb import VERSION
from purelb.api import annotations
from purelb.api.problems import Notice, NoticeType
from purelb.runtime import logs
from purelb.runtime.clock import BootClock
from purelb.runtime.credentials import Access, find_access
from purelb.runtime.errors import PurelbError, SettingsError
from purelb.runtime.events import EventPoster
from purelb.runtime.health import Health, serving
from purelb.runtime.kopf_host import KopfHost
from purelb.runtime.kube import Kube
from purelb.runtime.metrics import new_registry

logger = logging.getLogger(__name__)

STUCK_SECONDS = 120.0  # without a pass; there is one at least every thirty seconds
SILENT_SECONDS = 60.0  # without an answer of the engine, which the supervisor ends before
LEAVE_SECONDS = 3.0
SENT_SECONDS = 0.2  # for withdrawals to be on the wire before the engine ends


class Sidecar:
    """All parts of one process. Nothing runs before `run`."""

    def __init__(self, settings: Settings, access: Access, clients: "Clients") -> None:
        clock = BootClock()
        self.settings, self.clock = settings, clock
        self.registry = new_registry()
        self.metrics = BgpMetrics(self.registry, self._snapshot)
        self.kube = clients.kube
        self.world = WorldStore(
            clients.kube, settings.node, settings.namespace, self._world_changed
        )
        self.kernel = Kernel(clock, self._kernel_changed)
        self.gobgp = Engine(str(settings.socket))
        self.exporter = Exporter(self.gobgp, self.kernel, clock, self._told)
        self.monitor = Monitor(
            self.exporter, clock, self.metrics, self._sessions_changed, settings.poll_seconds
        )
        self.supervisor = Supervisor(self.gobgp, settings.socket, clock, _Listener(self))
        self.advertiser = Advertiser(self._wake)
        self.poster = EventPoster(
            clients.events, "bgpconfiguration-controller", settings.node, clock
        )
        self.reporter = Reporter(self.world, self.poster)
        self.loop = Loop(
            Parts(
                world=self.world,
                kernel=self.kernel,
                gobgp=self.gobgp,
                supervisor=self.supervisor,
                monitor=self.monitor,
                exporter=self.exporter,
                advertiser=self.advertiser,
                reporter=self.reporter,
                metrics=self.metrics,
                changed=self._told,
            ),
            clock,
            settings.socket.parent / "spoke",
            drains_softly=settings.drains_softly,
        )
        self.status = StatusWriter(clients.kube, settings.node, clock, self._observe)
        self.cluster = ClusterWriter(clients.kube, self.world, self.reporter, clock, settings.pod)
        self.kopf = KopfHost(
            "k8gobgp", clients.kube, access, (self.world.nodes, self.world.configs)
        )
        self._is_leaving = False
        self._annotated: dict[str, str] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until asked to stop, then leave in order."""
        async with self.kernel, self.advertiser, asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(work, name=name)
                for name, work in (
                    ("kopf", self.kopf.run()),
                    ("secrets", self.world.run()),
                    ("kernel", self.kernel.run()),
                    ("engine", self.supervisor.run()),
                    ("advertiser", self.advertiser.run()),
                    ("monitor", self.monitor.run()),
                    ("exporter", self.exporter.run()),
                    ("loop", self.loop.run()),
                    ("status", self.status.run()),
                    ("leadership", self.cluster.leadership.run()),
                    ("cluster", self.cluster.run()),
                    ("events", self.poster.run()),
                    ("annotations", self._annotate()),
                )
            ]
            logger.info("serving", extra={"version": VERSION, "node": self.settings.node})
            await stop.wait()
            await self._leave()
            for task in running:
                task.cancel()
        with contextlib.suppress(PurelbError):
            await self.cluster.leadership.resign()
        self.gobgp.close()

    async def _leave(self) -> None:
        """Let neighbors send their traffic elsewhere, and leave nothing behind in the kernel.

        With graceful restart everything stays as it is instead: the next process goes on.
        """
        logger.info("stopping")
        self._is_leaving = True
        resumes = any(
            peer.session.restart is not None for peer in self.loop.wanted.engine.peers.values()
        )
        with contextlib.suppress(PurelbError, TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await self.status.write()
        if not resumes:
            await self._withdraw()
        await self.supervisor.stop(abruptly=resumes)

    async def _withdraw(self) -> None:
        with contextlib.suppress(PurelbError, TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS + self.settings.drain_seconds):
                if self.settings.drains_softly:
                    await self.loop.deprefer()
                    await asyncio.sleep(self.settings.drain_seconds)
                await self.loop.withdraw()
                await asyncio.sleep(SENT_SECONDS)
                await self.exporter.leave()
        self.loop.forget()

    def health(self) -> Health:
        """Return what the health port asks."""
        return Health(registry=self.registry, is_alive=self._is_alive, is_ready=self._is_ready)

    def _wake(self) -> None:
        self.loop.wake()

    def _told(self) -> None:
        self.status.wake()

    def _world_changed(self) -> None:
        spec = self.world.in_use.spec
        self.status.is_wanted = spec is None or spec.global_.node_status.enabled
        self.loop.wake()
        self.status.wake()

    def _kernel_changed(self) -> None:
        self.loop.wake()
        self.exporter.look()

    def _sessions_changed(self) -> None:
        self.loop.told_sessions()
        self.status.wake()

    def engine_changed(self) -> None:
        """Hear that an engine began or ended."""
        failure = self.supervisor.failure
        if failure and not self._is_leaving:
            notice = Notice(type=NoticeType.WARNING, reason="EngineEnded", message=failure)
            self.reporter.tell([notice])
        self.loop.wake()
        self.status.wake()

    def _observe(self) -> NodeState | None:
        """Return what is to be told of this node, None while the Node is not known."""
        world, loop, monitor = self.world, self.loop, self.monitor
        if not world.is_complete or world.node is None:
            return None
        spec = world.in_use.spec
        policy = self.exporter.policy if spec is not None else OFF
        problem = (loop.problem,) if loop.problem is not None else ()
        overall = spec.netlink_import if spec is not None else None
        is_up = self.supervisor.is_ready.is_set()
        return NodeState(
            node=self.settings.node,
            uid=world.uid,
            heartbeat=spec.global_.node_status.heartbeat_seconds if spec is not None else 60,
            router_id=loop.router_id if spec is not None else None,
            is_configured=spec is not None,
            is_engine_up=is_up,
            engine_failure=self.supervisor.failure,
            findings=(
                *problem,
                *world.in_use.all_findings,
                *loop.wanted.findings,
                *policy.remarks,
            ),
            lacking_vrfs=policy.lacking,
            refusals=loop.refusals,
            wanted=loop.wanted.engine,
            actual=loop.actual if is_up else STOPPED,
            entries=loop.wanted.entries,
            absent=loop.wanted.absent,
            sessions=monitor.sessions,
            errors=monitor.errors,
            imports=loop.imports,
            is_import_on=overall is not None and overall.enabled,
            import_vrf=overall.vrf if overall is not None else "",
            paths=tuple(path for found in self.exporter.table.paths.values() for path in found),
            sent=monitor.sent,
            sent_of=monitor.sent_of,
            hops=loop.hops,
            protocol=policy.protocol if policy.is_on else None,
            rules=tuple(
                (rule.name, rule.metric, rule.table) for rule in policy.rules if rule.is_on
            ),
            exported=self.exporter.found,
            installed=self.exporter.installed,
            is_leaving=self._is_leaving,
        )

    async def _annotate(self) -> None:
        """Keep router ID and ASN on the own Pod, where tools look for them."""
        path = f"/api/v1/namespaces/{self.settings.namespace}/pods/{self.settings.pod}"
        while True:
            found, speaker = self.loop.router_id, self.loop.wanted.engine.speaker
            if found is not None and speaker is not None:
                wanted = {
                    annotations.BGP_ROUTER_ID: found.address,
                    annotations.BGP_ROUTER_ID_SOURCE: found.source.value,
                    annotations.BGP_ASN: str(speaker.asn),
                }
                if wanted != self._annotated:
                    try:
                        await self.kube.patch(path, {"metadata": {"annotations": wanted}})
                        self._annotated = wanted
                    except PurelbError as error:
                        logger.debug("pod is not annotated", extra={"error": str(error)})
            await asyncio.sleep(5.0)

    def _snapshot(self) -> Snapshot:
        findings = self.world.in_use.findings
        speaker = self.loop.wanted.engine.speaker
        for seconds in self.status.took:
            self.metrics.status_seconds.observe(seconds)
        self.status.took.clear()
        return Snapshot(
            node=self.settings.node,
            endpoint=f"unix://{self.settings.socket}",
            objects=self.world.objects,
            ready=frozenset(
                name for name, found in findings.items() if not any(one.is_fatal for one in found)
            ),
            is_engine_up=self.supervisor.is_ready.is_set(),
            sessions=self.monitor.sessions,
            counts=self.monitor.counts,
            router_id=self.loop.router_id,
            asn=speaker.asn if speaker is not None else 0,
            writes=self.status.writes,
            written_at=self.status.wall_written_at,
            size=self.status.size,
            tells_neighbors=self.settings.tells_neighbors,
            most_neighbors=self.settings.most_neighbors,
        )

    def _is_alive(self) -> str | None:
        silent = time.monotonic() - self.loop.turned_at
        return f"no pass for {silent:.0f} s" if silent > STUCK_SECONDS else None

    def _is_ready(self) -> str | None:
        if not self.supervisor.is_ready.is_set():
            return self.supervisor.failure or "the engine does not answer yet"
        spec, written = self.world.in_use.spec, self.status.written_at
        if written is not None and self.status.is_wanted and spec is not None:
            age = time.monotonic() - written
            if age > 3 * spec.global_.node_status.heartbeat_seconds:
                return f"the BGPNodeStatus was written {age:.0f} s ago"
        return None


class _Listener:
    """Hands on what the engine says and does."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    def note(self, line: str) -> None:
        """Take in a line of its output."""
        self._sidecar.monitor.note(line)

    def changed(self) -> None:
        """Hear that an engine began to answer, or ended."""
        self._sidecar.engine_changed()


class Clients:
    """Connections to the API server: Events never wait behind other requests."""

    def __init__(self, kube: Kube, events: Kube) -> None:
        self.kube, self.events = kube, events


async def serve(settings: Settings) -> None:
    """Run one sidecar until SIGTERM, SIGINT or SIGQUIT."""
    access = find_access(settings.kubeconfig, os.environ)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        clients = Clients(
            kube=await stack.enter_async_context(Kube(access, "purelb-k8gobgp")),
            events=await stack.enter_async_context(
                Kube(access, "purelb-k8gobgp", connections=1, seconds=5.0)
            ),
        )
        sidecar = Sidecar(settings, access, clients)
        for host, port in (settings.metrics, settings.health):
            await stack.enter_async_context(serving(sidecar.health(), host, port))
        await sidecar.run(stop)


def main() -> int:
    """Read the settings and serve; returns the exit status."""
    try:
        settings = config.load(sys.argv[1:], os.environ)
        logs.set_up(settings.log_level)
        for remark in settings.remarks:
            logger.warning(remark)
        asyncio.run(serve(settings))
    except SettingsError as error:
        print(f"bgp: {error}", file=sys.stderr)
        return 1
    return 0
