"""Events of the real kernel about addresses and routes, also when there are too many."""

import asyncio
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address
from socket import SO_RCVBUF, SOL_SOCKET, if_nametoindex

import pytest

from purelb.api.links import (
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFA_F_TENTATIVE,
    OUR_MARK,
    LinkAddress,
    NewAddress,
)
from purelb.runtime.netlink.addresses import AddressSocket
from purelb.runtime.netlink.events import (
    EVENT_BUFFER,
    AddressGone,
    AddressSeen,
    Event,
    EventSocket,
    Lost,
    RouteChanged,
)
from purelb.runtime.netlink.sockets import open_socket
from purelb.runtime.netlink.wire import DeadAddress, Refresh
from tests.netns.conftest import Namespace
from tests.netns.eventscene import SECONDS, Seen, running

VIP4, VIP6 = "192.0.2.10", "2001:db8::10"
BOTH = pytest.mark.parametrize("vip", [VIP4, VIP6])


@pytest.fixture
def link(namespace: Namespace) -> int:
    """The index of a link that is up and bare."""
    namespace.ip("link add vip0 type ifb", "link set vip0 addrgenmode none", "link set vip0 up")
    return if_nametoindex("vip0")


def new(link: int, address: str, valid: int = 60) -> NewAddress:
    """Build a host address to add."""
    value = ip_address(address)
    return NewAddress(
        index=link,
        address=value,
        prefix=value.max_prefixlen,
        flags=IFA_F_NODAD | IFA_F_NOPREFIXROUTE,
        valid_seconds=valid,
        preferred_seconds=valid,
    )


def dead(change: NewAddress) -> DeadAddress:
    """Build the removal of an address."""
    return DeadAddress(index=change.index, address=change.address, prefix=change.prefix)


def gone(change: NewAddress) -> AddressGone:
    """Build the event that says so."""
    return AddressGone(
        index=change.index, address=change.address, prefix=change.prefix, mark=OUR_MARK
    )


def additions(events: Sequence[Event]) -> list[LinkAddress]:
    """Return the addresses that came or changed."""
    return [event.address for event in events if isinstance(event, AddressSeen)]


@BOTH
def test_a_removed_address_is_reported_with_its_mark(link: int, vip: str) -> None:
    """The consumer can tell ours from others' without remembering any."""

    async def scenario() -> list[Event]:
        async with running() as seen, AddressSocket() as addresses:
            await addresses.apply([new(link, vip)])
            await seen.wait_until(lambda events: bool(additions(events)))
            await addresses.apply([dead(new(link, vip))])
            return await seen.wait_for(gone(new(link, vip)))

    events = [event for event in asyncio.run(scenario()) if event != RouteChanged()]
    assert [type(event) for event in events] == [AddressSeen, AddressGone]


@pytest.mark.parametrize(("vip", "is_told"), [("192.0.2.10", True), ("2001:db8::10", False)])
def test_who_has_removed_an_address_is_told_for_ipv4(link: int, vip: str, *, is_told: bool) -> None:
    """By its process id, as long as it has a socket of its own."""

    async def scenario() -> tuple[int, int]:
        async with running() as seen, AddressSocket() as addresses:
            await addresses.apply([new(link, vip)])
            await seen.wait_until(lambda events: bool(additions(events)))
            length = 32 if is_told else 128
            command = ("ip", "address", "delete", f"{vip}/{length}", "dev", "vip0")
            process = await asyncio.create_subprocess_exec(*command)
            await process.wait()
            events = await seen.wait_for(gone(new(link, vip)))
            (found,) = (event for event in events if isinstance(event, AddressGone))
            return found.by, process.pid

    by, process = asyncio.run(scenario())
    assert by == (process if is_told else 0)


@BOTH
def test_an_expired_address_is_reported(link: int, vip: str) -> None:
    """The kernel takes it away up to about a second late, and says so."""

    async def scenario() -> float:
        async with running() as seen, AddressSocket() as addresses:
            begun = time.monotonic()
            await addresses.apply([new(link, vip, valid=1)])
            await seen.wait_for(gone(new(link, vip)))
            return time.monotonic() - begun

    assert 0.9 < asyncio.run(scenario()) < 5


@BOTH
def test_a_refresh_differs_from_the_addition_in_lifetimes_only(link: int, vip: str) -> None:
    """By that the consumer knows that it need not wake up."""

    async def scenario() -> list[Event]:
        async with running() as seen, AddressSocket() as addresses:
            await addresses.apply([new(link, vip)])
            await seen.wait_until(lambda events: bool(additions(events)))
            await addresses.apply([Refresh(to=new(link, vip, valid=1000))])
            return await seen.wait_until(lambda events: len(additions(events)) == 2)

    first, second = additions(asyncio.run(scenario()))
    assert (first.index, first.address, first.prefix, first.flags, first.mark) == (
        second.index,
        second.address,
        second.prefix,
        second.flags,
        second.mark,
    )
    assert first.valid_seconds <= 60 < second.valid_seconds


def test_the_end_of_duplicate_address_detection_is_reported(
    namespace: Namespace, far_namespace: Namespace
) -> None:
    """First tentative, then, about a second later, not: only then is it announced."""

    async def scenario() -> list[bool]:
        async with running() as seen:
            namespace.ip(f"addr add {VIP6}/128 dev eth0")
            events = await seen.wait_until(lambda events: len(tentative(events)) >= 2)
            return tentative(events)

    def tentative(events: list[Event]) -> list[bool]:
        mine = [one for one in additions(events) if str(one.address) == VIP6]
        return [bool(one.flags & IFA_F_TENTATIVE) for one in mine]

    assert asyncio.run(scenario()) == [True, False]


