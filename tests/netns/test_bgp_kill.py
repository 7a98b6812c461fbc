"""gobgpd and sidecars that are killed at random under traffic: what is right afterwards.

`make test` plays it shortly, `make soak-bgp` for ten minutes (PURELB_SOAK=1).
"""

import asyncio
import contextlib
import os
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import pytest

from playground.processes import ProcessSpec
from tests.netns.bgpscene import (
    LINK,
    Scene,
    configuration,
    echo,
    frr_config,
    is_up,
    needs_bgp,
    neighbor,
    play,
)

SOAK = os.environ.get("PURELB_SOAK") == "1"
SECONDS = 600.0 if SOAK else 30.0
VIP = "10.0.0.1"
OURS = "198.51.100.0/24 via 192.0.2.1 dev eth0 proto bgp metric 20"
FOREIGN = (
    "203.0.113.0/24 via 192.0.2.1 dev eth0 proto bgp metric 77",  # our protocol, not our metric
    "203.0.113.0/24 via 192.0.2.1 dev eth0 proto static metric 20",
    "100.64.0.0/10 via 192.0.2.1 dev eth0 proto zebra metric 20",
)
FOREIGN_ADDRESS = "192.0.2.111/24"
ROUTE_MONITOR = ProcessSpec(
    name="route-monitor", machine="router", argv=("ip", "-ts", "-o", "monitor", "route")
)

pytestmark = [needs_bgp, pytest.mark.timeout(SECONDS + 180)]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One connection; times in seconds since 1970."""

    begun: float
    ended: float
    is_answered: bool


@contextlib.asynccontextmanager
async def traffic(stage: Scene) -> AsyncIterator[list[Attempt]]:
    """Open connections all the time; yields how each went."""
    found: list[Attempt] = []

    async def ask() -> None:
        while True:
            begun = time.time()
            try:
                await stage.cluster.fetch(f"http://{VIP}/", seconds=1.0)
                found.append(Attempt(begun, time.time(), True))
            except OSError:
                found.append(Attempt(begun, time.time(), False))
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask())
        yield found
        asking.cancel()


def absences(log: str) -> list[tuple[float, float]]:
    """Return from when to when the router's kernel had no way to the address."""
    changes = re.findall(rf"^\[(\S+)\] (Deleted )?{re.escape(VIP)} ", log, re.M)
    found: list[tuple[float, float]] = []
    begun: float | None = None
    for text, deleted in changes:
        at = datetime.fromisoformat(text).timestamp()
        if deleted and begun is None:
            begun = at
        elif not deleted and begun is not None:
            found.append((begun, at))
            begun = None
    return found


def kinds(attempts: list[Attempt], absences: list[tuple[float, float]]) -> Counter[str]:
    """Return how many connections went which way: lost ones by whether there was a route."""
    counts: Counter[str] = Counter()
    for one in attempts:
        is_away = any(one.begun < end and begun < one.ended for begun, end in absences)
        lost = "lost without a route" if is_away else "lost with a route"
        counts["answered" if one.is_answered else lost] += 1
    return counts


async def shown(stage: Scene, *command: str) -> str:
    """Return what `ip` shows on the node."""
    return (await stage.cluster.run("node-a", "ip", *command)).stdout


async def is_learned(stage: Scene) -> bool:
    """Tell whether the node's kernel has the router's network."""
    return OURS in " ".join((await shown(stage, "route", "show")).split())


async def torment(stage: Scene, chance: random.Random) -> Counter[str]:
    """Kill one or the other until the time is over; change an address meanwhile."""
    counts: Counter[str] = Counter()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        await asyncio.sleep(chance.uniform(0.5, 12.0))
        if chance.random() < 0.5:
            await stage.kill_engine("node-a")
            counts["engine"] += 1
        else:
            await stage.cluster.kill(stage.sidecar("node-a"))
            await asyncio.sleep(chance.uniform(0.0, 2.0))
            await stage.cluster.restart(stage.sidecar("node-a"))
            counts["sidecar"] += 1
        address = f"10.0.1.{counts.total() % 250}/32"
        await stage.cluster.run("node-a", "ip", "address", "add", address, "dev", LINK)
    return counts


GRACEFUL = {"gracefulRestart": {"enabled": True, "restartTime": 60}}


def test_an_engine_that_ends_twice_in_a_row_loses_no_route() -> None:
    """It sends its routes anew on every session, whatever other neighbors do.

    Until then a router has them as stale, and drops them when the session ends again (RFC 4724
    section 4.2). The second neighbor never answers, so its table is never complete.
    """

    async def is_stale(stage: Scene) -> bool:
        found = await stage.router.show(f"bgp ipv4 unicast {VIP}/32")
        return any(path.get("stale") for path in found["paths"])

    async def is_fresh(stage: Scene) -> bool:
        return not await is_stale(stage)

    async def story(stage: Scene) -> None:
        await stage.start("node-a")
        await stage.apply(configuration(neighbor(), neighbor("192.0.2.99"), overall=GRACEFUL))
        await stage.add("node-a", f"{VIP}/32")
        await stage.routes(lambda found: VIP in found)
        await stage.cluster.start(ROUTE_MONITOR)
        for _ in range(2):
            await stage.kill_engine("node-a")
            await stage.until(lambda: is_stale(stage))
            await stage.until(lambda: is_fresh(stage))
        assert f"Deleted {VIP}" not in stage.cluster.log(ROUTE_MONITOR.name)

    play(story, config=frr_config("bgp graceful-restart"))


def test_after_random_kills_all_is_as_it_should_be() -> None:
    """Sessions, addresses, our routes; and nothing of others is touched."""
    seed = random.randrange(1 << 32)
    export = {"enabled": True, "rules": [{"name": "all"}]}

    async def story(stage: Scene) -> None:
        await stage.ip(
            "node-a",
            f"address add {FOREIGN_ADDRESS} dev eth0",
            *(f"route add {one}" for one in FOREIGN),
        )
        await stage.start()
        await stage.apply(configuration(overall=GRACEFUL, netlinkExport=export))
        await stage.add("node-a", f"{VIP}/32")
        await stage.cluster.start(echo("node-a", VIP, "echo"))
        await stage.status("node-a", lambda s: is_up(s) and s["healthy"])
        await stage.until(lambda: is_learned(stage))
        before = await shown(stage, "route", "show")
        await stage.cluster.start(ROUTE_MONITOR)
        async with traffic(stage) as attempts:
            counts = await torment(stage, random.Random(seed))
        await stage.status("node-a", lambda s: is_up(s) and s["healthy"])
        gone = absences(stage.cluster.log(ROUTE_MONITOR.name))
        found = kinds(attempts, gone)
        print(f"seed {seed}: killed {dict(counts)}, connections {dict(found)}")
        print("without a route for seconds:", [round(end - begun, 1) for begun, end in gone])
        addresses = await shown(stage, "-o", "-4", "address", "show")
        expected = {line.split()[3] for line in addresses.splitlines() if LINK in line}
        expected = {one.removesuffix("/32") for one in expected}
        assert len(expected) == counts.total() + 1
        await stage.routes(lambda routes: set(routes) == expected)
        assert await shown(stage, "route", "show") == before
        assert FOREIGN_ADDRESS in addresses
        assert found["answered"] > len(attempts) / 2

    lines = ("address-family ipv4 unicast", "network 198.51.100.0/24", "exit-address-family")
    play(story, config=frr_config("bgp graceful-restart", *lines))
