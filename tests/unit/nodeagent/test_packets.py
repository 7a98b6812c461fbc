"""Frames byte by byte, and when they are due."""

import itertools
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeagent.core.claims import Claim, read_claim
from nodeagent.core.config import Garp
from nodeagent.core.packets import (
    ALL_NODES_MAC,
    BROADCAST,
    Arp,
    Schedule,
    arp_frame,
    arp_probe,
    checksum,
    frames,
    na_frame,
    next_refresh,
    probe_frame,
    question_frame,
    request_frame,
    solicitation,
)
from purelb.api.addresses import parse_ip
from tests.unit.nodeagent.builders import VIP, VIP6

MAC = bytes.fromhex("020000000001")
LOCAL = IPv6Address("fe80::1")


def test_an_arp_reply_names_the_address_as_sender_and_target() -> None:
    """Ethernet header of 14 bytes, body of 28."""
    assert arp_frame(MAC, IPv4Address("192.0.2.10"), Arp.REPLY).hex(" ", 2) == (
        "ffff ffff ffff 0200 0000 0001 0806 0001 0800 0604 0002 "
        "0200 0000 0001 c000 020a ffff ffff ffff c000 020a"
    )


def test_an_arp_probe_has_no_sender_address() -> None:
    """Nobody's cache must learn from it."""
    assert arp_probe(MAC, IPv4Address("192.0.2.10")).hex(" ", 2) == (
        "ffff ffff ffff 0200 0000 0001 0806 0001 0800 0604 0001 "
        "0200 0000 0001 0000 0000 0000 0000 0000 c000 020a"
    )


def test_ipv4_is_announced_by_a_request_and_a_reply() -> None:
    """Some hosts learn from only one of them."""
    assert [frame[21] for frame in frames(VIP, MAC)] == [Arp.REQUEST, Arp.REPLY]


def test_ipv6_is_announced_by_one_advertisement_from_the_link_local_address() -> None:
    """Override set, solicited and router not."""
    (frame,) = frames(VIP6, MAC, LOCAL)
    assert frame[:6] == ALL_NODES_MAC
    assert frame[22:38] == LOCAL.packed
    assert frame[54:62].hex() == "8800" + frame[56:58].hex() + "20000000"
    assert frame[62:] == VIP6.packed + b"\x02\x01" + MAC


@pytest.mark.parametrize("source", [None, parse_ip("192.0.2.1")])
def test_without_a_link_local_address_the_address_itself_is_the_source(
    source: IPv4Address | None,
) -> None:
    """A source of the other family is none."""
    assert frames(VIP6, MAC, source)[0][22:38] == VIP6.packed


@given(address=st.ip_addresses(v=6), source=st.ip_addresses(v=6))
def test_the_checksum_of_an_advertisement_verifies_at_the_receiver(
    address: IPv6Address, source: IPv6Address
) -> None:
    """Summing a correct message together with its checksum gives zero."""
    frame = na_frame(MAC, address, source)
    ip, message = frame[14:54], frame[54:]
    pseudo = ip[8:40] + len(message).to_bytes(4, "big") + (58).to_bytes(4, "big")
    assert checksum(pseudo + message) == 0
    assert (len(frame), ip[7]) == (86, 255)


def test_an_odd_number_of_bytes_is_padded() -> None:
    """RFC 1071."""
    assert checksum(b"\x01") == checksum(b"\x01\x00")


def sent(schedule: Schedule, until: float) -> list[float]:
    """Return when anything was due, up to an instant."""
    found = []
    while (at := schedule.next_due()) is not None and at <= until:
        found += [at] * len(schedule.take(at))
    return found


def test_a_burst_begins_at_once_and_ends_after_its_count() -> None:
    """Half a second apart; without refresh nothing follows."""
    schedule = Schedule()
    schedule.start(VIP, 100.0, Garp(refresh_every=0.0))
    assert sent(schedule, 1e9) == [100.0, 100.5, 101.0]
    assert len(schedule) == 0


def test_a_users_delay_count_and_interval_are_kept() -> None:
    """As garpConfig says."""
    schedule = Schedule()
    garp = Garp(initial_delay=0.25, interval=1.0, count=2, refresh_every=0.0)
    schedule.start(VIP, 100.0, garp)
    assert sent(schedule, 1e9) == [100.25, 101.25]


def test_a_new_burst_replaces_the_one_under_way() -> None:
    """After a repair, for instance."""
    schedule = Schedule()
    schedule.start(VIP, 100.0, Garp(refresh_every=0.0))
    assert schedule.take(100.0) == (VIP,)
    schedule.start(VIP, 100.2, Garp(refresh_every=0.0))
    assert sent(schedule, 1e9) == [100.2, 100.7, 101.2]


