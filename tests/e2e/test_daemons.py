"""The daemons as their manifests install them: real controllers and scheduler, the real rights."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from playground import kubelet
from playground.api import path_of
from playground.cluster import Cluster
from playground.nodes import INSTALL_NAMESPACE
from tests.e2e.world import SECONDS, Scenario, World, obstacles

ROOT = Path(__file__).parents[2]
DEPLOY, DEFAULTS = ROOT / "deploy", ROOT / "playground/manifests/default.yaml"
DAEMON_SETS = f"/apis/apps/v1/namespaces/{INSTALL_NAMESPACE}/daemonsets"
SLOT = "purelb.io/announcing-IPv4"
ACCOUNTS = {
    f"system:serviceaccount:{INSTALL_NAMESPACE}:{name}": f"purelb:{name}"
    for name in ("allocator", "lbnodeagent")
}

Object = dict[str, Any]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run scenarios in a cluster of this module's own, with the daemons installed by manifests."""
    if reason := obstacles():
        pytest.skip(reason)
    cluster = Cluster(
        nodes=3, control_plane="real", keep_logs=tmp_path_factory.mktemp("workloads") / "log"
    )

    async def install() -> None:
        await cluster.__aenter__()
        await cluster.kubectl("apply", "--server-side", "-f", str(DEPLOY))
        await cluster.kubectl("apply", "-f", str(DEFAULTS))
        await wait_rolled_out(cluster)

    async def run(scenario: Scenario) -> None:
        await scenario(cluster)

    with asyncio.Runner() as runner:
        runner.run(install())
        try:
            yield lambda scenario: runner.run(run(scenario))
        finally:
            runner.run(cluster.__aexit__(None, None, None))


async def wait_rolled_out(cluster: Cluster) -> None:
    """Wait until both workloads are as their specs say, and ready."""
    for workload in ("daemonset/lbnodeagent", "deployment/allocator"):
        await cluster.kubectl(
            *("-n", INSTALL_NAMESPACE, "rollout", "status", workload, f"--timeout={SECONDS:g}s")
        )


async def pods(cluster: Cluster, component: str) -> dict[str, Object]:
    """Return the Pods of a workload that are not being deleted, by node."""
    path = path_of("Pod", INSTALL_NAMESPACE)
    found = (await cluster.api.get(path, labelSelector=f"component={component}"))["items"]
    return {
        pod["spec"]["nodeName"]: pod
        for pod in found
        if "deletionTimestamp" not in pod["metadata"] and "nodeName" in pod["spec"]
    }


def uids(found: dict[str, Object]) -> set[str]:
    """Return the uids of Pods."""
    return {pod["metadata"]["uid"] for pod in found.values()}


async def first(
    cluster: Cluster, collection: str, claim: Callable[[Object], bool], **query: str
) -> Object:
    """Wait for an object of a collection of which a claim holds, and return it."""
    async with asyncio.timeout(SECONDS):
        async for _, found in cluster.api.watch(collection, **query):
            if claim(found):
                return found
    raise AssertionError("the watch ended")


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


async def service(cluster: Cluster, name: str) -> str:
    """Create a Service and return its address once a node announces it."""
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": "echo"}},
    }
    await cluster.api.create(body)
    found = await first(
        cluster,
        path_of("Service", "default"),
        lambda one: SLOT in one["metadata"].get("annotations", {}),
        fieldSelector=f"metadata.name={name}",
    )
    address: str = found["status"]["loadBalancer"]["ingress"][0]["ip"]
    return address


def test_every_node_has_an_agent_and_the_cluster_one_allocator(installed: World) -> None:
    """All of them at their first start, the agents with their node's address."""

    async def scenario(cluster: Cluster) -> None:
        agents = await pods(cluster, "lbnodeagent")
        every = [*agents.values(), *(await pods(cluster, "allocator")).values()]
        starts = [
            (one["restartCount"], one["ready"])
            for pod in every
            for one in pod["status"]["containerStatuses"]
        ]
        own = {machine.name: str(machine.main.v4.ip) for machine in cluster.topology.nodes}
        assert {node: pod["status"]["podIP"] for node, pod in agents.items()} == own
        assert starts == [(0, True)] * 4

    installed(scenario)


def test_a_service_gets_an_address_that_answers(installed: World) -> None:
    """From POST to HTTP with nothing but what the manifests install."""

    async def scenario(cluster: Cluster) -> None:
        await cluster.start_workload()
        address = await service(cluster, "answers")
        reply = await cluster.wait_answer(f"http://{address}/", seconds=SECONDS)
        assert reply.json()["node"] in cluster.nodes

    installed(scenario)


