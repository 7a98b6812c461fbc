"""Composition root of the node agent: builds every object once, owns every long-lived task."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from contextlib import AsyncExitStack

from nodeagent import settings as config
from nodeagent.settings import Settings
from nodeagent.shell.announcer import Announcer
from nodeagent.shell.census import settings_at_scale
from nodeagent.shell.heartbeats import Heartbeats
from nodeagent.shell.heartkeys import KeyFile
from nodeagent.shell.inspector import Inspector
from nodeagent.shell.keeping import Keeping
from nodeagent.shell.kernel import Kernel
from nodeagent.shell.leases import LeaseKeeper
from nodeagent.shell.metrics import AgentMetrics, Snapshot, Tallies
from nodeagent.shell.parts import Parts
from nodeagent.shell.prober import Prober
from nodeagent.shell.reconcile import Loop
from nodeagent.shell.reporter import Reporter
from nodeagent.shell.slots import SlotWriter
from nodeagent.shell.speaker import Speaker
from nodeagent.shell.waker import Waker
from nodeagent.shell.wire import WireAsker
from nodeagent.shell.witness import Witness
from nodeagent.shell.world import WorldStore
from purelb import VERSION
from purelb.api.views import LEASE_PREFIX
from purelb.runtime import logs
from purelb.runtime.clock import BootClock
from purelb.runtime.credentials import Access, find_access
from purelb.runtime.errors import SettingsError
from purelb.runtime.events import EventPoster
from purelb.runtime.health import Health, serving
from purelb.runtime.kopf_host import KopfHost
from purelb.runtime.kube import Kube
from purelb.runtime.leases import LeaseStore
from purelb.runtime.metrics import new_registry

logger = logging.getLogger(__name__)

STUCK_SECONDS = 60.0  # without a pass; there is one at least every five seconds
WITHDRAW_SECONDS = 8.0
DRAIN_SECONDS = 2.0  # in which remote addresses still take traffic that is on its way
CLEAR_SECONDS = 2.0  # for clearing slots at a stop, before the Lease goes all the same


class Agent:
    """All parts of one agent process. Nothing runs before `run`."""

    def __init__(self, settings: Settings, access: Access, clients: "Clients") -> None:
        clock = BootClock()
        self.settings, self.clock = settings, clock
        self.registry = new_registry()
        self.waker = waker = Waker(clock)
        self.kernel = Kernel(clock, waker.wake, settings.dummy_kind)
        self.world = WorldStore(clients.kube, clock, settings, waker)
        self.loop = Loop(settings, self.world, self.kernel, waker, clock)
        store = LeaseStore(clients.lease, settings.namespace, LEASE_PREFIX + settings.node)
        self.keeper = LeaseKeeper(store, clock, settings.lease_seconds, waker.wake)
        self.announcer = Announcer(clock, self.loop.may_send)
        self.prober = Prober(clock, self.world.macs.is_stranger, self.announcer.repeat, waker.wake)
        self.asker = WireAsker(clock, waker.wake)
        keys = KeyFile(settings.heartbeat_key_file)
        self.beats = Heartbeats(settings.node, clock, keys, self.asker, waker.wake)
        self.witness = Witness(settings, self.world, self.beats, clock, waker.wake)
        tallies = Tallies(
            renewals=self.keeper.counts,
            packets=self.announcer.counts,
            looks=self.kernel.counts,
            beats=self.beats.counts,
        )
        metrics = AgentMetrics(self.registry, self._snapshot, tallies)
        self.poster = EventPoster(clients.events, "purelb-lbnodeagent", settings.node, clock)
        self.reporter = Reporter(settings.node, self.world, metrics, self.poster)
        self.inspector = Inspector(settings, self.world, self.reporter, waker, clock)
        self.slots = SlotWriter(clients.kube, clock, self.reporter.written)
        keeping = Keeping(self.world, self.keeper, self.beats, clock)
        self.loop.connect(
            Parts(
                keeper=self.keeper,
                keeping=keeping,
                announcer=self.announcer,
                prober=self.prober,
                beats=self.beats,
                speaker=Speaker(settings.node, self.keeper, keeping, self.beats, clock),
                asker=self.asker,
                witness=self.witness,
                slots=self.slots,
                reporter=self.reporter,
                inspector=self.inspector,
                metrics=metrics,
            )
        )
        mirrors = (self.world.agents, self.world.groups, self.world.nodes)
        self.kopf = KopfHost("lbnodeagent", clients.kube, access, mirrors)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until asked to stop, then leave in order."""
        async with self.kernel, asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(work, name=name)
                for name, work in (
                    ("services", self.world.service_watch.run()),
                    ("leases", self.world.lease_watch.run(self.waker.wake)),
                    ("endpoints", self.world.endpoints.run()),
                    ("kopf", self.kopf.run()),
                    ("events", self.poster.run()),
                    ("kernel", self.kernel.run()),
                    ("loop", self.loop.run()),
                    ("announcer", self.announcer.run()),
                    ("prober", self.prober.run()),
                    ("heartbeats", self.beats.run()),
                    ("wire", self.asker.run()),
                    ("witness", self.witness.run()),
                    ("slots", self.slots.run()),
                    ("inspector", self.inspector.run()),
                )
            ]
            renewing = tasks.create_task(self.keeper.run(), name="lease")
            logger.info("serving", extra={"version": VERSION, "node": self.settings.node})
            await stop.wait()
            await self._leave(renewing)
            for task in running:
                task.cancel()
        self.announcer.close()
        self.prober.close()
        self.beats.close()
        self.asker.close()
        self.witness.close()

    async def _leave(self, renewing: "asyncio.Task[None]") -> None:
        """Withdraw every local address, say so in the slots, and only then give up the Lease."""
        logger.info("stopping", extra={"action": "markUnhealthy"})
        self.keeper.drain()
        is_empty = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WITHDRAW_SECONDS):
                await self.loop.wait_pass()
                is_empty = await self.loop.wait_empty()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLEAR_SECONDS):
                await self.slots.wait_idle()
        renewing.cancel()  # a renewal in flight must not undo the release
        await asyncio.wait([renewing])
        if is_empty:
            await self.keeper.release(self.settings.instance)
        else:
            # The kernel drops what is left when its lifetime ends; the Lease must last as long.
            logger.error("addresses may be left, the lease is not released")
        await self._leave_remote()

    async def _leave_remote(self) -> None:
        """Withdraw what every node has once routers had the time to send traffic elsewhere."""
        if not self.loop.has_remote:
            return
        await asyncio.sleep(DRAIN_SECONDS)
        try:
            async with asyncio.timeout(WITHDRAW_SECONDS):
                await self.loop.leave()
        except TimeoutError:
            logger.error("remote addresses may be left")

    def health(self) -> Health:
        """Return what the health port asks."""
        return Health(registry=self.registry, is_alive=self._is_alive, is_ready=self._is_ready)

    def _snapshot(self) -> Snapshot:
        config, electorate = self.world.config, self.loop.electorate
        return Snapshot(
            node=self.settings.node,
            told=self.loop.told,
            state=config.state if config is not None else None,
            is_leased=self.keeper.may_hold(),
            members=len(electorate.members) if electorate is not None else 0,
            subnets=electorate.subnet_count if electorate is not None else 0,
            local_subnets=self.loop.desired.selection.subnets,
            findings=self.inspector.findings,
            answers=self.witness.counts(),
            questions=self.witness.asked,
            peers=self.beats.peers(),
            has_quorum=any(one.has_quorum for one in self.beats.reach.values()),
            lease_watches=len(self.world.lease_watch.watches),
            is_kept=self.keeper.lease.is_kept(self.clock.now()),
        )

    def _is_alive(self) -> str | None:
        silent = time.monotonic() - self.loop.turned_at
        return f"no pass for {silent:.0f} s" if silent > STUCK_SECONDS else None

    def _is_ready(self) -> str | None:
        if not self.world.is_complete:
            return "the cluster is not known completely yet"
        if not self.keeper.may_hold():
            return "this node has no valid Lease"
        return None


