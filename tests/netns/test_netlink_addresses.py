"""Addresses on the real kernel: what is asked for is there, what is not ours stays."""

import asyncio
import errno
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import if_nametoindex
from typing import TypeVar

import pytest

from purelb.api.links import (
    FOREVER,
    IFA_F_DEPRECATED,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFA_F_PERMANENT,
    OUR_MARK,
    LinkAddress,
    NewAddress,
)
from purelb.runtime.errors import PermanentError
from purelb.runtime.netlink.addresses import AddressSocket, Change
from purelb.runtime.netlink.wire import DeadAddress, Refresh
from tests.netns.conftest import Namespace, unprivileged

T = TypeVar("T")
VIP4, VIP6 = "192.0.2.10", "2001:db8::10"
FLAGS = IFA_F_NODAD | IFA_F_NOPREFIXROUTE
BOTH = pytest.mark.parametrize("vip", [VIP4, VIP6])


@pytest.fixture
def link(namespace: Namespace) -> int:
    """The index of a link that is up and bare."""
    namespace.ip("link add vip0 type ifb", "link set vip0 addrgenmode none", "link set vip0 up")
    return if_nametoindex("vip0")


def new(link: int, address: str, prefix: int = 0, valid: int = 60) -> NewAddress:
    """Build an address to add: a host prefix unless told."""
    value = ip_address(address)
    return NewAddress(
        index=link,
        address=value,
        prefix=prefix or value.max_prefixlen,
        flags=FLAGS,
        valid_seconds=valid,
        preferred_seconds=valid,
    )


def dead(link: int, address: str, prefix: int = 0) -> DeadAddress:
    """Build the removal of what `new` adds."""
    value = ip_address(address)
    return DeadAddress(index=link, address=value, prefix=prefix or value.max_prefixlen)


def with_socket(use: Callable[[AddressSocket], Awaitable[T]]) -> T:
    """Run a coroutine function with an open socket."""

    async def scenario() -> T:
        async with AddressSocket() as addresses:
            return await use(addresses)

    return asyncio.run(scenario())


def apply(*changes: Change) -> tuple[int, ...]:
    """Carry out changes."""
    return with_socket(lambda addresses: addresses.apply(changes))


async def whole_dump(addresses: AddressSocket) -> tuple[LinkAddress, ...]:
    """Ask until nothing interrupts; the kernel itself still works on new IPv6 addresses."""
    while (found := await addresses.dump()) is None:
        pass
    return found


def listed(link: int) -> tuple[LinkAddress, ...]:
    """Return the addresses of one link."""
    found = with_socket(whole_dump)
    return tuple(address for address in found if address.index == link)


def texts(found: Sequence[LinkAddress]) -> list[str]:
    """Return addresses with prefixes, in order."""
    return [f"{address.address}/{address.prefix}" for address in found]


@BOTH
def test_an_added_address_is_listed_with_lifetime_flags_and_mark(link: int, vip: str) -> None:
    """Everything that was asked for reads back."""
    assert apply(new(link, vip)) == (0,)
    (seen,) = listed(link)
    assert (seen.address, seen.prefix, seen.mark) == (
        ip_address(vip),
        ip_address(vip).max_prefixlen,
        OUR_MARK,
    )
    assert seen.flags & IFA_F_NOPREFIXROUTE
    assert not seen.flags & IFA_F_PERMANENT
    assert 58 <= seen.valid_seconds <= 60
    assert 58 <= seen.preferred_seconds <= 60


@BOTH
def test_an_address_without_end_is_permanent(link: int, vip: str) -> None:
    """FOREVER is the kernel's own number for it."""
    apply(new(link, vip, valid=FOREVER))
    (seen,) = listed(link)
    assert (seen.valid_seconds, seen.preferred_seconds) == (FOREVER, FOREVER)
    assert seen.flags & IFA_F_PERMANENT


def test_an_ipv6_address_without_preferred_lifetime_is_deprecated(link: int) -> None:
    """The kernel then does not choose it as a source."""
    change = NewAddress(
        index=link,
        address=ip_address(VIP6),
        prefix=128,
        flags=FLAGS,
        valid_seconds=60,
        preferred_seconds=0,
    )
    apply(change)
    (seen,) = listed(link)
    assert seen.flags & IFA_F_DEPRECATED
    assert seen.preferred_seconds == 0


def test_the_mark_is_known_to_hold_after_the_first_addition(link: int) -> None:
    """Unknown before, true after, on kernels since 5.18."""

    async def scenario() -> tuple[bool | None, bool | None]:
        async with AddressSocket() as addresses:
            before = addresses.has_marks
            await addresses.apply([new(link, VIP4)])
            return before, addresses.has_marks

    assert asyncio.run(scenario()) == (None, True)


