"""Sidecars with FRR as their neighbor: sessions of all kinds, and what the routers' kernels get."""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from playground.processes import ProcessSpec
from tests.netns.bgpscene import (
    ROUTER4,
    ROUTER6,
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
BOTH = [{"family": "ipv4-unicast", "enabled": True}, {"family": "ipv6-unicast", "enabled": True}]


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


def test_ipv6_over_ipv6() -> None:
    """With the node's own address as next hop."""

    async def story(stage: Scene) -> None:
        await stage.start()
        await stage.apply(configuration(neighbor(ROUTER6)))
        await stage.add("node-a", "2001:db8:9::1/128 nodad", "2001:db8:a::7/64 nodad")
        await stage.routes(
            lambda found: (
                set(found) == {"2001:db8:9::1", "2001:db8:a::/64"}
                and all(len(hops) == 1 for hops in found.values())
            )
        )

    play(story)


def test_ipv6_over_an_ipv4_session_until_the_next_hop_is_gone() -> None:
    """A missing next hop is a condition of its own, and it ends by itself."""

    async def story(stage: Scene) -> None:
        await stage.start()
        await stage.apply(configuration(neighbor(afiSafis=BOTH)))
        await stage.add("node-a", "10.0.0.1/32", "2001:db8:9::1/128 nodad")
        everything = {"10.0.0.1": ("192.0.2.11",), "2001:db8:9::1": ("2001:db8:0:1::11",)}
        await stage.routes(lambda found: found == everything)
        await stage.ip("node-a", "address del 2001:db8:0:1::11/64 dev eth0")
        status = await stage.status(
            "node-a", lambda s: condition(s, "NextHopsResolved")["status"] == "False"
        )
        assert condition(status, "NextHopsResolved")["reason"] == "NextHopMissing"
        assert condition(status, "SessionsEstablished")["status"] == "True"
        await stage.routes(lambda found: set(found) == {"10.0.0.1"})
        await stage.ip("node-a", "address add 2001:db8:0:1::11/64 dev eth0 nodad")
        await stage.routes(lambda found: found == everything)
        await stage.status("node-a", lambda s: s["healthy"])

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


def _secret(password: str) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "bgp", "namespace": "purelb-system"},
        "type": "Opaque",
        "stringData": {"tor": password},
    }


MD5 = neighbor(config={"authPasswordSecretRef": {"name": "bgp", "key": "tor"}})


def test_a_password_from_a_secret_and_the_wrong_one() -> None:
    """A missing Secret, a wrong password and the right one: each has its own words."""

    async def story(stage: Scene) -> None:
        await stage.start()
        await stage.apply(configuration(MD5))
        await stage.add("node-a", "10.0.0.1/32")
        status = await stage.status("node-a", lambda s: s["neighborCount"] == 1)
        assert "Secret" in status["neighbors"][0]["lastError"]
        assert await stage.events("SecretMissing")
        await stage.apply(_secret("wrong"))
        status = await stage.status("node-a", lambda s: "no connection" in _error(s))
        assert condition(status, "SessionsEstablished")["reason"] == "SessionDown"
        assert "password" in condition(status, "SessionsEstablished")["message"]
        await stage.apply(_secret("psst"))
        await stage.status("node-a", is_up)
        await stage.routes(lambda found: set(found) == {"10.0.0.1"})

    play(story, config=frr_config("neighbor nodes password psst"))


def _error(status: Body) -> str:
    return str((status.get("neighbors") or [{}])[0].get("lastError", ""))


def test_ttl_security() -> None:
    """Both sides send packets with the greatest TTL and take no other (RFC 5082)."""

    async def story(stage: Scene) -> None:
        await stage.start()
        await stage.apply(configuration(neighbor(ttlSecurity={"enabled": True, "ttlMin": 255})))
        await stage.add("node-a", "10.0.0.1/32")
        await stage.routes(lambda found: set(found) == {"10.0.0.1"})
        await stage.apply(configuration(neighbor()))
        await stage.status("node-a", lambda s: s.get("neighbors") and not is_up(s))
        await stage.routes(lambda found: not found)

    play(story, config=frr_config("neighbor nodes ttl-security hops 1"))


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


