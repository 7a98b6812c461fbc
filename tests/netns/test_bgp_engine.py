"""The engine adapter and its supervisor with a real gobgpd, and with FRR as its neighbor."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import reduce
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from bgp.core.model import (
    STOPPED,
    AfiSafi,
    Change,
    DefinedSet,
    Engine,
    Group,
    Match,
    Peer,
    PeerName,
    Policies,
    PrefixMatch,
    Range,
    Restart,
    Route,
    Session,
    SessionFamily,
    SetKind,
    Speaker,
    Statement,
    Vrf,
)
from bgp.core.observed import Seen, SessionFacts
from bgp.core.plan import after, plan
from bgp.shell.engine import Engine as Gobgp
from bgp.shell.supervisor import Supervisor
from purelb.api.addresses import parse_network
from purelb.runtime.clock import BootClock
from tests.netns.conftest import Namespace
from tests.netns.router import Router

pytestmark = pytest.mark.skipif(
    shutil.which("gobgpd") is None, reason="gobgpd is not installed: apt-get install gobgpd"
)
SECONDS = 30.0
SPEAKER = Speaker(asn=64512, router_id="192.0.2.11")
BOTH = (SessionFamily(family=AfiSafi.IPV4), SessionFamily(family=AfiSafi.IPV6))
ROUTES = frozenset(
    Route(parse_network(text)) for text in ("10.0.0.1/32", "10.1.0.0/24", "2001:db8:9::1/128")
)
FRR = """
log stdout
router bgp 64513
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 192.0.2.11 remote-as 64512
 neighbor 192.0.2.11 timers connect 1
 neighbor 192.0.2.11 passive
 address-family ipv6 unicast
  neighbor 192.0.2.11 activate
 exit-address-family
