"""From PureLB to us and back, by the release that is there: no Service gets another address.

PureLB is played by a stand-in (`former`) under a chart with its names, selectors and rights.
"""

import json
from collections.abc import Iterator

import pytest
import yaml

from playground.api import path_of
from playground.cluster import Cluster
from playground.nodes import INSTALL_NAMESPACE
from tests.e2e import formerchart
from tests.e2e.install import Object, daemon_pods, exposed, show
from tests.e2e.journal import journal
from tests.e2e.outsider import asking
from tests.e2e.release import GROUP, RELEASE, WAIT, bare, helm, release
from tests.e2e.test_crd_upgrade import CRDS, older
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(400)  # every Pod is replaced several times

ADDRESS = "192.0.2.200"
LONGEST_GAP = 4.0  # seconds without an answer: PureLB's agents hand nothing over


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run scenarios in a cluster that has PureLB with a group, and a Service it serves."""
    agents = yaml.safe_load((CRDS / "lbnodeagents.purelb.io.yaml").read_text())
    chart = formerchart.write(
        tmp_path_factory.mktemp("former") / "purelb",
        {
            "apiVersion": "purelb.io/v2",
            "kind": "ServiceGroup",
            "metadata": {"name": "default"},
            "spec": GROUP["serviceGroup"]["spec"],
        },
        [older(), agents],
    )

    async def install(cluster: Cluster) -> None:
        await helm(cluster, "install", RELEASE, str(chart), *WAIT)
        await cluster.api.create(served())
        status = {"loadBalancer": {"ingress": [{"ip": ADDRESS, "ipMode": "VIP"}]}}
        path = path_of("Service", "default", "legacy")
        await cluster.api.patch(f"{path}/status", {"status": status})

    with bare(is_ours=False) as scenes:
        scenes(install)
        yield scenes


def served() -> Object:
    """Return a Service as PureLB's allocator leaves it."""
    annotations = {"allocated-by": "PureLB", "allocated-from": "default", "pool-type": "local"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "legacy",
            "namespace": "default",
            "annotations": {f"purelb.io/{key}": value for key, value in annotations.items()},
        },
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": "echo"},
            "ports": [{"port": 80, "targetPort": "http"}],
        },
    }


async def masks(cluster: Cluster) -> dict[str, str]:
    """Return the prefix length of the address by node."""
    found = {}
    for node in cluster.nodes:
        shown = await cluster.run(node, "ip", "-o", "-4", "addr", "show", "to", ADDRESS)
        if shown.stdout:
            found[node] = shown.stdout.split()[3].partition("/")[2]
    return found


def refusals(cluster: Cluster) -> list[str]:
    """Return what PureLB's agents were forbidden, as `verb path`."""
    lines = cluster.paths.log("audit").read_text().splitlines()
    found = (json.loads(line) for line in lines if '"former/' in line and "403" in line)
    return [
        f"{one['verb']} {one['requestURI']}"
        for one in found
        if one.get("responseStatus", {}).get("code") == 403
    ]


async def former_agents(cluster: Cluster) -> list[str]:
    """Return the nodes whose agent is PureLB's."""
    selector = "app.kubernetes.io/component=lbnodeagent"
    found = await show(cluster, "-n", INSTALL_NAMESPACE, "pods", "-l", selector)
    return sorted(
        pod["spec"]["nodeName"]
        for pod in found["items"]
        if pod["spec"]["containers"][0]["image"] == "former"
    )


def test_an_upgrade_of_purelbs_release_takes_its_services_over_and_a_rollback_gives_them_back(
    world: World,
) -> None:
    """A client outside asks all the time."""

    async def scenario(cluster: Cluster) -> None:
        async with journal(cluster) as kept:
            holder = (await kept.wait_holder(ADDRESS)).node
            assert await masks(cluster) == {holder: "24"}
            async with asking(cluster, ADDRESS) as outsider:
                await release(cluster)
                assert len(await daemon_pods(cluster, "allocator")) == 2
                await kept.wait_holder(ADDRESS, only=holder)
                assert await masks(cluster) == {holder: "32"}
                async with exposed(cluster, "later") as (other,):
                    assert other != ADDRESS
                there = outsider.longest_gap()
                assert refusals(cluster) == []
                await release(cluster)
                role = await show(cluster, "clusterrole", "purelb:lbnodeagent")
                assert "leases" not in str(role["rules"])
                await helm(cluster, "rollback", RELEASE, "1", *WAIT)
                assert await former_agents(cluster) == list(cluster.nodes)
                await kept.wait_holder(ADDRESS, only=holder)
                assert await masks(cluster) == {holder: "24"}
                await outsider.wait_answer()
            print(
                f"\nmigration: no answer for {there * 1000:.0f} ms on the way there, "
                f"{outsider.longest_gap() * 1000:.0f} ms in all ({outsider.counts}); "
                f"{len(kept.spans(ADDRESS))} stays, overlap {kept.overlap(ADDRESS) * 1000:.0f} ms"
            )
            service = await show(cluster, "service", "legacy")
            assert service["status"]["loadBalancer"]["ingress"][0]["ip"] == ADDRESS
            assert outsider.longest_gap() < LONGEST_GAP

    world(scenario)
