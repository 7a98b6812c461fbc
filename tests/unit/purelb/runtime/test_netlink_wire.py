"""Rtnetlink messages against bytes written down by hand, and against themselves."""

import sys
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purelb.api.links import FOREVER, OUR_MARK, LinkAddress, NewAddress
from purelb.runtime.netlink import wire

little_endian = pytest.mark.skipif(
    sys.byteorder != "little", reason="the bytes are those of a little-endian machine"
)
VIP = NewAddress(
    index=3,
    address=IPv4Address("192.0.2.10"),
    prefix=32,
    flags=0x202,
    valid_seconds=8,
    preferred_seconds=7,
)


@little_endian
def test_an_addition_has_every_byte_in_place() -> None:
    """Header 16, ifaddrmsg 8, then local, address, flags, cacheinfo and mark."""
    assert wire.encode(wire.new_address(VIP), sequence=5).hex(" ", 4) == (
        "4c000000 14000106 05000000 00000000 "
        "02200000 03000000 "
        "08000200 c000020a 08000100 c000020a "
        "08000800 02020000 "
        "14000600 07000000 08000000 00000000 00000000 "
        "05000b00 a7000000"
    )


@little_endian
def test_a_removal_names_address_and_prefix_length() -> None:
    """An IPv6 one as well; no lifetimes, no mark."""
    dead = wire.DeadAddress(index=3, address=IPv6Address("2001:db8::10"), prefix=128)
    assert wire.encode(wire.dead_address(dead), sequence=1).hex(" ", 4) == (
        "40000000 15000100 01000000 00000000 "
        "0a800000 03000000 "
        "14000200 20010db8 00000000 00000000 00000010 "
        "14000100 20010db8 00000000 00000000 00000010"
    )


@little_endian
def test_promote_secondaries_is_a_nest_of_four() -> None:
    """IFLA_AF_SPEC { AF_INET { IFLA_INET_CONF { 20: 1 } } }."""
    assert wire.promote_secondaries(9).body.hex(" ", 4) == (
        "00000000 09000000 00000000 00000000 14001a00 10000200 0c000100 08001400 01000000"
    )


lifetimes = st.integers(1, FOREVER)


@st.composite
def additions(draw: st.DrawFn) -> NewAddress:
    """Build any address that can be asked for."""
    address = draw(st.ip_addresses())
    return NewAddress(
        index=draw(st.integers(1, 2**31 - 1)),
        address=address,
        prefix=draw(st.integers(0, address.max_prefixlen)),
        flags=draw(st.integers(0, 2**32 - 1)),
        valid_seconds=draw(lifetimes),
        preferred_seconds=draw(lifetimes),
    )


@given(new=additions())
def test_what_is_built_reads_back(new: NewAddress) -> None:
    """The kernel's own messages have the same layout; every field survives, the mark is ours."""
    assert wire.parse_address(wire.new_address(new).body) == LinkAddress(
        index=new.index,
        address=new.address,
        prefix=new.prefix,
        flags=new.flags,
        valid_seconds=new.valid_seconds,
        preferred_seconds=new.preferred_seconds,
        mark=OUR_MARK,
    )


def test_an_address_without_further_attributes_is_permanent_and_unmarked() -> None:
    """A removal has none; flags then come from the header."""
    dead = wire.dead_address(wire.DeadAddress(index=3, address=VIP.address, prefix=32))
    assert wire.parse_address(dead.body) == LinkAddress(index=3, address=VIP.address, prefix=32)


def test_an_address_of_another_family_is_passed_over() -> None:
    """AF_DECnet, for one, comes in the same dump."""
    body = wire.new_address(VIP).body
    assert wire.parse_address(bytes([12]) + body[1:]) is None


def test_an_address_message_without_an_address_is_passed_over() -> None:
    """Nothing to say about it."""
    assert wire.parse_address(wire.new_address(VIP).body[:8]) is None


@given(bodies=st.lists(st.binary(max_size=40)))
def test_messages_of_one_receive_come_apart_again(bodies: list[bytes]) -> None:
    """Whatever the lengths: each message starts at a multiple of four."""
    data = b""
    for sequence, body in enumerate(bodies):
        encoded = wire.encode(wire.Request(20, 2, body), sequence)
        data += encoded + bytes(-len(encoded) % 4)
    assert list(wire.messages(data)) == [
        wire.Message(20, 2, sequence, body) for sequence, body in enumerate(bodies)
    ]


@given(cut=st.integers(1, 75))
def test_a_cut_off_message_is_dropped(cut: int) -> None:
    """The one before it is not."""
    whole = wire.encode(wire.new_address(VIP), sequence=1)
    assert len(list(wire.messages(whole + whole[:-cut]))) == 1


@given(data=st.binary())
def test_no_bytes_keep_the_splitting_from_ending(data: bytes) -> None:
    """A length of zero, or beyond the end, ends it."""
    assert sum(16 + len(message.body) for message in wire.messages(data)) <= len(data)


@pytest.mark.parametrize(("body", "number"), [(b"\0\0\0\0", 0), (b"", 0)])
def test_an_acknowledgment_is_no_error(body: bytes, number: int) -> None:
    """The end of a dump may have no number at all."""
    assert wire.error_number(body) == number


def test_an_error_is_a_negative_number_on_the_wire() -> None:
    """And positive here, as everywhere in Python."""
    assert wire.error_number((-99).to_bytes(4, sys.byteorder, signed=True) + b"rest") == 99
