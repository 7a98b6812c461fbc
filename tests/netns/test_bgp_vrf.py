"""Routes of the engine's VRFs on their way into the kernel, with a real gobgpd and FRR.

The kernel's part is a table by its number: many kernels lack VRFs. With one, the rules say another
table, and next hops are asked for by its link; both are tested elsewhere, each for itself.
"""

import pytest

from tests.netns.bgpscene import (
    Body,
    Scene,
    condition,
    configuration,
    frr_config,
    is_up,
    needs_bgp,
    neighbor,
    play,
)

pytestmark = [needs_bgp, pytest.mark.timeout(180)]
NETWORK = ("address-family ipv4 unicast", "network 198.51.100.0/24", "exit-address-family")
LEARNED = "198.51.100.0/24 via 192.0.2.1 dev eth0 proto bgp metric 20"
STALE, FOREIGN = "203.0.113.0/24", "10.77.0.0/16"
MISSING = "spec.vrfs[0].netlinkExport.linuxVrf: this node's kernel has no VRF 'red'"


def red(**export: object) -> Body:
    """Return a configuration with the router in a VRF, whose routes are exported."""
    vrf = {
        "name": "red",
        "rd": "64512:1",
        "exportRt": ["64512:1"],
        "netlinkExport": {"enabled": True, **export},
    }
    return configuration(neighbor(config={"vrf": "red"}), vrfs=[vrf])


async def table(stage: Scene, name: str) -> list[str]:
    """Return the routes of a table of node-a's kernel."""
    done = await stage.cluster.run("node-a", "ip", "route", "show", "table", name, check=False)
    return [line.strip() for line in done.stdout.splitlines()]


def test_routes_of_a_vrf_get_into_its_table_and_out_again() -> None:
    """What a sidecar before left there goes, what others put there stays."""

    async def story(stage: Scene) -> None:
        await stage.ip(
            "node-a",
            f"route add {STALE} via 192.0.2.1 table 100 proto bgp metric 20",
            f"route add {FOREIGN} via 192.0.2.1 table 100 proto static",
        )
        (foreign,) = [line for line in await table(stage, "100") if FOREIGN in line]

        async def has(*lines: str) -> bool:
            return sorted(await table(stage, "100")) == sorted(lines)

        await stage.start("node-a")
        await stage.apply(red(linuxTableId=100))
        await stage.until(lambda: has(LEARNED, foreign))
        assert not [line for line in await table(stage, "main") if "198.51.100" in line]
        status = await stage.status("node-a", lambda s: is_up(s) and s["healthy"])
        assert [(one["name"], one["exportedRouteCount"]) for one in status["vrfs"]] == [("red", 1)]
        assert f"{MISSING}: table 100 is filled" in condition(status, "Configured")["message"]
        assert condition(status, "VrfsPresent")["status"] == "True"
        await stage.apply(red())
        status = await stage.status("node-a", lambda s: not s["healthy"])
        lacking = condition(status, "VrfsPresent")
        assert (lacking["reason"], MISSING in lacking["message"]) == ("VrfMissing", True)
        await stage.until(lambda: has(foreign))
        await stage.apply(red(linuxTableId=100))
        await stage.until(lambda: has(LEARNED, foreign))
        await stage.apply(red(linuxTableId=100, enabled=False))
        await stage.until(lambda: has(foreign))
        status = await stage.status("node-a", lambda s: s["healthy"])
        assert condition(status, "VrfsPresent") == {}

    play(story, config=frr_config(*NETWORK))
