"""Watches the Leases that matter to this node: all of them, or in a large cluster its neighbors'.

Belongs here: which watches there are, when they are complete, and what their silence means. Does
not: what is asked of each (`nodeagent.core.neighborhood`), what follows from a Lease (`world`).
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import NoReturn, TypeAlias

from nodeagent.core.neighborhood import WITHOUT_LABELS, Share, followed, share_of, shares
from nodeagent.core.scale import watches_by_network
from nodeagent.settings import Settings
from purelb.api.addresses import IPNetwork
from purelb.api.identifiers import Instant, NodeName
from purelb.api.resources import decode_lease
from purelb.api.views import LeaseView, view_lease
from purelb.runtime.clock import Clock
from purelb.runtime.informer import Informer, Source
from purelb.runtime.kube import Kube

# A share of a Lease's duration without a word of any Lease, after which we may be blind: our own
# renewals come by each third of it. Much longer, and a neighbor seen shortly before the silence
# would be judged upon what was missed in it.
LONGEST_SILENCE = 0.5

# Called with what was known of a Lease, None if nothing, and what is now, None if it is gone.
OnChange: TypeAlias = Callable[[LeaseView | None, LeaseView | None], None]


class LeaseWatch:
    """Calls `on_change` for each change of a Lease, and `wake` when a watch has become complete.

    `on_left` is called with a Lease that no watch shows any more, though it may still be there.
    `followed` are the networks that this node has, and had since it started as far as its Lease has
    room for them, oldest first: what it may still have there, others must go on to see.
    """

    def __init__(
        self,
        kube: Kube,
        clock: Clock,
        settings: Settings,
        on_change: OnChange,
        on_left: Callable[[LeaseView], None],
    ) -> None:
        self.followed: tuple[IPNetwork, ...] = ()
        self.watches: list[Informer[LeaseView]] = []
        self.synced = asyncio.Event()  # what this node began with is complete; never cleared
        self._kube, self._clock, self._settings = kube, clock, settings
        self._on_change, self._on_left = on_change, on_left
        self._is_whole = not watches_by_network(settings.nodes)
        self._known: dict[NodeName, tuple[int, LeaseView]] = {}  # and which watch shows it
        self._is_followed, self._news = False, asyncio.Event()
        self._add(None if self._is_whole else WITHOUT_LABELS)

    def follow(self, networks: Iterable[IPNetwork]) -> None:
        """Say which networks this node has now; before the first call nothing is complete."""
        self.followed = followed(self.followed, tuple(networks))
        if not self._is_whole:
            for share in shares(self.followed)[len(self.watches) :]:
                self._add(share)
        self._is_followed = True
        self._news.set()

    def covers(self, network: IPNetwork) -> bool:
        """Tell whether all Leases of nodes with a network are known."""
        if self._is_whole:
            return self.watches[0].synced.is_set()
        last = share_of(self.followed, network)
        return last is not None and all(one.synced.is_set() for one in self.watches[: last + 1])

    def shown(self, networks: Iterable[IPNetwork]) -> tuple[IPNetwork, ...]:
        """Return those of the own networks on which others may count on this node.

        Its Lease shows what it began with at once, or a restart would move addresses to and fro.
        """
        is_known = self.synced.is_set()
        return tuple(one for one in networks if not is_known or self.covers(one))

    def fresh_since(self) -> Instant | None:
        """Return since when no change of a Lease can have escaped us; None if one may now.

        A watch that has not been complete yet does not count: `covers` tells what it lacks.
        """
        first, *others = self.watches
        found = [first.whole_since]
        found += [one.whole_since for one in others if one.synced.is_set()]
        heard_at = min(one.heard_at for one in self.watches if one is first or one.synced.is_set())
        if self._clock.now() - heard_at > LONGEST_SILENCE * self._settings.lease_seconds:
            return None
        whole = [since for since in found if since is not None]
        return max(whole) if len(whole) == len(found) else None

    async def run(self, wake: Callable[[], None]) -> NoReturn:
        """Watch until cancelled."""
        started = 0
        async with asyncio.TaskGroup() as tasks:
            while True:
                for one in self.watches[started:]:
                    tasks.create_task(one.run())
                    tasks.create_task(self._tell(one, wake))
                started = len(self.watches)
                self._news.clear()
                await self._news.wait()
                self._check()

    async def _tell(self, watch: Informer[LeaseView], wake: Callable[[], None]) -> None:
        await watch.synced.wait()
        self._check()
        wake()

    def _check(self) -> None:
        if (self._is_whole or self._is_followed) and all(w.synced.is_set() for w in self.watches):
            self.synced.set()

    def _add(self, share: Share | None) -> None:
        number = len(self.watches)

        def view(body: bytes) -> LeaseView | None:
            lease = decode_lease(body)
            is_ours = share is None or share.has(lease.metadata.labels or {})
            return view_lease(lease) if is_ours else None

        def changed(old: LeaseView | None, new: LeaseView | None) -> None:
            if new is not None:
                self._shown(number, new)
            elif old is not None:
                self._hidden(number, old)

        node = self._settings.node
        selector = () if share is None else (("labelSelector", share.selector(node)),)
        source = Source(
            path=f"/apis/coordination.k8s.io/v1/namespaces/{self._settings.namespace}/leases",
            view=view,
            selector=selector,
            longest_silence=LONGEST_SILENCE * self._settings.lease_seconds,
        )
        self.watches.append(Informer(self._kube, source, changed, self._clock))

    def _shown(self, number: int, lease: LeaseView) -> None:
        known = self._known.get(lease.node)
        self._known[lease.node] = number, lease
        self._on_change(None if known is None else known[1], lease)

    def _hidden(self, number: int, lease: LeaseView) -> None:
        known = self._known.get(lease.node)
        if known is None or known[0] != number:
            return  # another watch shows it by now
        del self._known[lease.node]
        # A Lease without labels of ours that goes is gone, or shown by another watch at once.
        if number == 0 or lease.is_released:
            self._on_change(lease, None)
        else:
            self._on_left(lease)
