"""Which events of the real kernel a holder of marked addresses need not read."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from socket import if_nametoindex

import pytest

from purelb.api.links import IFA_F_NODAD, IFA_F_NOPREFIXROUTE, OUR_MARK, NewAddress
from purelb.runtime import bpf
from purelb.runtime.netlink import wire
from purelb.runtime.netlink.addresses import AddressSocket, Change
from purelb.runtime.netlink.events import GROUPS, AddressGone, AddressSeen, Event, EventSocket
from purelb.runtime.netlink.filters import without_refreshes
from purelb.runtime.netlink.sockets import RECEIVE_BYTES, open_socket
from purelb.runtime.netlink.wire import DeadAddress, Refresh
from tests.netns.conftest import Namespace

SECONDS = 10  # far more than anything here takes
VIP4, VIP6, END = "192.0.2.10", "2001:db8::10", "198.51.100.1/32"
BOTH = pytest.mark.parametrize("vip", [VIP4, VIP6])
QUIET = without_refreshes(OUR_MARK, of_ipv6=True)
DETECTING = without_refreshes(OUR_MARK, of_ipv6=False)


@pytest.fixture
def link(namespace: Namespace) -> int:
    """The index of a link that is up and bare."""
    namespace.ip("link add vip0 type ifb", "link set vip0 addrgenmode none", "link set vip0 up")
    return if_nametoindex("vip0")


def new(link: int, address: str, flags: int = IFA_F_NODAD) -> NewAddress:
    """Build a host address to add."""
    value = ip_address(address)
    return NewAddress(
        index=link,
        address=value,
        prefix=value.max_prefixlen,
        flags=flags | IFA_F_NOPREFIXROUTE,
        valid_seconds=60,
        preferred_seconds=60,
    )


def dead(change: NewAddress) -> DeadAddress:
    """Build the removal of an address."""
    return DeadAddress(index=change.index, address=change.address, prefix=change.prefix)


def heard(
    namespace: Namespace, program: bytes, changes: Sequence[Change], least: int = 0
) -> list[str]:
    """Return what is heard of our changes, up to a last one that somebody else makes.

    The kernel tells of new IPv6 addresses a little late: so at least that many are waited for.
    """
    seen: list[str] = []
    end, more = asyncio.Event(), asyncio.Event()

    def note(event: Event) -> None:
        match event:
            case AddressSeen(address=entry) if f"{entry.address}/{entry.prefix}" == END:
                end.set()
            case AddressSeen(address=entry):
                seen.append(f"+{entry.address}")
            case AddressGone(address=address):
                seen.append(f"-{address}")
            case _:
                pass
        if len(seen) >= least:
            more.set()

    async def scenario() -> None:
        events = EventSocket(note)
        events.attach(program)
        async with events, AddressSocket() as addresses, asyncio.timeout(SECONDS):
            running = asyncio.create_task(events.run())
            await addresses.apply(changes)
            namespace.ip(f"address add {END} dev vip0")
            await end.wait()
            await more.wait()
            running.cancel()
            await asyncio.wait([running])

    asyncio.run(scenario())
    return seen


@BOTH
def test_neither_addition_nor_refresh_of_ours_is_heard(
    namespace: Namespace, link: int, vip: str
) -> None:
    """Whoever asked for them knows."""
    changes: list[Change] = [new(link, vip), Refresh(to=new(link, vip))]
    assert heard(namespace, QUIET, changes) == []


@BOTH
def test_a_removal_of_ours_is_heard(namespace: Namespace, link: int, vip: str) -> None:
    """Others may be behind it."""
    assert f"-{vip}" in heard(namespace, QUIET, [new(link, vip), dead(new(link, vip))], 1)


def test_ours_of_ipv6_are_heard_while_detection_may_end(namespace: Namespace, link: int) -> None:
    """The end of detection looks like a refresh."""
    changes = [new(link, VIP4), new(link, VIP6)]
    assert heard(namespace, DETECTING, changes, 1) == [f"+{VIP6}"]


def test_an_address_in_detection_is_always_heard(namespace: Namespace, link: int) -> None:
    """So a restart of it is noticed, whoever caused that."""
    assert heard(namespace, QUIET, [new(link, VIP6, flags=0)], 1) == [f"+{VIP6}"]


@BOTH
def test_addresses_of_others_are_heard(namespace: Namespace, link: int, vip: str) -> None:
    """Without our mark anything passes, as it does on kernels that have no marks."""
    program = without_refreshes(OUR_MARK + 1, of_ipv6=True)
    changes: list[Change] = [new(link, vip), Refresh(to=new(link, vip))]
    assert heard(namespace, program, changes, 2) == [f"+{vip}", f"+{vip}"]


def test_only_routes_of_the_main_table_are_heard(namespace: Namespace, link: int) -> None:
    """Each IPv4 address has one in the local table."""
    with open_socket(receive_buffer=1 << 20, groups=GROUPS) as raw:
        bpf.attach(raw, QUIET)
        namespace.ip(
            "address add 192.0.2.1/24 dev vip0",
            "route add 10.1.0.0/16 via 192.0.2.2 table 77",
            "route add 10.2.0.0/16 via 192.0.2.2",
            "route delete 10.2.0.0/16",
            "route delete 10.1.0.0/16 table 77",
            "address delete 192.0.2.1/24 dev vip0",
        )
        found = _kinds(raw)
    routes = [kind for kind in found if kind in (wire.RTM_NEWROUTE, wire.RTM_DELROUTE)]
    connected, added, removed, gone = routes
    assert (connected, added) == (wire.RTM_NEWROUTE, wire.RTM_NEWROUTE)
    assert (removed, gone) == (wire.RTM_DELROUTE, wire.RTM_DELROUTE)


def _kinds(raw: socket.socket) -> list[int]:
    """Return the types of the messages that wait in a socket."""
    found: list[int] = []
    while True:
        try:
            found += [message.kind for message in wire.messages(raw.recv(RECEIVE_BYTES))]
        except BlockingIOError:
            return found
