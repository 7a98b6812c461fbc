"""The API servers that the conformance tests can ask: where each is, and how it forgets.

Belongs here: starting and ending them. Does not: which one is asked (`conftest`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from playground.cluster import Cluster
from playground.controlplane import commands
from playground.controlplane.binaries import find
from playground.planes import NODE_GRACE_SECONDS
from playground.state import INSIDE, Paths
from tests.apiserver import SERVER, compact, serve_again
from tests.conformance.client import UnixConnection

MANAGER = "kube-controller-manager"
# What an API server is not complete without. All others would write into the tests' namespaces.
CONTROLLERS = ("garbage-collector-controller", "namespace-controller")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server; `compact` makes it forget its history, and breaks connections that are open."""

    url: str
    compact: Callable[[], None]


@contextlib.contextmanager
def embedded() -> Iterator[Server]:
    """Run the embedded API server."""
    with tempfile.TemporaryDirectory() as folder:
        control = Path(folder, "control")

        def forget() -> None:
            connection = UnixConnection(str(control))
            connection.request("POST", "/compact")
            assert connection.getresponse().status == 200
            connection.close()

        command = [sys.executable, "-m", "playground.apiserver", "--control", str(control)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                word, url = process.stdout.readline().split()
                assert word == "ready"
                yield Server(url=url, compact=forget)
            finally:
                process.terminate()
                assert process.wait(10) == 0


@contextlib.contextmanager
def real() -> Iterator[Server]:
    """Run etcd, kube-apiserver and the controllers that belong to it; asked as administrator."""
    cluster = Cluster(nodes=1, control_plane="real")

    async def forget() -> None:
        await compact(cluster)
        await cluster.kill(SERVER)
        await serve_again(cluster)

    with asyncio.Runner() as runner:
        runner.run(cluster.__aenter__())
        try:
            runner.run(_bare(cluster))
            yield Server(url=f"unix:{cluster.paths.api}", compact=lambda: runner.run(forget()))
        finally:
            runner.run(cluster.__aexit__(None, None, None))


async def _bare(cluster: Cluster) -> None:
    """End whatever else writes objects."""
    for process in await cluster.processes():
        if process.name not in ("etcd", SERVER):
            await cluster.stop(process.name)
    files = commands.Files(paths=Paths(INSIDE), binaries=lambda name: find(name, os.environ))
    step = commands.controller_manager(files, NODE_GRACE_SECONDS, CONTROLLERS)
    await cluster.start(step.spec)
