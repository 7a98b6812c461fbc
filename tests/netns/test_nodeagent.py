"""The real daemons on real kernels: three nodes, a router and a client in namespaces."""

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from playground.addresswatch import AddressWatch
from playground.api import Api, path_of
from playground.cluster import Cluster
from playground.http import Reply
from purelb.api.links import OUR_MARK
from purelb.api.views import LEASE_PREFIX

MANIFEST = Path(__file__).parents[2] / "playground/manifests/default.yaml"
SECONDS = 30.0
LEASE = 5.0  # seconds
# `ip` before 6.3 does not show IFA_PROTO.
MARKS = """
import asyncio, sys
from purelb.runtime.netlink.addresses import AddressSocket
async def main():
    async with AddressSocket() as kernel:
        print([e.mark for e in await kernel.dump() if str(e.address) == sys.argv[1]])
asyncio.run(main())
"""
Object = dict[str, Any]


class Scene:
    """A running cluster, with the words that tests need."""

    def __init__(self, cluster: Cluster, watch: AddressWatch) -> None:
        self.cluster, self.watch = cluster, watch

    async def service(self, name: str, *families: str, **spec: object) -> list[str]:
        """Create a Service and return its addresses once each is on exactly one node."""
        policy = "RequireDualStack" if len(families) > 1 else "SingleStack"
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "type": "LoadBalancer",
                "ports": [{"port": 80}],
                "ipFamilies": list(families or ("IPv4",)),
                "ipFamilyPolicy": policy,
                **spec,
            },
        }
        await self.cluster.api.create(body)
        found = await self.until(name, lambda s: len(ingress(s)) == len(families or ("IPv4",)))
        for address in ingress(found):
            await self.placed(address)
        return ingress(found)

    async def until(self, name: str, claim: Callable[[Object], bool]) -> Object:
        """Wait for a Service of which a claim holds."""
        only = f"metadata.name={name}"
        async with asyncio.timeout(SECONDS):
            async for _, found in self.cluster.api.watch(
                path_of("Service", "default"), fieldSelector=only
            ):
                if claim(found):
                    return found
        raise AssertionError("the watch ended")

    async def until_slot(self, name: str, family: str, text: str) -> None:
        """Wait until a Service's announcing annotation says this."""
        await self.until(name, lambda service: slot(service, family) == text)

    async def placed(self, address: str) -> str:
        """Wait until an address is on exactly one node, and return the node."""
        assert await self.watch.wait(lambda: len(self.watch.nodes_with(address)) == 1, SECONDS), (
            f"{address} is on {self.watch.nodes_with(address)}"
        )
        return self.watch.nodes_with(address)[0]

    async def marks(self, node: str, address: str) -> list[int]:
        """Return the mark of each of a node's entries of an address."""
        done = await self.cluster.run(node, sys.executable, "-c", MARKS, address)
        found: list[int] = json.loads(done.stdout)
        return found

    async def entries(self, node: str) -> list[Object]:
        """Return the addresses of a node's NIC in the kernel's order."""
        done = await self.cluster.run(node, "ip", "-j", "-d", "address", "show", "dev", "eth0")
        found: list[Object] = json.loads(done.stdout)[0]["addr_info"]
        return found


def ingress(service: Object) -> list[str]:
    """Return the addresses a Service shows."""
    entries = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return [entry["ip"] for entry in entries]


def slot(service: Object, family: str = "IPv4") -> str:
    """Return a Service's announcing annotation."""
    keys: dict[str, str] = service["metadata"].get("annotations", {})
    return keys.get(f"purelb.io/announcing-{family}", "")


@contextlib.asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """Run a cluster with allocator and agents until every node is in the election."""
    async with Cluster(nodes=3) as cluster:
        try:
            await cluster.api.apply_file(MANIFEST)
            await cluster.start_daemons(lease_seconds=LEASE)
            seen: set[str] = set()
            async with asyncio.timeout(SECONDS):
                async for _, lease in cluster.api.watch(path_of("Lease", "purelb-system")):
                    name = lease["metadata"]["name"]
                    if name.startswith(LEASE_PREFIX):
                        seen.add(name)
                    if len(seen) == 3:
                        break
            for machine in cluster.topology.nodes:
                # Until it knows all three: an address that it wins before that moves once more.
                url = f"http://{machine.main.v4.ip}:7472/metrics"
                await cluster.wait_answer(url, machine=machine.name, accept=_knows_all)
            async with AddressWatch(cluster) as watch:
                yield Scene(cluster, watch)
        except BaseException:
            for process in await cluster.processes():
                print(f"==== {process.name} {process.returncode}")
                print(cluster.log(process.name)[-6000:])
            raise


def _knows_all(metrics: Reply) -> bool:
    return b"purelb_election_member_count 3.0" in metrics.body


def play(work: Callable[[Scene], Awaitable[None]]) -> None:
    """Run a coroutine function in a scene."""

    async def run() -> None:
        async with scene() as stage:
            await work(stage)

    asyncio.run(run())


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


def test_a_graceful_stop_moves_the_addresses_before_the_lease_goes() -> None:
    """Never on two nodes; the stopped agent's Lease is deleted and nothing of ours stays."""

    async def work(stage: Scene) -> None:
        v4, v6 = await stage.service("web", "IPv4", "IPv6")
        node = await stage.placed(v4)
        assert await stage.cluster.stop(f"nodeagent-{node}") == 0
        leases = await stage.cluster.api.items("Lease", "purelb-system")
        assert f"purelb-node-{node}" not in [lease["metadata"]["name"] for lease in leases]
        assert await stage.placed(v4) != node
        assert await stage.placed(v6) != node
        gone, came = stage.watch.lost[node, v4], max(stage.watch.holders[v4].values())
        assert gone <= came, "two nodes had it"

    play(work)


