"""Links, default routes and the dummy link on the real kernel."""

import asyncio
import time
from ipaddress import IPv4Address, ip_address
from socket import if_nametoindex

import pytest

from purelb.api.addresses import Family
from purelb.api.identifiers import LinkName
from purelb.api.links import FOREVER, DefaultRoute, Link, NewAddress
from purelb.runtime.errors import PermanentError
from purelb.runtime.netlink import links, listing
from purelb.runtime.netlink.addresses import AddressSocket
from purelb.runtime.netlink.wire import DeadAddress
from tests.netns.conftest import Namespace, unprivileged

KUBE_LB0 = LinkName("kube-lb0")
KIND = "ifb"  # behaves like dummy, which some kernels lack


def link_named(name: str) -> Link | None:
    """Return one link of the list."""
    return next((link for link in asyncio.run(listing.links()) if link.name == name), None)


def test_a_link_is_listed_with_mac_kind_and_alias(namespace: Namespace) -> None:
    """Switched off as it is made."""
    namespace.ip(
        "link add nic0 index 7 address 02:a7:00:00:00:01 type veth peer name nic1",
        "link set nic0 alias purelb",
    )
    assert link_named("nic0") == Link(
        index=7,
        name=LinkName("nic0"),
        mac=bytes.fromhex("02a700000001"),
        is_up=False,
        has_carrier=False,
        kind="veth",
        alias="purelb",
    )


def test_the_loopback_link_has_no_mac(namespace: Namespace) -> None:
    """Its hardware address is no Ethernet one."""
    assert link_named("lo") == Link(
        index=1, name=LinkName("lo"), mac=b"", is_up=True, has_carrier=True, is_loopback=True
    )


def test_a_link_that_is_up_may_have_no_carrier(
    namespace: Namespace, far_namespace: Namespace
) -> None:
    """Somebody pulled the cable."""
    far_namespace.ip("link set peer0 down")
    link = link_named("eth0")
    assert link is not None
    assert (link.is_up, link.has_carrier) == (True, False)


def test_links_are_listed_by_index(namespace: Namespace) -> None:
    """Whatever the kernel's order."""
    namespace.ip(*(f"link add l{index} index {index} type ifb" for index in (300, 9, 44)))
    assert [link.index for link in asyncio.run(listing.links())] == [1, 9, 44, 300]


def route(family: Family, metric: int, name: str, gateway: str = "") -> DefaultRoute:
    """Build what is expected."""
    return DefaultRoute(
        family=family,
        metric=metric,
        index=if_nametoindex(name),
        gateway=ip_address(gateway) if gateway else None,
    )


def test_default_routes_are_listed_with_metrics_and_every_next_hop(namespace: Namespace) -> None:
    """Both families, the best first; other tables and refusing routes do not count."""
    namespace.ip(
        "link add nic0 type ifb",
        "link add nic1 type ifb",
        "link set nic0 up",
        "link set nic1 up",
        "addr add 192.0.2.1/24 dev nic0",
        "addr add 198.51.100.1/24 dev nic1",
        "route add 0.0.0.0/0 metric 9 nexthop via 192.0.2.251 weight 2 nexthop via 198.51.100.252",
        "route add 0.0.0.0/0 via 192.0.2.254",
        "route add 0.0.0.0/0 via inet6 fe80::9 dev nic1 metric 3",
        "route add 0.0.0.0/0 via 192.0.2.253 table 100",
        "route add unreachable 0.0.0.0/0 metric 4000",
        "route add ::/0 dev nic0 metric 77",
        "route add ::/0 metric 33 nexthop via fe80::1 dev nic0 nexthop via fe80::2 dev nic1",
        "route add 2001:db8::/32 via fe80::1 dev nic0",
    )
    assert asyncio.run(links.default_routes()) == (
        route(Family.IPV4, 0, "nic0", "192.0.2.254"),
        route(Family.IPV4, 3, "nic1", "fe80::9"),
        route(Family.IPV4, 9, "nic0", "192.0.2.251"),
        route(Family.IPV4, 9, "nic1", "198.51.100.252"),
        route(Family.IPV6, 33, "nic0", "fe80::1"),
        route(Family.IPV6, 33, "nic1", "fe80::2"),
        route(Family.IPV6, 77, "nic0"),
    )