"""


def session(**parts: object) -> Session:
    """Return a session with the router that comes up soon."""
    base = Session(peer_asn=64513, families=BOTH, retry=1, hold=9, keepalive=3)
    return replace(base, **parts)  # type: ignore[arg-type]


def peer(address: str = "192.0.2.1", **parts: object) -> Peer:
    """Return the router as a peer."""
    return Peer(name=PeerName(address), address=address, session=session(**parts))


def engine(*peers: Peer, **parts: object) -> Engine:
    """Return the state of an engine that speaks."""
    base = Engine(speaker=SPEAKER, peers={one.name: one for one in peers})
    return replace(base, **parts)  # type: ignore[arg-type]


class Listener:
    """Keeps the lines of an engine."""

    def __init__(self, lines: list[str]) -> None:
        self.note = lines.append

    def changed(self) -> None:
        """Do nothing: the tests look."""


class Scene:
    """A running gobgpd and what it was brought to."""

    def __init__(self, gobgp: Gobgp, supervisor: Supervisor, lines: list[str]) -> None:
        self.gobgp, self.supervisor, self.lines = gobgp, supervisor, lines
        self.state = STOPPED

    async def bring(self, wanted: Engine) -> None:
        """Carry out what leads to a state."""
        for op in plan(wanted, self.state):
            await self.gobgp.execute(op)
            self.state = reduce(after, (op,), self.state)

    async def until(self, claim: Callable[[], object]) -> None:
        """Wait until a claim about things outside this loop holds."""
        async with asyncio.timeout(SECONDS):
            while True:
                if await asyncio.to_thread(claim):
                    return
                await asyncio.sleep(0.05)

    async def sessions(self, claim: Callable[[SessionFacts], bool]) -> tuple[SessionFacts, ...]:
        """Wait until there are sessions and a claim holds of all of them."""
        async with asyncio.timeout(SECONDS):
            while True:
                found = await self.gobgp.sessions()
                if found and all(map(claim, found)):
                    return found
                await asyncio.sleep(0.05)

    async def session(self) -> None:
        """Wait until every session is up."""
        await self.sessions(lambda one: one.is_up)

    async def knows(self, prefix: str, *, is_there: bool = True) -> None:
        """Wait until a prefix is in the table, or is not."""
        async with asyncio.timeout(SECONDS):
            while True:
                found = await self.gobgp.paths(AfiSafi.IPV4)
                if (prefix in [str(path.prefix) for path in found]) is is_there:
                    return
                await asyncio.sleep(0.05)

    async def generation(self, number: int) -> None:
        """Wait for the engine of this number."""
        async with asyncio.timeout(SECONDS):
            while True:
                if self.supervisor.generation >= number and self.supervisor.is_ready.is_set():
                    return
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running(folder: Path, ping_seconds: float = 5.0) -> AsyncIterator[Scene]:
    """Run gobgpd in the namespace of the calling thread."""
    lines: list[str] = []
    socket = folder / "gobgp" / "gobgp.sock"
    gobgp = Gobgp(str(socket))
    supervisor = Supervisor(
        gobgp,
        socket,
        BootClock(),
        Listener(lines),
        ping_seconds,
    )
    running = asyncio.create_task(supervisor.run())
    scene = Scene(gobgp, supervisor, lines)
    try:
        await scene.generation(1)
        yield scene
    finally:
        running.cancel()
        await asyncio.wait([running])
        gobgp.close()


@pytest.fixture
def router(namespace: Namespace, far_namespace: Namespace, tmp_path: Path) -> Router:
    """FRR behind a cable, both ends with addresses."""
    namespace.ip(
        "address add 192.0.2.11/24 dev eth0",
        "address add 2001:db8::11/64 dev eth0 nodad",
        "address add fe80::11/64 dev eth0 nodad",
    )
    far_namespace.ip(
        "address add 192.0.2.1/24 dev peer0",
        "address add 2001:db8::1/64 dev peer0 nodad",
        "address add fe80::1/64 dev peer0 nodad",
    )
    folder = (
        Path(tempfile.gettempdir()) / f"frr-{os.getpid()}-{tmp_path.name}"
    )  # frr's user must reach it
    return Router(far_namespace, folder, FRR)


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


def policies() -> Policies:
    """Return policies that use every condition and action."""
    only = (SetKind.NEIGHBOR, Match.ANY, "near")
    return Policies(
        sets=(
            DefinedSet(kind=SetKind.NEIGHBOR, name="near", texts=("192.0.2.1/32",)),
            DefinedSet(
                kind=SetKind.PREFIX, name="ours", prefixes=(PrefixMatch("10.0.0.0/8", 8, 32),)
            ),
            DefinedSet(kind=SetKind.AS_PATH, name="paths", texts=("^64513_",)),
            DefinedSet(kind=SetKind.COMMUNITY, name="colors", texts=("64512:1",)),
            DefinedSet(kind=SetKind.LARGE_COMMUNITY, name="large", texts=("64512:1:2",)),
        ),
        imports=(
            Statement(name="own", is_own=True, accepts=True),
            Statement(
                name="all",
                sets=(
                    only,
                    (SetKind.PREFIX, Match.INVERT, "ours"),
                    (SetKind.AS_PATH, Match.ALL, "paths"),
                    (SetKind.COMMUNITY, Match.ANY, "colors"),
                    (SetKind.LARGE_COMMUNITY, Match.ANY, "large"),
                ),
                rpki="valid",
                accepts=False,
            ),
        ),
        exports=(
            Statement(
                name="hop",
                sets=(only,),
                family=AfiSafi.IPV6,
                next_hop=IPv6Address("2001:db8::11"),
            ),
            Statement(
                name="do",
                sets=(only,),
                accepts=True,
                communities=(Change.ADD, ("64512:100",)),
                med=(False, 50),
                prepend=(64512, 2),
                local_pref=7,
            ),
        ),
    )


def test_a_router_has_our_routes_as_the_policies_say(router: Router, tmp_path: Path) -> None:
    """In its kernel: IPv4, and IPv6 over the IPv4 session by way of our IPv6 address."""

    async def scenario() -> None:
        async with running(tmp_path) as scene:
            await scene.bring(engine(peer(), policies=policies(), routes=ROUTES))
            await scene.session()
            expected = {
                "10.0.0.1": ["192.0.2.11"],
                "10.1.0.0/24": ["192.0.2.11"],
                "2001:db8:9::1": ["2001:db8::11"],
            }
            await scene.until(lambda: router.routes() == expected)
            (path,) = router.show("bgp ipv4 unicast 10.0.0.1/32")["paths"]
            assert path["aspath"]["string"] == "64512 64512 64512"
            assert path["metric"] == 50
            assert path["community"]["string"] == "64512:100"
            (facts,) = await scene.sessions(lambda one: one.total("advertised") == 3)
            assert facts.up_since is not None
            await scene.bring(engine(peer(), policies=policies(), routes=frozenset()))
            await scene.until(lambda: router.routes() == {})

    with router:
        asyncio.run(scenario())


def test_changed_policies_reach_the_router_without_a_reset(router: Router, tmp_path: Path) -> None:
    """And what the router sends us is judged anew, too."""
    router_lines = ("router bgp 64513", "address-family ipv4 unicast", "network 10.99.0.0/16")

    async def scenario() -> None:
        async with running(tmp_path) as scene:
            await scene.bring(engine(peer(), routes=ROUTES))
            router.configure(*router_lines)
            await scene.session()
            await scene.until(lambda: "10.0.0.1" in router.routes())
            closed = Policies(
                imports=(Statement(name="own", is_own=True, accepts=True),),
                accepts_imports=False,
                accepts_exports=False,
            )
            await scene.knows("10.99.0.0/16")
            (before,) = await scene.gobgp.sessions()
            await scene.bring(engine(peer(), routes=ROUTES, policies=closed))
            await scene.until(lambda: router.routes() == {})
            await scene.knows("10.99.0.0/16", is_there=False)
            await scene.bring(engine(peer(), routes=ROUTES))
            await scene.until(lambda: "10.0.0.1" in router.routes())
            await scene.knows("10.99.0.0/16")
            (later,) = await scene.gobgp.sessions()
            assert later.up_since == before.up_since

    with router:
        asyncio.run(scenario())


def test_learned_paths_are_told_as_they_come_and_go(router: Router, tmp_path: Path) -> None:
    """With communities and the neighbor they are from."""
    lines = (
        "route-map color permit 10",
        "set community 64513:5",
        "set large-community 64513:1:2",
        "exit",
        "router bgp 64513",
        "address-family ipv4 unicast",
        "network 10.99.0.0/16 route-map color",
    )

    async def scenario() -> None:
        async with running(tmp_path) as scene:
            await scene.bring(engine(peer(), routes=ROUTES))
            told: asyncio.Queue[tuple[str, bool, str, tuple[str, ...]]] = asyncio.Queue()

            async def listen() -> None:
                async with contextlib.aclosing(scene.gobgp.watch_paths()) as paths:
                    async for batch in paths:
                        for one in batch:
                            marks = one.communities + one.large_communities
                            told.put_nowait(
                                (str(one.prefix), one.is_withdrawn, one.neighbor, marks)
                            )

            async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(listen())
                await scene.session()
                router.configure(*lines)
                while (found := await told.get())[0] != "10.99.0.0/16":
                    pass
                marks = ("64513:5", "64513:1:2")
                assert found == ("10.99.0.0/16", False, "192.0.2.1", marks)
                router.configure(*lines[4:6], "no network 10.99.0.0/16")
                while (found := await told.get())[0] != "10.99.0.0/16":
                    pass
                assert found[1]
                listening.cancel()

    with router:
        asyncio.run(scenario())


def test_sessions_of_a_range_come_and_can_be_ended(router: Router, tmp_path: Path) -> None:
    """A range goes with its members' sessions, and the engine lives on."""
    lines = ("router bgp 64513", "no neighbor 192.0.2.11 passive")

    async def scenario() -> None:
        async with running(tmp_path) as scene:
            groups = {"tor": Group(name="tor", session=session())}
            ranges = frozenset({Range("192.0.2.0/24", "tor")})
            await scene.bring(engine(groups=groups, ranges=ranges, routes=ROUTES))
            router.configure(*lines)
            await scene.session()
            assert (await scene.gobgp.look()).addresses == frozenset()
            await scene.bring(engine(routes=ROUTES))
            assert await scene.gobgp.sessions() == ()
            assert scene.supervisor.generation == 1

    with router:
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


@pytest.mark.parametrize("abruptly", [False, True])
def test_a_router_keeps_the_routes_of_an_engine_that_vanishes_only_with_graceful_restart(
    router: Router, tmp_path: Path, abruptly: bool
) -> None:
    """An orderly end withdraws everything."""

    async def scenario() -> None:
        async with running(tmp_path) as scene:
            await scene.bring(engine(peer(restart=Restart(seconds=60)), routes=ROUTES))
            await scene.session()
            await scene.until(lambda: "10.0.0.1" in router.routes())
            await scene.supervisor.stop(abruptly=abruptly)
            gone = "Active", "Connect", "Idle"
            await scene.until(lambda: router.neighbor("192.0.2.11").get("bgpState") in gone)
            if abruptly:
                assert "10.0.0.1" in router.routes()
            else:  # the router's kernel follows its session
                await scene.until(lambda: "10.0.0.1" not in router.routes())

    with router:
        asyncio.run(scenario())
