"""Links that change under a running agent, and hosts and configurations that are wrong.

The second link of node-a is one end of a veth pair whose other end is in the same namespace, so it
can lose its carrier without cutting the node off. Bonds, VLANs and VRFs are other kinds of links
with the same states; bridges and macvlans stand for them where a kernel has no modules for those,
and their messages are read in `tests/unit/purelb/runtime/test_netlink_links.py`.
"""

import asyncio
import time
from collections.abc import Callable
from ipaddress import ip_network

import pytest

from nodeagent.core.election import Member, elect
from playground.api import path_of
from purelb.api.addresses import parse_ip
from purelb.api.conditions import NodeCondition, parse_conditions
from purelb.api.identifiers import NodeName
from purelb.api.links import OUR_MARK
from tests.netns.agentscene import SECONDS, Object, Scene, play, slot

NODE = "node-a"
SIDE = "10.9.0.0/24"
AGENT = path_of("LBNodeAgent", "purelb-system", "default")
SIDE_GROUP = {
    "apiVersion": "purelb.io/v2",
    "kind": "ServiceGroup",
    "metadata": {"name": "side", "namespace": "purelb-system"},
    "spec": {"local": {"v4pool": {"pool": "10.9.0.100-10.9.0.120", "subnet": SIDE}}},
}
PAIR = "ip link add eth1 {kind} && ip link set eth1 up && ip address add 10.9.0.1/24 dev eth1"
VETH = "type veth peer name far1 && ip link set far1 up"


async def shell(stage: Scene, script: str) -> None:
    """Run a shell script on the node."""
    await stage.cluster.run(NODE, "sh", "-ec", script)


async def configure(stage: Scene, **local: object) -> None:
    """Change fields of the LBNodeAgent's spec.local."""
    await stage.cluster.api.patch(AGENT, {"spec": {"local": local}})


async def lease(stage: Scene, claim: Callable[[Object], bool]) -> Object:
    """Wait for the node's Lease to satisfy a claim about its annotations, and return those."""
    only = f"metadata.name=purelb-node-{NODE}"
    keys: Object = {}
    try:
        async with asyncio.timeout(SECONDS):
            path = path_of("Lease", "purelb-system")
            async for _, found in stage.cluster.api.watch(path, fieldSelector=only):
                keys = found["metadata"]["annotations"]
                if claim(keys):
                    return keys
    except TimeoutError:
        raise AssertionError(f"the Lease says {keys}") from None
    raise AssertionError("the watch ended")


def shows(subnet: str) -> Callable[[Object], bool]:
    """Claim that a Lease shows a subnet."""
    return lambda keys: subnet in keys["purelb.io/subnets"].split(",")


def conditions(keys: Object) -> tuple[NodeCondition, ...]:
    """Return what a Lease says is wrong."""
    return parse_conditions(keys["purelb.io/conditions"])


async def condition(stage: Scene, kind: str, subject: str) -> NodeCondition:
    """Wait for a condition on the node's Lease."""

    def found(keys: Object) -> list[NodeCondition]:
        return [one for one in conditions(keys) if (one.type, one.subject) == (kind, subject)]

    return found(await lease(stage, lambda keys: bool(found(keys))))[0]


async def event(stage: Scene, kind: str, text: str) -> Object:
    """Wait for an Event about an object of a kind, with this text."""
    namespace = "purelb-system" if kind == "LBNodeAgent" else "default"
    async with asyncio.timeout(SECONDS):
        async for _, found in stage.cluster.api.watch(path_of("Event", namespace)):
            if found["involvedObject"]["kind"] == kind and text in found["message"]:
                return found
    raise AssertionError("the watch ended")


def winner(stage: Scene, address: str) -> str:
    """Return the node that has an address once all are members."""
    ip = parse_ip(address)
    networks = (ip_network(f"{address}/{ip.max_prefixlen}"),)
    members = [Member(node=NodeName(name), subnets=networks) for name in stage.cluster.nodes]
    node = elect(ip, members)
    assert node is not None
    return node


async def side_service(stage: Scene, link: str = "eth1") -> str:
    """Create a Service with an address of the second link, and return it once it is there."""
    await stage.cluster.api.create(SIDE_GROUP)
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "side",
            "namespace": "default",
            "annotations": {"purelb.io/service-group": "side"},
        },
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    }
    await stage.cluster.api.create(body)
    found = await stage.until("side", lambda s: bool(slot(s)))
    address: str = found["status"]["loadBalancer"]["ingress"][0]["ip"]
    assert slot(found) == f"{NODE},{link},{address}"
    return address


