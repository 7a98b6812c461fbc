"""Routes of one protocol in a real kernel."""

import asyncio
import errno
import json
import subprocess
from dataclasses import replace

import pytest

from bgp.core.exportrules import IPV6_METRIC
from purelb.api.addresses import parse_ip, parse_network
from purelb.api.routes import MAIN_TABLE, Hop, KernelRoute
from purelb.runtime.errors import PermanentError
from purelb.runtime.netlink.fib import RouteSocket
from tests.netns.conftest import Namespace, unprivileged

PROTOCOL = 186
ETH0, ETH1 = 10, 11


@pytest.fixture
def links(namespace: Namespace) -> Namespace:
    """Two links with addresses of both families."""
    for index, name, number in ((ETH0, "eth0", 1), (ETH1, "eth1", 2)):
        namespace.ip(
            f"link add {name} index {index} type veth peer name p{name}",
            f"link set p{name} up",
            f"link set {name} up",
            f"address add 192.0.{number}.11/24 dev {name}",
            f"address add 2001:db8:{number}::11/64 dev {name} nodad",
        )
    return namespace


def route(prefix: str, *hops: tuple[str, int], table: int = MAIN_TABLE) -> KernelRoute:
    """Return a route of our protocol."""
    return KernelRoute(
        prefix=parse_network(prefix),
        table=table,
        metric=20,
        protocol=PROTOCOL,
        hops=tuple(Hop(parse_ip(text) if text else None, index) for text, index in hops),
    )


ROUTES = (
    route("10.0.0.0/8", ("192.0.1.1", ETH0)),
    route("10.1.0.0/16", ("192.0.1.1", ETH0), ("192.0.2.1", ETH1)),
    route("10.2.0.0/16", ("2001:db8:1::1", ETH0)),
    route("10.3.0.1/32", ("", ETH0), table=100_000),
    route("2001:db8:9::/48", ("2001:db8:1::1", ETH0), ("2001:db8:2::1", ETH1)),
    route("2001:db8:a::1/128", ("fe80::1", ETH0), table=100),
    route("0.0.0.0/0", ("192.0.1.1", ETH0)),
    route("::/0", ("2001:db8:1::1", ETH0)),
)


def test_what_is_installed_is_what_is_listed_until_it_is_removed(links: Namespace) -> None:
    """Both families, several next hops, IPv4 by IPv6 routers, other tables, default routes."""

    async def scenario() -> None:
        async with RouteSocket() as routes:
            assert await routes.install(ROUTES) == (0,) * len(ROUTES)
            found = await routes.dump(PROTOCOL)
            assert sorted(found, key=str) == sorted(ROUTES, key=str)
            assert await routes.remove(ROUTES) == (0,) * len(ROUTES)
            assert await routes.dump(PROTOCOL) == ()
            assert await routes.remove(ROUTES[:1]) == (0,)

    asyncio.run(scenario())


@pytest.mark.parametrize("prefix", ["10.0.0.0/8", "2001:db8:9::/48"])
def test_a_route_with_other_next_hops_replaces_the_one_of_its_key(
    links: Namespace, prefix: str
) -> None:
    """There is no moment without one."""
    near = "192.0.1.1" if "." in prefix else "2001:db8:1::1"
    far = "192.0.2.1" if "." in prefix else "2001:db8:2::1"
    both = route(prefix, (near, ETH0), (far, ETH1))

    async def scenario() -> None:
        async with RouteSocket() as routes:
            for one in (both, replace(both, hops=both.hops[1:]), both):
                assert await routes.install([one]) == (0,)
                assert await routes.dump(PROTOCOL) == (one,)

    asyncio.run(scenario())


def test_of_metric_0_the_kernel_makes_another_for_ipv6(links: Namespace) -> None:
    """That one tells the route apart from then on."""
    new = [
        replace(route("10.0.0.0/8", ("192.0.1.1", ETH0)), metric=0),
        replace(route("2001:db8:9::/48", ("2001:db8:1::1", ETH0)), metric=0),
    ]

    async def scenario() -> None:
        async with RouteSocket() as routes:
            assert await routes.install(new) == (0, 0)
            found = await routes.dump(PROTOCOL)
            assert [(one.prefix.version, one.metric) for one in found] == [(4, 0), (6, IPV6_METRIC)]
            assert await routes.remove(found) == (0, 0)
            assert await routes.dump(PROTOCOL) == ()

    asyncio.run(scenario())


def test_routes_of_others_are_neither_listed_nor_removed(links: Namespace) -> None:
    """Even where they differ in nothing but the protocol."""
    links.ip("route add 10.0.0.0/8 via 192.0.1.1 dev eth0 metric 20 proto static")

    async def scenario() -> None:
        async with RouteSocket() as routes:
            assert await routes.dump(PROTOCOL) == ()
            assert await routes.remove(ROUTES[:1]) == (0,)

    asyncio.run(scenario())
    done = subprocess.run(["ip", "-j", "route", "show", "10.0.0.0/8"], capture_output=True)
    assert [one["protocol"] for one in json.loads(done.stdout)] == ["static"]


def test_a_router_that_cannot_be_reached_is_an_error_of_its_route_alone(links: Namespace) -> None:
    """The others are there."""
    bad = route("10.9.0.0/16", ("198.51.100.1", ETH0))

    async def scenario() -> None:
        async with RouteSocket() as routes:
            assert await routes.install([bad, ROUTES[0]]) == (errno.ENETUNREACH, 0)
            assert await routes.dump(PROTOCOL) == (ROUTES[0],)

    asyncio.run(scenario())


def test_without_the_capability_it_says_so(links: Namespace) -> None:
    """With the name of the capability."""

    async def scenario() -> None:
        with unprivileged():
            async with RouteSocket() as routes:
                await routes.install(ROUTES[:1])

    with pytest.raises(PermanentError, match="CAP_NET_ADMIN"):
        asyncio.run(scenario())
