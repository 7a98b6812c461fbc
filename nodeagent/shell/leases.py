"""Keeps this node's Lease: one request per renewal, on a connection of its own.

Tells the state machine what happened to each request; what follows from it is the core's.
"""

import asyncio
import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from nodeagent.core.config import NodeConfig, Unconfigured, is_eligible
from nodeagent.core.contact import DOUBT, Contact
from nodeagent.core.neighborhood import lease_labels
from nodeagent.core.scale import RENEWALS
from nodeagent.settings import Settings
from purelb.api.addresses import IPAddress, IPNetwork
from purelb.api.annotations import (
    LEASE_ANNOUNCES,
    LEASE_CONDITIONS,
    LEASE_GATEWAYS,
    LEASE_HEARTBEATS,
    LEASE_INSTANCE,
    LEASE_MACS,
    LEASE_NON_REVERTIVE,
    LEASE_SUBNETS,
)
from purelb.api.identifiers import Instant
from purelb.api.views import NodeView
from purelb.core.backoff import Backoff
from purelb.core.lease import (
    Drain,
    Empty,
    Kept,
    Lease,
    LeaseFact,
    LeaseState,
    RenewFailed,
    RenewOk,
    Tick,
    step,
)
from purelb.runtime.clock import Clock
from purelb.runtime.errors import PurelbError, TransientError
from purelb.runtime.leases import LeaseContent, LeaseStore

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5  # after a failed renewal: the Lease still holds for a while, use it
RELEASE_SECONDS = 5.0
KEPT_SHARE = 1 / 6  # of the duration, by which a quorum's word prolongs the right at least
# Once the Lease has ended: no more often than a Lease of ten seconds is renewed in good times, and
# not much less, because nothing is held until the next try.
BACKOFF = Backoff(first=RETRY_SECONDS, longest=3.0)
# A server, or whatever is in front of it, may ask to be spared for minutes. That costs a node its
# addresses: it gets a share of the time that is left of the right, or these seconds after that.
SPARED_SHARE, SPARED_SECONDS = 1 / 3, 10.0


@dataclass(slots=True)
class RenewalCounts:
    """What happened so far."""

    renewed: int = 0
    failed: int = 0


