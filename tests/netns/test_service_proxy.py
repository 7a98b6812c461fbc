"""The service proxy's rules in a real kernel: who answers, and whom it sees asking."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence

import msgspec
import pytest

from playground.cluster import Cluster
from playground.daemons import workload
from playground.http import Reply
from playground.pods import pods, slices
from playground.preflight import complaints
from playground.proxyrules import script
from playground.state import INSIDE, Paths
from playground.wire import EndpointSlice, Service

CLIENT4, CLIENT6 = "198.51.100.10", "2001:db8:0:2::10"
NODE_A4, NODE_A6 = "192.0.2.11", "2001:db8:0:1::11"
VIP4, VIP6 = "192.0.2.200", "2001:db8:0:1::200"
ENOUGH = 24  # fetches: one of two pods is missed by chance once in 2**23 runs

pytestmark = pytest.mark.skipif(bool(found := complaints()), reason="; ".join(found) or "works")


Scenario = Callable[[Cluster], Awaitable[None]]
World = Callable[[Scenario], None]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Run scenarios in one world for this module; each installs rules of its own."""
    cluster = Cluster(nodes=2)

    async def run(scenario: Scenario) -> None:
        await scenario(cluster)

    with asyncio.Runner() as runner:
        runner.run(cluster.__aenter__())
        try:
            runner.run(prepare(cluster))
            yield lambda scenario: runner.run(run(scenario))
        finally:
            runner.run(cluster.__aexit__(None, None, None))


async def prepare(cluster: Cluster) -> None:
    """Start the pods, put the VIPs on node-a and wait until all is reachable."""
    for spec in workload(cluster.topology, cluster.kubeconfig):
        if spec.name.startswith("echo-"):
            await cluster.start(spec)
    # Deprecated, as node agents add it: else the kernel would prefer it as a source.
    six = f"ip addr add {VIP6}/128 dev eth0 nodad preferred_lft 0"
    commands = f"ip addr add {VIP4}/32 dev eth0; {six}"
    await cluster.run("node-a", "sh", "-c", commands)
    for machine in cluster.topology.nodes:
        for url in (f"http://{machine.main.v4.ip}/", f"http://[{machine.main.v6.ip}]/"):
            await cluster.wait_answer(url)


