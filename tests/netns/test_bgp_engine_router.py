"""What a real gobgpd tells FRR as its neighbor, and learns from it."""

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path

import pytest

from bgp.core.model import Group, Policies, Range, Restart, Statement
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
from tests.netns.router import Router

pytestmark = needs_gobgpd
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