class Clients:
    """Connections to the API server: Leases and Events never wait behind other requests."""

    def __init__(self, kube: Kube, lease: Kube, events: Kube) -> None:
        self.kube, self.lease, self.events = kube, lease, events


async def _at_scale(kube: Kube, settings: Settings, stop: asyncio.Event) -> Settings | None:
    """Return the settings for so many nodes; None if asked to stop before they are counted."""
    reason = "the nodes are not counted yet"
    health = Health(registry=new_registry(), is_alive=lambda: None, is_ready=lambda: reason)
    async with serving(health, settings.host, settings.port), asyncio.TaskGroup() as tasks:
        counting = tasks.create_task(settings_at_scale(kube, settings))
        stopping = tasks.create_task(stop.wait())
        await asyncio.wait((counting, stopping), return_when=asyncio.FIRST_COMPLETED)
        counting.cancel()
        stopping.cancel()
    return None if counting.cancelled() else counting.result()


async def serve(settings: Settings) -> None:
    """Run one agent until SIGTERM, SIGINT or SIGQUIT."""
    access = find_access(settings.kubeconfig, os.environ)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        loop.add_signal_handler(number, stop.set)
    name = "purelb-lbnodeagent"
    async with AsyncExitStack() as stack:
        kube = await stack.enter_async_context(Kube(access, name))
        found = await _at_scale(kube, settings, stop)
        if found is None:
            return
        settings = found
        # A renewal that is not answered by then is tried again while the Lease still holds.
        deadline = settings.lease_seconds / 4
        clients = Clients(
            kube=kube,
            lease=await stack.enter_async_context(
                Kube(access, name, connections=2, seconds=deadline)
            ),
            events=await stack.enter_async_context(Kube(access, name, connections=1)),
        )
        agent = Agent(settings, access, clients)
        await stack.enter_async_context(serving(agent.health(), settings.host, settings.port))
        await agent.run(stop)


def main() -> int:
    """Read the settings and serve; returns the exit status."""
    try:
        settings = config.load(sys.argv[1:], os.environ)
        logs.set_up(settings.log_level)
        logs.switch_on_signal()
        for remark in settings.remarks:
            logger.warning(remark)
        asyncio.run(serve(settings))
    except SettingsError as error:
        print(f"nodeagent: {error}", file=sys.stderr)
        return 1
    return 0
