"""A cluster whose daemons come from the chart, as Helm's users have it.

What a playground installs by itself is taken away first: Helm refuses what others have made.
"""

import asyncio
import base64
import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from playground.api import path_of_object
from playground.cluster import Cluster
from playground.controlplane.binaries import BUILD, locate
from playground.nodes import INSTALL_NAMESPACE
from playground.state import INSIDE, Paths
from tests.apiserver import Start
from tests.charts import CHART
from tests.e2e.audit import calls, excesses
from tests.e2e.install import DEPLOY, NODE_GRACE_SECONDS, ROOT, daemon_pods, show
from tests.e2e.world import Scenario, World, obstacles

RELEASE = "purelb"
HELM_SECONDS = 180.0  # of one command that waits for Pods
WAIT = ("--wait", "--timeout", "150s")
GROUP: dict[str, Any] = {
    "serviceGroup": {
        "create": True,
        "spec": {
            "local": {
                "v4pools": [{"pool": "192.0.2.200-192.0.2.250", "subnet": "192.0.2.0/24"}],
                "v6pools": [
                    {"pool": "2001:db8:0:1::200-2001:db8:0:1::2ff", "subnet": "2001:db8:0:1::/64"}
                ],
            }
        },
    }
}


@contextlib.contextmanager
def bare(*, is_ours: bool = True, starts: Sequence[Start] = ()) -> Iterator[World]:
    """Run scenarios in a new cluster of three nodes with echo pods, and without us.

    At the end the API server's audit log is asked whether a daemon wanted more than the chart
    grants, if all daemons were ours. `starts` are times during which rights are not settled.
    """
    if reason := obstacles():
        pytest.skip(reason)
    if locate("helm", os.environ) is None:
        if os.environ.get("PURELB_E2E"):
            pytest.fail(f"helm not found: `{BUILD}` builds it")
        pytest.skip(f"helm not found: `{BUILD}` builds it")
    cluster = Cluster(nodes=3, control_plane="real", node_grace_seconds=NODE_GRACE_SECONDS)

    async def run(scenario: Scenario) -> None:
        await scenario(cluster)

    with asyncio.Runner() as runner:
        runner.run(cluster.__aenter__())
        try:
            runner.run(strip(cluster))
            runner.run(cluster.start_workload())
            yield lambda scenario: runner.run(run(scenario))
            if is_ours:
                found = excesses(calls(cluster.paths.log("audit")), starts, with_sidecar=True)
                assert not found, found
        finally:
            runner.run(cluster.__aexit__(None, None, None))


async def strip(cluster: Cluster) -> None:
    """Delete what a playground has installed of ours, but for the namespace."""
    objects = [one for one in yaml.safe_load_all((DEPLOY / "rbac.yaml").read_text()) if one]
    objects += [yaml.safe_load(path.read_text()) for path in (ROOT / "crds").glob("*.yaml")]
    for body in objects:
        if body["kind"] != "Namespace":
            await cluster.api.delete(path_of_object(body))
    gone = [f"crd/{path.stem}" for path in (ROOT / "crds").glob("*.yaml")]
    await cluster.kubectl("wait", "--for=delete", *gone, "--timeout=60s")


async def helm(
    cluster: Cluster, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run Helm as an administrator in the install namespace; raises CalledProcessError."""
    folder = Paths(INSIDE).scratch / "helm"
    variables = [
        f"HELM_{kind}_HOME={folder / kind.lower()}" for kind in ("CACHE", "CONFIG", "DATA")
    ]
    command = (
        *("env", f"KUBECONFIG={cluster.kubeconfig('kubectl')}", *variables),
        *(str(locate("helm", os.environ)), "--namespace", INSTALL_NAMESPACE, *arguments),
    )
    try:
        return await cluster.run("control", *command, seconds=HELM_SECONDS, check=check)
    except subprocess.CalledProcessError as error:
        error.add_note(f"{error.stdout}{error.stderr}")
        raise


async def release(cluster: Cluster, *arguments: str, chart: Path = CHART) -> None:
    """Install the chart, or upgrade its release, with a ServiceGroup; returns when all is ready."""
    name = "values.yaml"
    (cluster.paths.scratch / name).write_text(yaml.safe_dump(GROUP))
    values = ("--values", str(Paths(INSIDE).scratch / name))
    await helm(cluster, "upgrade", "--install", RELEASE, str(chart), *values, *WAIT, *arguments)


async def key(cluster: Cluster) -> bytes:
    """Return the key of the agents' heartbeats."""
    secret = await show(cluster, "-n", INSTALL_NAMESPACE, "secret", "purelb-heartbeat")
    return base64.b64decode(secret["data"]["key"])


async def uids(cluster: Cluster) -> set[str]:
    """Return who the daemons' Pods are."""
    found = [
        pod for name in ("allocator", "lbnodeagent") for pod in await daemon_pods(cluster, name)
    ]
    return {pod["metadata"]["uid"] for pod in found}


async def inventory(cluster: Cluster) -> frozenset[str]:
    """Return every object of the cluster but Events, as `kind namespace name`."""
    listed = await cluster.kubectl("api-resources", "--verbs=list", "--output=name")
    kinds = [
        kind
        for kind in listed.stdout.split()
        if not kind.startswith(("events", "componentstatuses"))
    ]
    columns = "custom-columns=KIND:.kind,SPACE:.metadata.namespace,NAME:.metadata.name"
    shown = await cluster.kubectl(
        "get", ",".join(kinds), "--all-namespaces", "--no-headers", "--output", columns
    )
    return frozenset(" ".join(line.split()) for line in shown.stdout.splitlines())
