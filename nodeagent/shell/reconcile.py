"""The one loop of the agent: observe → desire → plan → execute → report.

Start-up, a new Service, drift, renewal and failover are the same pass, woken by different events.
Everything it decides by comes from the core; this module only carries values around.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import NoReturn

from nodeagent.core import words
from nodeagent.core.config import NodeConfig
from nodeagent.core.desired import desire_in_steps
from nodeagent.core.dummy import Failure
from nodeagent.core.election import Electorate
from nodeagent.core.facts import Facts
from nodeagent.core.identity import shown_gateways, shown_macs
from nodeagent.core.installed import (
    Outcome,
    adopt,
    announced_after,
    failure_after,
    is_empty,
    record_after,
    unannounced,
)
from nodeagent.core.links import Announced, Observed, Placed
from nodeagent.core.membership import own_member
from nodeagent.core.plan import plan_in_steps
from nodeagent.core.probing import asked
from nodeagent.core.report import Report, Told, report_in_steps
from nodeagent.core.verdicts import DesiredState, Here
from nodeagent.core.vips import gather
from nodeagent.settings import Settings
from nodeagent.shell.ahead import Ahead
from nodeagent.shell.inspector import Pass
from nodeagent.shell.kernel import Kernel
from nodeagent.shell.leases import Shown, lease_content
from nodeagent.shell.parts import Parts
from nodeagent.shell.sending import send
from nodeagent.shell.waker import Waker
from nodeagent.shell.world import WorldStore
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import Instant
from purelb.runtime.clock import Clock
from purelb.runtime.errors import PurelbError
from purelb.runtime.logs import Trouble
from purelb.runtime.turns import in_turns

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.2  # after netlink failed
REST, LONGEST_REST = 10.0, 0.25  # times what the pass took; seconds
UPDATES = "purelb_k8s_client_updates_total"
UPDATE_ERRORS = "purelb_k8s_client_update_errors_total"


class Loop:
    """Owns what this node has done so far: record, announcements, memory, what was told."""

    def __init__(
        self,
        settings: Settings,
        world: WorldStore,
        kernel: Kernel,
        waker: Waker,
        clock: Clock,
    ) -> None:
        self.desired = DesiredState(is_whole=False)
        self.told = Told()
        self.electorate: Electorate | None = None
        self.turned_at = time.monotonic()  # for liveness
        self._settings, self._world, self._kernel = settings, world, kernel
        self._waker, self._clock = waker, clock
        self._turned = asyncio.Event()
        self._trouble = Trouble(logger, "pass failed")
        self._record: frozenset[Placed] = frozenset()
        self._announced: frozenset[Announced] = frozenset()
        self._is_adopted = False
        self._is_empty = False  # the last pass found nothing local of ours on any link
        self._failure: Failure | None = None
        self._is_leaving = self._is_gone = False  # remote addresses go as well; and are gone
        self._begun = self._ended = 0  # passes, counted at their beginning
        self._ahead = Ahead()
        self._parts: Parts | None = None

    def connect(self, parts: Parts) -> None:
        """Say who carries out what passes decide; before `run`."""
        self._parts = parts
        parts.beats.connect(parts.speaker.say, parts.keeping.keep)

    def may_send(self, address: IPAddress) -> bool:
        """Tell whether the last pass still had the address here, within its right."""
        verdict = self.desired.verdicts.get(address)
        if not isinstance(verdict, Here) or address not in self.told.held:
            return False
        return self._clock.now() < self.desired.terms.until

    async def wait_pass(self) -> None:
        """Wait for the end of a pass that begins from now on."""
        number = self._begun + 1
        while self._ended < number:
            self._turned.clear()
            self._waker.wake()
            await self._turned.wait()

    async def wait_empty(self) -> bool:
        """Wait until the kernel shows nothing of ours but on the dummy; call it when draining."""
        while True:
            await self.wait_pass()
            if self._is_empty:
                return True

    async def leave(self) -> None:
        """Withdraw remote addresses, too, and wait until the kernel shows nothing of ours."""
        self._is_leaving = True
        while True:
            await self.wait_pass()
            if self._is_gone:
                return

    @property
    def has_remote(self) -> bool:
        """Whether remote addresses are in place, or the link for them."""
        return self.desired.dummy.link is not None

    async def run(self) -> NoReturn:
        """Make passes until cancelled."""
        parts = self._connected
        while True:
            self._waker.begin()
            begun = self._clock.now()
            self._begun += 1
            try:
                next_at = await self.make_pass()
                self._ended = self._begun
                self._trouble.note("")
            except PurelbError as error:
                self._is_empty = self._is_gone = False
                parts.metrics.inc(UPDATE_ERRORS)
                self._trouble.note(str(error))
                next_at = begun + RETRY_SECONDS
            self.turned_at = time.monotonic()
            self._turned.set()
            parts.metrics.inc(UPDATES)
            # In a burst of Services, rest for longer than the pass took: an address comes late by
            # that much, and the node keeps its cores for others.
            ended = self._clock.now()
            rested = ended + min(REST * (ended - begun), LONGEST_REST)
            await self._waker.wait(next_at, rested)

    async def make_pass(self) -> Instant:
        """Make one pass; returns when time alone calls for the next."""
        parts = self._connected
        parts.keeping.keep()
        await self._ahead.elect(self._elect(self._clock.now()), self._world.snapshot())
        now = self._clock.now()
        parts.keeper.tick(now)
        self._announced = unannounced(self._announced, self._kernel.take_interrupted())
        audits = self._kernel.counts.audits
        observed = await self._kernel.observe(self._record, self._announced)
        if observed is None:
            self._is_empty = self._is_gone = False  # the pass before may have filled it
            return now + RETRY_SECONDS  # not read completely: nothing follows from that
        parts.prober.note_duplicates(self._duplicates())
        fresh_since = self._connected.keeping.fresh_since()
        self.electorate = self._elect(now)
        desired = await in_turns(desire_in_steps(self._facts(observed, fresh_since), now))
        if self._adopt(observed, desired):
            observed = replace(observed, record=self._record)
            desired = await in_turns(desire_in_steps(self._facts(observed, fresh_since), now))
        parts.speaker.begin(observed)
        has_new_content = self._publish(observed, desired)
        ops = await in_turns(plan_in_steps(desired, observed, self._clock.now()))
        parts.speaker.expect(observed, ops)
        if self._kernel.counts.audits != audits:
            parts.metrics.audit_seconds.observe(self._clock.now() - now)
        outcomes = await self._kernel.execute(ops) if ops else ()
        self._record = record_after(observed, outcomes)
        changed = desired.changed if desired.before is not None else None
        self._announced = announced_after(observed, outcomes, changed)
        self.desired = desired
        self._failure = failure_after(self._failure, outcomes, self._clock.now())
        self._is_empty = is_empty(observed, besides=desired.dummy)
        self._is_gone = desired.is_whole and not ops and is_empty(observed)
        parts.announcer.follow(observed.links)
        parts.prober.follow(observed.links)
        self._speak(observed, outcomes)
        found = await self._report(outcomes)
        send(parts.announcer, parts.prober, self.desired, outcomes, found)
        await self._tell(outcomes, found)
        self._show(observed, fresh_since)
        if has_new_content:
            self._waker.wake()  # we are a candidate now, or no longer: look again at once
        expiry = self._world.sightings.next_expiry(fresh_since)
        answer = parts.prober.next_answer()
        times = (self._kernel.next_audit(), desired.next_change, expiry, answer)
        return min(at for at in times if at is not None)

    def _duplicates(self) -> Mapping[IPAddress, int]:
        found = self._kernel.take_duplicates()
        for _ in found:
            self._connected.metrics.inc(words.DAD_FAILURES)
        return found

    def _elect(self, now: Instant) -> Electorate | None:
        world, lease = self._world, self._connected.keeper.lease
        subnets = self.desired.selection.subnets
        own = own_member(self._settings.node, lease, world.config, world.node, subnets)
        fresh_since = self._connected.keeping.fresh_since()
        return world.electorate(own if lease.is_leased(now) else None, fresh_since)

    def _facts(self, observed: Observed, fresh_since: Instant | None) -> Facts:
        world, beats, now = self._world, self._connected.beats, self._clock.now()
        is_listed = world.service_watch.synced.is_set()
        return Facts(
            me=self._settings.node,
            lease=self._connected.keeper.lease,
            services=world.snapshot() if is_listed else None,
            config=world.config,
            node=world.node,
            electorate=self.electorate,
            expired=world.sightings.expired(),
            renewed=world.sightings.renewed_at(),
            services_heard_at=world.service_watch.heard_at,
            observed=observed,
            unrest=self._kernel.unrest,
            endpoints=world.endpoints.nodes,
            has_endpoints=world.endpoints.is_synced,
            pools=world.pools,
            failure=self._failure,
            is_leaving=self._is_leaving,
            installed=self.told.installed,
            struggles=self._kernel.struggles,
            memory=self.desired.memory,
            quiet=self._connected.prober.quiet(),
            conflicts=self._connected.prober.conflicts(),
            shown=world.macs.shown,
            reach=beats.reach,
            claims=beats.claims(),
            silent=self._connected.asker.silent(),
            has_api=fresh_since is not None,
            is_fresh=fresh_since is not None and now >= fresh_since + self._settings.lease_seconds,
            epoch=self._connected.speaker.epoch,
        )

    def _adopt(self, observed: Observed, desired: DesiredState) -> bool:
        """Take over, once, what a predecessor left without our mark; tells if there was any."""
        world = self._world
        if self._is_adopted or not world.is_complete or world.node is None:
            return False
        self._is_adopted = True
        links = {nic.link.name for nic in desired.selection.nics}
        if isinstance(world.config, NodeConfig):
            links.add(world.config.dummy)
        found = adopt(observed, links, gather(world.services), world.node.addresses)
        self._record |= found
        return bool(found)

    def _publish(self, observed: Observed, desired: DesiredState) -> bool:
        """Let the Lease say what this node reaches; tells whether that is news."""
        world, parts = self._world, self._connected
        if world.config is None or world.node is None or desired.memory.config is None:
            return False
        world.lease_watch.follow(desired.selection.subnets)
        shown = Shown(
            subnets=world.lease_watch.shown(desired.selection.subnets),
            labelled=world.lease_watch.followed,
            macs=shown_macs(observed.links, desired.selection),
            gateways=shown_gateways(observed.routes),
            conditions=parts.inspector.conditions,
            has_heartbeats=parts.beats.is_on,
        )
        content = lease_content(self._settings, world.node, world.config, shown)
        return parts.keeper.publish(content)

    async def _report(self, outcomes: tuple[Outcome, ...]) -> Report:
        me = self._settings.node
        members = len(self.electorate.members) if self.electorate is not None else 0
        steps = report_in_steps(me, self.told, self.desired, outcomes, members)
        found = await in_turns(steps)
        self.told = found.told
        self._connected.slots.want((*found.slots, *found.overrides))
        return found

    async def _tell(self, outcomes: tuple[Outcome, ...], found: Report) -> None:
        parts = self._connected
        await parts.reporter.tell(found)
        parts.reporter.tell_config()
        for seconds in self._kernel.repair_seconds(outcomes):
            parts.metrics.repair_seconds.observe(seconds)

    def _show(self, observed: Observed, fresh_since: Instant | None) -> None:
        """Show the witness and the inspector what this pass went by."""
        parts = self._connected
        parts.witness.note(self.desired, self.electorate, observed.routes, fresh_since)
        config = self.desired.memory.config
        if config is not None:
            last = Pass(
                config=config,
                observed=observed,
                desired=self.desired,
                held=self.told.held,
                struggles=self._kernel.struggles,
                conflicts=parts.prober.conflicts(),
                witnessed=parts.witness.findings,
            )
            parts.inspector.note(last)

    def _speak(self, observed: Observed, outcomes: tuple[Outcome, ...]) -> None:
        """Let heartbeats tell what has changed, and ask who answers where that matters."""
        parts, desired = self._connected, self.desired
        if self.electorate is not None:
            expired = self._world.sightings.expired()
            parts.speaker.follow(desired, self.electorate, observed.routes, expired)
        parts.asker.want(asked(desired, self.electorate, parts.beats.reach, self._settings.node))
        parts.speaker.claim(desired, outcomes)

    @property
    def _connected(self) -> Parts:
        if self._parts is None:
            raise RuntimeError("the loop is not connected")
        return self._parts
