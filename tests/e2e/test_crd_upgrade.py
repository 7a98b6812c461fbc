"""Our images in a cluster that still has an older definition of ServiceGroups, then with ours.

Helm never upgrades definitions, so this is what users have who only changed images.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from playground.cluster import Cluster
from playground.nodes import INSTALL_NAMESPACE
from playground.state import INSIDE, Paths
from tests.e2e.install import ROOT, TIMEOUT, exposed, installed, show, wait_rolled_out
from tests.e2e.journal import journal
from tests.e2e.world import SECONDS, World

CRDS = ROOT / "crds"
OURS = CRDS / "servicegroups.purelb.io.yaml"
GROUP = ("-n", INSTALL_NAMESPACE, "servicegroup/default")
# What ours has and PureLB's has not: it knows no more of a status than numbers and texts.
UNKNOWN_FIELD = "conditions"
READY = "--for=condition=Ready"
ALLOCATOR = "deployment/allocator"
NOTICED = "the ServiceGroup CRD has no conditions"
SOON = "10s"  # ten times the pause between two rounds of status writes


def older() -> dict[str, Any]:
    """Return the definition without what PureLB's lacks."""
    definition: dict[str, Any] = yaml.safe_load(OURS.read_text())
    (version,) = definition["spec"]["versions"]
    del version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"][UNKNOWN_FIELD]
    return definition


async def go_back(cluster: Cluster) -> None:
    """Replace the definition by the older one."""
    name = "older.json"
    (cluster.paths.scratch / name).write_text(json.dumps(older()))
    await cluster.kubectl("replace", "-f", str(Paths(INSIDE).scratch / name))


@pytest.fixture(scope="module")
def cluster_world() -> Iterator[World]:
    """Run scenarios in one cluster with our daemons upon the older definition."""
    with installed(before=go_back) as world:
        yield world


async def status(cluster: Cluster) -> dict[str, Any]:
    """Return the status of the group `default`."""
    found: dict[str, Any] = (await show(cluster, *GROUP)).get("status", {})
    return found


async def wait_count(cluster: Cluster, count: int) -> None:
    """Wait until the group says that so many IPv4 addresses are in use."""
    claim = f"--for=jsonpath={{.status.allocatedIPv4}}={count}"
    await cluster.kubectl("wait", *GROUP, claim, TIMEOUT)


async def restart_allocator(cluster: Cluster) -> None:
    """Replace the allocator's Pod and wait until the new one is ready."""
    await cluster.kubectl("-n", INSTALL_NAMESPACE, "rollout", "restart", ALLOCATOR)
    await wait_rolled_out(cluster, ALLOCATOR)


async def wait_refused(cluster: Cluster) -> None:
    """Wait until the leading allocator has noticed that conditions are not stored."""
    async with asyncio.timeout(SECONDS):
        while True:
            shown = await cluster.kubectl(
                "-n", INSTALL_NAMESPACE, "logs", "--tail=-1", "-l", "component=allocator"
            )
            if NOTICED in shown.stdout:
                return


async def upgrade(cluster: Cluster, folder: Path = CRDS) -> None:
    """Apply our definitions over what is there."""
    await cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(folder))


def test_an_older_definition_has_no_conditions_and_everything_else(cluster_world: World) -> None:
    """Addresses are given and counted, and no condition is stored."""

    async def scenario(cluster: Cluster) -> None:
        async with exposed(cluster, "older", "IPv4", "IPv6"):
            await wait_count(cluster, 1)
            shown = await status(cluster)
        await wait_count(cluster, 0)
        assert UNKNOWN_FIELD not in shown
        assert shown["allocatedIPv6"] == 1

    cluster_world(scenario)


def test_our_definition_leaves_objects_as_they_are(cluster_world: World) -> None:
    """The same group, the same address of the same Service; the next allocator adds conditions."""

    async def scenario(cluster: Cluster) -> None:
        async with exposed(cluster, "stays") as (address,), journal(cluster) as kept:
            await wait_count(cluster, 1)
            before = await show(cluster, *GROUP)
            try:
                await upgrade(cluster)
                await restart_allocator(cluster)
                await cluster.kubectl("wait", *GROUP, READY, TIMEOUT)
                after = await show(cluster, *GROUP)
                service = await show(cluster, "service", "stays")
            finally:
                await go_back(cluster)
            assert after["metadata"]["uid"] == before["metadata"]["uid"]
            assert after["spec"] == before["spec"]
            assert after["status"]["allocatedIPv4"] == 1
            assert service["status"]["loadBalancer"]["ingress"][0]["ip"] == address
            assert len(kept.spans(address)) == 1

    cluster_world(scenario)


def test_our_definition_brings_conditions_without_a_restart(cluster_world: World) -> None:
    """At the latest when the counts change, because the status is then written anew."""

    async def scenario(cluster: Cluster) -> None:
        await restart_allocator(cluster)
        await wait_refused(cluster)
        async with exposed(cluster, "first"):
            await wait_count(cluster, 1)
            try:
                await upgrade(cluster)
                async with exposed(cluster, "second"):
                    await wait_count(cluster, 2)
                    await cluster.kubectl("wait", *GROUP, READY, f"--timeout={SOON}")
            finally:
                await go_back(cluster)

    cluster_world(scenario)
