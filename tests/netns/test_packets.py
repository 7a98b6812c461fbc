"""Frames sent from one end of a cable and read at the other."""

import socket
import subprocess
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest

from purelb.api.identifiers import LinkName
from purelb.runtime.errors import PermanentError, TransientError
from purelb.runtime.packets import PacketSender
from tests.netns.conftest import Namespace, unprivileged

ETH0 = LinkName("eth0")
MAC = bytes.fromhex("02a700000001")
VIP4 = bytes((192, 0, 2, 10))
VIP6 = IPv6Address("2001:db8::10").packed
GRATUITOUS_ARP = (
    bytes.fromhex("ffffffffffff") + MAC + bytes.fromhex("0806 0001 0800 06 04 0002")
    + MAC + VIP4 + bytes.fromhex("ffffffffffff") + VIP4
)  # fmt: skip
UNSOLICITED_NA = (
    bytes.fromhex("333300000001") + MAC + bytes.fromhex("86dd 60000000 0020 3a ff") + VIP6
    + bytes.fromhex("ff02000000000000 0000000000000001 88 00 0000 20000000") + VIP6
    + bytes.fromhex("0201") + MAC
)  # fmt: skip


@pytest.fixture
def listener(far_namespace: Namespace) -> Iterator[socket.socket]:
    """Everything that arrives at the far end."""
    with far_namespace.entered():
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    with opened:
        with far_namespace.entered():
            opened.bind(("peer0", 0x0003))
        opened.settimeout(5)
        yield opened


def receive(listener: socket.socket) -> bytes:
    """Return the next frame from MAC; the kernel sends some of its own (multicast reports)."""
    while (frame := listener.recv(2048))[6:12] != MAC:
        pass
    return frame


def test_arp_and_na_frames_arrive_as_they_are(listener: socket.socket) -> None:
    """Neither the socket nor the link changes a byte."""
    with PacketSender(ETH0) as sender:
        sent = sender.send([GRATUITOUS_ARP, UNSOLICITED_NA])
    assert (sent, receive(listener), receive(listener)) == (2, GRATUITOUS_ARP, UNSOLICITED_NA)


def test_the_mac_is_the_present_one_of_the_link(
    namespace: Namespace, far_namespace: Namespace
) -> None:
    """A changed MAC is seen without opening anything anew."""
    with PacketSender(ETH0) as sender:
        namespace.ip(f"link set eth0 address {MAC.hex(':')}")
        assert sender.mac == MAC


def test_a_renamed_link_is_followed(namespace: Namespace, listener: socket.socket) -> None:
    """The socket is bound to the index."""
    with PacketSender(ETH0) as sender:
        namespace.ip("link set eth0 down", "link set eth0 name nic0", "link set nic0 up")
        sender.send([GRATUITOUS_ARP])
    assert receive(listener) == GRATUITOUS_ARP


def test_a_link_that_is_down_refuses_until_it_is_up_again(
    namespace: Namespace, listener: socket.socket
) -> None:
    """The error of the past is not reported to the first frame after it."""
    with PacketSender(ETH0) as sender:
        namespace.ip("link set eth0 down")
        with pytest.raises(TransientError, match=r"eth0.*is down"):
            sender.send([GRATUITOUS_ARP])
        namespace.ip("link set eth0 up")
        sender.send([UNSOLICITED_NA])
    assert receive(listener) == UNSOLICITED_NA


def test_a_link_made_anew_is_sent_from_after_a_rebind(namespace: Namespace) -> None:
    """Its index differs; the old socket leads nowhere and knows no MAC."""
    namespace.ip("link add eth0 type veth peer name peer0", "link set peer0 up", "link set eth0 up")
    with PacketSender(ETH0) as sender:
        namespace.ip("link del eth0", "link add eth0 type veth peer name peer0")
        namespace.ip("link set peer0 up", "link set eth0 up")
        with pytest.raises(TransientError, match="cannot send from link eth0"):
            sender.send([GRATUITOUS_ARP])
        assert sender.mac == b""
        sender.rebind(ETH0, socket.if_nametoindex("eth0"))
        assert (len(sender.mac), sender.send([GRATUITOUS_ARP])) == (6, 1)


def test_a_rebind_to_the_same_index_opens_nothing(far_namespace: Namespace) -> None:
    """Called with every look at the links, it costs nothing; not even the name is looked up."""
    with PacketSender(ETH0) as sender:
        sender.rebind(LinkName("nothere0"), sender.index)
        assert sender.send([GRATUITOUS_ARP]) == 1


def test_a_full_queue_ends_the_sending_without_waiting(far_namespace: Namespace) -> None:
    """The link lets one frame in a while pass; the count says where to go on."""
    shape = "qdisc add dev eth0 root tbf rate 8kbit burst 1600 limit 3000"
    tc = subprocess.run(["tc", "-batch", "-"], input=shape, text=True, capture_output=True)
    if tc.returncode != 0:
        pytest.skip("this kernel cannot slow a link down (tbf)")
    with PacketSender(ETH0) as sender:
        sent = sender.send([GRATUITOUS_ARP] * 1000)
    assert 1 <= sent < 1000


def test_a_missing_link_is_a_transient_error(namespace: Namespace) -> None:
    """It may come."""
    with pytest.raises(TransientError, match="nothere0"):
        PacketSender(LinkName("nothere0")).open()


def test_a_missing_capability_is_named(far_namespace: Namespace) -> None:
    """One sentence says what to give the process."""
    with unprivileged(), pytest.raises(PermanentError, match="CAP_NET_RAW"):
        PacketSender(ETH0).open()


def test_a_closed_sender_refuses(namespace: Namespace) -> None:
    """Closing twice is fine, sending then is a bug."""
    sender = PacketSender(LinkName("lo"))
    sender.open()
    sender.close()
    sender.close()
    with pytest.raises(RuntimeError, match="not open"):
        sender.send([GRATUITOUS_ARP])
