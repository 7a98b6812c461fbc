"""The node agent beside a real systemd-networkd: what it takes away comes back, in order.

Each round disturbs, waits until the node is as it should be, by the kernel's lists, and measures. A
round that never gets there fails. `make soak` runs 50 of them for each case, and holds the delays
against the bar; a machine that does other things besides is no measure.
"""

import asyncio

import pytest

from playground import networkd
from tests.netns.networkdscene import REACTION, Scene, quantile, scene
from tests.soak import IS_SOAK

ROUNDS = 50 if IS_SOAK else 5
LONGEST_DELAY, LONGEST_OUTAGE = 0.15, 0.05  # seconds; p99 and all
MODES = {"unset": (), "static": ("KeepConfiguration=static",), "yes": ("KeepConfiguration=yes",)}
LIMIT = pytest.mark.timeout(1800 if IS_SOAK else 180)


@LIMIT
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("disturbance", ["restart", "flap", "reload"])
def test_what_networkd_takes_away_comes_back_in_order(disturbance: str, mode: str) -> None:
    """After a restart, a link flap and a reload of changed files."""

    async def play() -> None:
        async with scene() as stage:
            network = networkd.static_network(stage.cluster.topology, stage.machine, *MODES[mode])
            await stage.start_networkd(network)
            for _ in range(ROUNDS):
                await stage.round(getattr(stage, disturbance))
            _judge(stage, f"{disturbance}, KeepConfiguration {mode}")

    asyncio.run(play())


@LIMIT
def test_dhcp_renewals_and_lapsed_leases_are_survived() -> None:
    """The node's own IPv4 address comes from a server that is sometimes away."""

    async def play() -> None:
        async with scene() as stage:
            await stage.start_dhcp()
            network = networkd.dhcp_network(stage.cluster.topology, stage.machine)
            await stage.start_networkd(network)
            for disturbance in (stage.renewal, stage.lapse):
                for _ in range(ROUNDS // 2):
                    await stage.round(disturbance)
            _judge(stage, "DHCP renewal and lapse")

    asyncio.run(play())


@LIMIT
def test_a_wrong_order_is_put_right_without_an_outage_that_anybody_notices() -> None:
    """VIPs that came first go behind the node's own address, all at once."""

    async def play() -> None:
        async with scene() as stage:
            outages = [outage for _ in range(ROUNDS) for outage in await stage.swap()]
            print(f"{len(outages)} put behind, away for {max(outages) * 1e3:.1f} ms at most")
            if IS_SOAK:
                assert max(outages) <= LONGEST_OUTAGE

    asyncio.run(play())


def _judge(stage: Scene, title: str) -> None:
    figures = stage.figures
    print(figures.line(title))
    assert figures.beside == []
    assert figures.longest_alone < REACTION
    if IS_SOAK:
        assert not figures.delays or quantile(figures.delays, 0.99) <= LONGEST_DELAY