def test_without_default_routes_the_list_is_empty(namespace: Namespace) -> None:
    """A fresh namespace has none."""
    assert asyncio.run(links.default_routes()) == ()


def test_thousands_of_local_routes_do_not_slow_the_list_down(namespace: Namespace) -> None:
    """Each address has one, and the kernel leaves them out; decoding them takes 0.15 s."""
    namespace.ip(*(f"link add many{number} type ifb" for number in range(5)))
    added = [
        NewAddress(
            index=if_nametoindex(f"many{number % 5}"),
            address=IPv4Address("10.0.0.1") + number,
            prefix=32,
            flags=0,
            valid_seconds=FOREVER,
            preferred_seconds=FOREVER,
        )
        for number in range(5000)
    ]

    async def scenario() -> tuple[tuple[DefaultRoute, ...], float]:
        async with AddressSocket() as addresses:
            assert not any(await addresses.apply(added))
        begun = time.thread_time()
        return await links.default_routes(), time.thread_time() - begun

    found, seconds = asyncio.run(scenario())
    assert (found, seconds < 0.05) == ((), True)


def test_a_dummy_is_made_and_marked_and_then_switched_on(namespace: Namespace) -> None:
    """The alias says later that it is ours to delete."""
    index = asyncio.run(links.make_dummy(KUBE_LB0, KIND))
    link = link_named(KUBE_LB0)
    assert link is not None
    assert (link.index, link.is_up, link.kind, link.alias) == (index, False, KIND, "purelb")
    asyncio.run(links.switch_on(index))
    link = link_named(KUBE_LB0)
    assert link is not None
    assert link.is_up


@pytest.mark.parametrize("existed", [False, True])
def test_the_dummy_keeps_the_other_addresses_of_a_network(
    namespace: Namespace, existed: bool
) -> None:
    """The kernel's default takes them away with the first."""
    if existed:
        namespace.ip(f"link add {KUBE_LB0} type {KIND}")
    index = asyncio.run(links.make_dummy(KUBE_LB0, KIND))
    if existed:
        asyncio.run(links.switch_on(index))
    namespace.ip(*(f"addr add 192.0.2.{number}/24 dev {KUBE_LB0}" for number in (1, 2, 3)))

    async def remove_the_first() -> list[str]:
        async with AddressSocket() as addresses:
            first = DeadAddress(index=index, address=ip_address("192.0.2.1"), prefix=24)
            await addresses.apply([first])
            found = await addresses.dump()
        return [str(one.address) for one in found or () if one.index == index and one.prefix == 24]

    assert asyncio.run(remove_the_first()) == ["192.0.2.2", "192.0.2.3"]


def test_a_link_of_that_name_is_not_marked(namespace: Namespace) -> None:
    """Somebody else made it, and deletes it."""
    namespace.ip(f"link add {KUBE_LB0} index 12 type {KIND}")
    assert asyncio.run(links.make_dummy(KUBE_LB0, KIND)) == 12
    link = link_named(KUBE_LB0)
    assert link is not None
    assert (link.is_up, link.alias) == (False, "")
    assert asyncio.run(links.delete_dummy(KUBE_LB0)) is False
    assert link_named(KUBE_LB0) is not None


def test_our_dummy_is_deleted_once(namespace: Namespace) -> None:
    """Afterwards there is nothing left to delete."""
    asyncio.run(links.make_dummy(KUBE_LB0, KIND))
    assert asyncio.run(links.delete_dummy(KUBE_LB0)) is True
    assert link_named(KUBE_LB0) is None
    assert asyncio.run(links.delete_dummy(KUBE_LB0)) is False


def test_a_kind_the_kernel_lacks_is_named(namespace: Namespace) -> None:
    """With what would change it."""
    with pytest.raises(PermanentError, match=r"kube-lb0 of kind nonsense.*load its module"):
        asyncio.run(links.make_dummy(KUBE_LB0, "nonsense"))


def test_a_missing_capability_is_named(namespace: Namespace) -> None:
    """Listing works without; a change says what to give the process."""
    with unprivileged():
        assert len(asyncio.run(listing.links())) == 1
        with pytest.raises(PermanentError, match="CAP_NET_ADMIN"):
            asyncio.run(links.make_dummy(KUBE_LB0, KIND))
