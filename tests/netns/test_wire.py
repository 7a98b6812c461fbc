"""What is on the wire: who says which address is where, how often, and who is silent."""

import time

from playground.api import path_of
from tests.netns.capture import listening
from tests.netns.test_nodeagent import SECONDS, Scene, play

EAR = "router"  # hears every broadcast of the nodes' segment


async def gone(stage: Scene, address: str) -> None:
    """Wait until no node has an address."""
    assert await stage.watch.wait(lambda: not stage.watch.nodes_with(address), SECONDS)


def test_the_holder_and_nobody_else_announces_an_address_of_each_family() -> None:
    """Three rounds, half a second apart: both ARP forms, or an advertisement; by the NIC itself."""

    async def work(stage: Scene) -> None:
        async with listening(stage.cluster, EAR) as heard:
            v4, v6 = await stage.service("web", "IPv4", "IPv6")
            for address, kinds in ((v4, ["arp-request", "arp-reply"]), (v6, ["advertisement"])):
                node = await stage.placed(address)
                nic = stage.cluster.topology.node(node).main
                rounds = 3 * len(kinds)
                await heard.wait_for(address, rounds)
                found = heard.about(address)[:rounds]
                assert [frame.kind for frame in found] == 3 * kinds
                assert {(frame.by, frame.mac) for frame in found} == {(nic.mac, nic.mac)}
                times = [frame.at for frame in found[:: len(kinds)]]
                assert times[1] - times[0] > 0.4
                assert times[2] - times[1] > 0.4
                if address == v6:
                    assert {frame.flags for frame in found} == {1}  # Override alone
                    assert {frame.source for frame in found} == {str(nic.link_local.ip)}
            await heard.until(time.time() + 2.0)
            assert len(heard.about(v4)) == 6
            assert len(heard.about(v6)) == 3

    play(work)


def test_a_link_that_was_down_and_an_address_that_was_removed_are_announced_anew() -> None:
    """A switch forgets what it learned from a port that goes down."""

    async def work(stage: Scene) -> None:
        async with listening(stage.cluster, EAR) as heard:
            (address,) = await stage.service("web")
            node = await stage.placed(address)
            await heard.wait_for(address, 6)
            await stage.cluster.flap(node, seconds=0.0)
            await heard.wait_for(address, 12)
            await stage.cluster.run(node, "ip", "address", "del", f"{address}/32", "dev", "eth0")
            await heard.wait_for(address, 18)
            assert {frame.by for frame in heard.about(address)} == {
                stage.cluster.topology.node(node).main.mac
            }

    play(work)


def test_nothing_is_sent_for_an_address_that_was_withdrawn() -> None:
    """Not even what was left of its burst; nor by a node that lost it while its burst went on."""

    async def work(stage: Scene) -> None:
        async with listening(stage.cluster, EAR) as heard:
            for number in range(3):
                name = f"brief-{number}"
                v4, v6 = await stage.service(name, "IPv4", "IPv6")
                await heard.wait_for(v4, 1)
                await stage.cluster.api.delete(path_of("Service", "default", name))
                for address in (v4, v6):
                    await gone(stage, address)
                ended = {
                    address: max(at for (_, x), at in stage.watch.lost.items() if x == address)
                    for address in (v4, v6)
                }
                await heard.until(time.time() + 1.5)
                for address, at in ended.items():
                    late = [frame for frame in heard.about(address) if frame.at > at]
                    assert late == []
                stage.watch.lost.clear()
                heard.frames.clear()

    play(work)


def test_a_node_that_hands_an_address_over_is_silent_from_then_on() -> None:
    """The successor announces it, and only from when the other has let go."""

    async def work(stage: Scene) -> None:
        async with listening(stage.cluster, EAR) as heard:
            (address,) = await stage.service("web")
            node = await stage.placed(address)
            assert await stage.cluster.stop(f"nodeagent-{node}") == 0
            heir = await stage.placed(address)
            nics = {name: stage.cluster.topology.node(name).main for name in (node, heir)}
            await heard.wait_for(address, 6, nics[heir])
            ended = stage.watch.lost[node, address]
            assert all(frame.at <= ended for frame in heard.about(address, nics[node]))
            assert all(frame.at >= ended for frame in heard.about(address, nics[heir]))

    play(work)