def test_what_happens_between_opening_and_running_is_not_missed(link: int) -> None:
    """A consumer opens, dumps, and then runs."""

    async def scenario() -> None:
        seen = Seen()
        async with EventSocket(seen.note) as events, AddressSocket() as addresses:
            await addresses.apply([new(link, VIP4), dead(new(link, VIP4))])
            async with asyncio.timeout(SECONDS):
                task = asyncio.create_task(events.run())
                await seen.wait_for(gone(new(link, VIP4)))
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(scenario())


@pytest.mark.parametrize("route", ["0.0.0.0/0 dev vip0", "2001:db8:2::/48 dev vip0"])
def test_a_route_of_the_main_table_is_reported(namespace: Namespace, link: int, route: str) -> None:
    """Which one is for the consumer to look up."""

    async def scenario() -> list[Event]:
        async with running() as seen:
            namespace.ip(f"route add {route}")
            return await seen.wait_until(lambda events: bool(events))

    assert asyncio.run(scenario()) == [RouteChanged()]


def test_the_local_route_of_an_address_is_not_reported(link: int) -> None:
    """It would double the events of a burst, and says nothing new."""

    async def scenario() -> list[Event]:
        async with running() as seen, AddressSocket() as addresses:
            await addresses.apply([new(link, VIP4), dead(new(link, VIP4))])
            return await seen.wait_for(gone(new(link, VIP4)))

    assert RouteChanged() not in asyncio.run(scenario())


def test_lost_events_are_reported_and_later_ones_arrive(link: int) -> None:
    """A buffer of a few KiB overflows; the socket after it is a new one."""

    async def scenario() -> tuple[Event, int]:
        seen = Seen()
        async with (
            EventSocket(seen.note, receive_buffer=4096) as events,
            AddressSocket() as addresses,
        ):
            await addresses.apply([new(link, f"192.0.2.{number}") for number in range(200)])
            task = asyncio.create_task(events.run())
            await seen.wait_for(Lost())
            await addresses.apply([dead(new(link, "192.0.2.7"))])
            await seen.wait_for(gone(new(link, "192.0.2.7")))
            task.cancel()
            await asyncio.wait([task])
            return seen.events[0], len(seen.events)

    assert asyncio.run(scenario()) == (Lost(), 2)


def burst(namespace: Namespace, links: int, each: int) -> list[NewAddress]:
    """Build addresses for many links: on one alone, adding becomes quadratic."""
    namespace.ip(*(f"link add many{number} type ifb" for number in range(links)))
    first = int(IPv4Address("10.0.0.1"))
    return [
        new(if_nametoindex(f"many{number}"), str(IPv4Address(first + number * each + one)))
        for number in range(links)
        for one in range(each)
    ]


def test_a_burst_of_ten_thousand_addresses_overflows_a_tiny_buffer_only(
    namespace: Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the usual buffer, every event of it arrives."""
    with open_socket(receive_buffer=EVENT_BUFFER) as trial:
        if trial.getsockopt(SOL_SOCKET, SO_RCVBUF) < EVENT_BUFFER:
            pytest.skip("net.core.rmem_max is too small, and only the real root may exceed it")
    added = burst(namespace, links=10, each=1000)
    last = gone(added[-1])

    async def scenario() -> tuple[list[Event], bool, float]:
        begun = time.perf_counter()
        async with (
            running() as roomy,
            running(receive_buffer=4096) as tiny,
            AddressSocket() as addresses,
        ):
            results = await addresses.apply(added)
            await addresses.apply([dead(added[-1])])
            events = await roomy.wait_for(last)
            await tiny.wait_until(lambda events: Lost() in events or last in events)
            assert not any(results)
            return events, Lost() in tiny.events, time.perf_counter() - begun

    events, tiny_lost, took = asyncio.run(scenario())
    with capsys.disabled():
        print(f"\n10,000 addresses added and reported twice in {took * 1e3:.0f} ms")
    arrived = {address.address for address in additions(events)}
    assert (len(arrived), Lost() in events, tiny_lost) == (10_000, False, True)


def test_a_socket_that_is_not_open_refuses() -> None:
    """That is a bug of the caller, not of the world."""
    with pytest.raises(RuntimeError, match="not open"):
        asyncio.run(EventSocket(lambda event: None).run())


def test_an_error_of_the_consumer_ends_the_run(link: int) -> None:
    """A bug is seen by whoever owns the task, not swallowed."""

    def broken(event: Event) -> None:
        raise ZeroDivisionError

    async def scenario() -> None:
        async with EventSocket(broken) as events, AddressSocket() as addresses:
            await addresses.apply([new(link, VIP4)])
            async with asyncio.timeout(SECONDS):
                await events.run()

    with pytest.raises(ZeroDivisionError):
        asyncio.run(scenario())


def test_an_event_arrives_soon(link: int, capsys: pytest.CaptureFixture[str]) -> None:
    """From the request to the callback, both on the same loop."""

    async def scenario() -> list[float]:
        delays: list[float] = []
        async with running() as seen, AddressSocket() as addresses:
            for number in range(200):
                change = new(link, f"192.0.2.{number}")
                begun = time.perf_counter()
                await addresses.apply([change])
                await seen.wait_until(lambda events: len(events) > len(delays))
                delays.append(time.perf_counter() - begun)
        return sorted(delays)

    delays = asyncio.run(scenario())
    with capsys.disabled():
        p50, p99 = (delays[int(len(delays) * share)] * 1e6 for share in (0.5, 0.99))
        print(f"\nrequest to event: p50 {p50:.0f} us, p99 {p99:.0f} us")
    assert delays[100] < 0.05
