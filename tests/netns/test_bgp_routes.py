"""Sidecars with FRR as their neighbor: what the routers' kernels get, and where traffic goes."""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.netns.bgpscene import (
    ROUTER4,
    Body,
    Scene,
    condition,
    configuration,
    echo,
    frr_config,
    is_up,
    needs_bgp,
    neighbor,
    play,
)

pytestmark = [needs_bgp, pytest.mark.timeout(180)]


def test_an_address_is_in_the_router_s_kernel_and_leaves_it() -> None:
    """IPv4 over IPv4; the status tells the same."""

    async def story(stage: Scene) -> None:
        await stage.start()
        await stage.apply(configuration())
        await stage.add("node-a", "10.0.0.1/32", "10.1.1.7/24", "10.1.1.8/24")
        hop = ("192.0.2.11",)
        await stage.routes(lambda found: found == {"10.0.0.1": hop, "10.1.1.0/24": hop})
        status = await stage.status(
            "node-a", lambda s: is_up(s) and s["healthy"] and _sent(s) == [[ROUTER4]] * 2
        )
        (facts,) = status["neighbors"]
        assert facts["address"] == ROUTER4
        assert (facts["peerASN"], facts["localASN"]) == (64513, 64512)
        assert status["routerID"] == "192.0.2.11"
        assert [one["inRIB"] for one in status["netlinkImport"]["importedAddresses"]] == [True] * 3
        await stage.add("node-a", "10.0.0.2/32")
        status = await stage.status(
            "node-a", lambda s: not s["healthy"] or _sent(s) == [[ROUTER4]] * 3
        )
        assert status["healthy"], "a new address is no failure until it is sent"
        await stage.remove("node-a", "10.0.0.2/32")
        await stage.remove("node-a", "10.1.1.7/24")
        await stage.remove("node-a", "10.0.0.1/32")
        await stage.routes(lambda found: found == {"10.1.1.0/24": hop})

    play(story)


def _sent(status: Body) -> list[list[str]]:
    """Return whom each own route is sent to."""
    return [route["advertisedTo"] for route in status["rib"]["localRoutes"]]


def test_flows_are_spread_over_all_nodes_that_have_an_address() -> None:
    """Equal-cost paths in the router's kernel; a node that lets go of it gets no more."""
    vip = "10.0.0.1"

    async def story(stage: Scene) -> None:
        await stage.cluster.run(
            "router", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/fib_multipath_hash_policy"
        )
        await stage.start()
        await stage.apply(configuration())
        for machine in stage.machines:
            await stage.add(machine.name, f"{vip}/32")
            await stage.cluster.start(echo(machine.name, vip, f"echo-{machine.name}"))
        hops = tuple(f"192.0.2.{number}" for number in (11, 12, 13))
        await stage.routes(lambda found: found == {vip: hops})
        answers = Counter([await _node(stage, vip) for _ in range(60)])
        assert set(answers) == {"node-a", "node-b", "node-c"}
        assert min(answers.values()) >= 5, answers
        await stage.remove("node-b", f"{vip}/32")
        await stage.routes(lambda found: found == {vip: (hops[0], hops[2])})
        assert {await _node(stage, vip) for _ in range(20)} == {"node-a", "node-c"}

    play(story, nodes=3)


async def _node(stage: Scene, address: str) -> str:
    """Return which node answers on a new connection."""
    return str((await stage.cluster.fetch(f"http://{address}/")).json()["node"])


@contextlib.asynccontextmanager
async def _traffic(stage: Scene, address: str) -> AsyncIterator[Counter[str]]:
    """Open connections all the time; yields how many were answered, and how many not."""
    found: Counter[str] = Counter()

    async def ask() -> None:
        while True:
            try:
                await stage.cluster.fetch(f"http://{address}/", seconds=1.0)
                found["answered"] += 1
            except OSError:
                found["lost"] += 1
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask())
        yield found
        asking.cancel()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_no_packet_is_lost_while_a_sidecar_restarts_gracefully(number: signal.Signals) -> None:
    """The router keeps our routes, and our kernel keeps the router's."""
    vip = "10.0.0.1"
    graceful = {"gracefulRestart": {"enabled": True, "restartTime": 60}}
    export = {"enabled": True, "rules": [{"name": "all"}]}

    async def story(stage: Scene) -> None:
        await stage.start()
        await stage.apply(configuration(overall=graceful, netlinkExport=export))
        await stage.add("node-a", f"{vip}/32")
        await stage.cluster.start(echo("node-a", vip, "echo"))
        await stage.routes(lambda found: set(found) == {vip})
        await stage.until(lambda: _has_learned(stage))
        async with _traffic(stage, vip) as traffic:
            await stage.cluster.signal("k8gobgp-node-a", number)
            await stage.cluster.wait("k8gobgp-node-a")
            await stage.until(lambda: _neighbor_state(stage, "Established", is_there=False))
            assert await _has_learned(stage)
            await stage.cluster.restart("k8gobgp-node-a")
            await stage.until(lambda: _neighbor_state(stage, "Established"))
            await stage.status("node-a", lambda s: is_up(s) and s["healthy"])
            await asyncio.sleep(2)  # longer than the end of the first table takes
        assert traffic["answered"] > 50
        assert traffic["lost"] == 0, traffic
        assert await _has_learned(stage)

    lines = ("network 198.51.100.0/24",)
    play(story, config=frr_config("bgp graceful-restart", *_network(*lines)))


