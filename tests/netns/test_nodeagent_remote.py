"""Remote addresses under running agents: on every node's kube-lb0, or where the endpoints are."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from playground.addresswatch import AddressWatch
from playground.api import path_of
from purelb.api.links import OUR_MARK
from tests.netns.agentscene import SECONDS, Object, Scene, ingress, play

KUBE_LB0 = "kube-lb0"
NODES = ("node-a", "node-b", "node-c")
FAR = {
    "apiVersion": "purelb.io/v2",
    "kind": "ServiceGroup",
    "metadata": {"name": "far", "namespace": "purelb-system"},
    "spec": {
        "remote": {
            "v4pools": [
                {"pool": "198.51.100.0/28", "subnet": "198.51.100.0/24"},
                {"pool": "203.0.113.0/28", "subnet": "203.0.113.0/24", "aggregation": "/32"},
            ],
            "v6pool": {"pool": "2001:db8:f::/120", "subnet": "2001:db8:f::/64"},
        }
    },
}
FAMILIES: Object = {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}


@contextlib.asynccontextmanager
async def dummies(stage: Scene) -> AsyncIterator[AddressWatch]:
    """Install the remote pool and watch every node's kube-lb0."""
    await stage.cluster.api.create(FAR)
    async with AddressWatch(stage.cluster, KUBE_LB0) as watch:
        yield watch


def play_remotely(work: Callable[[Scene, AddressWatch], Awaitable[None]]) -> None:
    """Run a coroutine function in a scene with a remote pool."""

    async def run(stage: Scene) -> None:
        async with dummies(stage) as watch:
            await work(stage, watch)

    play(run)


async def far_service(stage: Scene, name: str = "far", **spec: object) -> list[str]:
    """Create a Service of the remote pool and return its addresses."""
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": "default",
            "annotations": {"purelb.io/service-group": "far"},
        },
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec},
    }
    await stage.cluster.api.create(body)
    return ingress(await stage.until(name, lambda service: bool(ingress(service))))


async def on_nodes(watch: AddressWatch, address: str, *nodes: str) -> None:
    """Wait until exactly these nodes carry an address."""
    assert await watch.wait(lambda: watch.nodes_with(address) == nodes, SECONDS), (
        f"{address} is on {watch.nodes_with(address)}"
    )


async def lost(watch: AddressWatch, node: str, address: str) -> None:
    """Wait until a node has lost an address at least once."""
    assert await watch.wait(lambda: (node, address) in watch.lost, SECONDS)


async def dummy(stage: Scene, node: str) -> Object:
    """Return what `ip` shows of a node's kube-lb0."""
    done = await stage.cluster.run(node, "ip", "-j", "-d", "address", "show", "dev", KUBE_LB0)
    found: Object = json.loads(done.stdout)[0]
    return found


def endpoint(address: str, node: str | None, **conditions: bool) -> Object:
    """Build one endpoint, by default ready."""
    found: Object = {"addresses": [address], "conditions": conditions or {"ready": True}}
    return found if node is None else found | {"nodeName": node}


async def write_slice(stage: Scene, service: str, name: str, *endpoints: Object) -> None:
    """Create an EndpointSlice, or write it anew."""
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": list(endpoints),
    }
    await stage.cluster.api.apply(body)


def test_every_node_carries_a_remote_address_with_the_mask_of_its_subnet() -> None:
    """Permanent, with the prefix route, marked, without a slot, and never on a NIC."""

    async def work(stage: Scene, watch: AddressWatch) -> None:
        v4, v6 = await far_service(stage, **FAMILIES)
        for address, prefix in ((v4, 24), (v6, 64)):
            await on_nodes(watch, address, *NODES)
            assert stage.watch.nodes_with(address) == ()
            for node in NODES:
                shown = (await dummy(stage, node))["addr_info"]
                (entry,) = [entry for entry in shown if entry["local"] == address]
                assert entry["prefixlen"] == prefix
                assert "noprefixroute" not in entry
                assert entry["valid_life_time"] == 0xFFFFFFFF
                assert await stage.marks(node, address) == [OUR_MARK]
        routes = await stage.cluster.run(NODES[0], "ip", "-4", "route", "show", "dev", KUBE_LB0)
        assert "198.51.100.0/24" in routes.stdout
        found = await stage.until("far", lambda service: True)
        keys = found["metadata"]["annotations"]
        assert not [key for key in keys if key.startswith("purelb.io/announcing")]
        assert keys["purelb.io/pool-type"] == "remote"
        await stage.cluster.api.delete(path_of("Service", "default", "far"))
        for address in (v4, v6):
            await on_nodes(watch, address)

    play_remotely(work)


def test_a_deleted_link_is_made_again_and_goes_with_a_graceful_stop() -> None:
    """Local addresses go first; what the user made stays, without our addresses."""

    async def work(stage: Scene, watch: AddressWatch) -> None:
        (address,) = await far_service(stage)
        await on_nodes(watch, address, *NODES)
        await stage.cluster.run("node-a", "ip", "link", "delete", KUBE_LB0)
        await lost(watch, "node-a", address)
        await on_nodes(watch, address, *NODES)
        made, provided = await dummy(stage, "node-a"), await dummy(stage, "node-b")
        assert (made["ifalias"], "UP" in made["flags"]) == ("purelb", True)
        assert "ifalias" not in provided
        for node in ("node-a", "node-b"):
            assert await stage.cluster.stop(f"nodeagent-{node}") == 0
        await on_nodes(watch, address, "node-c")
        names = (await stage.cluster.run("node-a", "ip", "-o", "link")).stdout
        assert KUBE_LB0 not in names
        assert not [
            entry
            for entry in (await dummy(stage, "node-b"))["addr_info"]
            if entry["scope"] == "global"
        ]

    play_remotely(work)


