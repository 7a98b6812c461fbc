"""The playground's real control plane: Kubernetes' own programs, as a cluster has them."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.api import ApiError, path_of
from playground.cluster import Cluster
from playground.controlplane.binaries import find
from playground.controlplane.commands import FIRST_SERVICE
from playground.controlplane.programs import NEEDED
from playground.instance import PlaygroundError
from tests.component.test_crd_admission import BAD, GOOD, contains, manifest
from tests.e2e.world import SECONDS, World, obstacles

Object = dict[str, Any]


def service(name: str) -> Object:
    """Return a Service of both families for the echo pods."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": "echo"},
            "ipFamilyPolicy": "RequireDualStack",
            "ports": [{"port": 8080, "targetPort": "http"}],
        },
    }


async def wait_node(cluster: Cluster, name: str, claim: Callable[[str], bool]) -> None:
    """Wait until a claim about a Node's readiness holds: True, False or Unknown."""
    only = f"metadata.name={name}"
    async with asyncio.timeout(SECONDS):
        async for _, node in cluster.api.watch(path_of("Node"), fieldSelector=only):
            conditions = {c["type"]: c["status"] for c in node["status"]["conditions"]}
            if claim(conditions["Ready"]):
                return


async def wait_rule(cluster: Cluster, node: str, address: str, port: int) -> None:
    """Wait until a node's rules, which kube-proxy made, lead from an address to a Service."""
    async with asyncio.timeout(SECONDS):
        while True:
            listed = await cluster.run(node, "nft", "list", "ruleset")
            if f"{address} . tcp . {port} : goto service-" in listed.stdout:
                return
            await asyncio.sleep(0.05)


def test_the_cluster_is_kubernetes_with_nodes_that_are_ready(world: World) -> None:
    """Through the same client as of the embedded server."""

    async def scenario(cluster: Cluster) -> None:
        version = await cluster.api.get("/version")
        assert version["gitVersion"].startswith(f"v{version['major']}.{version['minor']}.")
        assert cluster.api_url == "https://192.0.2.2:6443"
        for node in await cluster.api.items("Node"):
            name = node["metadata"]["name"]
            await wait_node(cluster, name, lambda ready: ready == "True")
            addresses = {entry["address"] for entry in node["status"]["addresses"]}
            nic = cluster.topology.node(name).main
            assert {str(nic.v4.ip), str(nic.v6.ip)} <= addresses

    world(scenario)


def test_kubectl_works_inside(world: World) -> None:
    """As it does with the embedded server, and it can follow what kubelets know."""

    async def scenario(cluster: Cluster) -> None:
        listed = await cluster.kubectl("get", "nodes", "-o", "name")
        assert listed.stdout.split() == [f"node/{name}" for name in cluster.nodes]
        resources = await cluster.kubectl("api-resources", "--api-group=purelb.io", "-o", "name")
        assert resources.stdout.split() == ["lbnodeagents.purelb.io", "servicegroups.purelb.io"]

    world(scenario)


def dry_run(kind: str) -> str:
    """Return where an object can be created without a trace."""
    return f"{path_of(kind, 'default')}?dryRun=All"


@pytest.mark.parametrize("name", GOOD)
def test_the_custom_resources_take_what_users_of_purelb_have(world: World, name: str) -> None:
    """Nothing is lost on the way."""

    async def scenario(cluster: Cluster) -> None:
        body = manifest(GOOD[name])
        answer = await cluster.api.post(dry_run(body["kind"]), body)
        assert contains(answer["spec"], body["spec"])

    world(scenario)


@pytest.mark.parametrize("name", BAD)
def test_the_custom_resources_refuse_with_a_message_that_helps(world: World, name: str) -> None:
    """Schema and CEL rules say the same as in the embedded server."""

    async def scenario(cluster: Cluster) -> None:
        text, message = BAD[name]
        body = manifest(text)
        with pytest.raises(ApiError) as refusal:
            await cluster.api.post(dry_run(body["kind"]), body)
        assert refusal.value.status == 422
        assert message in str(refusal.value)

    world(scenario)


