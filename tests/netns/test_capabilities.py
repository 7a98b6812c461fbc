"""The agent with the rights that its Pod has: two capabilities, none to gain, no writable root.

Everything it does is done once: announcing, repairing, remote addresses, leaving.
"""

import asyncio
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from playground import daemons
from playground.cluster import Cluster
from playground.preflight import complaints
from playground.processes import ProcessSpec
from tests import rights

MANIFEST = Path(__file__).parents[2] / "playground/manifests/default.yaml"
SECONDS = 30.0  # generous
NUMBERS = {"NET_ADMIN": 12, "NET_RAW": 13}  # linux/capability.h
LINE = "CapEff:\t"

pytestmark = [
    pytest.mark.skipif(bool(found := complaints()), reason="; ".join(found) or "works"),
    pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) not found"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may take capabilities away"),
]


def capabilities() -> list[str]:
    """Return what the agent's container adds, by the manifest."""
    found = {one["metadata"]["name"]: one for one in rights.documents("workloads.yaml")}
    (container,) = found["lbnodeagent"]["spec"]["template"]["spec"]["containers"]
    security = container["securityContext"]
    assert security["capabilities"]["drop"] == ["ALL"]
    added: list[str] = security["capabilities"]["add"]
    return added


def confined(spec: ProcessSpec) -> ProcessSpec:
    """Return a process as a container runtime would start it with these capabilities."""
    only = ",".join(f"+{name.lower()}" for name in capabilities())
    prefix = (
        *("unshare", "--mount", "sh", "-c", 'mount -o remount,bind,ro / && exec "$@"', "sh"),
        *("setpriv", "--no-new-privs", f"--bounding-set=-all,{only}", f"--inh-caps=-all,{only}"),
    )
    return replace(spec, argv=(*prefix, *spec.argv))


async def carries(cluster: Cluster, node: str, address: str) -> bool:
    """Tell whether a node has an address."""
    shown = await cluster.run(node, "ip", "-o", "addr", "show", "to", address)
    return bool(shown.stdout)


async def wait_holders(cluster: Cluster, address: str, count: int = 1) -> list[str]:
    """Wait until so many nodes have an address, and return them."""
    async with asyncio.timeout(SECONDS):
        while True:
            found = [node for node in cluster.nodes if await carries(cluster, node, address)]
            if len(found) == count:
                return found
            await asyncio.sleep(0.02)


def service(name: str, **annotations: str) -> dict[str, object]:
    """Return a Service."""
    settings = {f"purelb.io/{key.replace('_', '-')}": text for key, text in annotations.items()}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "annotations": settings},
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": "echo"},
            "ports": [{"port": 80, "targetPort": "http"}],
        },
    }


async def scenario(cluster: Cluster) -> None:
    """Let two agents do what agents do."""
    for document in yaml.safe_load_all(MANIFEST.read_text()):
        await cluster.api.apply(document)
    pool = {"pool": "198.51.100.1-198.51.100.9", "subnet": "198.51.100.0/24", "aggregation": "/32"}
    await cluster.api.apply(
        {
            "apiVersion": "purelb.io/v2",
            "kind": "ServiceGroup",
            "metadata": {"name": "far", "namespace": "purelb-system"},
            "spec": {"remote": {"v4pool": pool}},
        }
    )
    await cluster.start_workload()
    await cluster.start(daemons.allocator(cluster.kubeconfig))
    for machine in cluster.topology.nodes:
        agent = daemons.agent(machine, cluster.kubeconfig, lease_seconds=5.0)
        status = await cluster.start(confined(agent))
        await cluster.wait_log(agent.name, "serving", seconds=SECONDS)
        text = (await cluster.run(machine.name, "cat", f"/proc/{status.pid}/status")).stdout
        mask = next(line for line in text.splitlines() if line.startswith(LINE))
        wanted = sum(1 << NUMBERS[name] for name in capabilities())
        assert int(mask.removeprefix(LINE), 16) == wanted
    await cluster.api.create(service("near"))
    await cluster.api.create(service("remote", service_group="far"))
    await cluster.wait_answer("http://192.0.2.200/", seconds=SECONDS)
    await wait_holders(cluster, "198.51.100.1", len(cluster.nodes))
    (home,) = await wait_holders(cluster, "192.0.2.200")
    await cluster.run(home, "ip", "addr", "del", "192.0.2.200/32", "dev", "eth0")
    assert await wait_holders(cluster, "192.0.2.200") == [home]
    await cluster.wait_answer("http://192.0.2.200/", seconds=SECONDS)
    for node in cluster.nodes:
        assert await cluster.stop(f"nodeagent-{node}") == 0
        assert not await carries(cluster, node, "192.0.2.200")
    leases = await cluster.api.items("Lease", "purelb-system")
    assert not [one for one in leases if one["metadata"]["name"].startswith("purelb-node-")]


def test_an_agent_needs_no_more_than_the_capabilities_of_its_container() -> None:
    """They are read from the manifest, and are all the process has."""

    async def run() -> None:
        async with Cluster(nodes=2) as cluster:
            await scenario(cluster)

    asyncio.run(run())
