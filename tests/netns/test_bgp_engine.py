"""The engine adapter and its supervisor with a real gobgpd."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from bgp.core.model import STOPPED, AfiSafi, Group, Range, Route, Vrf
from bgp.core.observed import Seen
from purelb.api.addresses import parse_network
from tests.netns.conftest import Namespace
from tests.netns.enginescene import (
    ROUTES,
    SECONDS,
    engine,
    needs_gobgpd,
    peer,
    policies,
    running,
    session,
)

pytestmark = needs_gobgpd


def test_an_engine_is_brought_from_nothing_to_everything_and_back(
    namespace: Namespace, tmp_path: Path
) -> None:
    """Each operation there is; what it lists is what was asked for."""

    async def scenario() -> None:
        async with running(tmp_path) as scene:
            assert await scene.gobgp.look() == Seen(is_speaking=False)
            full = engine(
                peer(),
                peer("2001:db8::7", password="psst", multihop_ttl=3, vrf=""),
                policies=policies(),
                routes=ROUTES | {Route(parse_network("10.9.0.1/32"), "red")},
                groups={"tor": Group(name="tor", session=session())},
                ranges=frozenset({Range("198.51.100.0/24", "tor")}),
                vrfs={"red": Vrf(name="red", number=1, distinguisher="64512:1", imports=("1:1",))},
            )
            await scene.bring(full)
            seen = await scene.gobgp.look()
            assert seen.addresses == {"192.0.2.1", "2001:db8::7"}
            assert seen.routes == ROUTES
            assert await scene.gobgp.count(AfiSafi.IPV6) == 1
            await scene.bring(engine(policies=full.policies, routes=frozenset(list(ROUTES)[:1])))
            assert await scene.gobgp.look() == Seen(is_speaking=True, routes=scene.state.routes)
            await scene.bring(STOPPED)
            assert await scene.gobgp.look() == Seen(is_speaking=False)
            await scene.bring(full)
            assert (await scene.gobgp.look()).routes == ROUTES

    asyncio.run(scenario())


def test_an_engine_that_ends_is_started_again(namespace: Namespace, tmp_path: Path) -> None:
    """At once the first time; and its lines are delivered."""

    async def scenario() -> None:
        async with running(tmp_path) as scene:
            scene.supervisor.kill()
            await scene.generation(2)
            assert sum("gobgpd started" in line for line in scene.lines) == 2

    asyncio.run(scenario())


def test_an_engine_that_hangs_is_killed_and_started_again(
    namespace: Namespace, tmp_path: Path
) -> None:
    """It would keep its sessions and obey nobody."""

    async def scenario() -> None:
        async with running(tmp_path, ping_seconds=0.1) as scene:
            assert scene.supervisor.pid is not None
            os.kill(scene.supervisor.pid, signal.SIGSTOP)
            await scene.generation(2)

    asyncio.run(scenario())


def test_an_engine_ends_with_its_supervisor(namespace: Namespace, tmp_path: Path) -> None:
    """Even if that is killed: nobody would lead the orphan."""
    script = """
import asyncio, pathlib, sys
from bgp.shell.engine import Engine
from bgp.shell.supervisor import Supervisor
from purelb.runtime.clock import BootClock
class Deaf:
    def note(self, line): ...
    def changed(self): ...
async def main():
    path = pathlib.Path(sys.argv[1])
    engine, clock = Engine(str(path)), BootClock()
    one = Supervisor(engine, path, clock, Deaf())
    task = asyncio.create_task(one.run())
    await one.is_ready.wait()
    print(one.pid, flush=True)
    await task
asyncio.run(main())
"""
    argv = [sys.executable, "-c", script, str(tmp_path / "gobgp.sock")]
    parent = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    descriptor = os.pidfd_open(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()

    async def ended() -> None:
        done = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, done.set)
        async with asyncio.timeout(SECONDS):
            await done.wait()
        asyncio.get_running_loop().remove_reader(descriptor)

    asyncio.run(ended())
    os.close(descriptor)
