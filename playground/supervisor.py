"""The process that is a playground: owns its namespaces, its network and its processes.

    unshare --mount --pid --fork --kill-child --net ... python -m playground.supervisor --name NAME

Started by `playground.instance` in fresh namespaces, where it is PID 1: when it ends, for whatever
reason, the kernel ends every process, link and file with it. It decides nothing: it does what is
asked on its socket, one JSON object a line, `{"do": REQUEST, ...}`, and answers `{"value": ...}` or
`{"error": TEXT}`.
"""

import argparse
import asyncio
import dataclasses
import json
import logging
import os
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

from playground import nodes, relay
from playground.api import Api, ApiError
from playground.namespaces import mount
from playground.network import Network, NetworkError, pids_of
from playground.plane import ControlPlane, Step
from playground.planes import Choice, add_options, chosen
from playground.processes import ProcessError, Processes, ProcessSpec
from playground.readiness import ask, wait_ready
from playground.state import INSIDE, Paths
from playground.topology import API_PORT, Machine, Topology, topology

Request = Mapping[str, Any]

REFUSALS = (NetworkError, ProcessError, ApiError, KeyError, TypeError, ValueError, OSError)


class Supervisor:
    """Answers requests; `run` builds everything, says so on standard output, and works on."""

    def __init__(self, world: Topology, plane: ControlPlane, tasks: asyncio.TaskGroup) -> None:
        self.paths = Paths(INSIDE)
        self.plane = plane
        self.network = Network(world)
        self.processes = Processes(self.paths, tasks)
        self._powered_off: dict[str, tuple[ProcessSpec, ...]] = {}
        self._requests: dict[str, Callable[[Request], Awaitable[object]]] = {
            "start": self._start,
            "restart": self._restart,
            "stop": self._stop,
            "signal": self._signal,
            "wait": self._wait,
            "list": self._list,
            "nodes": self._nodes,
            "power_off": self._power_off,
            "power_on": self._power_on,
            "set_carrier": self._set_carrier,
            "partition": self._partition,
            "heal": self._heal,
        }

    async def build(self) -> None:
        """Make the network, the control plane and the objects every cluster has."""
        world = self.network.topology
        await self.network.build()
        self.plane.prepare(self.paths)
        tls = self.plane.tls(self.paths)
        api = relay.Target(machine=world.control.name, host=_text(world.control), port=API_PORT)
        await relay.serve(self.paths.api, relay.to(api, tls))
        await relay.serve(self.paths.dial, relay.on_request)
        await relay.serve(self.paths.supervisor, self.answer)
        for server in self.plane.servers():
            await self._start_ready(server, tls)
        async with Api(self.paths.api) as client:
            await nodes.create(client, world)
            clients = (self._start_ready(step, tls) for step in self.plane.clients())
            await asyncio.gather(self.plane.install(client, self.paths), *clients)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; a bad request is answered, never fatal."""
        while line := await reader.readline():
            try:
                request: Request = json.loads(line)
                reply = {"value": await self._requests[request["do"]](request)}
            except REFUSALS as error:
                reply = {"error": f"{type(error).__name__}: {error}"}
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()

    async def _start_ready(self, step: Step, tls: ssl.SSLContext | None) -> None:
        name = step.spec.name
        await self.processes.start(step.spec)
        await wait_ready(
            step,
            lambda: ask(step, tls),
            lambda: self.processes.status(name).returncode,
            self.paths.log(name),
        )

    async def _start(self, request: Request) -> object:
        spec = request["spec"] | {"argv": tuple(request["spec"]["argv"])}
        return dataclasses.asdict(await self.processes.start(ProcessSpec(**spec)))

    async def _restart(self, request: Request) -> object:
        return dataclasses.asdict(await self.processes.restart(request["name"]))

    async def _stop(self, request: Request) -> object:
        return await self.processes.stop(request["name"], request["seconds"])

    async def _signal(self, request: Request) -> None:
        self.processes.signal(request["name"], request["number"])

    async def _wait(self, request: Request) -> object:
        return await self.processes.wait(request["name"])

    async def _list(self, request: Request) -> object:
        return [dataclasses.asdict(status) for status in self.processes.statuses()]

    async def _nodes(self, request: Request) -> object:
        return [machine.name for machine in self.network.topology.nodes]

    async def _power_off(self, request: Request) -> object:
        machine = self._node(request)
        # First the cable: a machine that loses power sends nothing more, not even a FIN.
        await self.network.set_carrier(machine, is_up=False)
        specs = await self.processes.kill_all(machine.name, pids_of(machine))
        while strays := pids_of(machine):  # born while the others died
            await self.processes.kill_all(machine.name, strays)
            await asyncio.sleep(0)
        self._powered_off[machine.name] = self._powered_off.get(machine.name, ()) + specs
        return [spec.name for spec in specs]

    async def _power_on(self, request: Request) -> object:
        machine = self._node(request)
        if machine.name not in self._powered_off:
            raise ProcessError(f"{machine.name} has power")
        specs = self._powered_off.pop(machine.name)
        await self.network.reboot(machine)
        for spec in specs:
            await self.processes.start(spec)
        return [spec.name for spec in specs]

    async def _set_carrier(self, request: Request) -> None:
        await self.network.set_carrier(self._node(request), is_up=request["is_up"])

    async def _partition(self, request: Request) -> None:
        world = self.network.topology
        some = [world.machine(name) for name in request["some"]]
        if (names := request["others"]) is None:
            others = [machine for machine in world.machines if machine not in some]
        else:
            others = [world.machine(name) for name in names]
        await self.network.cut(some, others)

    async def _heal(self, request: Request) -> None:
        await self.network.heal()

    def _node(self, request: Request) -> Machine:
        return self.network.topology.node(request["node"])


async def run(node_count: int, choice: Choice, *, until_eof: bool) -> None:
    """Build the playground and serve it; with `until_eof` until standard input ends."""
    world = topology(node_count)
    async with asyncio.TaskGroup() as tasks:
        supervisor = Supervisor(world, choice.plane(world), tasks)
        try:
            await supervisor.build()
        except REFUSALS as error:
            _say({"error": f"{type(error).__name__}: {error}"})
            os._exit(1)
        _say({"nodes": [machine.name for machine in supervisor.network.topology.nodes]})
        if until_eof:
            await _wait_eof()
            os._exit(0)
        await asyncio.Event().wait()


def main() -> NoReturn:
    """Become the init process of the namespaces and run the supervisor as its child."""
    parser = argparse.ArgumentParser(prog="python -m playground.supervisor")
    parser.add_argument("--name", required=True)
    parser.add_argument("--nodes", type=int, required=True)
    add_options(parser)
    parser.add_argument("--until-eof", action="store_true")
    arguments = parser.parse_args()
    for kind, target in (("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run")):
        mount(kind, target)
    paths = Paths(INSIDE)
    paths.create()
    with paths.log("supervisor").open("ab") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())  # who started us need not stay to read it
    if (child := os.fork()) != 0:
        sys.exit(_reap(child))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    asyncio.run(run(arguments.nodes, chosen(arguments), until_eof=arguments.until_eof))
    sys.exit(0)


def _reap(child: int) -> int:
    """Collect every orphan, as init must; returns when the supervisor proper ends."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


async def _wait_eof() -> None:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    await reader.read()


def _say(fact: Mapping[str, object]) -> None:
    print(json.dumps(fact), flush=True)


def _text(machine: Machine) -> str:
    return str(machine.main.v4.ip)


if __name__ == "__main__":
    main()
