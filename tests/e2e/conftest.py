"""Worlds with a real control plane for the whole session: one without and one with our daemons.

Modules that do things to a cluster that others would notice have one of their own (`install`).

A test that fails leaves a folder in build/e2e-failures with all that can be seen from outside.
"""

import asyncio
from collections.abc import Generator, Iterator

import pytest

from playground.cluster import Cluster
from tests.e2e import bundle, install
from tests.e2e.user import Scene, Story, User
from tests.e2e.world import NODE_GRACE_SECONDS, NODES, Scenario, World, obstacles


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


@pytest.fixture(scope="session")
def installed() -> Iterator[World]:
    """Run scenarios in a cluster with our daemons; each leaves everything as it was."""
    with install.installed() as world:
        yield world


@pytest.fixture
def story(installed: World) -> Iterator[Story]:
    """Run scenes with a user whose manifests are removed when the test is over."""
    users: list[User] = []

    def play(scene: Scene) -> None:
        async def scenario(cluster: Cluster) -> None:
            users.append(User(cluster))
            await scene(users[-1])

        installed(scenario)

    async def tidy(_: Cluster) -> None:
        for user in users:
            await user.tidy()

    yield play
    installed(tidy)
