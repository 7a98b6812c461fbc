"""A cluster into which the manifests have been installed, and the words of its users.

What is read here is read with kubectl, as they would.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from playground.api import path_of
from playground.cluster import Cluster
from playground.nodes import INSTALL_NAMESPACE
from tests.apiserver import Start
from tests.e2e.audit import calls, excesses
from tests.e2e.world import SECONDS, Scenario, World, obstacles

ROOT = Path(__file__).parents[2]
DEPLOY, DEFAULTS = ROOT / "deploy", ROOT / "playground/manifests/default.yaml"
WORKLOADS = ("daemonset/lbnodeagent", "deployment/allocator")
TIMEOUT = f"--timeout={SECONDS:g}s"
# As in Kubernetes. Its controllers need up to half a minute to watch again after an outage of the
# API server, and would take all nodes for lost with less.
NODE_GRACE_SECONDS = 50.0

Object = dict[str, Any]


@contextlib.contextmanager
def installed(*, before: Scenario | None = None, starts: Sequence[Start] = ()) -> Iterator[World]:
    """Run scenarios in a new cluster of three nodes with echo pods and our daemons.

    `before` runs before anything is installed. At the end the API server's audit log is asked
    whether a daemon wanted more than the manifests grant; `starts` are those of the server by then.
    """
    if reason := obstacles():
        pytest.skip(reason)
    cluster = Cluster(nodes=3, control_plane="real", node_grace_seconds=NODE_GRACE_SECONDS)

    async def install() -> None:
        if before is not None:
            await before(cluster)
        await cluster.kubectl("apply", "--server-side", "-f", str(DEPLOY))
        await cluster.kubectl("apply", "-f", str(DEFAULTS))
        await cluster.start_workload()
        await wait_rolled_out(cluster)

    async def run(scenario: Scenario) -> None:
        await scenario(cluster)

    with asyncio.Runner() as runner:
        runner.run(cluster.__aenter__())
        try:
            runner.run(install())
            yield lambda scenario: runner.run(run(scenario))
            found = excesses(calls(cluster.paths.log("audit")), starts)
            assert not found, found
        finally:
            runner.run(cluster.__aexit__(None, None, None))


async def first(
    cluster: Cluster, collection: str, claim: Callable[[Object], bool], **query: str
) -> Object:
    """Wait for an object of a collection of which a claim holds, and return it."""
    async with asyncio.timeout(SECONDS):
        async for _, found in cluster.api.watch(collection, **query):
            if claim(found):
                return found
    raise AssertionError("the watch ended")


async def wait_rolled_out(cluster: Cluster, *workloads: str) -> None:
    """Wait until workloads, by default both, are as their specs say, and ready."""
    for workload in workloads or WORKLOADS:
        await cluster.kubectl("-n", INSTALL_NAMESPACE, "rollout", "status", workload, TIMEOUT)


async def show(cluster: Cluster, *arguments: str) -> Any:  # noqa: ANN401  # whatever it is
    """Return what `kubectl get` shows."""
    return json.loads((await cluster.kubectl("get", "-o", "json", *arguments)).stdout)


async def daemon_pods(cluster: Cluster, component: str) -> list[Object]:
    """Return the Pods of a daemon that are not being deleted."""
    selector = f"component={component}"
    found = await show(cluster, "pods", "-n", INSTALL_NAMESPACE, "-l", selector)
    return [pod for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]


async def agent(cluster: Cluster, node: str) -> Object:
    """Return the Pod of a node's agent."""
    (found,) = [
        pod
        for pod in await daemon_pods(cluster, "lbnodeagent")
        if pod["spec"].get("nodeName") == node
    ]
    return found


async def evict(cluster: Cluster, name: str) -> None:
    """Ask for a Pod to leave, as `kubectl drain` does."""
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": INSTALL_NAMESPACE},
    }
    await cluster.api.post(f"{path_of('Pod', INSTALL_NAMESPACE, name)}/eviction", body)


async def wait_slot(cluster: Cluster, name: str, family: str = "IPv4") -> None:
    """Wait until some node says on a Service that it announces its address."""
    slot = f"jsonpath={{.metadata.annotations.purelb\\.io/announcing-{family}}}"
    await cluster.kubectl("wait", f"service/{name}", f"--for={slot}", TIMEOUT)


async def announcer(cluster: Cluster, name: str) -> str:
    """Return the node that says on a Service that it announces its IPv4 address."""
    service = await show(cluster, "service", name)
    slot: str = service["metadata"].get("annotations", {}).get("purelb.io/announcing-IPv4", "")
    return slot.partition(",")[0]


async def expose(cluster: Cluster, name: str, *families: str) -> list[str]:
    """Create a Service of the echo pods, and return its addresses once they are announced."""
    wanted = families or ("IPv4",)
    spec = {
        "type": "LoadBalancer",
        "ports": [{"port": 80, "targetPort": "http"}],
        "selector": {"app": "echo"},
        "ipFamilies": list(wanted),
        "ipFamilyPolicy": "RequireDualStack" if len(wanted) > 1 else "SingleStack",
    }
    meta = {"name": name, "namespace": "default"}
    await cluster.api.create(
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
    )
    for family in wanted:
        await wait_slot(cluster, name, family)
    service = await show(cluster, "service", name)
    return [entry["ip"] for entry in service["status"]["loadBalancer"]["ingress"]]


@contextlib.asynccontextmanager
async def exposed(cluster: Cluster, name: str, *families: str) -> AsyncIterator[list[str]]:
    """Have a Service while the block runs; yields its addresses, which answer."""
    try:
        addresses = await expose(cluster, name, *families)
        for address in addresses:
            host = f"[{address}]" if ":" in address else address
            await cluster.wait_answer(f"http://{host}/", seconds=SECONDS)
        yield addresses
    finally:
        await cluster.api.delete(path_of("Service", "default", name))