def test_policy_local_restricts_an_address_to_nodes_with_healthy_endpoints() -> None:
    """Serving counts, terminating or not; an endpoint without a node is everywhere."""

    async def work(stage: Scene, watch: AddressWatch) -> None:
        (address,) = await far_service(stage, externalTrafficPolicy="Local")
        ready = endpoint("10.1.0.1", "node-a")
        leaving = endpoint("10.1.0.2", "node-b", ready=False, serving=True, terminating=True)
        dead = endpoint("10.1.0.3", "node-c", ready=False, serving=False, terminating=True)
        await write_slice(stage, "far", "far-1", ready, leaving, dead)
        await on_nodes(watch, address, "node-a", "node-b")
        ill = endpoint("10.1.0.1", "node-a", ready=False)
        await write_slice(stage, "far", "far-2", ill)
        await on_nodes(watch, address, "node-b")
        await stage.cluster.api.delete(path_of("EndpointSlice", "default", "far-2"))
        await on_nodes(watch, address, "node-a", "node-b")
        await write_slice(stage, "far", "far-1", endpoint("10.1.0.4", None))
        await on_nodes(watch, address, *NODES)
        await write_slice(stage, "far", "far-1")
        await on_nodes(watch, address)
        service = path_of("Service", "default", "far")
        await stage.cluster.api.patch(service, {"spec": {"externalTrafficPolicy": "Cluster"}})
        await on_nodes(watch, address, *NODES)

    play_remotely(work)


def test_a_restarted_agent_neither_widens_nor_drops_what_policy_local_allows() -> None:
    """Until the endpoints are known again, everything stays as it is."""

    async def work(stage: Scene, watch: AddressWatch) -> None:
        (address,) = await far_service(stage, externalTrafficPolicy="Local")
        await write_slice(stage, "far", "far-1", endpoint("10.1.0.1", "node-a"))
        await on_nodes(watch, address, "node-a")
        (probe,) = await far_service(stage, "probe")
        await on_nodes(watch, probe, *NODES)
        for node in ("node-a", "node-b"):
            agent = f"nodeagent-{node}"
            await stage.cluster.kill(agent)
            await stage.cluster.run(node, "ip", "address", "delete", f"{probe}/24", "dev", KUBE_LB0)
            await lost(watch, node, probe)
            await stage.cluster.restart(agent)
            await on_nodes(watch, probe, *NODES)
        assert watch.nodes_with(address) == ("node-a",)
        assert ("node-a", address) not in watch.lost
        assert ("node-b", address) not in watch.lost, "it was there for a moment"

    play_remotely(work)


def test_a_link_of_somebody_else_is_left_alone_and_told() -> None:
    """The node goes on with local addresses; its Event names link and remedy."""

    async def work(stage: Scene, _: AddressWatch) -> None:
        await stage.cluster.run("node-a", "ip", "link", "add", "lb9", "type", "bridge")
        agents = path_of("LBNodeAgent", "purelb-system", "default")
        await stage.cluster.api.patch(agents, {"spec": {"local": {"dummyInterface": "lb9"}}})
        (address,) = await far_service(stage)
        async with AddressWatch(stage.cluster, "lb9") as watch:
            await _see_it_left_alone(stage, watch, address)

    play_remotely(work)


async def _see_it_left_alone(stage: Scene, watch: AddressWatch, address: str) -> None:
    """Wait until the other nodes have it and node-a says why not; then free the name."""
    await on_nodes(watch, address, "node-b", "node-c")
    await stage.service("web")
    async with asyncio.timeout(SECONDS):
        path = path_of("Event", "purelb-system")
        async for _, found in stage.cluster.api.watch(path):
            if found["reason"] == "ConfigError" and "remote address" in found["message"]:
                break
    assert found["involvedObject"]["kind"] == "LBNodeAgent"
    assert "node-a" in found["message"]
    assert "lb9 is somebody else's (kind bridge)" in found["message"]
    await stage.cluster.run("node-a", "ip", "link", "delete", "lb9")
    await on_nodes(watch, address, *NODES)


def test_node_affinity_moves_a_local_address_to_the_endpoints() -> None:
    """Whoever would win without, and again when the endpoints move."""

    async def work(stage: Scene) -> None:
        keys = {"purelb.io/node-affinity": "service-endpoints"}
        for node in NODES:
            await write_slice(stage, "near", "near-1", endpoint("10.1.0.1", node))
            if node == NODES[0]:
                body = {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "metadata": {"name": "near", "namespace": "default", "annotations": keys},
                    "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
                }
                await stage.cluster.api.create(body)
                found = await stage.until("near", lambda service: bool(ingress(service)))
                (address,) = ingress(found)
            await on_nodes(stage.watch, address, node)

    play(work)
