"""Heartbeats as frames: both families, read back, and nothing else."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeagent.core.datagrams import (
    ETH_IPV4,
    ETH_IPV6,
    GROUP_MAC,
    PORT,
    Received,
    filter_for,
    frame,
    read,
)
from nodeagent.core.packets import ALL_NODES_MAC, checksum
from purelb.api.addresses import IPAddress, parse_ip
from tests.unit.nodeagent.builders import MAC

V4, V6 = parse_ip("192.0.2.7"), parse_ip("fe80::7")
FAMILIES = pytest.mark.parametrize("source", [V4, V6], ids=["IPv4", "IPv6"])
Steps = list[tuple[int, int, int, int]]


@FAMILIES
@given(payload=st.binary(max_size=1400))
def test_what_is_sent_is_what_arrives(source: IPAddress, payload: bytes) -> None:
    """Also behind the padding of a short frame."""
    sent = frame(payload, MAC, source)
    assert read(sent) == Received(payload, MAC, source)
    assert read(sent + b"\0" * 20) == Received(payload, MAC, source)


def test_each_family_goes_to_a_group_that_switches_flood() -> None:
    """And says so with a life that no router leaves whole."""
    v4, v6 = frame(b"x", MAC, V4), frame(b"x", MAC, V6)
    assert (v4[:6], v4[22], v4[30:34]) == (GROUP_MAC, 255, parse_ip("224.0.0.254").packed)
    assert (v6[:6], v6[21], v6[38:54]) == (ALL_NODES_MAC, 255, parse_ip("ff02::1").packed)


def test_the_checksums_are_right() -> None:
    """A sum over data and its checksum is zero (RFC 1071)."""
    v4, v6 = frame(b"odd", MAC, V4), frame(b"odd", MAC, V6)
    assert checksum(v4[14:34]) == 0
    assert checksum(v4[26:34] + struct.pack("!HH", 17, 11) + v4[34:]) == 0
    assert checksum(v6[22:54] + struct.pack("!II", 11, 17) + v6[54:]) == 0


@FAMILIES
@given(data=st.data())
def test_no_other_frame_is_read_or_breaks_anything(source: IPAddress, data: st.DataObject) -> None:
    """Cut, forwarded, to another port, of another protocol."""
    sent = bytearray(frame(b"payload", MAC, source))
    cut = data.draw(st.integers(0, len(sent) - 1))
    assert read(bytes(sent[:cut])) is None
    life, protocol = (22, 23) if source is V4 else (21, 20)
    port = 36 if source is V4 else 56
    for at in (12, life, protocol, port):
        changed = bytearray(sent)
        changed[at] ^= data.draw(st.integers(1, 255))
        assert read(bytes(changed)) is None


@FAMILIES
def test_a_length_that_cannot_be_is_refused(source: IPAddress) -> None:
    """Shorter than the header itself."""
    sent = bytearray(frame(b"", MAC, source))
    at = 38 if source is V4 else 58
    sent[at : at + 2] = b"\0\3"
    assert read(bytes(sent)) is None


def passes(program: bytes, packet: bytes) -> bool:
    """Run a filter as the kernel would."""
    steps: Steps = list(struct.iter_unpack("=HBBI", program))
    at = value = 0
    while True:
        code, then, otherwise, operand = steps[at]
        at += 1
        match code:
            case 0x30:
                value = packet[operand]
            case 0x28:
                value = int.from_bytes(packet[operand : operand + 2])
            case 0x15:
                at += then if value == operand else otherwise
            case _:
                return operand > 0


@pytest.mark.parametrize(("source", "ethertype"), [(V4, ETH_IPV4), (V6, ETH_IPV6)])
def test_the_filter_passes_heartbeats_alone(source: IPAddress, ethertype: int) -> None:
    """The kernel drops the rest before anybody is woken."""
    program, sent = filter_for(ethertype), frame(b"payload", MAC, source)
    assert passes(program, sent)
    life, port = (22, 36) if ethertype == ETH_IPV4 else (21, 56)
    assert sent[port : port + 2] == PORT.to_bytes(2)
    for at in (life, port + 1, life + 1 if ethertype == ETH_IPV4 else life - 1):
        changed = bytearray(sent)
        changed[at] ^= 1
        assert not passes(program, bytes(changed))