def service(*addresses: str, policy: str = "Cluster") -> Service:
    """Build a Service in front of the echo pods."""
    body = {
        "metadata": {"namespace": "default", "name": "web", "uid": "1"},
        "spec": {
            "selector": {"app": "echo"},
            "ipFamilies": ["IPv4", "IPv6"],
            "externalTrafficPolicy": policy,
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": address} for address in addresses]}},
    }
    return msgspec.convert(body, Service)


async def install(
    cluster: Cluster, web: Service, *, on: str = "node-a", ready: Sequence[str] = ("a", "b")
) -> None:
    """Install the rules of one Service on a node, with the pods of these nodes ready."""
    names = {f"echo-node-{letter}" for letter in ready}
    bodies = slices(web, pods(cluster.topology, 1), names)
    rules = script([web], [msgspec.convert(body, EndpointSlice) for body in bodies], on)
    (cluster.paths.scratch / "rules").write_text(rules)
    await cluster.run(on, "nft", "-f", str(Paths(INSIDE).scratch / "rules"))


def url(address: str) -> str:
    """Return the URL of an address."""
    return f"http://[{address}]/" if ":" in address else f"http://{address}/"


async def answers(cluster: Cluster, address: str) -> dict[str, str]:
    """Fetch often from outside; returns which nodes answered, and whom they saw asking."""
    replies = [await cluster.fetch(url(address)) for _ in range(ENOUGH)]
    return {reply.json()["node"]: reply.json()["client"] for reply in replies}


@pytest.mark.parametrize(
    ("vip", "client", "node"), [(VIP4, CLIENT4, NODE_A4), (VIP6, CLIENT6, NODE_A6)]
)
def test_every_pod_answers_and_those_elsewhere_see_the_node(
    world: World, vip: str, client: str, node: str
) -> None:
    """A pod on another node would answer the client directly if it saw the client's address."""

    async def scenario(cluster: Cluster) -> None:
        await install(cluster, service(VIP4, VIP6))
        assert await answers(cluster, vip) == {"node-a": client, "node-b": node}

    world(scenario)


@pytest.mark.parametrize(("vip", "client"), [(VIP4, CLIENT4), (VIP6, CLIENT6)])
def test_the_local_policy_keeps_traffic_on_the_node_and_shows_the_client(
    world: World, vip: str, client: str
) -> None:
    """That is what users choose it for."""

    async def scenario(cluster: Cluster) -> None:
        await install(cluster, service(VIP4, VIP6, policy="Local"))
        assert await answers(cluster, vip) == {"node-a": client}

    world(scenario)


@pytest.mark.parametrize("vip", [VIP4, VIP6])
def test_the_local_policy_drops_without_a_pod_on_the_node(world: World, vip: str) -> None:
    """Silence, not a reset, which clients would take as an answer."""

    async def scenario(cluster: Cluster) -> None:
        await install(cluster, service(VIP4, VIP6, policy="Local"), ready=["b"])
        with pytest.raises(TimeoutError):
            await cluster.fetch(url(vip), seconds=0.3)

    world(scenario)


def test_the_node_itself_reaches_every_pod_also_with_the_local_policy(world: World) -> None:
    """The policy is about traffic from outside."""

    async def scenario(cluster: Cluster) -> None:
        await install(cluster, service(VIP4, policy="Local"), ready=["b"])
        reply = await cluster.fetch(url(VIP4), machine="node-a")
        assert reply.json()["node"] == "node-b"

    world(scenario)


@pytest.mark.parametrize(
    ("address", "via"), [("203.0.113.7", NODE_A4), ("2001:db8:0:7::7", NODE_A6)]
)
def test_an_address_on_no_interface_is_served(world: World, address: str, via: str) -> None:
    """What reaches the node is enough, as for kube-proxy."""

    async def scenario(cluster: Cluster) -> None:
        await install(cluster, service(address))
        await cluster.run("router", "ip", "route", "replace", address, "via", via)
        assert set(await answers(cluster, address)) == {"node-a", "node-b"}

    world(scenario)


def test_an_address_without_rules_is_a_closed_port(world: World) -> None:
    """No pod listens on VIPs: what the other tests see comes through the rules."""

    async def scenario(cluster: Cluster) -> None:
        await install(cluster, service())
        with pytest.raises(ConnectionError, match="Connect call failed"):
            await cluster.fetch(url(VIP4), seconds=2.0)

    world(scenario)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Ask once more on an open connection; returns the node that answers."""
    writer.write(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split()[0])
        body: dict[str, str] = json.loads(await reader.readexactly(length))
    return body["node"]


@pytest.mark.parametrize("vip", [VIP4, VIP6])
def test_new_rules_do_not_touch_established_connections(world: World, vip: str) -> None:
    """Even if the pod behind one is not ready any more, and the rules are replaced at once."""

    async def scenario(cluster: Cluster) -> None:
        await install(cluster, service(VIP4, VIP6), ready=["b"])
        reader, writer = await cluster.dial(vip, 80)
        assert await ask(reader, writer) == "node-b"
        for _ in range(5):
            await install(cluster, service(VIP4, VIP6), ready=["a"])
            assert await ask(reader, writer) == "node-b"
        writer.close()
        assert (await cluster.fetch(url(vip))).json()["node"] == "node-a"

    world(scenario)


def test_services_become_reachable_and_pods_without_power_drop_out() -> None:
    """All stand-ins together: probes, EndpointSlices, one proxy on each node."""

    async def scenario() -> None:
        async with Cluster(nodes=2) as cluster:
            await cluster.start_workload(grace_seconds=0.5)
            await cluster.run("node-a", "ip", "addr", "add", f"{VIP4}/32", "dev", "eth0")
            await cluster.api.create(
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "metadata": {"name": "web", "namespace": "default"},
                    "spec": {
                        "type": "LoadBalancer",
                        "selector": {"app": "echo"},
                        "ports": [{"port": 80, "targetPort": "http"}],
                    },
                }
            )
            status = {"status": {"loadBalancer": {"ingress": [{"ip": VIP4}]}}}
            await cluster.api.patch("/api/v1/namespaces/default/services/web/status", status)
            await cluster.wait_answer(url(VIP4), accept=answered_by("node-b"))
            await cluster.power_off("node-b")
            await wait_ready(cluster, {"node-a"})
            replies = [await cluster.wait_answer(url(VIP4)) for _ in range(ENOUGH)]
            assert {reply.json()["node"] for reply in replies[1:]} == {"node-a"}
            await cluster.power_on("node-b")
            await cluster.wait_answer(url(VIP4), accept=answered_by("node-b"))

    asyncio.run(scenario())


def answered_by(node: str) -> Callable[[Reply], bool]:
    """Return what accepts the answers of a node."""
    return lambda reply: reply.json()["node"] == node


async def wait_ready(cluster: Cluster, nodes: set[str]) -> None:
    """Wait until exactly these nodes have ready endpoints."""
    async with asyncio.timeout(15):
        async for _ in cluster.api.watch("/apis/discovery.k8s.io/v1/endpointslices"):
            (entry,) = await cluster.api.items("EndpointSlice")
            ready = {e["nodeName"] for e in entry["endpoints"] if e["conditions"]["ready"]}
            if ready == nodes:
                return
