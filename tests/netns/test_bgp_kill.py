"""gobgpd and sidecars that are killed at random under traffic: what is right afterwards.

`make test` plays it shortly, `make soak-bgp` for ten minutes (PURELB_SOAK=1).
"""

import asyncio
import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.netns.bgpscene import (
    LINK,
    Scene,
    configuration,
    echo,
    frr_config,
    is_up,
    needs_bgp,
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

pytestmark = [needs_bgp, pytest.mark.timeout(SECONDS + 180)]


@contextlib.asynccontextmanager
async def traffic(stage: Scene) -> AsyncIterator[Counter[str]]:
    """Open connections all the time; yields how many were answered, and how many not."""
    found: Counter[str] = Counter()

    async def ask() -> None:
        while True:
            try:
                await stage.cluster.fetch(f"http://{VIP}/", seconds=1.0)
                found["answered"] += 1
            except OSError:
                found["lost"] += 1
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask())
        yield found
        asking.cancel()


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


def test_after_random_kills_all_is_as_it_should_be() -> None:
    """Sessions, addresses, our routes; and nothing of others is touched."""
    seed = random.randrange(1 << 32)
    graceful = {"gracefulRestart": {"enabled": True, "restartTime": 60}}
    export = {"enabled": True, "rules": [{"name": "all"}]}

    async def story(stage: Scene) -> None:
        await stage.ip(
            "node-a",
            f"address add {FOREIGN_ADDRESS} dev eth0",
            *(f"route add {one}" for one in FOREIGN),
        )
        await stage.start()
        await stage.apply(configuration(overall=graceful, netlinkExport=export))
        await stage.add("node-a", f"{VIP}/32")
        await stage.cluster.start(echo("node-a", VIP, "echo"))
        await stage.status("node-a", lambda s: is_up(s) and s["healthy"])
        await stage.until(lambda: is_learned(stage))
        before = await shown(stage, "route", "show")
        async with traffic(stage) as found:
            counts = await torment(stage, random.Random(seed))
        await stage.status("node-a", lambda s: is_up(s) and s["healthy"])
        print(f"seed {seed}: killed {dict(counts)}, connections {dict(found)}")
        addresses = await shown(stage, "-o", "-4", "address", "show")
        expected = {line.split()[3] for line in addresses.splitlines() if LINK in line}
        expected = {one.removesuffix("/32") for one in expected}
        assert len(expected) == counts.total() + 1
        await stage.routes(lambda routes: set(routes) == expected)
        assert await shown(stage, "route", "show") == before
        assert FOREIGN_ADDRESS in addresses
        assert found["answered"] > found["lost"]

    lines = ("address-family ipv4 unicast", "network 198.51.100.0/24", "exit-address-family")
    play(story, config=frr_config("bgp graceful-restart", *lines))
