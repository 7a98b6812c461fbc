"""Worlds with a real control plane: one for the whole session, and one with our daemons a module.

A test that fails leaves a folder in build/e2e-failures with all that can be seen from outside.
"""

import asyncio
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from playground.cluster import Cluster
from playground.nodes import INSTALL_NAMESPACE
from tests.e2e import audit, bundle
from tests.e2e.user import Scene, Story, User
from tests.e2e.world import NODE_GRACE_SECONDS, NODES, SECONDS, Scenario, World, obstacles

ROOT = Path(__file__).parents[2]
MANIFESTS = (ROOT / "deploy", ROOT / "playground/manifests/default.yaml")
WORKLOADS = ("deployment/allocator", "daemonset/lbnodeagent")
MEMBERS = 3


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Describe the clusters of a test that has failed, while they are still there."""
    report = yield
    if report.failed:
        folder = bundle.leave(item.nodeid, report.longreprtext)
        report.sections.append(("what the clusters looked like", str(folder)))
    return report


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Run scenarios in a cluster with echo pods; each cleans up what another could see."""
    if reason := obstacles():
        pytest.skip(reason)
    cluster = Cluster(nodes=NODES, control_plane="real", node_grace_seconds=NODE_GRACE_SECONDS)

    async def run(scenario: Scenario) -> None:
        await scenario(cluster)

    with asyncio.Runner() as runner:
        runner.run(cluster.__aenter__())
        try:
            runner.run(cluster.start_workload())
            yield lambda scenario: runner.run(run(scenario))
        finally:
            runner.run(cluster.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[Cluster, asyncio.Runner]]:
    """A module's own cluster, and what runs coroutines in it."""
    if reason := obstacles():
        pytest.skip(reason)
    cluster = Cluster(nodes=MEMBERS, control_plane="real")
    with asyncio.Runner() as runner:
        runner.run(cluster.__aenter__())
        try:
            yield cluster, runner
        finally:
            runner.run(cluster.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def installed(
    stage: tuple[Cluster, asyncio.Runner],
) -> Iterator[tuple[Cluster, asyncio.Runner]]:
    """The module's cluster with echo pods and the daemons; no request of theirs may be refused."""
    cluster, runner = stage
    runner.run(install(cluster))
    yield stage
    assert not audit.refused(cluster.paths.log("audit"))


@pytest.fixture
def story(installed: tuple[Cluster, asyncio.Runner]) -> Iterator[Story]:
    """Run scenes with a user whose manifests are removed when the test is over."""
    cluster, runner = installed
    user = User(cluster)

    async def play(scene: Scene) -> None:
        await scene(user)

    yield lambda scene: runner.run(play(scene))
    runner.run(user.tidy())


async def install(cluster: Cluster) -> None:
    """Install the daemons as the manifests do, a group `default`, and pods to talk to."""
    for file in MANIFESTS:
        await cluster.kubectl("apply", "--server-side", "-f", str(file))
    await cluster.start_workload()
    for workload in WORKLOADS:
        await cluster.kubectl(
            *("-n", INSTALL_NAMESPACE, "rollout", "status", workload, f"--timeout={SECONDS:g}s")
        )
