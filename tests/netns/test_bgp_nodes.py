"""Which nodes a router sends traffic to: those that leave, and those with endpoints."""

import functools
import signal
import time

import pytest

from playground import daemons
from playground.api import path_of
from purelb.api.annotations import EVACUATE
from tests.netns.bgpscene import (
    Body,
    Scene,
    condition,
    configuration,
    is_up,
    needs_bgp,
    neighbor,
    play,
)
from tests.netns.test_nodeagent_remote import endpoint

pytestmark = [needs_bgp, pytest.mark.timeout(180)]
FAR: Body = {
    "apiVersion": "purelb.io/v2",
    "kind": "ServiceGroup",
    "metadata": {"name": "far", "namespace": "purelb-system"},
    "spec": {"remote": {"v4pool": {"pool": "203.0.113.0/28", "subnet": "203.0.113.0/24"}}},
}
NODE_A = path_of("Node", name="node-a")


def test_routes_are_marked_before_they_are_withdrawn_where_that_is_asked_for() -> None:
    """With the community GRACEFUL_SHUTDOWN (RFC 8326)."""

    async def story(stage: Scene) -> None:
        await stage.start(BGP_DRAIN="graceful-shutdown", BGP_DRAIN_SECONDS="3s")
        await stage.apply(configuration())
        await stage.add("node-a", "10.0.0.1/32")
        await stage.routes(lambda found: set(found) == {"10.0.0.1"})
        await stage.cluster.signal(stage.sidecar("node-a"), signal.SIGTERM)
        await stage.until(functools.partial(_is_marked, stage))
        assert await stage.cluster.wait(stage.sidecar("node-a")) == 0
        await stage.routes(lambda found: not found)

    play(story)


@pytest.mark.parametrize("drain", ["withdraw", "graceful-shutdown"])
def test_an_evacuated_node_is_no_way_until_it_is_uncordoned(drain: str) -> None:
    """Its routes go, or are marked; the session stays."""

    async def story(stage: Scene) -> None:
        await stage.start(BGP_DRAIN=drain)
        await stage.apply(configuration())
        await stage.add("node-a", "10.0.0.1/32")
        await stage.routes(lambda found: set(found) == {"10.0.0.1"})
        await stage.cluster.api.patch(NODE_A, {"metadata": {"annotations": {EVACUATE: "true"}}})
        if drain == "withdraw":
            await stage.routes(lambda found: not found)
        else:
            await stage.until(functools.partial(_is_marked, stage))
        await stage.cluster.api.patch(NODE_A, {"metadata": {"annotations": {EVACUATE: None}}})

        async def is_back() -> bool:
            found = await stage.router.show("bgp ipv4 unicast 10.0.0.1/32")
            return bool(found.get("paths")) and not await _is_marked(stage)

        await stage.until(is_back)

    play(story)


async def _is_marked(stage: Scene) -> bool:
    found = await stage.router.show("bgp ipv4 unicast 10.0.0.1/32")
    paths = found.get("paths") or [{}]
    return "graceful-shutdown" in str(paths[0].get("community", {}).get("string"))


def test_a_changed_label_of_the_node_changes_its_neighbors() -> None:
    """Selectors are judged anew."""
    chosen = neighbor(nodeSelector={"matchLabels": {"rack": "one"}})

    async def story(stage: Scene) -> None:
        await stage.start()
        await stage.apply(configuration(chosen))
        status = await stage.status(
            "node-a", lambda s: condition(s, "SessionsEstablished")["status"] == "False"
        )
        assert condition(status, "SessionsEstablished")["reason"] == "NoMatchingNeighbors"
        node = path_of("Node", name="node-a")
        await stage.cluster.api.patch(node, {"metadata": {"labels": {"rack": "one"}}})
        await stage.status("node-a", is_up)
        await stage.cluster.api.patch(node, {"metadata": {"labels": {"rack": None}}})
        await stage.status("node-a", lambda s: s["neighborCount"] == 0)

    play(story)


def far_service(**spec: object) -> Body:
    """Return a Service of the remote pool."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "far",
            "namespace": "default",
            "annotations": {"purelb.io/service-group": "far"},
        },
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec},
    }


def slices(*nodes: str) -> Body:
    """Return the EndpointSlice of the Service with an endpoint on each of some nodes."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "far-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "far"},
        },
        "addressType": "IPv4",
        "endpoints": [endpoint(f"10.244.0.{n}", node) for n, node in enumerate(nodes, start=1)],
    }


def test_with_the_policy_local_only_nodes_with_endpoints_are_routers_next_hops() -> None:
    """Allocator, agents and sidecars together; the last endpoint's end is a withdrawal at once."""

    async def story(stage: Scene) -> None:
        cluster = stage.cluster
        await cluster.api.create(FAR)
        agents = {"apiVersion": "purelb.io/v2", "kind": "LBNodeAgent"}
        meta = {"name": "default", "namespace": "purelb-system"}
        await cluster.api.create({**agents, "metadata": meta, "spec": {"local": {}}})
        for spec in daemons.daemons(cluster.topology, cluster.kubeconfig, lease_seconds=5.0):
            await cluster.start(spec)
        await stage.start()
        await stage.apply(configuration())
        await cluster.api.create(far_service(externalTrafficPolicy="Local"))
        await cluster.api.apply(slices("node-a", "node-b"))
        hops = ("192.0.2.11", "192.0.2.12")
        await stage.routes(lambda found: list(found.values()) == [hops])
        await cluster.api.apply(slices("node-b"))
        begun = time.monotonic()
        await stage.routes(lambda found: list(found.values()) == [hops[1:]])
        print(f"withdrawn {time.monotonic() - begun:.2f} s after the last endpoint")
        await cluster.api.apply(slices())
        await stage.routes(lambda found: not found)

    play(story, nodes=2)
