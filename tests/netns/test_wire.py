"""What is on the wire: who says which address is where, how often, and who is silent."""

import asyncio
import re
import sys
import time

from playground.api import path_of
from playground.http import Reply
from playground.topology import Interface
from tests.netns.agentscene import SECONDS, Scene, play
from tests.netns.capture import listening

EAR = "router"  # hears every broadcast of the nodes' segment
OWNER = "control"  # a host that runs no agent
PIN = "purelb.io/addresses"
FAMILIES = (("IPv4", "192.0.2.240"), ("IPv6", "2001:db8:0:1::240"))


async def pinned(stage: Scene, name: str, family: str, address: str) -> None:
    """Create a Service that must have an address; it may never be announced."""
    await stage.cluster.api.create(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": "default", "annotations": {PIN: address}},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], "ipFamilies": [family]},
        }
    )


async def event(stage: Scene, reason: str, *texts: str) -> str:
    """Wait for an Event with these pieces and return its message."""
    async with asyncio.timeout(SECONDS):
        async for _, found in stage.cluster.api.watch(path_of("Event", "default")):
            if found["reason"] == reason and all(text in found["message"] for text in texts):
                message: str = found["message"]
                return message
    raise AssertionError("the watch ended")


async def gone(stage: Scene, address: str) -> None:
    """Wait until no node has an address."""
    assert await stage.watch.wait(lambda: not stage.watch.nodes_with(address), SECONDS)


async def other(stage: Scene, node: str) -> str:
    """Return the name of some other node."""
    return next(name for name in stage.cluster.nodes if name != node)


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


def test_other_hosts_are_asked_before_an_ipv4_address_is_used() -> None:
    """Three questions of nobody, an announcement, two late ones; the kernel asks for IPv6."""

    async def work(stage: Scene) -> None:
        async with listening(stage.cluster, EAR) as heard:
            v4, v6 = await stage.service("web", "IPv4", "IPv6")
            for address in (v4, v6):
                await heard.wait_for(address, 1)
            first = heard.about(v4)[0]
            asked = [frame for frame in heard.probes(v4) if frame.at < first.at]
            await heard.until(asked[0].at + 2.0)
            assert len(heard.probes(v4)) == 5
            assert len(asked) >= 3
            assert {frame.by for frame in asked} == {first.by}
            assert any(frame.at < heard.about(v6)[0].at for frame in heard.probes(v6))
            print(f"asked {1000 * (first.at - asked[0].at):.1f} ms before the first announcement")

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


def test_an_address_that_another_host_has_is_reported_and_not_taken() -> None:
    """No node adds or announces it while its owner is there, who is named; later one does."""

    async def work(stage: Scene) -> None:
        owner = stage.cluster.topology.machine(OWNER).main
        async with listening(stage.cluster, EAR) as heard:
            for family, address in FAMILIES:
                length = 32 if family == "IPv4" else 128
                place = (f"{address}/{length}", "dev", "eth0")
                nodad = ("nodad",) if family == "IPv6" else ()
                await stage.cluster.run(OWNER, "ip", "address", "add", *place, *nodad)
                await pinned(stage, f"taken-{family.lower()}", family, address)
                message = await event(stage, "AnnouncementFailed", address, owner.mac)
                print(message)
                await heard.until(time.time() + 1.0)
                assert heard.about(address) == [] or family == "IPv6"
                assert {frame.by for frame in heard.about(address)} <= {owner.mac}
                assert not stage.watch.nodes_with(address)
                await stage.cluster.run(OWNER, "ip", "address", "del", *place)
                await stage.placed(address)
                await event(stage, "AnnouncingLocal", address)

    play(work)


def test_a_host_that_takes_a_held_address_gets_it_after_it_insists() -> None:
    """One claim is answered by one announcement; a second one ends it, and no fight follows."""

    async def work(stage: Scene) -> None:
        owner = stage.cluster.topology.machine(OWNER).main
        async with listening(stage.cluster, EAR) as heard:
            (address,) = await stage.service("web")
            node = await stage.placed(address)
            await heard.wait_for(address, 6)
            place = (f"{address}/32", "dev", "eth0")
            await stage.cluster.run(OWNER, "ip", "address", "add", *place)
            await _claim(stage, address)
            await heard.wait_for(address, 8, _nic(stage, node))
            assert stage.watch.nodes_with(address) == (node,)
            await asyncio.sleep(0.6)
            await _claim(stage, address)
            await gone(stage, address)
            await event(stage, "AnnouncementFailed", address, owner.mac)
            await stage.until_slot("web", "IPv4", "")
            ended = stage.watch.lost[node, address]
            await heard.until(time.time() + 1.0)
            assert [f for f in heard.about(address, _nic(stage, node)) if f.at > ended] == []
            await stage.cluster.run(OWNER, "ip", "address", "del", *place)
            assert await stage.placed(address) == node

    play(work)


