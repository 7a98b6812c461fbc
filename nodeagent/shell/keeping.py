"""Whether this node has the API, and what heartbeats do for its right while it has not.

Belongs here: bringing together the watch, the renewals and what is heard. Does not: the rules
(`core.contact`, `core.fence`), renewals (`leases`). Asked by each pass and before each heartbeat.
"""

from nodeagent.core.fence import may_keep
from nodeagent.shell.heartbeats import Heartbeats
from nodeagent.shell.leases import LeaseKeeper
from nodeagent.shell.world import WorldStore
from purelb.api.identifiers import Instant
from purelb.runtime.clock import Clock


class Keeping:
    """Owns nothing but the memory of what was told."""

    def __init__(
        self, world: WorldStore, keeper: LeaseKeeper, beats: Heartbeats, clock: Clock
    ) -> None:
        self._world, self._keeper, self._beats, self._clock = world, keeper, beats, clock
        self._had_api = False

    def fresh_since(self) -> Instant | None:
        """Return since when no change of a Lease can have escaped us; None if one may now."""
        since = self._world.fresh_since()
        if not self._beats.is_on:
            return since
        return self._keeper.contact.whole_since(since, self._clock.now())

    def keep(self) -> None:
        """Let a quorum stand in for renewals while the API is away, and tell at once if it is."""
        now, reach = self._clock.now(), self._beats.reach.values()
        self._keeper.alarm(now, is_alarmed=any(one.is_alarmed for one in reach))
        has_api = self.fresh_since() is not None
        if not has_api and may_keep(reach):
            self._keeper.keep(now)
        if self._had_api and not has_api:
            self._beats.hurry()
        self._had_api = has_api
