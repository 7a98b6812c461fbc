"""The real daemons on real kernels: three nodes, a router and a client in namespaces."""

import asyncio
import sys
import time

from playground.api import Api, path_of
from purelb.api.links import OUR_MARK
from tests.netns.agentscene import (
    LEASE,
    SECONDS,
    Scene,
    play,
)


def test_one_node_carries_each_address_as_a_marked_host_address() -> None:
    """/32 and /128, noprefixroute, our mark, a finite lifetime, IPv6 deprecated, slot written."""

    async def work(stage: Scene) -> None:
        v4, v6 = await stage.service("web", "IPv4", "IPv6")
        for address, length, family in ((v4, 32, "IPv4"), (v6, 128, "IPv6")):
            node = await stage.placed(address)
            (entry,) = [e for e in await stage.entries(node) if e["local"] == address]
            assert entry["prefixlen"] == length
            assert entry["noprefixroute"]
            assert await stage.marks(node, address) == [OUR_MARK]
            assert 0 < entry["valid_life_time"] <= LEASE
            assert (entry["preferred_life_time"] == 0) == (family == "IPv6")
            await stage.until_slot("web", family, f"{node},eth0,{address}")

    play(work)


def test_an_address_that_somebody_removes_comes_back_behind_the_nodes_own() -> None:
    """One removal by hand, then everything flushed and only the node's own put back."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        node = await stage.placed(address)
        for _ in range(5):
            stage.watch.lost.clear()
            await stage.cluster.run(node, "ip", "address", "del", f"{address}/32", "dev", "eth0")
            assert await stage.watch.wait(lambda: (node, address) in stage.watch.lost, SECONDS)
            assert await stage.placed(address) == node
        own = stage.cluster.topology.node(node).main.v4
        script = f"ip -4 address flush dev eth0; sleep 0.02; ip address add {own} dev eth0"
        await stage.cluster.run(node, "sh", "-c", script)
        assert await stage.placed(address) == node
        v4 = [e["local"] for e in await stage.entries(node) if e["family"] == "inet"]
        assert v4 == [str(own.ip), address]

    play(work)


def test_a_program_that_fights_us_is_named_on_the_nodes_lbnodeagent() -> None:
    """It answers each return of the address at once; the address comes back all the same."""
    fighter = """
import subprocess, sys
monitor = subprocess.Popen(["ip", "-o", "monitor", "address"], stdout=subprocess.PIPE, text=True)
remove = ["ip", "address", "del", f"{sys.argv[1]}/32", "dev", "eth0"]
subprocess.run(remove)
for line in monitor.stdout:
    if sys.argv[1] in line and not line.startswith("Deleted"):
        subprocess.run(remove)
"""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        node = await stage.placed(address)
        fight = stage.cluster.running(node, sys.executable, "-c", fighter, address)
        async with fight, asyncio.timeout(SECONDS):
            async for _, event in stage.cluster.api.watch(path_of("Event", "purelb-system")):
                if event["reason"] == "AddressesRemoved":
                    break
        assert event["involvedObject"]["kind"] == "LBNodeAgent"
        assert event["type"] == "Warning"
        assert f"node {node}: eth0: " in event["message"]
        assert await stage.placed(address) == node
        assert stage.cluster.log(f"nodeagent-{node}").count("electionWon") < 100

    play(work)


def test_foreign_addresses_stay_and_orphans_with_our_mark_go() -> None:
    """A Service deleted while the agent is dead leaves an orphan; only that is swept."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        node = await stage.placed(address)
        await stage.cluster.run(node, "ip", "address", "add", "192.0.2.77/32", "dev", "eth0")
        await stage.cluster.kill(f"nodeagent-{node}")
        await stage.cluster.api.delete(path_of("Service", "default", "web"))
        begun = time.time()
        await stage.cluster.restart(f"nodeagent-{node}")
        assert await stage.watch.wait(lambda: not stage.watch.nodes_with(address), SECONDS)
        assert stage.watch.lost[node, address] - begun < LEASE - 1.5, "its lifetime ended it"
        assert stage.watch.nodes_with("192.0.2.77") == (node,)

    play(work)


def test_a_restarted_agent_keeps_its_addresses_in_place() -> None:
    """kill -9 and start again within the Lease: the address is never gone."""
    lease = 3 * LEASE  # a start takes seconds where the machine is busy

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        node = await stage.placed(address)
        await stage.cluster.kill(f"nodeagent-{node}")
        await stage.cluster.restart(f"nodeagent-{node}")
        await asyncio.sleep(lease + 1.5)  # longer than anything of the old process could last
        assert stage.watch.nodes_with(address) == (node,)
        assert (node, address) not in stage.watch.lost

    play(work, lease=lease)


def test_daemons_write_little_and_nothing_at_rest() -> None:
    """One write per Service and endpoint; afterwards Leases are renewed and that is all."""

    async def work(stage: Scene) -> None:
        v4, v6 = await stage.service("web", "IPv4", "IPv6")
        for address, family in ((v4, "IPv4"), (v6, "IPv6")):
            node = await stage.placed(address)
            await stage.until_slot("web", family, f"{node},eth0,{address}")
        await asyncio.sleep(1.5)  # status of the group, Events
        settled = await _writes(stage)
        assert settled["patch services/status"] == 1
        # One slot for each family; of two nodes that write at once, one has a conflict.
        assert settled["patch services"] <= 3
        assert not {key for key in settled if key.endswith((" lbnodeagents", " nodes"))}
        await asyncio.sleep(LEASE)
        later = await _writes(stage)
        assert later.pop("patch leases") > settled.pop("patch leases")
        assert later == settled

    play(work)


async def _writes(stage: Scene) -> dict[str, int]:
    """Return how often our daemons have used each verb that writes, by resource."""
    async with Api(stage.cluster.paths.faults) as control:
        entries = (await control.get("/requests"))["requests"]
    counts: dict[str, int] = {}
    for entry in entries:
        if entry["client"].startswith(("allocator", "nodeagent")):
            key = f"{entry['verb']} {entry['resource']}"
            counts[key] = counts.get(key, 0) + entry["count"]
    return {k: n for k, n in counts.items() if k.split()[0] not in ("get", "list", "watch")}


def test_nothing_is_left_on_any_node_after_the_services_are_gone() -> None:
    """Deleting a Service withdraws its addresses everywhere."""

    async def work(stage: Scene) -> None:
        v4, v6 = await stage.service("web", "IPv4", "IPv6")
        await stage.cluster.api.delete(path_of("Service", "default", "web"))
        assert await stage.watch.wait(
            lambda: not stage.watch.nodes_with(v4) and not stage.watch.nodes_with(v6), SECONDS
        )

    play(work)


def test_looks_at_everything_are_counted_and_timed() -> None:
    """From the first pass on."""

    async def work(stage: Scene) -> None:
        node = stage.cluster.topology.nodes[0]
        url = f"http://{node.main.v4.ip}:7472/metrics"
        reply = await stage.cluster.fetch(url, machine=node.name)
        lines = reply.body.decode().splitlines()
        series = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        assert float(series["purelb_lbnodeagent_audits_total"]) > 0
        assert float(series["purelb_lbnodeagent_audit_seconds_count"]) > 0
        assert float(series["purelb_lbnodeagent_audit_seconds_sum"]) > 0

    play(work)