def test_another_node_of_ours_that_has_an_address_is_no_stranger() -> None:
    """Its MAC is in its Lease: what it says moves nothing and is not reported."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        node = await stage.placed(address)
        peer = await other(stage, node)
        for _ in range(2):
            await _claim(stage, address, peer)
            await asyncio.sleep(0.6)
        assert stage.watch.nodes_with(address) == (node,)
        assert (node, address) not in stage.watch.lost

    play(work)


def test_an_ipv6_address_that_another_node_still_has_is_waited_for() -> None:
    """The kernel calls it a duplicate; that is no stranger's, so nobody is told."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web", "IPv6")
        node = await stage.placed(address)
        peer = await other(stage, node)
        await stage.cluster.api.delete(path_of("Service", "default", "web"))
        await gone(stage, address)
        place = (f"{address}/128", "dev", "eth0")
        await stage.cluster.run(peer, "ip", "address", "add", *place, "nodad")
        await pinned(stage, "again", "IPv6", address)
        url = f"http://{_nic(stage, node).v4.ip}:7472/metrics"
        await stage.cluster.wait_answer(url, machine=node, accept=_has_failed, seconds=SECONDS)
        await stage.cluster.run(peer, "ip", "address", "del", *place)
        assert await stage.placed(address) == node
        events = await stage.cluster.api.items("Event", "default")
        assert "AnnouncementFailed" not in [found["reason"] for found in events]

    play(work)


def _has_failed(metrics: Reply) -> bool:
    found = re.search(rb"^purelb_lbnodeagent_dad_failures_total (\S+)", metrics.body, re.MULTILINE)
    return found is not None and float(found[1]) > 0


def test_questions_of_others_do_not_move_a_held_address() -> None:
    """Some switches ask for every address again and again, on behalf of nobody."""

    async def work(stage: Scene) -> None:
        async with listening(stage.cluster, EAR) as heard:
            (address,) = await stage.service("web")
            node = await stage.placed(address)
            await heard.wait_for(address, 6)
            for _ in range(3):
                await _claim(stage, address, source="0.0.0.0")
                await asyncio.sleep(0.6)
            assert len(heard.about(address)) == 6
            assert (node, address) not in stage.watch.lost

    play(work)


def test_a_host_that_only_asks_for_an_address_delays_it_and_does_not_own_it() -> None:
    """It asks on behalf of nobody while nodes do; the address is tried again, nobody is blamed."""

    async def work(stage: Scene) -> None:
        _, address = FAMILIES[0]
        mac = stage.cluster.topology.machine(OWNER).main.mac
        command = (sys.executable, "-c", CLAIM, "0.0.0.0", address, mac, "2000")
        async with listening(stage.cluster, EAR) as heard:
            async with stage.cluster.running(OWNER, *command):
                await heard.wait_for_probe(address, mac)
                await pinned(stage, "wished", "IPv4", address)
                await stage.placed(address)
            await heard.until(time.time() + 2.0)  # one series of questions is five, the last late
            ours = [frame for frame in heard.probes(address) if frame.by != mac]
            assert len(ours) > 5, "one series of questions was enough"
        events = await stage.cluster.api.items("Event", "default")
        assert "AnnouncementFailed" not in [found["reason"] for found in events]

    play(work)


def test_a_host_that_only_asks_for_an_ipv6_address_delays_it_and_does_not_own_it() -> None:
    """The kernel takes that for a duplicate, whoever asked."""

    async def work(stage: Scene) -> None:
        _, address = FAMILIES[1]
        mac = stage.cluster.topology.machine(OWNER).main.mac
        async with listening(stage.cluster, EAR) as heard:
            asking = (sys.executable, "-c", DETECTION, address, mac)
            async with stage.cluster.running(OWNER, *asking):
                await heard.wait_for_probe(address, mac)
                await pinned(stage, "wished", "IPv6", address)
                urls = [f"http://{_nic(stage, n).v4.ip}:7472/metrics" for n in stage.cluster.nodes]
                await _any_failed(stage, urls)
            await stage.placed(address)
        events = await stage.cluster.api.items("Event", "default")
        assert "AnnouncementFailed" not in [found["reason"] for found in events]

    play(work)


async def _any_failed(stage: Scene, urls: list[str]) -> None:
    """Wait until the kernel of any node has found a duplicate."""
    waits = [
        asyncio.create_task(
            stage.cluster.wait_answer(url, machine=node, accept=_has_failed, seconds=SECONDS)
        )
        for node, url in zip(stage.cluster.nodes, urls, strict=True)
    ]
    done, others = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.wait(waits)
    assert all(task.exception() is None for task in done)


DETECTION = """
import socket, sys, time
from nodeagent.core.packets import probe_frame
from purelb.api.addresses import parse_ip
frame = probe_frame(bytes.fromhex(sys.argv[2].replace(":", "")), parse_ip(sys.argv[1]))
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
    sender.bind(("eth0", 0))
    while True:
        sender.send(frame)
        time.sleep(0.7)  # detection takes longer, and the search for its owner less
"""


def _nic(stage: Scene, node: str) -> Interface:
    return stage.cluster.topology.node(node).main


CLAIM = """
import socket, struct, sys, time
source, address = map(socket.inet_aton, sys.argv[1:3])
mac = bytes.fromhex(sys.argv[3].replace(":", ""))
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
    sender.bind(("eth0", 0))
    head = b"\\xff" * 6 + mac + b"\\x08\\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 1)
    for _ in range(int(sys.argv[4])):
        sender.send(head + mac + source + bytes(6) + address)
        time.sleep(0.001)
"""


async def _claim(
    stage: Scene, address: str, machine: str = OWNER, source: str | None = None
) -> None:
    """Let a machine say that it has an address, or ask for it on behalf of nobody."""
    mac = stage.cluster.topology.machine(machine).main.mac
    await stage.cluster.run(
        machine, sys.executable, "-c", CLAIM, source or address, address, mac, "1"
    )
