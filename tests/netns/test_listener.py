"""Frames that pass the kernel's filter, and those that do not."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address

import pytest

from nodeagent.core.claims import ETHERTYPES, MOST_BLOCKS, Claim, block_of, filter_for, read_claim
from nodeagent.core.packets import Arp, arp_frame, arp_probe, dad_frame, na_frame
from purelb.api.addresses import Family
from purelb.api.identifiers import LinkName
from purelb.runtime.errors import PermanentError, TransientError
from purelb.runtime.listener import FrameListener
from purelb.runtime.packets import PacketSender
from tests.netns.conftest import Namespace, unprivileged

SECONDS = 30.0
ETH0, PEER0 = LinkName("eth0"), LinkName("peer0")
MAC = bytes.fromhex("02a700000001")
LOCAL = IPv6Address("fe80::1")
V4, FAR4 = IPv4Address("192.0.2.10"), IPv4Address("192.0.2.99")
V6, FAR6 = IPv6Address("2001:db8::10"), IPv6Address("2001:db8::99")
FRAMES = (
    arp_frame(MAC, FAR4, Arp.REQUEST),
    na_frame(MAC, FAR6, LOCAL),
    arp_probe(MAC, FAR4),
    dad_frame(MAC, FAR6),
    arp_frame(MAC, V4, Arp.REPLY),
    na_frame(MAC, V6, LOCAL),
    arp_probe(MAC, V4),
    dad_frame(MAC, V6),
)


async def heard(far: Namespace, family: Family, program: bytes, count: int) -> list[Claim | None]:
    """Send all frames, and return the first claims that are heard at the far end."""
    with far.entered():
        index = socket.if_nametoindex(PEER0)
        listener = FrameListener(PEER0, index, ETHERTYPES[family], program)
    found: list[Claim | None] = []
    arrived = asyncio.Event()

    def take() -> None:
        found.extend(read_claim(frame) for frame in listener.receive())
        if len(found) >= count:
            arrived.set()

    listener.on_readable(take)
    try:
        with PacketSender(ETH0) as sender:
            sender.send(FRAMES)
        async with asyncio.timeout(SECONDS):
            await arrived.wait()
    finally:
        listener.close()
    return found


@pytest.mark.parametrize(("family", "address"), [(Family.IPV4, V4), (Family.IPV6, V6)])
def test_only_claims_to_addresses_in_question_are_heard(
    far_namespace: Namespace, family: Family, address: IPv4Address | IPv6Address
) -> None:
    """The kernel drops the others, and the other family."""
    program = filter_for(family, {block_of(address)})
    found = asyncio.run(heard(far_namespace, family, program, 2))
    assert found == [Claim(address, MAC), Claim(address, MAC, is_probe=True)]


@pytest.mark.parametrize("count", [MOST_BLOCKS, MOST_BLOCKS + 1])
def test_the_kernel_takes_the_longest_filter(far_namespace: Namespace, count: int) -> None:
    """Beyond that every claim is heard; the addresses here are in the first block or in none."""
    blocks = range(block_of(V4), block_of(V4) + count)
    found = asyncio.run(heard(far_namespace, Family.IPV4, filter_for(Family.IPV4, blocks), 4))
    assert [claim.address for claim in found if claim] == [FAR4, FAR4, V4, V4]


def test_a_link_that_is_gone_or_another_one_is_an_error(far_namespace: Namespace) -> None:
    """The next pass knows better."""
    program = filter_for(Family.IPV4, ())
    with pytest.raises(TransientError, match="nic9"):
        FrameListener(LinkName("nic9"), 9, ETHERTYPES[Family.IPV4], program)
    with pytest.raises(TransientError, match="made anew"):
        FrameListener(ETH0, 99, ETHERTYPES[Family.IPV4], program)


def test_hearing_needs_a_capability(far_namespace: Namespace) -> None:
    """Without it nothing is asked either."""
    with unprivileged(), pytest.raises(PermanentError, match="CAP_NET_RAW"):
        FrameListener(ETH0, 2, ETHERTYPES[Family.IPV4], filter_for(Family.IPV4, ()))
