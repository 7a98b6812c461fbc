"""What the node agent's loop is told of heartbeats as they arrive, on a real link."""

import asyncio
import socket
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path

from nodeagent.core import datagrams
from nodeagent.core.beats import Beat, Standing, encode
from nodeagent.core.networks import Network
from nodeagent.shell.heartbeats import Heartbeats, Saying
from nodeagent.shell.heartkeys import KeyFile
from nodeagent.shell.wire import WireAsker
from purelb.api.addresses import IPAddress, parse_ip
from purelb.api.identifiers import LinkName, NodeName
from purelb.api.links import Link
from purelb.runtime.clock import BootClock
from purelb.runtime.packets import PacketSender
from tests.netns.conftest import Namespace

SECONDS, STEP, CALM = 30.0, 0.05, 1.0  # the most to wait; between heartbeats; without any news
KEY = b"k" * 32
ME, PEER = NodeName("node-a"), NodeName("node-b")
ETH0, PEER0 = LinkName("eth0"), LinkName("peer0")
OWN, FAR = IPv4Address("192.0.2.11"), IPv4Address("192.0.2.12")
FAR_MAC = bytes.fromhex("02a700000002")
WEB = parse_ip("192.0.2.200")


class Peer:
    """Another node that sends heartbeats, with nothing new in them unless told."""

    def __init__(self, far: Namespace) -> None:
        with far.entered():
            self._sender = PacketSender(PEER0)
            self._sender.open()
        self.claims: Mapping[IPAddress, int] = {}
        self._sequence = 0

    async def speak(self) -> None:
        """Send until cancelled."""
        while True:
            self._sequence += 1
            beat = Beat(
                node=PEER,
                incarnation=1,
                sequence=self._sequence,
                standing=Standing.HELD,
                fresh_for=9.0,
                claims=self.claims,
            )
            self._sender.send((datagrams.frame(encode(beat, KEY), FAR_MAC, FAR),))
            await asyncio.sleep(STEP)

    def close(self) -> None:
        """Close the socket."""
        self._sender.close()


def test_the_loop_is_told_at_once_that_another_node_took_over(
    far_namespace: Namespace, tmp_path: Path
) -> None:
    """By nothing but the claim: all else that the other node says is as before."""
    (tmp_path / "key").write_bytes(KEY)
    news = asyncio.Event()

    async def scenario() -> None:
        clock = BootClock()
        asker = WireAsker(clock, news.set)
        beats = Heartbeats(ME, clock, KeyFile(str(tmp_path / "key")), asker, news.set)
        saying = Saying(standing=Standing.HELD, is_empty=False, fresh_for=9.0, epoch=0, claims={})
        beats.connect(lambda _: saying, lambda: None)
        index = socket.if_nametoindex(ETH0)
        mac = bytes.fromhex("02a700000001")
        link = Link(index=index, name=ETH0, mac=mac, is_up=True, has_carrier=True)
        beats.follow([Network(link=link, source=OWN, members=frozenset({PEER}))], frozenset())
        peer = Peer(far_namespace)
        tasks = [asyncio.create_task(work) for work in (beats.run(), peer.speak())]
        try:
            async with asyncio.timeout(SECONDS):
                while await happens(news, CALM) or beats.counts.heard == 0:
                    pass
            peer.claims = {WEB: 7}
            assert await happens(news, SECONDS)
            assert beats.claims()[WEB].node == PEER
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            beats.close()
            peer.close()

    asyncio.run(scenario())


async def happens(event: asyncio.Event, seconds: float) -> bool:
    """Wait so long for an event, and forget it; tells whether it came."""
    event.clear()
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
