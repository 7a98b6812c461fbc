"""Our manifests over PureLB's, on a real API server: what is in the agents' Pods then.

No Pod runs: whom field managers leave what is the API server's matter alone.
"""

import asyncio
import json
from typing import Any

import pytest
import yaml

from playground.cluster import Cluster
from playground.nodes import INSTALL_NAMESPACE
from playground.state import INSIDE, Paths
from tests.e2e.world import obstacles
from tests.rights import DEPLOY

OURS = ("apply", "--server-side", "--force-conflicts", "-f")
SIDECAR = ("--field-manager=purelb-bgp", "-f", str(DEPLOY / "bgp/sidecar.yaml"))


def former() -> dict[str, Any]:
    """Return PureLB's DaemonSet, as far as it matters here; it selects no node."""
    labels = {"app": "purelb", "component": "lbnodeagent"}
    containers = [
        {"name": name, "image": f"purelb.example/{name}:v0.17.0"}
        for name in ("lbnodeagent", "k8gobgp")
    ]
    pod = {"containers": containers, "nodeSelector": {"example.org/nowhere": "true"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "lbnodeagent", "namespace": INSTALL_NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


async def images(cluster: Cluster) -> dict[str, str]:
    """Return the images of the agents' Pods, by container."""
    arguments = ("get", "daemonset", "lbnodeagent", "-n", INSTALL_NAMESPACE, "-o", "json")
    found = json.loads((await cluster.kubectl(*arguments)).stdout)
    containers = found["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one["image"] for one in containers}


@pytest.mark.parametrize("is_wanted", [True, False], ids=["with BGP", "without"])
def test_the_sidecar_is_replaced_in_its_place_or_goes(is_wanted: bool) -> None:
    """Whatever is applied again; nothing of PureLB's is left."""
    if reason := obstacles():
        pytest.skip(reason)

    async def scenario() -> None:
        async with Cluster(nodes=1, control_plane="real") as cluster:
            path = cluster.paths.scratch / "former.yaml"
            path.write_text(yaml.safe_dump(former()))
            await cluster.kubectl("apply", "-f", str(Paths(INSIDE).scratch / path.name))
            expected = {"lbnodeagent": "purelb-kopf/lbnodeagent:dev"}
            if is_wanted:
                await cluster.kubectl(*OURS[:-1], *SIDECAR)
                expected["k8gobgp"] = "purelb-kopf/k8gobgp:dev"
                assert (await images(cluster))["k8gobgp"] == expected["k8gobgp"]
            for _ in range(2):
                await cluster.kubectl(*OURS, str(DEPLOY / "workloads.yaml"))
                assert await images(cluster) == expected

    asyncio.run(scenario())
