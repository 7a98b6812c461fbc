"""What `garpConfig` does on the wire."""

import itertools
import time

from playground.api import path_of
from tests.netns.agentscene import SECONDS, Scene, play
from tests.netns.capture import listening

EAR = "router"
AGENT = path_of("LBNodeAgent", "purelb-system", "default")


async def configure(stage: Scene, **config: object) -> None:
    """Set `garpConfig`; agents announce everything anew when they hear of it."""
    await stage.cluster.api.patch(AGENT, {"spec": {"local": {"garpConfig": config}}})


def test_addresses_are_announced_again_and_again_by_their_holder_alone() -> None:
    """One transmission of each per interval, after the burst."""

    async def work(stage: Scene) -> None:
        v4, v6 = await stage.service("web", "IPv4", "IPv6")
        async with listening(stage.cluster, EAR) as heard:
            await configure(stage, count=1, refreshInterval="1s")
            for address, forms in ((v4, 2), (v6, 1)):
                node = await stage.placed(address)
                await heard.wait_for(address, 5 * forms)
                frames = heard.about(address)
                nic = stage.cluster.topology.node(node).main
                assert {frame.by for frame in frames} == {nic.mac}
                times = [frame.at for frame in frames[::forms]]
                assert times[4] - times[1] > 2.0, "more often than asked for"

    play(work)


def test_nothing_is_sent_at_all_where_that_is_switched_off() -> None:
    """No announcement, no question; the kernel's own duplicate detection stays."""

    async def work(stage: Scene) -> None:
        async with listening(stage.cluster, EAR) as heard:
            await configure(stage, enabled=False)
            # An address from before shows when the agents have heard of it.
            for number in itertools.count():
                v4, v6 = await stage.service(f"web-{number}", "IPv4", "IPv6")
                await heard.until(time.time() + 1.0)
                if not heard.about(v4) and not heard.probes(v4):
                    break
                assert number < SECONDS
            assert heard.probes(v6) != []
            await heard.until(time.time() + 1.5)
            assert heard.about(v6) == []

    play(work)