def test_a_load_balancer_gets_cluster_addresses_and_leads_to_pods_on_every_node(
    world: World,
) -> None:
    """Controllers write its endpoints, kube-proxies program them; nobody gives it an address."""

    async def scenario(cluster: Cluster) -> None:
        created = await cluster.api.create(service("cluster"))
        v4, v6 = created["spec"]["clusterIPs"]
        assert v4.startswith("10.96.")
        assert v6.startswith("fd00:10:96::")
        for node in cluster.nodes:
            await wait_rule(cluster, node, v4, 8080)
            await wait_rule(cluster, node, v6, 8080)
            for host in (v4, f"[{v6}]"):
                url = f"http://{host}:8080/"
                reply = await cluster.wait_answer(url, machine=node, seconds=SECONDS)
                assert reply.json()["node"] in cluster.nodes
        path = path_of("Service", "default", "cluster")
        assert (await cluster.api.get(path))["status"] == {"loadBalancer": {}}
        await cluster.api.delete(path)

    world(scenario)


async def who_am_i(cluster: Cluster, client: str) -> str:
    """Return the user that a client's kubeconfig makes it."""
    option = f"--kubeconfig={cluster.kubeconfig(client)}"
    told = await cluster.kubectl("auth", "whoami", "-o", "json", option)
    name: str = json.loads(told.stdout)["status"]["userInfo"]["username"]
    return name


def test_daemons_are_service_accounts_and_others_administrators(world: World) -> None:
    """So that a right that the manifests forget is missed here too."""

    async def scenario(cluster: Cluster) -> None:
        prefix = "system:serviceaccount:purelb-system"
        assert await who_am_i(cluster, "allocator") == f"{prefix}:allocator"
        assert await who_am_i(cluster, "nodeagent-node-b") == f"{prefix}:lbnodeagent"
        assert await who_am_i(cluster, "somebody") == "somebody"
        option = f"--kubeconfig={cluster.kubeconfig('allocator')}"
        asked = await cluster.kubectl("auth", "can-i", "create", "pods", option, check=False)
        assert asked.stdout == "no\n"

    world(scenario)


def test_the_audit_log_says_who_wrote_what(world: World) -> None:
    """One JSON object a line, which a test can count."""

    async def scenario(cluster: Cluster) -> None:
        option = f"--kubeconfig={cluster.kubeconfig('auditor')}"
        await cluster.kubectl("create", "configmap", "audited", option)
        await cluster.kubectl("delete", "configmap", "audited", option)
        entries = [json.loads(line) for line in cluster.log("audit").splitlines()]
        writes = [
            (entry["verb"], entry["responseStatus"]["code"])
            for entry in entries
            if entry["user"]["username"] == "auditor" and entry["verb"] not in ("get", "list")
        ]
        assert writes == [("create", 201), ("delete", 200)]

    world(scenario)


def test_a_node_without_power_is_not_ready_until_it_is_back(world: World) -> None:
    """Its kubelet and its proxy boot with it."""

    async def scenario(cluster: Cluster) -> None:
        await cluster.power_off("node-b")
        await wait_node(cluster, "node-b", lambda ready: ready != "True")
        await cluster.power_on("node-b")
        await wait_node(cluster, "node-b", lambda ready: ready == "True")
        await wait_rule(cluster, "node-b", FIRST_SERVICE, 443)

    world(scenario)


@pytest.mark.skipif(bool(obstacles()), reason=obstacles() or "works")
def test_a_program_that_does_not_start_is_named_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All others are the real ones."""
    for name in NEEDED:
        (tmp_path / name).symlink_to(find(name, os.environ))
    (tmp_path / "kube-scheduler").unlink()
    (tmp_path / "kube-scheduler").write_text("#!/bin/sh\necho no such option\nexit 3\n")
    (tmp_path / "kube-scheduler").chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    async def start() -> None:
        async with Cluster(nodes=1, control_plane="real"):
            raise AssertionError("it came up")

    with pytest.raises(PlaygroundError, match="kube-scheduler ended with 3: no such option"):
        asyncio.run(start())
