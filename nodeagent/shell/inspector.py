"""Looks after the host that passes work on: reads what the checks need, and tells what they find.

A task of its own, so that no pass waits for it. Nothing is changed on the host. What is wrong, and
what is told when, is the core's (`hostchecks`, `scale`, `findings`).
"""

import asyncio
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

from nodeagent.core import conflicts, scale
from nodeagent.core.config import NodeConfig, Unconfigured
from nodeagent.core.conflicts import Conflict
from nodeagent.core.findings import NOTHING_FOUND, Finding, Standing, news, stand
from nodeagent.core.hostchecks import check
from nodeagent.core.hostfacts import ALL, Host, Sysctls, inspected, questions
from nodeagent.core.inquiry import standing
from nodeagent.core.links import Observed
from nodeagent.core.refusals import unreachable_pools
from nodeagent.core.struggles import Struggles, complaints, culprits
from nodeagent.core.verdicts import DesiredState, Verdict
from nodeagent.settings import Settings
from nodeagent.shell.reporter import Reporter
from nodeagent.shell.waker import Waker
from nodeagent.shell.world import WorldStore
from purelb.api.addresses import IPAddress
from purelb.api.conditions import encode_conditions
from purelb.api.identifiers import LinkName
from purelb.runtime.clock import Clock, wall_clock
from purelb.runtime.errors import PurelbError
from purelb.runtime.logs import Trouble
from purelb.runtime.netlink.events import SETTINGS, EventSocket
from purelb.runtime.netlink.routes import ways
from purelb.runtime.processes import name_of
from purelb.runtime.sysctls import read_conf

logger = logging.getLogger(__name__)

AUDIT_SECONDS = 5.0  # most settings change without an event
PAUSE_SECONDS = 0.5  # between two looks; links come and go in bursts
SETTINGS_BUFFER = 64 << 10  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What the last pass went by, the addresses it left in place, and what the witness saw."""

    config: NodeConfig | Unconfigured
    observed: Observed
    desired: DesiredState
    held: Mapping[IPAddress, LinkName]
    struggles: Struggles
    conflicts: Mapping[IPAddress, Conflict]
    witnessed: tuple[Finding, ...]

    def differs(self, before: "Pass | None") -> bool:
        """Tell whether there is a reason to look now."""
        return (
            before is None
            or self.config is not before.config
            or self.conflicts is not before.conflicts
            or self.witnessed != before.witnessed
            or self.observed.links != before.observed.links
            or self.observed.routes != before.observed.routes
            or self.desired.selection is not before.desired.selection
            or self.desired.dummy.trouble != before.desired.dummy.trouble
        )


class Inspector:
    """Owns what is wrong with this node. `conditions` is its text for the Lease."""

    def __init__(
        self, settings: Settings, world: WorldStore, reporter: Reporter, waker: Waker, clock: Clock
    ) -> None:
        self.conditions = ""
        self._me, self._world, self._reporter = settings.node, world, reporter
        self._waker, self._clock = waker, clock
        self._wake = asyncio.Event()
        self._lasting = tuple(scale.complaints(settings.uncounted))
        self._last: Pass | None = None
        self._standing = NOTHING_FOUND
        self._since: dict[Finding, str] = {}  # wall-clock times
        self._looked_at: Mapping[IPAddress, Verdict] | None = None
        self._pools: frozenset[str] = frozenset()  # unreachable, by those verdicts
        self._trouble = Trouble(logger, "cannot look at the host")
        self._events = EventSocket(
            lambda _: self._wake.set(), receive_buffer=SETTINGS_BUFFER, groups=SETTINGS
        )

    @property
    def findings(self) -> frozenset[Finding]:
        """What is wrong now."""
        return self._standing.valid

    def note(self, last: Pass) -> None:
        """Take in a pass."""
        if last.differs(self._last):
            self._wake.set()
        self._last = last

    async def run(self) -> NoReturn:
        """Look until cancelled: when something has changed, and now and then."""
        async with self._events, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._events.run())
            while True:
                self._wake.clear()
                begun = self._clock.now()
                await self._look()
                await self._clock.wait(asyncio.Event(), begun + PAUSE_SECONDS)
                next_at = min(begun + AUDIT_SECONDS, self._standing.look_at or math.inf)
                await self._clock.wait(self._wake, next_at)

    async def _look(self) -> None:
        last = self._last
        if last is None:
            return
        found = [*self._lasting, *last.config.findings]
        if isinstance(last.config, NodeConfig):
            try:
                found += check(await self._host(last, last.config))
            except PurelbError as error:
                self._trouble.note(str(error))
                return  # what stands, stands
            self._trouble.note("")
            found += self._struggles(last, last.config)
            still = standing(last.conflicts, last.desired.verdicts, last.held)
            found += (*conflicts.complaints(still), *last.witnessed)
        self._tell(stand(self._standing, found, self._clock.now()))

    async def _host(self, last: Pass, config: NodeConfig) -> Host:
        host = Host(
            config=config,
            observed=last.observed,
            selection=last.desired.selection,
            node=self._world.node,
            vips=frozenset(last.desired.vips),
            held=last.held,
            dummy_trouble=last.desired.dummy.trouble,
            unreachable=self._unreachable(last.desired),
        )
        sysctls = {name: _sysctls(name) for name in (ALL, *inspected(host))}
        return replace(host, sysctls=sysctls, ways=await ways(questions(host)))

    def _unreachable(self, desired: DesiredState) -> frozenset[str]:
        """Return the pools with addresses that no node can announce; looks at verdicts once."""
        if self._looked_at is not desired.verdicts:
            self._looked_at = desired.verdicts
            self._pools = unreachable_pools(desired.verdicts, desired.vips)
        return self._pools

    def _struggles(self, last: Pass, config: NodeConfig) -> Iterable[Finding]:
        """Return who removes addresses of ours; `last.struggles` is the record as it is now."""
        links = {link.index: link.name for link in last.observed.links}
        going = culprits(last.struggles, self._clock.now())
        found = [(links[index], port) for index, port in going if index in links]
        names = {port: name for _, port in found if (name := name_of(port))}
        return complaints(found, names, config.source)

    def _tell(self, standing: Standing) -> None:
        before, self._standing = self._standing, standing
        fresh = news(before, standing)
        solved = sorted(before.valid - standing.valid, key=lambda one: one.subject)
        self._reporter.tell_found(
            [notice for one in fresh for notice in one.notices(self._me)],
            [*(one.line() for one in fresh), *(one.solved() for one in solved)],
        )
        if before.valid == standing.valid:
            return
        now = wall_clock()
        self._since = {one: self._since.get(one, now) for one in standing.valid}
        found = (one.condition(since) for one, since in self._since.items())
        self.conditions = encode_conditions(found)
        self._waker.wake()  # the Lease shows them


def _sysctls(link: LinkName) -> Sysctls:
    return Sysctls(
        rp_filter=read_conf(link, "rp_filter"),
        arp_ignore=read_conf(link, "arp_ignore"),
        arp_announce=read_conf(link, "arp_announce"),
        promote_secondaries=read_conf(link, "promote_secondaries"),
    )
