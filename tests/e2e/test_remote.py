"""Addresses of routed networks: on every node, or where the endpoints are; routers lead to them.

The test is the router's administrator: it adds the routes that a routing daemon would learn.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Collection
from ipaddress import ip_address

import pytest

from playground.cluster import Cluster
from playground.nodes import INSTALL_NAMESPACE
from tests.e2e.user import FAMILIES, Object, Story, User, addresses, ours, service

KUBE_LB0 = "kube-lb0"
ZONE = "zone"  # a label of echo pods; Services that select it have these pods only
CHOSEN = {"service-group": "far"}


def far(v4: str = "default", v6: str = "default") -> Object:
    """Return a group of routed networks; by default each range has the mask of its subnet."""
    return {
        "apiVersion": "purelb.io/v2",
        "kind": "ServiceGroup",
        "metadata": {"name": "far", "namespace": INSTALL_NAMESPACE},
        "spec": {
            "remote": {
                "v4pool": {"pool": "203.0.113.0/28", "subnet": "203.0.113.0/24", "aggregation": v4},
                "v6pool": {
                    "pool": "2001:db8:f::/120",
                    "subnet": "2001:db8:f::/64",
                    "aggregation": v6,
                },
            }
        },
    }


def zoned(name: str, policy: str) -> Object:
    """Return a Service of both families for the pods of the zone."""
    body = service(name, families=FAMILIES, settings=CHOSEN)
    body["spec"] |= {"externalTrafficPolicy": policy, "selector": {"app": "echo", ZONE: "here"}}
    return body


async def given(user: User, name: str) -> tuple[str, ...]:
    """Wait until a Service has addresses of both families, and return them."""
    return addresses(await user.until(name, lambda one: len(addresses(one)) == 2))


async def wait_carried(user: User, address: str, *nodes: str) -> None:
    """Wait until exactly these nodes have an address, on their dummy link."""
    await user.wait_holders(address, *((node, KUBE_LB0) for node in nodes))


async def move(cluster: Cluster, *nodes: str) -> None:
    """Let the echo pods of exactly these nodes be in the zone."""
    for node in cluster.nodes:
        label = f"{ZONE}=here" if node in nodes else f"{ZONE}-"
        await cluster.kubectl("label", "--overwrite", "pod", f"echo-{node}", label)


@contextlib.asynccontextmanager
async def routed(cluster: Cluster, given: Collection[str], *nodes: str) -> AsyncIterator[None]:
    """Let the router send what goes to these addresses to nodes, each connection to one of them."""
    try:
        for address in given:
            v4 = ip_address(address).version == 4
            nics = [cluster.topology.node(node).main for node in nodes]
            hops = [str(nic.v4.ip if v4 else nic.v6.ip) for nic in nics]
            ways = [word for hop in hops for word in ("nexthop", "via", hop)]
            await cluster.run("router", "ip", "route", "replace", address, *ways)
        yield
    finally:
        for address in given:
            await cluster.run("router", "ip", "route", "del", address)


@pytest.mark.parametrize(
    ("aggregations", "prefixes"), [(("default", "default"), [24, 64]), (("/32", "/128"), [32, 128])]
)
def test_every_node_has_the_address_with_the_prefix_of_its_group(
    story: Story, aggregations: tuple[str, str], prefixes: list[int]
) -> None:
    """On its dummy link, without a slot; whichever node the router chooses, the page loads."""

    async def scene(user: User) -> None:
        cluster = user.cluster
        await user.apply(far(*aggregations), service("routed", families=FAMILIES, settings=CHOSEN))
        found = await given(user, "routed")
        for address in found:
            await wait_carried(user, address, *cluster.nodes)
        shown = await cluster.run("node-a", "ip", "-j", "addr", "show", "dev", KUBE_LB0)
        lengths = {
            entry["local"]: entry["prefixlen"] for entry in json.loads(shown.stdout)[0]["addr_info"]
        }
        for node in cluster.nodes:
            async with routed(cluster, found, node):
                for address in found:
                    await user.page(address)
        settings = ours(await user.get("routed"))
        await user.delete("service", "routed")
        await user.wait_withdrawn(*found)
        assert [lengths[address] for address in found] == prefixes
        assert not [key for key in settings if key.startswith("announcing")]

    story(scene)


def test_with_policy_local_only_nodes_with_endpoints_have_the_address(story: Story) -> None:
    """It follows them, and pods see who asks."""

    async def scene(user: User) -> None:
        cluster = user.cluster
        client = cluster.topology.client.main
        try:
            await move(cluster, "node-a", "node-b")
            await user.apply(far(), zoned("near", "Local"))
            found = await given(user, "near")
            for nodes in (("node-a", "node-b"), ("node-c",), ()):
                await move(cluster, *nodes)
                for address in found:
                    await wait_carried(user, address, *nodes)
                if nodes:
                    async with routed(cluster, found, *nodes):
                        pages = [await user.page(address) for address in found]
                    assert {page["node"] for page in pages} <= set(nodes)
                    assert [page["client"] for page in pages] == [
                        str(client.v4.ip),
                        str(client.v6.ip),
                    ]
        finally:
            await move(cluster)

    story(scene)


def test_the_policy_can_be_changed(story: Story) -> None:
    """From every node to those with endpoints, and back, under the same addresses."""

    async def scene(user: User) -> None:
        cluster = user.cluster
        try:
            await move(cluster, "node-b")
            await user.apply(far(), zoned("changing", "Cluster"))
            found = await given(user, "changing")
            for policy, nodes in (
                ("Cluster", cluster.nodes),
                ("Local", ("node-b",)),
                ("Cluster", cluster.nodes),
            ):
                await user.patch("changing", {"externalTrafficPolicy": policy})
                for address in found:
                    await wait_carried(user, address, *nodes)
            assert addresses(await user.get("changing")) == found
        finally:
            await move(cluster)

    story(scene)
