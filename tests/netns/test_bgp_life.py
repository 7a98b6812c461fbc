"""Sidecars through the life of a configuration and of a router: changes, mistakes, ends."""

import asyncio

import pytest

from playground import daemons
from playground.api import path_of
from playground.router import Router
from purelb.api.annotations import BGP_LAST_GOOD
from tests.netns.bgpscene import (
    LINK,
    SECONDS,
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
CONFIGS = path_of("BGPConfiguration", "purelb-system")
METRICS = "http://192.0.2.11:7473/metrics"
EXPORT = {"enabled": True, "rules": [{"name": "all"}]}
NETWORK = ("address-family ipv4 unicast", "network 198.51.100.0/24", "exit-address-family")
LEARNED = "198.51.100.0/24 via 192.0.2.1"


async def configured(stage: Scene, body: Body) -> None:
    """Start node-a's sidecar and wait until the router has its one route."""
    await stage.start("node-a")
    await stage.apply(body)
    await stage.add("node-a", "10.0.0.1/32")
    await stage.routes(lambda found: set(found) == {"10.0.0.1"})


async def has_learned(stage: Scene, *, is_there: bool = True) -> bool:
    """Tell whether node-a's kernel has the router's network."""
    done = await stage.cluster.run("node-a", "ip", "route", "show")
    return (LEARNED in done.stdout) is is_there


async def ready(stage: Scene, status: str, message: str | None = None) -> Body:
    """Wait for the condition Ready of the BGPConfiguration, and its message if it is given."""
    async with asyncio.timeout(SECONDS):
        async for _, found in stage.cluster.api.watch(CONFIGS):
            conditions = found.get("status", {}).get("conditions") or []
            for one in conditions:
                is_meant = (one["type"], one["status"]) == ("Ready", status)
                if is_meant and message in (None, one["message"]):
                    return dict(found["status"], **one)
    raise AssertionError("the watch ended")


def test_a_bad_configuration_is_named_and_the_running_one_stays() -> None:
    """In the status of the node and of the object; the right one counts again at once."""

    async def story(stage: Scene) -> None:
        await configured(stage, configuration())
        good = await ready(stage, "True", "")
        assert good["neighborCount"] == 1
        status = await stage.status("node-a", is_up)
        since = status["neighbors"][0]["sessionUpSince"]
        timers = {"config": {"holdTime": 2}}
        await stage.apply(configuration(neighbor(timers=timers), overall={"asn": 23456}))
        bad = await ready(stage, "False")
        assert bad["reason"] == "ConfigurationInvalid"
        assert "spec.global.asn: 23456 is reserved" in bad["message"]
        assert "spec.neighbors[0].timers.config.holdTime: 2 is too short" in bad["message"]
        status = await stage.status(
            "node-a", lambda s: condition(s, "Configured")["reason"] == "ConfigurationInvalid"
        )
        assert "the one before it stays" in condition(status, "Configured")["message"]
        await stage.add("node-a", "10.0.0.2/32")
        await stage.routes(lambda found: set(found) == {"10.0.0.1", "10.0.0.2"})
        await stage.apply(configuration())
        await ready(stage, "True")
        status = await stage.status("node-a", lambda s: s["healthy"])
        assert status["neighbors"][0]["sessionUpSince"] == since

    play(story)


def test_a_node_that_starts_while_the_configuration_is_bad_goes_by_the_last_good_one() -> None:
    """It is kept on the object: nothing is left of the Pod, and another node never knew it."""

    async def is_kept(stage: Scene) -> bool:
        (found,) = await stage.cluster.api.items("BGPConfiguration")
        return BGP_LAST_GOOD in (found["metadata"].get("annotations") or {})

    async def story(stage: Scene) -> None:
        await configured(stage, configuration())
        await stage.until(lambda: is_kept(stage))
        await stage.apply(configuration(overall={"asn": 0}))
        await ready(stage, "False")
        await stage.until(lambda: is_kept(stage))
        await stage.cluster.kill(stage.sidecar("node-a"))
        volume = daemons.gobgp_socket(stage.machines[0]).parent
        await stage.cluster.run("node-a", "rm", "-r", str(volume))
        await stage.routed()
        await stage.cluster.restart(stage.sidecar("node-a"))
        await stage.start("node-b")
        await stage.add("node-b", "10.0.0.2/32")
        await stage.routes(lambda found: set(found) == {"10.0.0.1", "10.0.0.2"})
        for node in ("node-a", "node-b"):
            status = await stage.status(node, is_up)
            message = condition(status, "Configured")["message"]
            assert message.startswith("spec.global.asn: 0 is out of range")
            assert message.endswith("(the one before it stays)")

    play(story, nodes=2)


def test_a_changed_asn_is_applied_without_a_restart_of_the_sidecar() -> None:
    """It is told before."""

    async def story(stage: Scene) -> None:
        await configured(stage, configuration())
        await stage.router.configure("router bgp 64513", "neighbor nodes remote-as 64999")
        await stage.apply(configuration(overall={"asn": 64999}))
        assert await stage.events("SpeakerRestarts")
        status = await stage.status("node-a", lambda s: is_up(s) and s["asn"] == 64999)
        assert status["neighbors"][0]["localASN"] == 64999
        await stage.routes(lambda found: set(found) == {"10.0.0.1"})

    play(story)


def test_a_deleted_configuration_takes_everything_along() -> None:
    """Sessions, prefixes and our routes in the kernel; PureLB's finalizer does not hold it up."""

    async def story(stage: Scene) -> None:
        body = configuration(netlinkExport=EXPORT)
        body["metadata"]["finalizers"] = ["bgp.purelb.io/finalizer"]
        await configured(stage, body)
        await stage.until(lambda: has_learned(stage))
        await stage.cluster.api.delete(f"{CONFIGS}/default")
        await stage.routes(lambda found: not found)
        await stage.until(lambda: has_learned(stage, is_there=False))
        status = await stage.status("node-a", lambda s: s["neighborCount"] == 0)
        assert condition(status, "Configured")["reason"] == "NotConfigured"
        assert status["healthy"]
        metrics = (await stage.cluster.fetch(METRICS, machine="router")).body.decode()
        labels = '{name="default",namespace="purelb-system"'
        assert f"k8gobgp_cleanup_duration_seconds_count{labels}}} 1.0" in metrics
        assert f'k8gobgp_reconcile_total{labels},result="success"}}' in metrics
        assert 'k8gobgp_router_id_resolution_total{result="success"} 1.0' in metrics

    play(story, config=frr_config(*NETWORK))


def test_a_second_router_takes_over_and_only_the_first_is_told_to_be_down() -> None:
    """Each has every prefix; what is changed about one session does not touch the other."""
    second = "192.0.2.2"

    async def story(stage: Scene) -> None:
        other = Router(stage.cluster, "control", frr_config(router_id=second))
        await other.start()
        both = (neighbor(), neighbor(second))
        await configured(stage, configuration(*both, netlinkExport=EXPORT))

        async def has_all() -> bool:
            return set(await other.routes()) == {"10.0.0.1"}

        await stage.until(has_all)
        await stage.until(lambda: has_learned(stage))
        status = await stage.status("node-a", lambda s: s["healthy"])
        since = {one["address"]: one["sessionUpSince"] for one in status["neighbors"]}
        await stage.router.crash()
        status = await stage.status(
            "node-a", lambda s: condition(s, "SessionsEstablished")["status"] == "False"
        )
        message = condition(status, "SessionsEstablished")["message"]
        assert message.startswith("192.0.2.1: ")
        assert second not in message
        await stage.add("node-a", "10.0.0.2/32")
        await stage.until(lambda: _routes_of(other, "10.0.0.1", "10.0.0.2"))
        renamed = neighbor(second, config={"description": "second rack"})
        await stage.apply(configuration(neighbor(), renamed, netlinkExport=EXPORT))
        status = await stage.status(
            "node-a", lambda s: s["neighbors"][1].get("description") == "second rack"
        )
        assert status["neighbors"][1]["sessionUpSince"] == since[second]
        await stage.router.start()
        await stage.status("node-a", lambda s: s["healthy"])

    play(story, config=frr_config(*NETWORK))


async def _routes_of(router: Router, *prefixes: str) -> bool:
    return set(await router.routes()) == set(prefixes)


def test_export_switched_off_takes_out_exactly_what_it_put_in() -> None:
    """The session stays."""

    async def story(stage: Scene) -> None:
        await stage.ip("node-a", "route add 203.0.113.0/24 via 192.0.2.1 proto bgp metric 20")
        await stage.ip("node-a", "route del 203.0.113.0/24 proto bgp metric 20")
        await stage.ip("node-a", "route add 203.0.113.0/24 via 192.0.2.1 proto bgp metric 21")
        await configured(stage, configuration(netlinkExport=EXPORT))
        await stage.until(lambda: has_learned(stage))
        await stage.apply(configuration(netlinkExport={**EXPORT, "enabled": False}))
        await stage.until(lambda: has_learned(stage, is_there=False))
        done = await stage.cluster.run("node-a", "ip", "route", "show", "203.0.113.0/24")
        assert "metric 21" in done.stdout

    play(story, config=frr_config(*NETWORK))


def test_a_busy_port_is_told_and_tried_again() -> None:
    """With the engine's own words."""

    async def story(stage: Scene) -> None:
        hog = "import socket,time; s=socket.create_server(('0.0.0.0',179)); time.sleep(600)"
        async with stage.cluster.running("node-a", "python3", "-c", hog):
            await stage.start()
            await stage.apply(configuration())
            status = await stage.status(
                "node-a", lambda s: condition(s, "Configured")["reason"] == "EngineRefuses"
            )
            assert "address already in use" in condition(status, "Configured")["message"]
        await stage.status("node-a", is_up)

    play(story)


def test_a_stopping_sidecar_withdraws_before_the_addresses_go() -> None:
    """They are still there when the router has let go; our routes go from the kernel, too."""

    async def story(stage: Scene) -> None:
        await configured(stage, configuration(netlinkExport=EXPORT))
        await stage.until(lambda: has_learned(stage))
        assert await stage.cluster.stop(stage.sidecar("node-a")) == 0
        await stage.routes(lambda found: not found)
        shown = await stage.cluster.run("node-a", "ip", "address", "show", "dev", LINK)
        assert "10.0.0.1/32" in shown.stdout
        assert await has_learned(stage, is_there=False)
        path = path_of("BGPNodeStatus", name="node-a")
        status = (await stage.cluster.api.get(path))["status"]
        assert (status["healthy"], condition(status, "Ready")["reason"]) == (False, "AgentShutdown")
        assert stage.engine_pid("node-a") is None

    play(story, config=frr_config(*NETWORK))


def test_a_status_that_somebody_deletes_comes_again() -> None:
    """And one that is not wanted goes."""

    async def story(stage: Scene) -> None:
        await configured(stage, configuration())
        path = path_of("BGPNodeStatus", name="node-a")
        await stage.status("node-a", lambda s: s["healthy"])
        await stage.cluster.api.delete(path)
        await stage.add("node-a", "10.0.0.2/32")
        status = await stage.status("node-a", lambda s: s["rib"]["localRouteCount"] == 2)
        assert status["nodeName"] == "node-a"
        await stage.apply(configuration(overall={"nodeStatus": {"enabled": False}}))

        async def is_gone() -> bool:
            items = (await stage.cluster.api.get(path_of("BGPNodeStatus")))["items"]
            return not items

        await stage.until(is_gone)
        reply = await stage.cluster.fetch("http://192.0.2.11:7474/readyz", machine="router")
        assert reply.status == 200

    play(story)