def test_a_rolling_update_replaces_one_agent_after_the_other(installed: World) -> None:
    """At no time more than one is missing."""

    async def scenario(cluster: Cluster) -> None:
        before = uids(await pods(cluster, "lbnodeagent"))
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
        after = await pods(cluster, "lbnodeagent")
        assert sorted(after) == sorted(cluster.nodes)
        assert not uids(after) & before
        assert fewest == 2

    installed(scenario)


def test_an_evicted_agent_leaves_in_order_and_is_replaced(installed: World) -> None:
    """It gives its Lease back, which a killed one would not."""

    async def scenario(cluster: Cluster) -> None:
        pod = (await pods(cluster, "lbnodeagent"))["node-a"]
        meta = pod["metadata"]
        path = path_of("Pod", INSTALL_NAMESPACE, meta["name"])
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": meta["name"], "namespace": INSTALL_NAMESPACE},
        }
        await cluster.api.post(f"{path}/eviction", body)

        await wait_replaced(cluster, "node-a", meta["uid"])
        await wait_rolled_out(cluster)
        assert "lease released" in log(cluster, meta)

    installed(scenario)


def test_an_agent_that_is_deleted_while_its_kubelet_is_down_still_leaves_in_order(
    installed: World,
) -> None:
    """The next kubelet finds the process and asks it to end."""

    async def scenario(cluster: Cluster) -> None:
        meta = (await pods(cluster, "lbnodeagent"))["node-b"]["metadata"]
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
            assert "serving" in words

    installed(scenario)


def test_a_replaced_token_is_another_one_and_works(installed: World) -> None:
    """The node's kubelet is started anew with a short life of tokens; its Pods stay."""

    async def scenario(cluster: Cluster) -> None:
        machine = cluster.topology.nodes[0]
        agent = (await pods(cluster, "lbnodeagent"))[machine.name]
        uid = agent["metadata"]["uid"]
        token = cluster.paths.folder / "kubelet" / machine.name / uid / ".credentials/token"
        first = token.read_text()
        name = f"kubelet-{machine.name}"
        await cluster.stop(name)
        spec = kubelet.spec(machine, cluster.kubeconfig(name), token_seconds=2.0)
        await cluster.start(spec)
        await cluster.wait_log(name, "token of lbnodeagent replaced")
        second = token.read_text()
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": second},
        }
        answer = await cluster.api.post("/apis/authentication.k8s.io/v1/tokenreviews", review)
        after = (await pods(cluster, "lbnodeagent"))[machine.name]
        assert second != first
        assert answer["status"]["user"]["username"] in ACCOUNTS
        assert uids({"": agent}) == uids({"": after})
        assert after["status"]["containerStatuses"][0]["restartCount"] == 0

    installed(scenario)


def test_no_daemon_asks_for_what_it_may_not_do(installed: World) -> None:
    """Of all requests in this cluster's life none was refused, and each has its rule."""

    async def scenario(cluster: Cluster) -> None:
        address = await service(cluster, "short")
        await cluster.api.delete(path_of("Service", "default", "short"))
        await service(cluster, "next")
        assert address
        calls = requests(cluster.paths.log("audit"))
        refused = [call for call in calls if call[-1] in (401, 403)]
        rights = granted()
        unexplained = [call for call in calls if call[:-1] not in rights]
        assert calls
        assert not refused
        assert not unexplained

    installed(scenario)


Call = tuple[str, str, str, str, int]  # account, API group, resource, verb, status


def requests(audit: Path) -> Counter[Call]:
    """Return how often a daemon made which request for an object."""
    found: Counter[Call] = Counter()
    for line in audit.read_text().splitlines():
        event = json.loads(line)
        name, target = event["user"]["username"], event.get("objectRef", {})
        if name in ACCOUNTS and "resource" in target:
            below = f"/{target['subresource']}" if "subresource" in target else ""
            resource = target["resource"] + below
            code = event.get("responseStatus", {}).get("code", 0)
            found[name, target.get("apiGroup", ""), resource, event["verb"], code] += 1
    return found


def granted() -> set[tuple[str, str, str, str]]:
    """Return (account, API group, resource, verb) of each rule of the manifest."""
    return {
        (account, group, resource, verb)
        for role in yaml.safe_load_all((DEPLOY / "rbac.yaml").read_text())
        for account, prefix in ACCOUNTS.items()
        if "rules" in role and role["metadata"]["name"].startswith(prefix)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
