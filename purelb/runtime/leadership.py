"""Takes, renews and gives back the Lease that says which replica leads.

Every write is conditional on the version last seen, so that no two replicas can have it. Belongs
here: requests and their timing. Does not: when a place is free, how long a right lasts
(`purelb.core.leadership`, `purelb.core.lease`), what a leader does.
"""

import asyncio
import logging
import math
import random
from dataclasses import dataclass
from typing import Any, NoReturn

from purelb.api.resources import DecodeError, decode_lease
from purelb.api.views import LeaderView, view_leader
from purelb.core.leadership import EMPTY, free_at, seen
from purelb.core.lease import Lease, RenewFailed, RenewOk, Superseded, Tick, step
from purelb.runtime.clock import Clock, wall_clock
from purelb.runtime.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PurelbError,
    TransientError,
)
from purelb.runtime.informer import Informer, Source
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5  # after a failure: while the right lasts every moment counts
SPARED_SHARE = 1 / 3  # of what is left of the right, at most, if the API server asks to be spared
LOOK_SECONDS = 0.05  # between reading the Lease and the next try
ASK_AGAIN_SECONDS = 60.0  # for the right to have a Lease, where there is none
RESIGN_SECONDS = 2.0
LABELS = {"app": "purelb", "app.kubernetes.io/name": "purelb"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidacy:
    """Which Lease to have, and as whom; no namespace means that no Lease can be had.

    `duration` in seconds. No two processes that may live at the same time have one `identity`.
    """

    namespace: str
    name: str
    identity: str
    duration: float


class Leadership:
    """One replica's part in the choice of a leader.

    `elected` and `deposed` are set in turns. A leader whose renewals fail has no right to write
    while that lasts, but is deposed only by another holder: until then nobody else has led.
    """

    def __init__(self, kube: Kube, clock: Clock, candidacy: Candidacy) -> None:
        self.elected, self.deposed = asyncio.Event(), asyncio.Event()
        self.terms = 0  # how often this process began to lead
        self.lease = Lease(duration=candidacy.duration)
        self._kube, self._clock, self._candidacy = kube, clock, candidacy
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{candidacy.namespace}/leases"
        self._path = f"{self._collection}/{candidacy.name}"
        self._place = EMPTY
        self._is_alone = False  # nobody may have a Lease: the only replica leads without
        self._due = -math.inf  # not before: after a failure, and between renewals
        self._wake = asyncio.Event()
        source: Source[LeaderView] = Source(
            path=self._collection,
            view=lambda body: view_leader(decode_lease(body)),
            selector=(("fieldSelector", f"metadata.name={candidacy.name}"),),
        )
        self._informer = Informer(kube, source, lambda _, new: self._heard(new), clock)

    @property
    def namespace(self) -> str:
        """The install namespace, empty if it is not known."""
        return self._candidacy.namespace

    @property
    def is_leading(self) -> bool:
        """Whether this replica is the leader, even one whose right to write is over for now."""
        return self.elected.is_set()

    def right(self) -> float:
        """Return for how many seconds from now this replica may write; not positive for none."""
        if self._is_alone:
            return math.inf
        now = self._clock.now()
        if not self.is_leading or not self.lease.is_leased(now):
            return -math.inf
        return self.lease.until - now

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        if not self._candidacy.namespace:
            self._lead_alone("the install namespace is not known")
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._informer.run())
            await self._informer.synced.wait()
            while True:
                self._wake.clear()
                due = self._next_try()
                if due > self._clock.now():
                    await self._clock.wait(self._wake, due)
                else:
                    await self._try()

    async def resign(self) -> None:
        """Give the place back, so that another replica need not wait; call it after `run` ended.

        Nothing may be written any more. A failure is only logged: the Lease expires.
        """
        if not self.is_leading or self._is_alone:
            return
        try:
            async with asyncio.timeout(RESIGN_SECONDS):
                await self._look()  # a last renewal may have been under way when `run` ended
                if self.is_leading and self._place.lease is not None:
                    await self._kube.patch(self._path, self._body(self._place.lease, holder=""))
        except (PurelbError, TimeoutError) as error:
            logger.warning("cannot give back the lease", extra={"error": str(error)})
        if self.is_leading:
            self._end_term("it stops")

    def _next_try(self) -> float:
        if self.is_leading:
            return self._due
        return max(self._due, free_at(self._place, self._candidacy.identity))

    async def _try(self) -> None:
        """Take or renew, whichever it is: both are one conditional write."""
        found, sent_at = self._place.lease, self._clock.now()
        self.lease = step(self.lease, Tick(sent_at))
        try:
            answer = await self._write(found)
        except (ConflictError, NotFoundError) as error:
            if found is None and isinstance(error, NotFoundError):
                self._failed(error)  # no such namespace
            else:
                await self._look()
        except ForbiddenError as error:
            self._failed(error)
            # Without any Lease there is no other leader: PureLB's own RBAC lets nobody create one.
            if found is None and not self.is_leading:
                self._lead_alone(str(error))
            if self._is_alone:
                self._due = sent_at + ASK_AGAIN_SECONDS
        except PurelbError as error:
            self._failed(error)
        else:
            self._is_alone = False
            self._saw(answer)
            self._due = sent_at + self.lease.duration / 3
            self.lease = step(self.lease, RenewOk(sent_at))
            if not self.is_leading:
                self._begin_term()

    async def _write(self, found: LeaderView | None) -> LeaderView:
        body = self._body(found, holder=self._candidacy.identity)
        if found is None:
            return _view(await self._kube.post(self._collection, body))
        return _view(await self._kube.patch(self._path, body))

    async def _look(self) -> None:
        """Read the Lease after somebody else wrote it; whoever holds it then is the leader."""
        self._due = self._clock.now() + LOOK_SECONDS * random.uniform(0.5, 1.5)
        try:
            self._saw(_view(await self._kube.get(self._path)))
        except NotFoundError:
            self._saw(None)
        except PurelbError as error:
            self._failed(error)

    def _failed(self, error: PurelbError) -> None:
        logger.warning(
            "lease not written", extra={"lease": self._candidacy.name, "error": str(error)}
        )
        self.lease = step(self.lease, RenewFailed())
        now = self._clock.now()
        asked = error.retry_after if isinstance(error, TransientError) else None
        spared, left = asked or 0.0, self.lease.until - now
        if left > 0:  # sparing the server must not cost the right, which the next try may renew
            spared = min(spared, SPARED_SHARE * left)
        self._due = now + max(spared, RETRY_SECONDS * random.uniform(0.5, 1.5))

    def _heard(self, lease: LeaderView | None) -> None:
        """Take in what the watch tells, which may be late."""
        if not self.is_leading:
            self._saw(lease)
        elif lease is None or lease.holder != self._candidacy.identity:
            self._due = self._clock.now()  # the next renewal finds out, and makes it again if gone
        self._wake.set()

    def _saw(self, lease: LeaderView | None) -> None:
        """Take in the Lease as it was just answered, or watched by one who does not lead."""
        now = self._clock.now()
        self._place = seen(self._place, lease, now)
        if lease is not None and self.is_leading and lease.holder != self._candidacy.identity:
            self.lease = step(self.lease, Superseded(now))
            self._is_alone = False
            self._end_term(f"{lease.holder or 'nobody'} has the lease now")

    def _lead_alone(self, why: str) -> None:
        self._is_alone = True
        logger.warning(
            "leading without a lease: never run a second replica so", extra={"reason": why}
        )
        self._begin_term()

    def _begin_term(self) -> None:
        self.terms += 1
        self.deposed.clear()
        self.elected.set()
        logger.info("leading", extra={"op": "leading", "identity": self._candidacy.identity})

    def _end_term(self, why: str) -> None:
        self.elected.clear()
        self.deposed.set()
        logger.info("leading no more", extra={"op": "deposed", "reason": why})

    def _body(self, found: LeaderView | None, *, holder: str) -> dict[str, Any]:
        now = wall_clock()
        spec: dict[str, Any] = {
            "holderIdentity": holder,
            "leaseDurationSeconds": math.ceil(self.lease.duration),
            "renewTime": now,
        }
        if found is None or found.holder != holder:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = 0 if found is None else found.transitions + 1
        if found is not None:
            return {"metadata": {"resourceVersion": found.version}, "spec": spec}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self._candidacy.name,
                "namespace": self._candidacy.namespace,
                "labels": LABELS,
            },
            "spec": spec,
        }


def _view(answer: bytes) -> LeaderView:
    try:
        return view_leader(decode_lease(answer))
    except DecodeError as error:
        raise TransientError(f"the answer is no Lease: {error}") from error