async def came(lines: asyncio.StreamReader, *words: str) -> None:
    """Wait until `ip monitor` tells of something that is there and has all these words."""
    async with asyncio.timeout(SECONDS):
        while line := (await lines.readline()).decode():
            if not line.startswith("Deleted") and all(word in line for word in words):
                return
    raise AssertionError("the monitor ended")


def test_without_carrier_the_lease_stops_showing_the_network() -> None:
    """So another node is elected; it comes back with the carrier."""

    async def work(stage: Scene) -> None:
        await shell(stage, PAIR.format(kind=VETH))
        await configure(stage, interfaces=["eth1"])
        await lease(stage, shows(SIDE))
        await side_service(stage)
        begun = time.monotonic()
        await shell(stage, "ip link set far1 down")
        await lease(stage, lambda keys: not shows(SIDE)(keys))
        print(f"\ncarrier lost, Lease written after {time.monotonic() - begun:.2f} s")
        await stage.until_slot("side", "IPv4", "")
        found = await condition(stage, "Carrier", "eth1")
        assert "has no carrier" in found.message
        await shell(stage, "ip link set far1 up")
        await lease(stage, shows(SIDE))
        await stage.until("side", lambda service: "eth1" in slot(service))
        await lease(stage, lambda keys: not conditions(keys))

    play(work)


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(VETH, id="veth"),
        pytest.param("type bridge && ip link add port1 master eth1 up type ifb", id="bridge"),
        pytest.param("link eth0 type macvlan mode bridge", id="macvlan"),
        pytest.param("type vxlan id 7 dstport 4789 dev eth0 group 239.1.1.1", id="vxlan"),
    ],
)
def test_a_link_that_is_made_anew_carries_the_address_again(made: str) -> None:
    """Its index is another; the name counts."""

    async def work(stage: Scene) -> None:
        await shell(stage, PAIR.format(kind=made))
        await configure(stage, interfaces=["eth1"])
        address = await side_service(stage)
        anew = f"ip link del eth1; ip link del port1 || true; {PAIR.format(kind=made)}"
        monitor = ("ip", "-o", "monitor", "address")
        async with stage.cluster.running(NODE, *monitor) as lines:
            await shell(stage, anew)
            await came(lines, f"{address}/32", "eth1")
        assert await stage.marks(NODE, address) == [OUR_MARK]

    play(work)


@pytest.mark.parametrize("selected", ["bond0.100", "default"])
def test_a_link_named_like_a_vlan_of_a_bond_carries_the_address(selected: str) -> None:
    """By its name, dots and all, or because the default route leads over it."""

    async def work(stage: Scene) -> None:
        gateway = stage.cluster.topology.gateway(4)
        await shell(
            stage,
            "ip link add bond0 type veth peer name far1 && ip link set far1 up;"
            "ip link set bond0 up; ip link add bond0.100 link bond0 type macvlan mode bridge;"
            "ip link set bond0.100 up; ip address add 10.9.0.1/24 dev bond0.100",
        )
        if selected == "default":
            route = f"ip route replace default via {gateway} dev bond0.100 onlink"
            await shell(stage, f"{route}; ip -6 route del default || true")
        else:
            await configure(stage, interfaces=[selected])
        await lease(stage, shows(SIDE))
        address = await side_service(stage, "bond0.100")
        assert await stage.marks(NODE, address) == [OUR_MARK]
        await shell(stage, "ip link set far1 down")
        await lease(stage, lambda keys: not shows(SIDE)(keys))
        await stage.until_slot("side", "IPv4", "")

    play(work)