def test_a_dynamic_neighbor_connects() -> None:
    """It is shown like any other."""
    group = {
        "config": {"peerGroupName": "tor", "peerAsn": 64513},
        "afiSafis": BOTH,
        "timers": {"config": {"holdTime": 9, "keepaliveInterval": 3}},
    }

    async def story(stage: Scene) -> None:
        await stage.start()
        dynamic = [{"prefix": "192.0.2.0/28", "peerGroup": "tor"}]
        body = configuration(peerGroups=[group], dynamicNeighbors=dynamic)
        body["spec"]["neighbors"] = []
        await stage.apply(body)
        await stage.add("node-a", "10.0.0.1/32", "2001:db8:9::1/128 nodad")
        await stage.routes(
            lambda found: (
                found == {"10.0.0.1": ("192.0.2.11",), "2001:db8:9::1": ("2001:db8:0:1::11",)}
            )
        )
        status = await stage.status("node-a", is_up)
        assert [one["address"] for one in status["neighbors"]] == [ROUTER4]

    play(story, config=frr_config(dials=True))


def test_an_unnumbered_session() -> None:
    """Each side finds the other by router advertisements; IPv4 goes by way of IPv6."""

    async def story(stage: Scene) -> None:
        await stage.start()
        unnumbered: Body = {
            "config": {"neighborInterface": "eth0", "peerAsn": 64513},
            "timers": neighbor()["timers"],
        }
        await stage.apply(configuration(unnumbered))
        await stage.add("node-a", "10.0.0.1/32", "2001:db8:9::1/128 nodad")
        status = await stage.status("node-a", is_up)
        assert status["neighbors"][0]["address"] == "iface:eth0"
        await stage.routes(
            lambda found: (
                set(found) == {"10.0.0.1", "2001:db8:9::1"}
                and found["10.0.0.1"] == ("fe80::ff:fe00:10b",)
            )
        )
        await stage.status("node-a", lambda s: s["healthy"])

    play(story, config=frr_config("neighbor eth0 interface peer-group nodes", nodes=0, dials=True))


def test_a_wrong_asn_is_told_and_put_right() -> None:
    """With both numbers, in the status, a condition and an Event."""

    async def story(stage: Scene) -> None:
        await stage.start()
        await stage.apply(configuration(neighbor(config={"peerAsn": 64999})))
        await stage.add("node-a", "10.0.0.1/32")
        status = await stage.status("node-a", lambda s: "mismatch" in _error(s))
        assert "expected 64999, received 64513" in _error(status)
        assert condition(status, "SessionsEstablished")["reason"] == "SessionDown"
        assert not status["healthy"]
        await stage.apply(configuration(neighbor()))
        await stage.status("node-a", is_up)
        (note,) = await stage.events("SessionReset")
        assert note == "the session with 192.0.2.1 is reset: its settings have changed"
        await stage.routes(lambda found: set(found) == {"10.0.0.1"})

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


BIRD = """
router id 192.0.2.1;
protocol device {}
protocol kernel { ipv4 { export all; }; }
protocol kernel { ipv6 { export all; }; }
protocol bgp node_a {
  local 192.0.2.1 as 64513;
  neighbor 192.0.2.11 as 64512;
  passive on;
  ipv4 { import all; export none; };
  ipv6 { import all; export none; };
}
"""


def test_bird_understands_us_as_well() -> None:
    """Another implementation: both families over one session, and the end of a route."""

    async def story(stage: Scene) -> None:
        await stage.router.crash()
        folder = stage.router.outside
        (folder / "bird.conf").write_text(BIRD)
        inside = stage.router.inside
        argv = ("bird", "-f", "-c", f"{inside}/bird.conf", "-s", f"{inside}/bird.ctl")
        await stage.cluster.start(ProcessSpec(name="bird", machine="router", argv=argv))
        await stage.start()
        await stage.apply(configuration(neighbor(afiSafis=BOTH)))
        await stage.add("node-a", "10.0.0.1/32", "2001:db8:9::1/128 nodad")
        await stage.until(lambda: _bird(stage, "10.0.0.1 via 192.0.2.11"))
        await stage.until(lambda: _bird(stage, "2001:db8:9::1 via 2001:db8:0:1::11"))
        await stage.status("node-a", lambda s: s["healthy"])
        await stage.remove("node-a", "10.0.0.1/32")
        await stage.until(lambda: _bird(stage, "10.0.0.1 via", is_there=False))

    play(story)


async def _bird(stage: Scene, text: str, *, is_there: bool = True) -> bool:
    """Tell whether a route of BIRD's is in the router's kernel."""
    done = await stage.cluster.run(
        "router", "sh", "-c", "ip -4 route show proto bird; ip -6 route show proto bird"
    )
    return (text in done.stdout) is is_there
