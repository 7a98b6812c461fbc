"""Knows what this node says of itself in heartbeats.

Belongs here: what passes leave to say, between them too. Does not: sending it (`heartbeats`), what
follows from what others say (`core.peers`).
"""

from collections.abc import Mapping, Sequence

from nodeagent.core.election import Electorate
from nodeagent.core.installed import Outcome
from nodeagent.core.links import Observed
from nodeagent.core.networks import claims_after, networks, occupied, standing
from nodeagent.core.ops import AddAddress, Op, RemoveAddress
from nodeagent.core.verdicts import DesiredState
from nodeagent.shell.heartbeats import Heartbeats, Saying
from nodeagent.shell.keeping import Keeping
from nodeagent.shell.leases import LeaseKeeper
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import NodeName
from purelb.api.links import DefaultRoute
from purelb.runtime.clock import Clock


class Speaker:
    """Owns what this node claims, and on which links it may have an address."""

    def __init__(
        self,
        me: NodeName,
        keeper: LeaseKeeper,
        keeping: Keeping,
        beats: Heartbeats,
        clock: Clock,
    ) -> None:
        self._me, self._keeper, self._keeping = me, keeper, keeping
        self._beats, self._clock = beats, clock
        self._occupied: frozenset[int] = frozenset()  # links that may have an address of ours
        self._claims: Mapping[IPAddress, tuple[int, int]] = {}
        self._epoch = 0  # the highest of our own

    @property
    def epoch(self) -> int:
        """The highest of any claim that was ever heard of, our own ones included."""
        return max(self._epoch, self._beats.epoch)

    def begin(self, observed: Observed) -> None:
        """Take in what is in place before a pass changes anything.

        Heartbeats go on during a pass, and whoever says to have nothing is replaced at once.
        """
        self._occupied |= occupied(observed)

    def expect(self, observed: Observed, ops: Sequence[Op]) -> None:
        """Take in what a pass is about to do."""
        self._occupied = occupied(observed, ops)

    def follow(
        self,
        desired: DesiredState,
        electorate: Electorate,
        routes: Sequence[DefaultRoute],
        expired: frozenset[NodeName],
    ) -> None:
        """Speak on the networks that this node is in; `expired` are nodes without a Lease."""
        nics, joined = desired.selection.nics, desired.memory.joined
        found = networks(nics, electorate, routes, self._me, joined)
        self._beats.follow(found, expired)

    def claim(self, desired: DesiredState, outcomes: Sequence[Outcome]) -> None:
        """Tell at once what a pass has changed."""
        claims = claims_after(self._claims, desired) if desired.is_whole else self._claims
        has_moved = any(isinstance(one.op, AddAddress | RemoveAddress) for one in outcomes)
        if claims is not self._claims or has_moved:
            self._claims = claims
            self._epoch = max(self._epoch, *(epoch for _, epoch in claims.values()), 0)
            self._beats.hurry()

    def say(self, index: int) -> Saying:
        """Return what a heartbeat on a link says now."""
        now, fresh_since = self._clock.now(), self._keeping.fresh_since()
        return Saying(
            standing=standing(self._keeper.lease, now),
            is_empty=index not in self._occupied,
            fresh_for=0.0 if fresh_since is None else now - fresh_since,
            epoch=self.epoch,
            claims={a: epoch for a, (link, epoch) in self._claims.items() if link == index},
        )