def test_a_renamed_link_keeps_its_address_and_the_slot_has_its_new_name() -> None:
    """The default route still leads over it."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        node = winner(stage, address)  # not one that had it before all had joined
        await stage.until_slot("web", "IPv4", f"{node},eth0,{address}")
        await stage.placed(address)
        rename = ("ip", "link", "set", "eth0", "name", "lan0")
        done = await stage.cluster.run(node, *rename, check=False)
        if done.returncode:
            pytest.skip(f"this kernel renames no link that is up: {done.stderr.strip()}")
        await stage.until_slot("web", "IPv4", f"{node},lan0,{address}")
        assert (node, address) not in stage.watch.lost

    play(work)


def test_ambiguous_default_routes_are_told_and_nothing_is_guessed() -> None:
    """Until the routes say which."""

    async def work(stage: Scene) -> None:
        gateway = stage.cluster.topology.gateway(4)
        second = "192.0.2.190"
        await shell(
            stage,
            "ip link add eth1 link eth0 type macvlan mode bridge; ip link set eth1 up;"
            f"ip address add {second}/24 dev eth1 noprefixroute;"
            f"ip route append default via {gateway} dev eth1 onlink",
        )
        found = await condition(stage, "DefaultRoute", "192.0.2.0/24")
        assert f"default via {gateway} dev eth0 metric 0" in found.message
        assert f"default via {gateway} dev eth1 metric 0" in found.message
        told = await event(stage, "Node", "default via")
        assert told["involvedObject"]["name"] == NODE
        await shell(stage, f"ip route del default via {gateway} dev eth1")
        await lease(stage, lambda keys: "DefaultRoute" not in {c.type for c in conditions(keys)})

    play(work)


def test_an_address_that_two_links_could_have_is_on_the_dummy_link_meanwhile() -> None:
    """With a lifetime and a slot like any that was elected; the routes move it."""

    async def work(stage: Scene) -> None:
        via = "ip route append default via 10.9.0.250 dev {} onlink"
        second = "ip link add eth2 link eth1 type macvlan mode bridge; ip link set eth2 up"
        await shell(stage, f"{PAIR.format(kind=VETH)}; {second}; {via.format('eth1')}")
        await shell(
            stage, f"ip address add 10.9.0.2/24 dev eth2 noprefixroute; {via.format('eth2')}"
        )
        monitor = ("ip", "-o", "monitor", "address")
        async with stage.cluster.running(NODE, *monitor) as lines:
            address = await side_service(stage, "kube-lb0")
            await came(lines, f"{address}/32", "kube-lb0")
            assert await stage.marks(NODE, address) == [OUR_MARK]
            await shell(stage, "ip route del default via 10.9.0.250 dev eth2")
            await came(lines, f"{address}/32", "eth1")
            await stage.until_slot("side", "IPv4", f"{NODE},eth1,{address}")

    play(work)


def test_settings_that_drop_or_misdirect_traffic_are_told_on_the_node() -> None:
    """Strict reverse path filtering on a second NIC, until it is loose."""

    async def work(stage: Scene) -> None:
        await shell(stage, PAIR.format(kind=VETH))
        await configure(stage, interfaces=["eth1"])
        await lease(stage, shows(SIDE))
        strict = "echo {} > /proc/sys/net/ipv4/conf/eth1/rp_filter"
        await shell(stage, strict.format(1))
        found = await condition(stage, "ReversePathFilter", "eth1")
        assert "net.ipv4.conf.eth1.rp_filter=2" in found.message
        told = await event(stage, "Node", "rp_filter is 1")
        assert (told["reason"], told["type"]) == ("ReversePathFilter", "Warning")
        await shell(stage, strict.format(2))
        await lease(stage, lambda keys: not conditions(keys))

    play(work)


def test_faults_of_a_configuration_are_told_and_the_rest_works() -> None:
    """A missing interface, a duration that is none, a lifetime too short; then all is mended."""

    async def work(stage: Scene) -> None:
        await configure(
            stage,
            interfaces=["eth7"],
            garpConfig={"interval": "soon"},
            addressConfig={"localInterface": {"validLifetime": 5}},
        )
        for field in (
            "interfaces",
            "garpConfig.interval",
            "addressConfig.localInterface.validLifetime",
        ):
            await condition(stage, "Configuration", f"spec.local.{field}")
            told = await event(stage, "LBNodeAgent", f"spec.local.{field}")
            assert told["reason"] == "ConfigurationWarning"
        (address,) = await stage.service("web")
        await stage.placed(address)
        await configure(stage, interfaces=None, garpConfig=None, addressConfig=None)
        await lease(stage, lambda keys: not conditions(keys))

    play(work)


def test_an_expression_that_is_none_stops_the_node_and_says_so() -> None:
    """Its Lease shows nothing; mended, it goes on."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        await configure(stage, localInterface="eth[0")
        await condition(stage, "Configuration", "spec.local.localInterface")
        told = await event(stage, "LBNodeAgent", "announcing nothing")
        assert told["reason"] == "ConfigError"
        await lease(stage, lambda keys: keys["purelb.io/subnets"] == "")
        assert await stage.watch.wait(lambda: not stage.watch.nodes_with(address), SECONDS)
        await configure(stage, localInterface="^eth0$")
        await stage.placed(address)

    play(work)
