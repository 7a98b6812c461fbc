"""Frames that claim an address, read byte by byte."""

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeagent.core.claims import MOST_BLOCKS, Claim, block_of, filter_for, read_claim
from nodeagent.core.packets import Arp, arp_frame, arp_probe, dad_frame, na_frame, probe_frame
from purelb.api.addresses import Family
from tests.unit.nodeagent.builders import VIP, VIP6

MAC = bytes.fromhex("020000000001")
V4, V6 = IPv4Address(str(VIP)), IPv6Address(str(VIP6))
LOCAL = IPv6Address("fe80::1")


@pytest.mark.parametrize(
    ("frame", "claim"),
    [
        (arp_frame(MAC, V4, Arp.REQUEST), Claim(VIP, MAC)),
        (arp_frame(MAC, V4, Arp.REPLY), Claim(VIP, MAC)),
        (arp_probe(MAC, V4), Claim(VIP, MAC, is_probe=True)),
        (na_frame(MAC, V6, LOCAL), Claim(VIP6, MAC)),
        (dad_frame(MAC, V6), Claim(VIP6, MAC, is_probe=True)),
    ],
)
def test_each_form_names_the_address_and_who_claims_it(frame: bytes, claim: Claim) -> None:
    """Its sender's, the target of a probe, or the target of an advertisement."""
    assert read_claim(frame) == claim


def test_an_advertisement_without_option_is_by_the_sender_of_its_frame() -> None:
    """An answer to a question from an address may leave the option out."""
    assert read_claim(na_frame(MAC, V6, LOCAL)[:78]) == Claim(VIP6, MAC)


@pytest.mark.parametrize(
    "frame",
    [
        arp_probe(MAC, V4)[:41],
        na_frame(MAC, V6, LOCAL)[:77],
        b"\xff" * 12 + b"\x08\x00" + bytes(64),
        arp_probe(MAC, V4).replace(b"\x08\x00\x06\x04", b"\x08\x01\x06\x04"),
        na_frame(MAC, V6, LOCAL)[:21] + b"\x40" + na_frame(MAC, V6, LOCAL)[22:],
        na_frame(MAC, V6, LOCAL)[:54] + b"\x85" + na_frame(MAC, V6, LOCAL)[55:],
        dad_frame(MAC, V6)[:22] + LOCAL.packed + dad_frame(MAC, V6)[38:],
    ],
    ids=["short", "short6", "other", "not IPv4", "from afar", "router", "resolution"],
)
def test_everything_else_claims_nothing(frame: bytes) -> None:
    """Malformed, from another segment, or about something else."""
    assert read_claim(frame) is None


@given(frame=st.binary(max_size=120))
def test_no_frame_is_an_error(frame: bytes) -> None:
    """Anybody can send anything."""
    for ethertype in (b"\x08\x06", b"\x86\xdd", b""):
        read_claim(frame[:12] + ethertype + frame[12:])


def test_a_question_from_nobody_goes_to_the_solicited_node_group() -> None:
    """ff02::1:ff00:100 for ...:100, and the MAC that belongs to it (RFC 4291, RFC 2464)."""
    frame = dad_frame(MAC, V6)
    assert frame[:6].hex() == "3333ff000100"
    assert frame[38:54] == IPv6Address("ff02::1:ff00:100").packed
    assert (frame[22:38], frame[54], frame[62:78]) == (bytes(16), 135, V6.packed)
    assert probe_frame(MAC, VIP6) == frame
    assert probe_frame(MAC, VIP) == arp_probe(MAC, V4)


def run(program: bytes, frame: bytes) -> bool:
    """Tell whether a classic BPF program passes a frame."""
    steps = list(struct.iter_unpack("=HBBI", program))
    at = value = 0
    while True:
        code, then, otherwise, operand = steps[at]
        at += 1
        match code:
            case 0x20:
                value = int.from_bytes(frame[operand : operand + 4])
            case 0x30:
                value = frame[operand]
            case 0x74:
                value >>= operand
            case 0x15:
                at += then if value == operand else otherwise
            case 0x06:
                return bool(operand)
            case _:
                raise AssertionError(code)


@given(numbers=st.sets(st.integers(0, 1 << 12), max_size=40), asked=st.integers(0, 1 << 12))
def test_the_filter_passes_exactly_the_claims_to_blocks_in_question(
    numbers: set[int], asked: int
) -> None:
    """In both families, and each form of frame."""
    first4, first6 = int(IPv4Address("192.0.0.0")), int(IPv6Address("2001:db8::"))
    blocks4 = {block_of(IPv4Address(first4 + number)) for number in numbers}
    blocks6 = {block_of(IPv6Address(first6 + number)) for number in numbers}
    v4, v6 = IPv4Address(first4 + asked), IPv6Address(first6 + asked)
    for frame in (arp_frame(MAC, v4, Arp.REPLY), arp_probe(MAC, v4)):
        assert run(filter_for(Family.IPV4, blocks4), frame) is (block_of(v4) in blocks4)
    for frame in (na_frame(MAC, v6, LOCAL), dad_frame(MAC, v6)):
        assert run(filter_for(Family.IPV6, blocks6), frame) is (block_of(v6) in blocks6)


def test_a_filter_that_would_be_too_long_passes_every_claim_and_nothing_else() -> None:
    """The kernel takes 4096 instructions."""
    many = range(MOST_BLOCKS)
    assert len(filter_for(Family.IPV6, many)) // 8 <= 4096
    longer = filter_for(Family.IPV6, range(MOST_BLOCKS + 1))
    assert run(longer, na_frame(MAC, V6, LOCAL))
    assert not run(longer, na_frame(MAC, V6, LOCAL)[:54] + b"\x86" + bytes(40))
    assert not run(longer, na_frame(MAC, V6, LOCAL)[:20] + b"\x06" + bytes(70))
