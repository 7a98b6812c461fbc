"""Frames that pass the kernel's filter, and those that do not."""

import asyncio
import os
import socket
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from nodeagent.core.claims import (
    ETHERTYPES,
    MOST_BLOCKS,
    Claim,
    block_of,
    filter_for,
    filter_of_all,
    read_claim,
)
from nodeagent.core.packets import Arp, arp_frame, arp_probe, dad_frame, na_frame
from purelb.api.addresses import Family
from purelb.api.identifiers import LinkName
from purelb.runtime.errors import PermanentError, TransientError
from purelb.runtime.listener import MOST_FRAMES, FrameListener
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


OPTION_MEMORY = Path("/proc/sys/net/core/optmem_max")


def test_a_filter_that_finds_no_memory_gives_way_to_a_simpler_one(far_namespace: Namespace) -> None:
    """Before Linux 6.8 a socket has 20 KiB for filters: the agent must not end for that."""
    if not OPTION_MEMORY.exists() or not os.access(OPTION_MEMORY, os.W_OK):
        pytest.skip("this kernel has no such limit of its own for a network namespace (6.8)")

    with far_namespace.entered():
        OPTION_MEMORY.write_text("20480")

    async def scenario() -> tuple[list[Claim | None], list[Claim | None]]:
        with far_namespace.entered():
            index = socket.if_nametoindex(PEER0)
            listener = FrameListener(
                PEER0, index, ETHERTYPES[Family.IPV4], filter_for(Family.IPV4, ())
            )
        try:
            first, everything = block_of(FAR4) + 1000, filter_of_all(Family.IPV4)
            listener.attach(filter_for(Family.IPV4, range(first, first + 700)), everything)
            with PacketSender(ETH0) as sender:
                sender.send(FRAMES)
                few = [read_claim(frame) for frame in listener.receive()]
                listener.attach(filter_for(Family.IPV4, range(first, first + 2000)), everything)
                sender.send(FRAMES)
                return few, [read_claim(frame) for frame in listener.receive()]
        finally:
            listener.close()

    few, all_ = asyncio.run(scenario())
    assert few == []
    assert [claim.address for claim in all_ if claim] == [FAR4, FAR4, V4, V4]


def test_a_flood_of_frames_leaves_the_loop_its_turn(far_namespace: Namespace) -> None:
    """Whoever floods a network must not keep a node from renewing its Lease."""

    async def scenario() -> int:
        with far_namespace.entered():
            index, everything = socket.if_nametoindex(PEER0), filter_of_all(Family.IPV4)
            listener = FrameListener(PEER0, index, ETHERTYPES[Family.IPV4], everything)
        received = 0
        try:
            with PacketSender(ETH0) as sender:
                sender.send(FRAMES)
                for _ in listener.receive():
                    received += 1
                    sender.send(FRAMES)  # faster than anybody reads
                    if received > 2 * MOST_FRAMES:
                        break
        finally:
            listener.close()
        return received

    assert asyncio.run(scenario()) == MOST_FRAMES


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


def test_a_listener_that_rests_takes_in_together_what_arrives_meanwhile(
    far_namespace: Namespace,
) -> None:
    """And is called no more once it is closed."""

    async def scenario() -> list[int]:
        with far_namespace.entered():
            index = socket.if_nametoindex(PEER0)
            program = filter_of_all(Family.IPV4)
            listener = FrameListener(PEER0, index, ETHERTYPES[Family.IPV4], program)
        calls, done = list[int](), asyncio.Event()

        def take() -> None:
            calls.append(len(list(listener.receive())))
            listener.rest(0.5)
            if sum(calls) == 12:
                done.set()

        listener.on_readable(take)
        with PacketSender(ETH0) as sender:
            for _ in range(3):
                sender.send(FRAMES)
                await asyncio.sleep(0.01)
        async with asyncio.timeout(SECONDS):
            await done.wait()
        listener.close()
        return calls

    assert len(asyncio.run(scenario())) == 2
