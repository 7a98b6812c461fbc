"""A cluster whose nodes have kubelets, with the words that tests of them need."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from playground import kubelet
from playground.api import path_of
from playground.cluster import Cluster
from playground.http import fetch
from playground.preflight import complaints

SECONDS = 20.0  # far longer than anything here takes
NODE, ADDRESS = "node-a", "192.0.2.11"

Object = dict[str, Any]

needs_playground = pytest.mark.skipif(
    bool(found := complaints()), reason="; ".join(found) or "works"
)


class Scene:
    """A cluster whose nodes have kubelets, with the words that tests need."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    async def start_kubelets(self, **options: float) -> None:
        """Start a kubelet on each node."""
        for machine in self.cluster.topology.nodes:
            kubeconfig = self.cluster.kubeconfig(f"kubelet-{machine.name}")
            await self.cluster.start(kubelet.spec(machine, kubeconfig, **options))

    async def create(self, name: str, container: Object, **spec: object) -> Object:
        """Create a Pod on the first node, with the node's network unless told otherwise."""
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": {"color": "blue"}},
            "spec": {
                "nodeName": NODE,
                "hostNetwork": True,
                "containers": [{"name": "main", **container}],
                **spec,
            },
        }
        return await self.cluster.api.create(body)

    async def running(self, name: str, *command: str, **spec: object) -> Object:
        """Create a Pod with a command and return it once it runs."""
        await self.create(name, {"command": list(command)}, **spec)
        return await self.until(name, is_ready)

    async def until(self, name: str, claim: Callable[[Object], bool]) -> Object:
        """Wait for a Pod of which a claim holds."""
        only = f"metadata.name={name}"
        seen = None
        try:
            async with asyncio.timeout(SECONDS):
                async for _, seen in self.cluster.api.watch(
                    path_of("Pod", "default"), fieldSelector=only
                ):
                    if "containerStatuses" in seen["status"] and claim(seen):
                        return seen
        except TimeoutError:
            pytest.fail(f"the Pod stays {seen}")
        raise AssertionError("the watch ended")

    async def delete(self, name: str) -> None:
        """Delete a Pod; the embedded API server forgets it at once."""
        await self.cluster.api.delete(path_of("Pod", "default", name))

    def pid(self, pod: Object, attempt: int = 0) -> str:
        """Return the process of a Pod's container."""
        folder = self.cluster.paths.folder / "kubelet" / NODE / pod["metadata"]["uid"]
        facts = json.loads((folder / "main" / str(attempt) / "run.json").read_text())
        return str(facts["pid"])

    async def signal(self, name: str, pid: str) -> None:
        """Send a signal to a process."""
        await self.cluster.run(NODE, "kill", f"-{name}", pid)

    async def wait_gone(self, pid: str) -> None:
        """Wait until a process has ended."""
        await self.cluster.run(NODE, "tail", f"--pid={pid}", "-f", "/dev/null", seconds=SECONDS)

    def log(self, pod: Object, attempt: int = 0) -> Path:
        """Return the log of a Pod's container."""
        meta = pod["metadata"]
        folder = self.cluster.paths.logs / "pods" / f"default_{meta['name']}_{meta['uid']}"
        return folder / "main" / f"{attempt}.log"

    async def wait_said(self, pod: Object, text: str, attempt: int = 0) -> str:
        """Wait until a container has written a text; returns its log."""
        log = self.log(pod, attempt)
        async with asyncio.timeout(SECONDS):
            while True:
                if log.exists() and text in (said := log.read_text()):
                    return said
                await asyncio.sleep(0.02)

    async def logs(self, name: str, query: str = "") -> str:
        """Ask the kubelet for a log, as the API server does for kubectl."""
        url = f"http://{ADDRESS}:10250/containerLogs/default/{name}/main{query}"
        relay = self.cluster.paths.dial
        reply = await fetch(relay, url, machine="control", seconds=SECONDS)
        return reply.body.decode()

    @contextlib.asynccontextmanager
    async def following(self, name: str, query: str) -> AsyncIterator[asyncio.StreamReader]:
        """Follow a log while the block runs; yields its lines."""
        reader, writer = await self.cluster.dial(ADDRESS, 10250, machine="control")
        try:
            path = f"/containerLogs/default/{name}/main{query}"
            writer.write(f"GET {path} HTTP/1.0\r\nHost: kubelet\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            async with asyncio.timeout(SECONDS):
                yield reader
        finally:
            writer.close()


Scenario = Callable[[Scene], Awaitable[None]]
World = Callable[[Scenario], None]


def in_world_of_its_own(scenario: Scenario, **options: float) -> None:
    """Run a scenario in a fresh world that ends with it."""

    async def run() -> None:
        async with Cluster(nodes=1) as cluster:
            scene = Scene(cluster)
            await scene.start_kubelets(**options)
            await scenario(scene)

    asyncio.run(run())


def world_of_a_module() -> Iterator[World]:
    """Yield what runs scenarios in one world; each has Pods of its own."""
    cluster = Cluster(nodes=1)
    scene = Scene(cluster)

    async def start() -> None:
        await cluster.__aenter__()
        await scene.start_kubelets()

    async def run(scenario: Scenario) -> None:
        await scenario(scene)

    with asyncio.Runner() as runner:
        runner.run(start())
        try:
            yield lambda scenario: runner.run(run(scenario))
        finally:
            runner.run(cluster.__aexit__(None, None, None))


def is_ready(pod: Object) -> bool:
    """Tell whether a Pod is ready."""
    found = {entry["type"]: entry["status"] for entry in pod["status"]["conditions"]}
    return bool(found["Ready"] == "True")


def container(pod: Object) -> Object:
    """Return the status of a Pod's only container."""
    (only,) = pod["status"]["containerStatuses"]
    status: Object = only
    return status


def has_restarted(times: int) -> Callable[[Object], bool]:
    """Return the claim that a container runs after so many restarts."""
    return lambda pod: (
        container(pod)["restartCount"] == times and "running" in container(pod)["state"]
    )