def test_a_late_look_sends_each_address_once() -> None:
    """What was missed is not made up for."""
    schedule = Schedule()
    schedule.start(VIP6, 100.1, Garp())
    schedule.start(VIP, 100.0, Garp())
    assert schedule.take(109.0) == (VIP, VIP6)
    assert schedule.next_due() == 109.5


def test_refreshes_go_on_at_the_addresses_own_time() -> None:
    """Never more than a period apart."""
    schedule = Schedule()
    schedule.start(VIP, 1000.0, Garp())
    times = sent(schedule, 1600.0)
    assert len(times) == 3 + 6
    assert all(late - early <= 100.0 for early, late in itertools.pairwise(times))


def test_refreshes_of_many_addresses_are_spread_over_the_period() -> None:
    """However close together they were added."""
    due = [next_refresh(IPv4Address(number), 1000.0, 100.0) for number in range(1000)]
    per_second = [sum(1000 + n < at <= 1001 + n for at in due) for n in range(100)]
    assert sum(per_second) == 1000
    assert max(per_second) <= 40


@given(now=st.floats(0.0, 1e6), period=st.floats(0.1, 1000.0), number=st.integers(0, 1000))
def test_the_next_refresh_is_ahead_and_at_most_a_period_away(
    now: float, period: float, number: int
) -> None:
    """A refresh that is due now again would never let the loop sleep."""
    at = next_refresh(IPv4Address(number), now, period)
    assert now < at <= now + period * 1.001


def test_what_is_no_longer_here_is_no_longer_announced() -> None:
    """Nothing is due for it, whatever was scheduled."""
    schedule = Schedule()
    schedule.start(VIP, 100.0, Garp())
    schedule.start(VIP6, 100.0, Garp())
    schedule.stop(VIP)
    schedule.stop(VIP)
    assert schedule.take(200.0) == (VIP6,)
    schedule.clear()
    assert schedule.next_due() is None


def test_the_next_transmission_can_be_had_at_once() -> None:
    """The burst goes on from there; what is not announced stays silent."""
    schedule = Schedule()
    schedule.start(VIP, 100.0, Garp(refresh_every=0.0))
    assert schedule.take(100.0) == (VIP,)
    schedule.hasten(VIP, 100.2)
    schedule.hasten(VIP6, 100.2)
    assert sent(schedule, 1e9) == [100.2, 100.7]


def test_what_is_beyond_the_limit_stays_due() -> None:
    """The longest overdue come first, the rest with the next look."""
    schedule = Schedule()
    schedule.start(VIP6, 100.1, Garp())
    schedule.start(VIP, 100.0, Garp())
    assert schedule.take(101.0, 1) == (VIP,)
    assert schedule.next_due() == 100.1
    assert schedule.take(101.0, 1) == (VIP6,)


def test_nothing_scheduled_is_never_due() -> None:
    """The loop sleeps."""
    assert Schedule().next_due() is None
    assert Schedule().take(100.0) == ()


def test_who_answers_is_asked_from_an_own_address_so_that_no_detection_fails() -> None:
    """For a host that looks for duplicates, a question from nobody is another that wants it."""
    frame = question_frame(MAC, VIP6, LOCAL)
    assert frame[:14] == b"\x33\x33\xff" + VIP6.packed[-3:] + MAC + b"\x86\xdd"
    assert frame[22:38] == LOCAL.packed
    assert frame[38:54] == IPv6Address("ff02::1:ff00:0").packed[:13] + VIP6.packed[-3:]
    assert frame[54:56] == b"\x87\x00"
    assert frame[62:] == VIP6.packed + b"\x01\x01" + MAC
    pseudo = frame[22:54] + bytes((0, 0, 0, 32, 0, 0, 0, 58))
    assert checksum(pseudo + frame[54:]) == 0
    assert question_frame(MAC, VIP6, None) == probe_frame(MAC, VIP6)
    assert question_frame(MAC, VIP, LOCAL) == probe_frame(MAC, VIP)


def test_a_client_asks_from_its_own_address() -> None:
    """By ARP the sender is who asks (RFC 826), by neighbor solicitation the source address."""
    source, source6 = parse_ip("192.0.2.7"), parse_ip("fe80::7")
    frame = request_frame(MAC, source, VIP)
    assert frame[:6] == BROADCAST
    assert (frame[20:22], frame[22:28], frame[28:32]) == (b"\0\1", MAC, source.packed)
    assert (frame[32:38], frame[38:42]) == (bytes(6), VIP.packed)
    assert read_claim(frame) == Claim(source, MAC), "it says nothing of the address asked for"
    assert isinstance(source6, IPv6Address)
    assert isinstance(VIP6, IPv6Address)
    assert request_frame(MAC, source6, VIP6) == solicitation(MAC, source6, VIP6)


def test_an_address_of_one_family_cannot_ask_for_one_of_the_other() -> None:
    """A mistake of the caller."""
    with pytest.raises(ValueError, match="fe80::7 cannot ask for "):
        request_frame(MAC, parse_ip("fe80::7"), VIP)