def test_an_evacuated_node_gives_its_addresses_away_and_gets_them_back() -> None:
    """By an annotation on the Node, one holder at any instant, in both directions."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        node = await stage.placed(address)

        async def evacuate(value: str | None) -> None:
            change = {"metadata": {"annotations": {"purelb.io/evacuate": value}}}
            await stage.cluster.api.patch(path_of("Node", name=node), change)

        await evacuate("true")
        assert await stage.watch.wait(
            lambda: stage.watch.nodes_with(address) not in ((), (node,)), SECONDS
        )
        heir = await stage.placed(address)
        assert stage.watch.lost[node, address] <= stage.watch.holders[address][heir]
        await stage.until_slot("web", "IPv4", f"{heir},eth0,{address}")
        await evacuate(None)
        assert await stage.watch.wait(
            lambda: stage.watch.nodes_with(address) == (node,), SECONDS
        ), "it does not get it back"
        assert stage.watch.lost[heir, address] <= stage.watch.holders[address][node]

    play(work)


def test_an_address_moves_to_the_node_that_its_service_names() -> None:
    """One holder at any instant; when the Service names none, it goes back."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        first = await stage.placed(address)
        named = next(node for node in stage.cluster.nodes if node != first)
        await stage.until_slot("web", "IPv4", f"{first},eth0,{address}")

        async def move(wish: str | None, giver: str, taker: str) -> None:
            change = {"metadata": {"annotations": {"purelb.io/announce-node": wish}}}
            await stage.cluster.api.patch(path_of("Service", "default", "web"), change)
            assert await stage.watch.wait(
                lambda: stage.watch.nodes_with(address) == (taker,), SECONDS
            ), f"{taker} does not get it"
            assert stage.watch.lost[giver, address] <= stage.watch.holders[address][taker]
            await stage.until_slot("web", "IPv4", f"{taker},eth0,{address}")

        await move(named, first, named)
        await move(None, named, first)

    play(work)


def test_an_address_stays_on_its_heir_if_the_lbnodeagent_wants_it() -> None:
    """The former holder returns and is a candidate; it gets the address when it may."""

    async def work(stage: Scene) -> None:
        async def stay(*, stays: bool) -> None:
            change = {"spec": {"local": {"nonRevertive": stays}}}
            await stage.cluster.api.patch(
                path_of("LBNodeAgent", "purelb-system", "default"), change
            )

        (address,) = await stage.service("web")
        node = await stage.placed(address)
        await stay(stays=True)
        assert await stage.cluster.stop(f"nodeagent-{node}") == 0
        heir = await stage.placed(address)
        await stage.until_slot("web", "IPv4", f"{heir},eth0,{address}")
        await stage.cluster.restart(f"nodeagent-{node}")
        for machine in stage.cluster.topology.nodes:
            url = f"http://{machine.main.v4.ip}:7472/metrics"
            await stage.cluster.wait_answer(url, machine=machine.name, accept=_knows_all)
        assert (heir, address) not in stage.watch.lost
        await stay(stays=False)
        assert await stage.watch.wait(
            lambda: stage.watch.nodes_with(address) == (node,), SECONDS
        ), "the winner does not get it back"
        assert stage.watch.lost[heir, address] <= stage.watch.holders[address][node]

    play(work)


def test_a_dead_node_is_replaced_and_a_returning_one_takes_over_in_order() -> None:
    """Power off: another node takes the address. Power on: the winner gets it back, one holder."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        node = await stage.placed(address)
        await stage.cluster.power_off(node)
        stage.watch.forget(node)
        heir = await stage.placed(address)
        assert heir != node
        await stage.cluster.power_on(node)
        await stage.watch.watch(node)
        assert await stage.watch.wait(
            lambda: stage.watch.nodes_with(address) == (node,), SECONDS
        ), "the winner does not get it back"
        assert stage.watch.lost[heir, address] <= stage.watch.holders[address][node]

    play(work)


def test_the_kernel_drops_the_addresses_of_a_hung_agent_before_another_node_takes_them() -> None:
    """SIGSTOP: lifetimes run out first, then the Lease expires for the others."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        node = await stage.placed(address)
        begun = time.time()
        await stage.cluster.signal(f"nodeagent-{node}", signal.SIGSTOP)
        assert await stage.watch.wait(lambda: (node, address) in stage.watch.lost, SECONDS)
        heir = await stage.placed(address)
        assert heir != node
        gone, came = stage.watch.lost[node, address], stage.watch.holders[address][heir]
        assert gone < came, "two nodes had it"
        assert came - begun < LEASE + 3.0
        await stage.cluster.signal(f"nodeagent-{node}", signal.SIGCONT)
        assert await stage.watch.wait(
            lambda: stage.watch.nodes_with(address) == (node,), SECONDS
        ), "the winner does not get it back"

    play(work)


def test_a_restarted_agent_keeps_its_addresses_in_place() -> None:
    """kill -9 and start again within the Lease: the address is never gone."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        node = await stage.placed(address)
        await stage.cluster.kill(f"nodeagent-{node}")
        await stage.cluster.restart(f"nodeagent-{node}")
        await asyncio.sleep(LEASE + 1.5)  # longer than anything of the old process could last
        assert stage.watch.nodes_with(address) == (node,)
        assert (node, address) not in stage.watch.lost

    play(work)


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