def test_an_address_that_was_there_proves_nothing_about_marks(
    namespace: Namespace, link: int
) -> None:
    """Somebody else added it, without a mark."""
    namespace.ip(f"addr add {VIP4}/32 dev vip0")

    async def scenario() -> bool | None:
        async with AddressSocket() as addresses:
            await addresses.apply([new(link, VIP4)])
            return addresses.has_marks

    assert asyncio.run(scenario()) is None


def test_addresses_are_listed_in_the_order_of_the_kernel(namespace: Namespace, link: int) -> None:
    """IPv4: primaries first, then by age; the VIP that came before the node's address shows."""
    namespace.ip("addr add 192.0.2.200/32 dev vip0", "addr add 192.0.2.1/24 dev vip0")
    namespace.ip("addr add 192.0.2.2/24 dev vip0")
    apply(new(link, VIP4))
    assert texts(listed(link)) == [
        "192.0.2.200/32",
        "192.0.2.1/24",
        f"{VIP4}/32",
        "192.0.2.2/24",
    ]


def test_the_local_address_of_a_point_to_point_link_is_listed(
    namespace: Namespace, link: int
) -> None:
    """Not that of its peer."""
    namespace.ip(
        "addr add 198.51.100.1 peer 198.51.100.2/32 dev vip0",
        "addr add 2001:db8:1::1 peer 2001:db8:1::2/128 dev vip0 nodad",
    )
    assert [str(address.address) for address in listed(link)] == ["198.51.100.1", "2001:db8:1::1"]


@BOTH
def test_adding_what_is_there_changes_nothing_and_counts_as_done(link: int, vip: str) -> None:
    """The lifetime of before stays."""
    apply(new(link, vip, valid=60))
    assert apply(new(link, vip, valid=1000)) == (0,)
    assert listed(link)[0].valid_seconds <= 60


@BOTH
def test_a_refresh_gives_a_new_lifetime_and_keeps_the_mark(link: int, vip: str) -> None:
    """A replacement without the mark would have cleared it."""
    apply(new(link, vip, valid=60))
    assert apply(Refresh(to=new(link, vip, valid=1000))) == (0,)
    (seen,) = listed(link)
    assert seen.valid_seconds > 990
    assert seen.mark == OUR_MARK


@BOTH
def test_a_refresh_adds_what_is_not_there(link: int, vip: str) -> None:
    """An address that expired a moment ago comes back."""
    assert apply(Refresh(to=new(link, vip))) == (0,)
    assert len(listed(link)) == 1


@BOTH
def test_a_removal_takes_exactly_one_prefix_length(
    namespace: Namespace, link: int, vip: str
) -> None:
    """The same address with another mask belongs to somebody else."""
    namespace.ip(
        f"addr add {vip}/24 dev vip0 nodad" if ":" in vip else f"addr add {vip}/24 dev vip0"
    )
    apply(new(link, vip))
    assert apply(dead(link, vip)) == (0,)
    assert texts(listed(link)) == [f"{vip}/24"]


def test_another_mask_is_not_removed_in_place_of_the_asked_one(
    namespace: Namespace, link: int
) -> None:
    """The removal counts as done: that entry is not there."""
    namespace.ip(f"addr add {VIP4}/24 dev vip0")
    assert apply(dead(link, VIP4)) == (0,)
    assert texts(listed(link)) == [f"{VIP4}/24"]


@BOTH
def test_removing_what_is_not_there_counts_as_done(link: int, vip: str) -> None:
    """It may have expired."""
    assert apply(dead(link, vip)) == (0,)


def test_each_change_is_tried_whatever_became_of_the_others(
    namespace: Namespace, link: int
) -> None:
    """One errno for each, in order."""
    namespace.ip("link add no6 type ifb", "link set no6 addrgenmode none", "link set no6 up")
    with open("/proc/sys/net/ipv6/conf/no6/disable_ipv6", "w") as setting:
        setting.write("1")
    backwards = NewAddress(
        index=link,
        address=ip_address(VIP4),
        prefix=32,
        flags=FLAGS,
        valid_seconds=10,
        preferred_seconds=20,
    )
    results = apply(
        new(99999, VIP4),
        new(link, "192.0.2.11"),
        backwards,
        new(if_nametoindex("no6"), VIP6),
        dead(99999, VIP4),
        new(link, VIP6),
    )
    assert results == (errno.ENODEV, 0, errno.EINVAL, errno.EACCES, 0, 0)
    assert texts(listed(link)) == ["192.0.2.11/32", f"{VIP6}/128"]


