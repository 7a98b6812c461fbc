"""A real gobgpd under its supervisor, brought to states that tests ask for."""

import asyncio
import contextlib
import shutil
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
    Match,
    Peer,
    PeerName,
    Policies,
    PrefixMatch,
    Route,
    Session,
    SessionFamily,
    SetKind,
    Speaker,
    Statement,
)
from bgp.core.observed import SessionFacts
from bgp.core.plan import after, plan
from bgp.shell.engine import Engine as Gobgp
from bgp.shell.supervisor import Supervisor
from purelb.api.addresses import parse_network
from purelb.runtime.clock import BootClock

needs_gobgpd = pytest.mark.skipif(
    shutil.which("gobgpd") is None, reason="gobgpd is not installed: apt-get install gobgpd"
)
SECONDS = 30.0
SPEAKER = Speaker(asn=64512, router_id="192.0.2.11")
BOTH = (SessionFamily(family=AfiSafi.IPV4), SessionFamily(family=AfiSafi.IPV6))
ROUTES = frozenset(
    Route(parse_network(text)) for text in ("10.0.0.1/32", "10.1.0.0/24", "2001:db8:9::1/128")
)


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
