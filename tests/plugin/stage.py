"""The real command line as a subprocess, against an embedded API server with a scene in it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from playground.apiserver import ApiServer
from tests.plugin.scenes import INSTALL, Object, at

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
SECONDS = 60.0  # generous: a command takes a quarter of one
PLURALS = {
    "Namespace": "namespaces",
    "Node": "nodes",
    "Lease": "leases",
    "ServiceGroup": "servicegroups",
    "LBNodeAgent": "lbnodeagents",
    "Service": "services",
    "Pod": "pods",
    "EndpointSlice": "endpointslices",
    "Event": "events",
    "Secret": "secrets",
    "BGPConfiguration": "configs",
    "BGPNodeStatus": "bgpnodestatuses",
    "CustomResourceDefinition": "customresourcedefinitions",
}


@dataclass(frozen=True, slots=True)
class Result:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The output as JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass(slots=True, kw_only=True)
class Stage:
    """A cluster, and a user in front of it."""

    server: ApiServer
    http: aiohttp.ClientSession
    kubeconfig: Path
    environment: dict[str, str] = field(default_factory=dict)

    async def put(self, *objects: Object) -> None:
        """Create objects, with the status that they have."""
        for given in objects:
            one: Object = at(datetime.now(UTC), given)
            path = path_of(one)
            await self._send("POST", path, one)
            if one.get("status"):
                name = f"{path}/{one['metadata']['name']}/status"
                await self._send("PATCH", name, {"status": one["status"]})

    async def annotate(self, key: str, annotations: Mapping[str, str]) -> None:
        """Write annotations on a Service."""
        namespace, name = key.split("/")
        path = f"/api/v1/namespaces/{namespace}/services/{name}"
        await self._send("PATCH", path, {"metadata": {"annotations": dict(annotations)}})

    async def get(self, one: Object) -> Object:
        """Read an object as it is now."""
        return await self._send("GET", f"{path_of(one)}/{one['metadata']['name']}", None)

    async def run(self, *arguments: str, **environment: str) -> Result:
        """Run the command line to its end."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "plugin",
            *arguments,
            cwd=ROOT,
            env=self._environment(environment),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
        return Result(process.returncode or 0, out.decode(), err.decode())

    async def shell(self, script: str) -> Result:
        """Run a line of bash, in which $P is the command line."""
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            script,
            cwd=ROOT,
            env=self._environment({"P": f"{sys.executable} -m plugin"}),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
        return Result(process.returncode or 0, out.decode(), err.decode())

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start the command line as at a terminal; the caller ends it.

        SIGINT interrupts it even if the tests run in the background, where a shell has it ignored.
        """
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "plugin",
            *arguments,
            cwd=ROOT,
            env=self._environment({}),
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        own = {"KUBECONFIG": str(self.kubeconfig), "HOME": str(self.kubeconfig.parent)}
        return kept | own | self.environment | dict(more)

    async def _send(self, method: str, path: str, body: object) -> Object:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        async with self.http.request(
            method, path, json=body, headers={"Content-Type": kind}
        ) as reply:
            answer: Object = await reply.json()
            assert reply.status < 300, answer
            return answer


def path_of(one: Object) -> str:
    """Return the collection that an object belongs to."""
    version, namespace = one["apiVersion"], one["metadata"].get("namespace")
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"{base}{where}/{PLURALS[one['kind']]}"


def write_kubeconfig(path: Path, url: str) -> Path:
    """Write a kubeconfig for a server, with a context `stage` of namespace `shop`."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "stage",
        "contexts": [
            {"name": "stage", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}
        ],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "operator"}}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


@asynccontextmanager
async def stage(
    folder: Path, objects: Iterable[Object], crds: Path | None = ROOT / "crds"
) -> AsyncIterator[Stage]:
    """Run an API server with these objects."""
    async with ApiServer(crds=crds) as server, aiohttp.ClientSession(server.url) as http:
        kubeconfig = write_kubeconfig(folder / "kubeconfig", server.url)
        found = Stage(server=server, http=http, kubeconfig=kubeconfig)
        await found.put(*objects)
        yield found


def play(
    folder: Path,
    objects: Iterable[Object],
    work: Callable[[Stage], Awaitable[None]],
    crds: Path | None = ROOT / "crds",
) -> None:
    """Run a coroutine function with a stage."""

    async def run() -> None:
        async with stage(folder, objects, crds) as found:
            await work(found)

    asyncio.run(run())


def run(folder: Path, objects: Iterable[Object], *arguments: str) -> Result:
    """Run one command in a cluster with these objects."""
    results: list[Result] = []

    async def work(found: Stage) -> None:
        results.append(await found.run(*arguments))

    play(folder, objects, work)
    return results[0]


def compare(name: str, text: str) -> None:
    """Compare an output with the golden file of that name.

    With PURELB_GOLDEN=write in the environment the file is written instead: look at its diff.
    """
    path = GOLDEN / name
    if os.environ.get("PURELB_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text(), f"differs from {path}"


__all__ = ["INSTALL", "Result", "Stage", "compare", "path_of", "play", "run", "stage"]