class LeaseKeeper:
    """Renews the Lease a third of its duration after the last try, and at once on new content."""

    def __init__(
        self, store: LeaseStore, clock: Clock, duration: float, on_change: Callable[[], None]
    ) -> None:
        self.counts = RenewalCounts()
        self.lease = Lease(duration=duration)
        self.contact = Contact(duration)
        self._store, self._clock, self._duration = store, clock, duration
        self._on_change = on_change
        self._content: LeaseContent | None = None
        self._wake = asyncio.Event()

    def publish(self, content: LeaseContent) -> bool:
        """Say what the Lease must tell from now on; tells whether that is news.

        News is written at once.
        """
        if content == self._content:
            return False
        before = self._content.annotations[LEASE_SUBNETS] if self._content else None
        subnets = content.annotations[LEASE_SUBNETS]
        if before != subnets:
            facts = {"action": "subnetsChanged", "subnets": subnets}
            logger.info("subnetsChanged", extra=facts)
        self._content = content
        self._wake.set()
        return True

    def tick(self, now: Instant) -> None:
        """Let time have its effect on the Lease."""
        self.lease = step(self.lease, Tick(now))

    def alarm(self, now: Instant, *, is_alarmed: bool) -> None:
        """Renew at once when a peer has just lost the API, to know whether we have it."""
        if self.contact.must_hurry(now, is_alarmed=is_alarmed):
            self._wake.set()

    def keep(self, now: Instant) -> None:
        """Let the word of a quorum stand in for a renewal; often enough, so not at each word."""
        gained = step(self.lease, Kept(now))
        if gained.until - self.lease.until >= self._duration * KEPT_SHARE:
            self._step(Kept(now))

    def may_hold(self) -> bool:
        """Tell whether this node may hold local addresses now."""
        return self.lease.state is LeaseState.HELD and self.lease.is_leased(self._clock.now())

    def drain(self) -> None:
        """Begin to give up: from now on nothing may be held, though renewals go on."""
        self._step(Drain())

    async def run(self) -> NoReturn:
        """Renew until cancelled."""
        due: float | None = None  # nothing to say yet
        while True:
            await self._clock.wait(self._wake, due)
            self._wake.clear()
            if self._content is None:
                continue
            begun = self._clock.now()
            due = begun + await self._renew(self._content)

    async def release(self, instance: str) -> None:
        """Delete the Lease once nothing is held any more; a failure is only logged."""
        self._step(Empty())
        logger.info("lease released", extra={"action": "deleteLease"})
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._store.release(instance)
        except (PurelbError, TimeoutError) as error:
            logger.warning("cannot delete the lease, it will expire", extra={"error": str(error)})

    async def _renew(self, content: LeaseContent) -> float:
        """Renew once; returns how long to wait before the next time."""
        sent_at = self._clock.now()  # an answer may be late: the right counts from the sending
        self.contact.asked(sent_at)
        doubt = asyncio.get_running_loop().call_later(DOUBT * self._duration, self._on_change)
        try:
            await self._store.renew(content)
        except PurelbError as error:
            self.counts.failed += 1
            logger.warning("renewal failed", extra={"action": "renewFailed", "error": str(error)})
            self._step(RenewFailed())
            asked = error.retry_after if isinstance(error, TransientError) else None
            return self._pause(asked or 0.0)
        finally:
            doubt.cancel()
        if self.lease.failures:
            logger.info("renewed again", extra={"action": "healthRestored"})
        self.counts.renewed += 1
        self.contact.answered(self._clock.now())
        self._step(RenewOk(sent_at))
        return self._duration / RENEWALS

    def _pause(self, asked: float) -> float:
        """Return how long to wait after a failure; `asked` is what the server wants."""
        now = self._clock.now()
        # While the Lease still holds every moment counts; after that, spare the server.
        is_urgent = self.lease.is_leased(now)
        delay = RETRY_SECONDS if is_urgent else BACKOFF.delay(self.lease.failures)
        spared = SPARED_SHARE * (self.lease.until - now) if is_urgent else SPARED_SECONDS
        return max(min(asked, spared), delay * random.uniform(0.5, 1.5))

    def _step(self, fact: LeaseFact) -> None:
        before = self.lease
        self.lease = step(self.lease, fact)
        if self.lease != before:
            self._on_change()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What other nodes and people may know of this one; `conditions` as text."""

    subnets: tuple[IPNetwork, ...]
    macs: tuple[bytes, ...]
    conditions: str
    gateways: tuple[IPAddress, ...] = ()
    has_heartbeats: bool = False
    labelled: tuple[IPNetwork, ...] = ()  # networks by which others may find the Lease


def lease_content(
    settings: Settings,
    node: NodeView,
    config: NodeConfig | Unconfigured,
    shown: Shown,
) -> LeaseContent:
    """Return what this node's Lease says; labels and annotations are a contract with PureLB.

    Its agents know only by the networks who is a candidate: an evacuated node shows none.
    """
    subnets = () if node.is_evacuated else shown.subnets
    stays = isinstance(config, NodeConfig) and config.is_non_revertive
    annotations = {
        LEASE_NON_REVERTIVE: "true" if stays else "false",
        LEASE_SUBNETS: ",".join(sorted(map(str, subnets))),
        LEASE_GATEWAYS: ",".join(map(str, shown.gateways)),
        LEASE_MACS: ",".join(mac.hex(":") for mac in shown.macs),
        LEASE_INSTANCE: settings.instance,
        LEASE_CONDITIONS: shown.conditions,
        LEASE_HEARTBEATS: "true" if shown.has_heartbeats else "false",
        # Either way: a merge patch leaves alone what it does not name.
        LEASE_ANNOUNCES: "true" if is_eligible(config, node) else "false",
    }
    return LeaseContent(
        holder=settings.node,
        duration_seconds=math.ceil(settings.lease_seconds),
        labels={
            "app": "purelb",
            "app.kubernetes.io/name": "purelb",
            "app.kubernetes.io/component": "lbnodeagent",
            **lease_labels(settings.node, shown.labelled),
        },
        annotations=annotations,
        owner={
            "apiVersion": "v1",
            "kind": "Node",
            "name": node.name,
            "uid": node.uid,
            "blockOwnerDeletion": False,
            "controller": False,
        },
    )