def _network(*lines: str) -> tuple[str, ...]:
    return ("address-family ipv4 unicast", *lines, "exit-address-family")


async def _has_learned(stage: Scene) -> bool:
    """Tell whether node-a's kernel has the router's network."""
    done = await stage.cluster.run("node-a", "ip", "route", "show", "198.51.100.0/24")
    return "via 192.0.2.1" in done.stdout and "metric 20" in done.stdout


async def _neighbor_state(stage: Scene, state: str, *, is_there: bool = True) -> bool:
    found = await stage.router.show("bgp neighbors 192.0.2.11")
    return (found["192.0.2.11"]["bgpState"] == state) is is_there


POLICY: Body = {
    "definedSets": [
        {
            "type": "prefix",
            "name": "public",
            "prefixes": [{"ipPrefix": "10.0.0.0/8", "maskLengthMin": 8, "maskLengthMax": 32}],
        }
    ],
    "policyDefinitions": [
        {
            "name": "only-public",
            "statements": [
                {
                    "name": "public",
                    "conditions": {"prefixSet": {"name": "public", "match": "any"}},
                    "actions": {
                        "routeAction": "accept",
                        "community": {"type": "add", "communities": ["64512:7"]},
                        "med": {"type": "replace", "value": 50},
                    },
                }
            ],
        }
    ],
}


def test_a_route_policy_is_applied_and_changed_without_a_reset() -> None:
    """What nobody is sent is a condition of its own."""
    only = {"exportPolicy": {"policies": ["only-public"], "defaultAction": "reject"}}

    async def story(stage: Scene) -> None:
        await stage.start()
        await stage.apply(configuration(neighbor(applyPolicy=only), **POLICY))
        await stage.add("node-a", "10.0.0.1/32", "172.16.0.1/32")
        await stage.routes(lambda found: set(found) == {"10.0.0.1"})
        (path,) = (await stage.router.show("bgp ipv4 unicast 10.0.0.1/32"))["paths"]
        assert (path["community"]["string"], path["metric"]) == ("64512:7", 50)
        status = await stage.status(
            "node-a", lambda s: condition(s, "PrefixesAdvertised")["status"] == "False"
        )
        assert "172.16.0.1/32" in condition(status, "PrefixesAdvertised")["message"]
        since = status["neighbors"][0]["sessionUpSince"]
        await stage.apply(configuration(neighbor()))
        await stage.routes(lambda found: set(found) == {"10.0.0.1", "172.16.0.1"})
        status = await stage.status("node-a", lambda s: s["healthy"])
        assert status["neighbors"][0]["sessionUpSince"] == since

    play(story)


def test_a_router_that_reboots_gets_everything_again() -> None:
    """And the node says meanwhile that the session is down."""

    async def story(stage: Scene) -> None:
        await stage.start()
        await stage.apply(configuration())
        await stage.add("node-a", "10.0.0.1/32")
        await stage.routes(lambda found: set(found) == {"10.0.0.1"})
        await stage.router.crash()
        status = await stage.status(
            "node-a", lambda s: condition(s, "SessionsEstablished")["status"] == "False"
        )
        assert condition(status, "SessionsEstablished")["reason"] == "SessionDown"
        await stage.cluster.run("router", "ip", "route", "flush", "proto", "bgp", check=False)
        await stage.router.start()
        await stage.routes(lambda found: set(found) == {"10.0.0.1"})
        await stage.status("node-a", lambda s: s["healthy"])

    play(story)
