"""The daemons as their manifests install them: real controllers and scheduler, the real rights."""

import asyncio
import json

from playground import kubelet
from playground.api import path_of
from playground.cluster import Cluster
from playground.nodes import INSTALL_NAMESPACE
from tests.e2e.audit import ACCOUNTS
from tests.e2e.install import Object, agent, daemon_pods, evict, exposed, first, wait_rolled_out
from tests.e2e.world import SECONDS, World

DAEMON_SETS = f"/apis/apps/v1/namespaces/{INSTALL_NAMESPACE}/daemonsets"


def uids(found: list[Object]) -> set[str]:
    """Return the uids of Pods."""
    return {pod["metadata"]["uid"] for pod in found}


async def wait_replaced(cluster: Cluster, node: str, uid: str) -> None:
    """Wait until a node has another agent's Pod than this."""
    await first(
        cluster,
        path_of("Pod", INSTALL_NAMESPACE),
        lambda one: one["spec"].get("nodeName") == node and one["metadata"]["uid"] != uid,
        labelSelector="component=lbnodeagent",
    )


def log(cluster: Cluster, meta: Object) -> str:
    """Return what the first run of an agent has written."""
    folder = f"{INSTALL_NAMESPACE}_{meta['name']}_{meta['uid']}"
    return (cluster.paths.logs / "pods" / folder / "lbnodeagent/0.log").read_text()


def test_every_node_has_an_agent_and_the_cluster_one_allocator(installed: World) -> None:
    """All of them at their first start, the agents with their node's address."""

    async def scenario(cluster: Cluster) -> None:
        agents = await daemon_pods(cluster, "lbnodeagent")
        starts = [
            (one["restartCount"], one["ready"])
            for pod in (*agents, *await daemon_pods(cluster, "allocator"))
            for one in pod["status"]["containerStatuses"]
        ]
        own = {machine.name: str(machine.main.v4.ip) for machine in cluster.topology.nodes}
        assert {pod["spec"]["nodeName"]: pod["status"]["podIP"] for pod in agents} == own
        assert set(starts) == {(0, True)}

    installed(scenario)


def test_a_service_gets_an_address_that_answers(installed: World) -> None:
    """From POST to HTTP with nothing but what the manifests install."""

    async def scenario(cluster: Cluster) -> None:
        async with exposed(cluster, "answers") as (address,):
            reply = await cluster.fetch(f"http://{address}/", seconds=SECONDS)
        assert reply.json()["node"] in cluster.nodes

    installed(scenario)


def test_a_rolling_update_replaces_one_agent_after_the_other(installed: World) -> None:
    """At no time more than one is missing."""

    async def scenario(cluster: Cluster) -> None:
        before = uids(await daemon_pods(cluster, "lbnodeagent"))
        fewest = 3

        async def count() -> None:
            nonlocal fewest
            only = "metadata.name=lbnodeagent"
            async for _, found in cluster.api.watch(DAEMON_SETS, fieldSelector=only):
                fewest = min(fewest, found["status"].get("numberAvailable", 0))

        counting = asyncio.create_task(count())
        await cluster.kubectl("-n", INSTALL_NAMESPACE, "rollout", "restart", "ds/lbnodeagent")
        await wait_rolled_out(cluster)
        counting.cancel()
        after = await daemon_pods(cluster, "lbnodeagent")
        assert sorted(pod["spec"]["nodeName"] for pod in after) == sorted(cluster.nodes)
        assert not uids(after) & before
        assert fewest == 2

    installed(scenario)


def test_an_evicted_agent_leaves_in_order_and_is_replaced(installed: World) -> None:
    """It gives its Lease back, which a killed one would not."""

    async def scenario(cluster: Cluster) -> None:
        meta = (await agent(cluster, "node-a"))["metadata"]
        await evict(cluster, meta["name"])
        await wait_replaced(cluster, "node-a", meta["uid"])
        await wait_rolled_out(cluster)
        assert "lease released" in log(cluster, meta)

    installed(scenario)


def test_an_agent_that_is_deleted_while_its_kubelet_is_down_still_leaves_in_order(
    installed: World,
) -> None:
    """The next kubelet finds the process and asks it to end."""

    async def scenario(cluster: Cluster) -> None:
        meta = (await agent(cluster, "node-b"))["metadata"]
        await cluster.kill("kubelet-node-b")
        await cluster.api.delete(path_of("Pod", INSTALL_NAMESPACE, meta["name"]))
        await cluster.restart("kubelet-node-b")
        await wait_replaced(cluster, "node-b", meta["uid"])
        await wait_rolled_out(cluster)
        assert "lease released" in log(cluster, meta)

    installed(scenario)


def test_kubectl_shows_logs(installed: World) -> None:
    """Through the API server, from each kind of network."""

    async def scenario(cluster: Cluster) -> None:
        for workload in ("ds/lbnodeagent", "deploy/allocator"):
            shown = await cluster.kubectl("-n", INSTALL_NAMESPACE, "logs", workload)
            words = [json.loads(line)["msg"] for line in shown.stdout.splitlines()]
            assert {"serving", "standing by"} & set(words)

    installed(scenario)


def test_a_replaced_token_is_another_one_and_works(installed: World) -> None:
    """The node's kubelet is started anew with a short life of tokens; its Pods stay."""

    async def scenario(cluster: Cluster) -> None:
        machine = cluster.topology.nodes[0]
        pod = await agent(cluster, machine.name)
        uid = pod["metadata"]["uid"]
        token = cluster.paths.folder / "kubelet" / machine.name / uid / ".credentials/token"
        first = token.read_text()
        name = f"kubelet-{machine.name}"
        config = cluster.kubeconfig(name)
        await cluster.stop(name)
        try:
            await cluster.start(kubelet.spec(machine, config, token_seconds=2.0))
            await cluster.wait_log(name, "token of lbnodeagent replaced", seconds=SECONDS)
            second = token.read_text()
        finally:
            await cluster.stop(name)
            await cluster.start(kubelet.spec(machine, config))
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": second},
        }
        answer = await cluster.api.post("/apis/authentication.k8s.io/v1/tokenreviews", review)
        after = await agent(cluster, machine.name)
        assert second != first
        assert answer["status"]["user"]["username"] in ACCOUNTS
        assert uids([pod]) == uids([after])
        assert after["status"]["containerStatuses"][0]["restartCount"] == 0

    installed(scenario)
