"""Sidecars with FRR, and BIRD, as their neighbor: sessions of all kinds."""

import pytest

from playground.processes import ProcessSpec
from tests.netns.bgpscene import (
    ROUTER4,
    ROUTER6,
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
BOTH = [{"family": "ipv4-unicast", "enabled": True}, {"family": "ipv6-unicast", "enabled": True}]


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
