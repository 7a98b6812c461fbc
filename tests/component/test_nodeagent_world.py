"""What the node agent may conclude from what it has heard of the API server."""

import asyncio

import pytest

from nodeagent.settings import load
from nodeagent.shell.waker import Waker
from nodeagent.shell.world import WorldStore
from purelb.api.identifiers import Instant
from purelb.runtime.credentials import Access
from purelb.runtime.kube import Kube

SETTINGS = load(
    ["--lease-duration", "10s"], {"PURELB_NODE_NAME": "node-a", "PURELB_NAMESPACE": "purelb-system"}
)


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.at = 100.0

    def now(self) -> Instant:
        """Return the time that was set."""
        return self.at

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        raise AssertionError("nobody waits here")


@pytest.mark.parametrize(("silence", "fresh"), [(4.9, 90.0), (5.1, None)])
def test_a_watch_that_is_silent_for_longer_than_renewals_take_is_blind(
    silence: float, fresh: float | None
) -> None:
    """A neighbor's renewals may be what it missed: nobody is judged by it."""
    clock = Clock()
    kube = Kube(Access(server="http://192.0.2.2:6443"), "test")
    world = WorldStore(kube, clock, SETTINGS, Waker(clock))
    (watch,) = world.lease_watch.watches
    watch.whole_since, watch.heard_at = 90.0, 100.0
    clock.at += silence
    assert world.fresh_since() == fresh
