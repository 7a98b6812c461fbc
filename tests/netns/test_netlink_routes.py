"""Which way packets go, as the real kernel says it, and settings of links."""

import asyncio
import subprocess
from ipaddress import ip_address
from pathlib import Path
from socket import if_nametoindex

import pytest

from purelb.api.links import RouteAnswer, RouteQuery
from purelb.runtime.netlink.events import SETTINGS, Event, EventSocket, SettingChanged
from purelb.runtime.netlink.routes import ways
from purelb.runtime.sysctls import read_conf
from tests.netns.conftest import Namespace

SECONDS = 10.0


@pytest.fixture
def two_links(namespace: Namespace) -> Namespace:
    """A host with a default route over eth0, and eth1 beside it."""
    namespace.ip(
        "link add eth0 type veth peer name far0",
        "link add eth1 type veth peer name far1",
        *(f"link set {name} up" for name in ("eth0", "far0", "eth1", "far1")),
        "address add 192.0.2.7/24 dev eth0",
        "address add 2001:db8::7/64 dev eth0 nodad",
        "address add 198.51.100.7/24 dev eth1",
        "route add default via 192.0.2.1",
        "route add default via 2001:db8::1",
    )
    return namespace


def way(to: str, source: str = "") -> RouteAnswer | None:
    """Ask for one way."""
    query = RouteQuery(to=ip_address(to), source=ip_address(source) if source else None)
    return asyncio.run(ways([query]))[query]


@pytest.mark.parametrize(
    ("to", "link", "own", "gateway"),
    [
        ("203.0.113.1", "eth0", "192.0.2.7", "192.0.2.1"),
        ("192.0.2.9", "eth0", "192.0.2.7", ""),
        ("198.51.100.9", "eth1", "198.51.100.7", ""),
        ("2001:db8:ffff::1", "eth0", "2001:db8::7", "2001:db8::1"),
        ("2001:db8::9", "eth0", "2001:db8::7", ""),
    ],
)
def test_the_kernel_says_link_source_and_router(
    two_links: Namespace, to: str, link: str, own: str, gateway: str
) -> None:
    """Both families, on the link and beyond a router."""
    assert way(to) == RouteAnswer(
        index=if_nametoindex(link),
        source=ip_address(own),
        gateway=ip_address(gateway) if gateway else None,
    )


def test_a_rule_for_a_source_changes_the_way(two_links: Namespace) -> None:
    """That is what makes answers leave by the link that requests came in by."""
    before = way("203.0.113.1", "198.51.100.7")
    two_links.ip(
        "route add default via 198.51.100.1 dev eth1 table 7",
        "rule add from 198.51.100.0/24 lookup 7",
    )
    after = way("203.0.113.1", "198.51.100.7")
    assert before is not None
    assert after is not None
    assert (before.index, after.index) == (if_nametoindex("eth0"), if_nametoindex("eth1"))


@pytest.mark.parametrize(
    ("to", "gateway"), [("203.0.113.1", "198.51.100.1"), ("2001:db8:f::1", "2001:db8:1::1")]
)
def test_a_way_by_a_link_is_told_with_the_table_that_leads_there(
    two_links: Namespace, to: str, gateway: str
) -> None:
    """As of a VRF, of which the kernel makes such a rule; what its table lacks, others have."""
    two_links.ip(
        "address add 2001:db8:1::7/64 dev eth1 nodad",
        f"route add {to} via {gateway} dev eth1 table 7000",
    )
    rule = ("rule", "add", "oif", "eth1", "lookup", "7000")
    subprocess.run(["ip", "-6" if ":" in to else "-4", *rule], check=True)
    by = RouteQuery(to=ip_address(to), link=if_nametoindex("eth1"))
    near = RouteQuery(to=ip_address(gateway), link=by.link)
    gone = RouteQuery(to=ip_address(to), link=4711)
    found = asyncio.run(ways([by, near, gone]))
    assert (answer := found[by]) is not None
    assert (answer.index, answer.gateway, answer.table) == (by.link, ip_address(gateway), 7000)
    assert (other := found[near]) is not None
    assert (other.gateway, other.table) == (None, 254)
    assert found[gone] is None


def test_a_router_of_the_other_family_is_understood(two_links: Namespace) -> None:
    """RFC 5549, as BGP unnumbered has it."""
    two_links.ip("route del default", "route add 0.0.0.0/0 via inet6 2001:db8::1 dev eth0")
    found = way("203.0.113.1")
    assert found is not None
    assert found.gateway == ip_address("2001:db8::1")


@pytest.mark.parametrize("source", ["", "192.0.2.200"])
def test_where_there_is_no_way_the_answer_is_none(two_links: Namespace, source: str) -> None:
    """No route, a route that refuses, or a source that is not ours."""
    two_links.ip("route del default", "route add unreachable 10.0.0.0/8")
    assert way("203.0.113.1", source) is None
    assert way("10.0.0.1", source) is None


def test_a_setting_is_read_in_the_own_namespace(two_links: Namespace) -> None:
    """A link that is not there, or a setting that no kernel has, is not known."""
    setting = Path("/proc/sys/net/ipv4/conf/eth1/arp_ignore")
    setting.write_text("2")
    assert read_conf("eth1", "arp_ignore") == 2
    assert read_conf("eth7", "arp_ignore") is None
    assert read_conf("eth1", "no_such_setting") is None


def flip(name: str) -> None:
    """Change a setting of eth1 that is 0 or 1."""
    setting = Path("/proc/sys/net/ipv4/conf/eth1") / name
    setting.write_text("0" if read_conf("eth1", name) else "1")


def test_a_changed_setting_is_an_event(two_links: Namespace) -> None:
    """rp_filter is among those that the kernel tells of."""

    async def scenario() -> None:
        heard = asyncio.Event()
        seen: list[Event] = []

        def deliver(event: Event) -> None:
            seen.append(event)
            heard.set()

        async with EventSocket(deliver, groups=SETTINGS) as events, asyncio.TaskGroup() as tasks:
            running = tasks.create_task(events.run())
            flip("rp_filter")
            async with asyncio.timeout(SECONDS):
                await heard.wait()
            running.cancel()
        assert seen[0] == SettingChanged()

    asyncio.run(scenario())
