"""A playground as an object: what the demo, tests and benchmarks are written against.

    async with Cluster(nodes=3) as cluster:
        await cluster.start_workload()
        await cluster.start_daemons()
        reply = await cluster.fetch("http://192.0.2.200/")

With `control_plane="real"` its API is Kubernetes' own, with controllers, a scheduler, kube-proxies.
The world starts with the block and ends with it, also if this process is killed.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from playground import daemons, http
from playground.api import Api
from playground.http import Reply
from playground.instance import Instance, launch, python_path
from playground.planes import NODE_GRACE_SECONDS, Choice, Kind
from playground.processes import ProcessSpec, ProcessStatus
from playground.relay import Target
from playground.state import INSIDE, Paths
from playground.topology import Topology, topology

RUN_SECONDS = 60.0
STOP_SECONDS = 30.0  # the grace period of Kubernetes
ATTEMPT_SECONDS = 0.5
POLL_SECONDS = 0.02


class Cluster:
    """One playground, started by this object and ended with it."""

    def __init__(
        self,
        *,
        nodes: int = 3,
        name: str | None = None,
        control_plane: str = Kind.EMBEDDED,
        node_grace_seconds: float = NODE_GRACE_SECONDS,
        keep_logs: Path | None = None,
    ) -> None:
        self.topology: Topology = topology(nodes)
        self._choice = Choice(kind=Kind(control_plane), node_grace_seconds=node_grace_seconds)
        self._plane = self._choice.plane(self.topology)
        self.name = name or f"cluster-{secrets.token_hex(4)}"
        self._keep_logs = keep_logs
        self._world: tuple[Instance, asyncio.subprocess.Process, Api] | None = None

    async def __aenter__(self) -> Self:
        """Start the world; returns when its API serves and its Nodes are there."""
        count = len(self.topology.nodes)
        instance, process = await launch(self.name, count, choice=self._choice, until_eof=True)
        api = Api(instance.paths.api)
        await api.__aenter__()
        self._world = instance, process, api
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the world, with whatever runs in it."""
        instance, process, api = self._running
        try:
            await api.__aexit__(kind, error, trace)
            if self._keep_logs is not None:
                instance.keep_logs(self._keep_logs)
        finally:
            self._world = None
            await instance.end()
            await process.wait()

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the nodes."""
        return tuple(machine.name for machine in self.topology.nodes)

    @property
    def api(self) -> Api:
        """A client of the API that works from here."""
        return self._running[2]

    @property
    def api_url(self) -> str:
        """The API server as it is reached inside."""
        return self._plane.url

    @property
    def paths(self) -> Paths:
        """The world's files, reached from here."""
        return self.instance.paths

    @property
    def instance(self) -> Instance:
        """The world as seen from outside."""
        return self._running[0]

    def kubeconfig(self, client: str) -> Path:
        """Write the kubeconfig of a client of the API; returns its path inside."""
        return self._plane.kubeconfig(self.paths, client)

    async def kubectl(
        self, *arguments: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl on the control machine as an administrator and return what it said.

        Raises CalledProcessError if it fails, unless `check` is off.
        """
        return await self.run("control", *self.instance.kubectl(arguments), check=check)

    async def start(self, spec: ProcessSpec) -> ProcessStatus:
        """Start a process in its machine."""
        return ProcessStatus(**await self.instance.ask("start", spec=asdict(spec)))

    async def restart(self, name: str) -> ProcessStatus:
        """Start a process that has ended again, as it was started before."""
        return ProcessStatus(**await self.instance.ask("restart", name=name))

    async def stop(self, name: str, *, seconds: float = STOP_SECONDS) -> int:
        """Ask a process to end, kill it after the given time; returns its code."""
        code: int = await self.instance.ask("stop", name=name, seconds=seconds)
        return code

    async def kill(self, name: str) -> int:
        """Kill a process; returns its code."""
        await self.signal(name, signal.SIGKILL)
        return await self.wait(name)

    async def signal(self, name: str, number: int) -> None:
        """Send a signal to a process, such as SIGSTOP to make it hang."""
        await self.instance.ask("signal", name=name, number=int(number))

    async def wait(self, name: str) -> int:
        """Wait until a process has ended; returns its code."""
        code: int = await self.instance.ask("wait", name=name)
        return code

    async def processes(self) -> tuple[ProcessStatus, ...]:
        """Return every process there was."""
        return tuple(ProcessStatus(**entry) for entry in await self.instance.ask("list"))

    def log(self, name: str) -> str:
        """Return what a process has written."""
        return self.paths.log(name).read_text(errors="replace")

    async def wait_log(self, name: str, text: str, *, seconds: float = 15.0) -> None:
        """Wait until a process has written a text; raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while True:
                if text in self.log(name):
                    return
                await asyncio.sleep(POLL_SECONDS)

    async def power_off(self, node: str) -> None:
        """Take a node's power: its cable goes dark, everything on it is dead."""
        await self.instance.ask("power_off", node=node)

    async def power_on(self, node: str) -> None:
        """Boot a node that was powered off, with the processes it ran."""
        await self.instance.ask("power_on", node=node)

    async def partition(self, some: Sequence[str], others: Sequence[str] | None = None) -> None:
        """Drop all frames between machines, by default between `some` and all others."""
        names = None if others is None else list(others)
        await self.instance.ask("partition", some=list(some), others=names)

    async def heal(self) -> None:
        """Undo all partitions."""
        await self.instance.ask("heal")

    async def set_carrier(self, node: str, *, is_up: bool) -> None:
        """Pull or plug a node's cable: its NIC loses the carrier or gets it back."""
        await self.instance.ask("set_carrier", node=node, is_up=is_up)

    async def flap(self, node: str, *, seconds: float = 0.5) -> None:
        """Pull a node's cable for a while."""
        await self.set_carrier(node, is_up=False)
        await asyncio.sleep(seconds)
        await self.set_carrier(node, is_up=True)

    async def run(
        self, machine: str | None, *argv: str, seconds: float = RUN_SECONDS, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a machine, None being where the bridges are; return what it said.

        Raises CalledProcessError if it fails, unless `check` is off.
        """
        process = await self._enter(machine, argv, output=asyncio.subprocess.PIPE)
        async with asyncio.timeout(seconds), _killed(process):
            output, errors = await process.communicate()
        code = process.returncode or 0
        if check and code != 0:
            raise subprocess.CalledProcessError(code, argv, output.decode(), errors.decode())
        return subprocess.CompletedProcess(argv, code, output.decode(), errors.decode())

    @contextlib.asynccontextmanager
    async def running(self, machine: str, *argv: str) -> AsyncIterator[asyncio.StreamReader]:
        """Run a command on a machine while the block runs; yields its standard output."""
        process = await self._enter(machine, argv, output=asyncio.subprocess.PIPE)
        async with _killed(process):
            if process.stdout is None:
                raise RuntimeError("the command has no pipe")
            yield process.stdout

    async def run_python(self, machine: str, module: str, *arguments: str) -> int:
        """Run a Python module on a machine with its output going to ours; returns its code."""
        argv = (sys.executable, "-m", module, *arguments)
        process = await self._enter(machine, argv, output=None)
        async with _killed(process):
            return await process.wait()

    async def fetch(self, url: str, *, machine: str = "client", seconds: float = 5.0) -> Reply:
        """GET a URL over a new connection from a machine; raises OSError if nobody answers."""
        return await http.fetch(self.paths.dial, url, machine=machine, seconds=seconds)

    async def dial(
        self, host: str, port: int, *, machine: str = "client", seconds: float = 5.0
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a TCP connection from a machine; raises OSError if nobody answers."""
        target = Target(machine=machine, host=host, port=port, seconds=seconds)
        return await http.dial(self.paths.dial, target)

    async def wait_answer(
        self,
        url: str,
        *,
        machine: str = "client",
        accept: Callable[[Reply], bool] = lambda _: True,
        seconds: float = 15.0,
    ) -> Reply:
        """GET a URL again and again until an answer is accepted; raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    reply = await self.fetch(url, machine=machine, seconds=ATTEMPT_SECONDS)
                except OSError:
                    reply = None
                if reply is not None and accept(reply):
                    return reply
                await asyncio.sleep(POLL_SECONDS)

    async def start_workload(self, *, pods_per_node: int = 1, grace_seconds: float = 1.0) -> None:
        """Start what a cluster has beside PureLB: echo pods, their EndpointSlices, the proxies."""
        workload = self._plane.workload(
            self.kubeconfig, pods_per_node=pods_per_node, grace_seconds=grace_seconds
        )
        for spec in workload.processes:
            await self.start(spec)
        for body in workload.objects:
            await self.api.apply(body)

    async def start_daemons(self, *, lease_seconds: float = 10.0, heartbeats: bool = False) -> None:
        """Start the allocator and every node's agent, with a key for heartbeats or without."""
        key_file = ""
        if heartbeats:
            self.paths.heartbeat_key.write_text(secrets.token_hex(32))
            key_file = str(Paths(INSIDE).heartbeat_key)
        for spec in daemons.daemons(
            self.topology, self.kubeconfig, lease_seconds=lease_seconds, key_file=key_file
        ):
            await self.start(spec)

    async def _enter(
        self, machine: str | None, argv: Sequence[str], *, output: int | None
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self.instance.enter(machine, argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | {"PYTHONPATH": python_path()},
            start_new_session=True,  # so that everything it starts can be found and killed
        )

    @property
    def _running(self) -> tuple[Instance, asyncio.subprocess.Process, Api]:
        if self._world is None:
            raise RuntimeError("the cluster is not up")
        return self._world


@contextlib.asynccontextmanager
async def _killed(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """Kill what `nsenter` runs if the block does not wait for its end."""
    try:
        yield
    finally:
        if process.returncode is None:
            # Not `nsenter` itself: it reaps the command, which the world could not.
            for pid in _group(process.pid) - {process.pid}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await process.wait()


def _group(leader: int) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(ValueError, ProcessLookupError):
            if os.getpgid(int(entry.name)) == leader:
                found.add(int(entry.name))
    return found