def test_no_change_asks_the_kernel_nothing(namespace: Namespace) -> None:
    """An empty plan is no special case for the caller."""
    assert apply() == ()


def test_a_missing_capability_is_named(link: int) -> None:
    """Listing works without; a change says what to give the process."""
    with unprivileged():
        assert listed(link) == ()
        with pytest.raises(PermanentError, match="CAP_NET_ADMIN"):
            apply(new(link, VIP4))


def test_a_socket_that_is_not_open_refuses() -> None:
    """That is a bug of the caller, not of the world."""
    with pytest.raises(RuntimeError, match="not open"):
        asyncio.run(AddressSocket().dump())


def many(link: int, count: int) -> list[NewAddress]:
    """Build that many IPv4 host addresses."""
    first = int(IPv4Address("10.0.0.1"))
    return [new(link, str(IPv4Address(first + number))) for number in range(count)]


def test_a_cancelled_dump_leaves_a_usable_socket(link: int) -> None:
    """The kernel still has the rest of the old dump ready; the next answer is not it."""

    async def scenario() -> int:
        async with AddressSocket() as addresses:
            await addresses.apply(many(link, 2000))
            broken = asyncio.create_task(addresses.dump())
            await asyncio.sleep(0)  # it has asked and read the first part
            broken.cancel()
            await asyncio.wait([broken])
            assert broken.cancelled()
            return len(await whole_dump(addresses))

    assert asyncio.run(scenario()) == 2002  # with those of the loopback link


def test_a_dump_that_a_change_interrupts_is_none(link: int) -> None:
    """A list in which some addresses may be missing is not handed out as one."""

    async def scenario() -> tuple[LinkAddress, ...] | None:
        async with AddressSocket() as addresses, AddressSocket() as other:
            await addresses.apply(many(link, 2000))
            dump = asyncio.create_task(addresses.dump())
            await asyncio.sleep(0)  # it has asked and read the first part
            await other.apply([dead(link, "10.0.0.1")])
            return await dump

    assert asyncio.run(scenario()) is None


def test_requests_of_several_tasks_do_not_mix(link: int) -> None:
    """One exchange at a time; each task gets its own answer."""

    async def scenario() -> tuple[list[int], list[tuple[int, ...]]]:
        async with AddressSocket() as addresses:
            dumps = asyncio.gather(*(addresses.dump() for _ in range(3)))
            changes = asyncio.gather(
                *(addresses.apply([new(link, f"192.0.2.{n}"), new(99999, VIP4)]) for n in range(3))
            )
            sizes = [len(found or ()) for found in await dumps]
            return sizes, list(await changes)

    sizes, answers = asyncio.run(scenario())
    assert (sizes[0], answers) == (2, [(0, errno.ENODEV)] * 3)


@asynccontextmanager
async def measured_lag() -> AsyncIterator[list[float]]:
    """Collect by how many seconds the loop is late, again and again."""
    late: list[float] = []

    async def watch() -> None:
        while True:
            asked = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - asked - 0.001)

    task = asyncio.create_task(watch())
    try:
        yield late
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_a_thousand_addresses_come_and_go_without_blocking_the_loop(
    link: int, family: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bounds are generous; the printed figures are the point."""
    if family == "IPv4":
        added = many(link, 1000)
    else:
        base = int(IPv6Address(VIP6))
        added = [new(link, str(IPv6Address(base + number))) for number in range(1000)]
    steps: dict[str, float] = {}

    async def timed(step: str, work: Awaitable[T]) -> T:
        begun = time.perf_counter()
        result = await work
        steps[step] = (time.perf_counter() - begun) * 1e3
        return result

    async def scenario() -> tuple[bool, float]:
        async with AddressSocket() as addresses, measured_lag() as late:
            results = [await timed("add", addresses.apply(added))]
            found = await timed("dump", whole_dump(addresses))
            refreshes = [Refresh(to=one) for one in added]
            results.append(await timed("refresh", addresses.apply(refreshes)))
            gone = [DeadAddress(index=link, address=a.address, prefix=a.prefix) for a in added]
            results.append(await timed("delete", addresses.apply(gone)))
            mine = [address for address in found if address.mark == OUR_MARK]
            return len(mine) == 1000 and not any(map(any, results)), max(late)

    complete, lag = asyncio.run(scenario())
    with capsys.disabled():
        figures = ", ".join(f"{step} {value:.1f} ms" for step, value in steps.items())
        print(f"\n1,000 {family} addresses: {figures}; the loop was late by {lag * 1e3:.1f} ms")
    assert complete
    assert listed(link) == ()
    assert lag < 0.25
    assert sum(steps.values()) < 5000
