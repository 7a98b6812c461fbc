"""Programs that look for "the node's address" do not find one of ours.

Each way of looking is written down again in a few lines, over what the kernel lists; its source is
named. Not asked here are those that take the first IPv6 address whatever its flags: the kernel
lists the newest first (measured, Linux 6.18), and they must be told the node's address.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from ipaddress import ip_address

import pytest

from tests.netns.agentscene import LEASE, SECONDS, Object, Scene, play

OUTSIDE = {"inet": "198.51.100.1", "inet6": "2001:db8:ffff::1"}


def first_global(entries: list[Object]) -> str:
    """Return the first global unicast IPv4 address of the default route's interface.

    kubelet without --node-ip, and k3s: k8s.io/apimachinery pkg/util/net/interface.go,
    getMatchingGlobalIP. flannel: pkg/ip/iface.go, GetInterfaceIP4Addrs, of which
    pkg/ipmatch/match.go takes the first. Calico `first-found` and `interface=`:
    node/pkg/lifecycle/startup/autodetection/filtered.go, FilteredEnumeration.
    """
    return next(_global(entries))


def first_of_all(entries: list[Object]) -> str:
    """Return the first address: `hostname -I`, with which scripts install k3s and others."""
    return str(entries[0]["local"])


def lowest(entries: list[Object]) -> str:
    """Return the lowest address, in the widest scope.

    Cilium where the Node object has no InternalIP: pkg/node/address_linux.go, firstGlobalAddr. So
    pools should lie above the nodes' own addresses.
    """
    return min(_global(entries), key=ip_address)


def first_primary(entries: list[Object]) -> str:
    """Return the first address that is not secondary.

    Cilium's NodePort: pkg/datapath/tables/node_address.go, getAddressesFromDevices.
    """
    found = (e["local"] for e in entries if e["family"] == "inet" and not e.get("secondary"))
    return str(next(found))


WAYS: tuple[Callable[[list[Object]], str], ...] = (
    first_global,
    first_of_all,
    lowest,
    first_primary,
)


def _global(entries: list[Object]) -> Iterator[str]:
    for entry in entries:
        if entry["family"] == "inet" and entry["scope"] == "global":
            yield entry["local"]


async def source(stage: Scene, node: str, family: str) -> str:
    """Return the source that the kernel chooses for traffic to the world.

    Calico `can-reach=`: node/pkg/lifecycle/startup/autodetection/reachaddr.go, ReachDestination.
    flannel --iface-can-reach: pkg/ip/iface.go, GetInterfaceBySpecificIPRouting.
    """
    done = await stage.cluster.run(node, "ip", "-j", "route", "get", OUTSIDE[family])
    found: str = json.loads(done.stdout)[0]["prefsrc"]
    return found


async def lose_everything(stage: Scene, node: str) -> None:
    """Let a network manager take all IPv4 addresses away and put the node's own back."""
    own = stage.cluster.topology.node(node).main.v4
    gateway = stage.cluster.topology.gateway(4)
    script = (
        "ip -4 address flush dev eth0; sleep 0.02; "
        f"ip address add {own} dev eth0; ip route replace default via {gateway}"
    )
    await stage.cluster.run(node, "sh", "-c", script)


async def settled(stage: Scene, node: str, addresses: list[str]) -> list[Object]:
    """Wait until a node has all these addresses, and return what it lists."""
    async with asyncio.timeout(SECONDS):
        while True:
            entries = await stage.entries(node)
            if {*addresses} <= {entry["local"] for entry in entries}:
                return entries
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("has_restarted", [False, True], ids=["at first", "after a flush"])
def test_whoever_looks_for_the_nodes_address_finds_its_own(*, has_restarted: bool) -> None:
    """By order, number, scope and flags, and by the kernel's own choice."""

    async def work(stage: Scene) -> None:
        found = [await stage.service(f"web-{n}", "IPv4", "IPv6") for n in range(3)]
        node = await stage.placed(found[0][0])
        machine = stage.cluster.topology.node(node).main
        here = [a for pair in found for a in pair if await stage.placed(a) == node]
        if has_restarted:
            await lose_everything(stage, node)
        entries = await settled(stage, node, here)
        assert {way.__name__: way(entries) for way in WAYS} == dict.fromkeys(
            (way.__name__ for way in WAYS), str(machine.v4.ip)
        )
        assert await source(stage, node, "inet") == str(machine.v4.ip)
        assert await source(stage, node, "inet6") == str(machine.v6.ip)

    play(work)


def test_no_address_of_ours_is_one_that_ipv6_prefers() -> None:
    """All are deprecated, finite, and without a route of their own (RFC 6724, rule 3)."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web", "IPv6")
        node = await stage.placed(address)
        (entry,) = [e for e in await stage.entries(node) if e["local"] == address]
        assert entry["deprecated"]
        assert entry["valid_life_time"] <= LEASE
        done = await stage.cluster.run(node, "ip", "-j", "-6", "route", "show", "table", "main")
        assert address not in [route["dst"] for route in json.loads(done.stdout)]

    play(work)
