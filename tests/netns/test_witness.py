"""Who answers for an address that another node has: real kernels, real foreign hosts."""

import asyncio
import json
import re
import time
from collections import Counter
from typing import Any

from playground.api import path_of
from playground.http import Reply
from purelb.api.views import LEASE_PREFIX
from tests.netns.agentscene import SECONDS, Object, Scene, play
from tests.netns.capture import Frame, listening
from tests.netns.test_wire import EAR, OWNER

CONDITIONS = "purelb.io/conditions"
PATIENCE = 4 * SECONDS  # seconds: the busiest machine asks no sooner because of that
ADDRESSES = 36
RATE = 10.0  # frames a second and node, for all addresses together
Condition = dict[str, str]


async def event(stage: Scene, reason: str, address: str) -> str:
    """Wait for an Event about a Service and return its message."""
    async with asyncio.timeout(PATIENCE):
        async for _, found in stage.cluster.api.watch(path_of("Event", "default")):
            if found["reason"] == reason and address in found["message"]:
                assert found["involvedObject"]["kind"] == "Service"
                return str(found["message"])
    raise AssertionError("the watch ended")


async def conditions(stage: Scene, address: str, types: set[str]) -> tuple[str, list[Condition]]:
    """Wait until exactly these are told of an address on all Leases; returns by whom, and what."""
    said: dict[str, list[Condition]] = {}
    async with asyncio.timeout(PATIENCE):
        async for _, lease in stage.cluster.api.watch(path_of("Lease", "purelb-system")):
            name: str = lease["metadata"]["name"]
            text = lease["metadata"].get("annotations", {}).get(CONDITIONS, "")
            found = [one for one in json.loads(text or "[]") if one["subject"] == address]
            said[name.removeprefix(LEASE_PREFIX)] = found
            everything = [one for told in said.values() for one in told]
            if len(said) >= 3 and {one["type"] for one in everything} == types:
                return next((node for node, told in said.items() if told), ""), everything
    raise AssertionError("the watch ended")


async def until_said(stage: Scene, text: str) -> None:
    """Wait until the Service's condition says this."""
    await stage.until("web", lambda service: text in _wrong(service))


async def third(stage: Scene, address: str, holder: str) -> str:
    """Return the node that is neither the holder of an address nor its witness."""
    for node in stage.cluster.nodes:
        if node != holder and await judged(stage, node) == 0:
            return node
    raise AssertionError(f"everybody is a witness of {address}")


async def judged(stage: Scene, node: str) -> int:
    """Return how many addresses a node has judged as their witness."""
    url = f"http://{stage.cluster.topology.node(node).main.v4.ip}:7472/metrics"
    reply = await stage.cluster.wait_answer(url, machine=node)
    found = re.findall(rb"^purelb_lbnodeagent_witness_addresses\{.*\} (\S+)", reply.body, re.M)
    return int(sum(map(float, found)))


async def until_judged(stage: Scene, answer: str, count: int, besides: str = "") -> None:
    """Wait until witnesses judge so many addresses that way, each by one node."""

    def is_so(metrics: Reply) -> float:
        wanted = (
            rb'^purelb_lbnodeagent_witness_addresses\{answer="' + answer.encode() + rb'"\} (\S+)'
        )
        found = re.search(wanted, metrics.body, re.M)
        return float(found[1]) if found is not None else 0.0

    async with asyncio.timeout(PATIENCE):
        while True:
            total = 0.0
            for node in stage.cluster.topology.nodes:
                if node.name == besides:
                    continue
                url = f"http://{node.main.v4.ip}:7472/metrics"
                total += is_so(await stage.cluster.wait_answer(url, machine=node.name))
            if total == count:
                return
            await asyncio.sleep(0.5)


def test_a_foreign_host_that_answers_beside_the_holder_is_named_until_it_stops() -> None:
    """Both families; the Event once, the conditions as long as it lasts."""

    async def work(stage: Scene) -> None:
        owner = stage.cluster.topology.machine(OWNER).main
        addresses = await stage.service("web", "IPv4", "IPv6")
        holders = {address: await stage.placed(address) for address in addresses}
        await until_judged(stage, "right", 2)
        for address in addresses:
            nodad = ("nodad",) if ":" in address else ()
            await stage.cluster.run(OWNER, "ip", "address", "add", *_place(address), *nodad)
        for address, holder in holders.items():
            message = await event(stage, "SeveralAnswers", address)
            print(message)
            assert f"node {holder} has this address" in message
            assert owner.mac in message
            witness, told = await conditions(stage, address, {"SeveralAnswers"})
            assert witness != holder
            assert len(told) == 1
            await until_said(stage, f"{address}: {told[0]['message']}")
        await until_judged(stage, "several", 2)
        for address in addresses:
            await stage.cluster.run(OWNER, "ip", "address", "del", *_place(address))
        for address, holder in holders.items():
            await conditions(stage, address, set())
            assert await stage.placed(address) == holder
        await stage.until("web", lambda service: not _wrong(service))
        await until_judged(stage, "right", 2)
        events: list[dict[str, Any]] = await stage.cluster.api.items("Event", "default")
        several = [one for one in events if one["reason"] == "SeveralAnswers"]
        assert [one.get("count", 1) for one in several] == [1, 1]

    play(work)


def test_a_holder_whose_kernel_does_not_answer_is_told_of() -> None:
    """Its Lease is fine; then somebody else answers in its stead."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        holder = await stage.placed(address)
        await until_judged(stage, "right", 1)
        ignore = "/proc/sys/net/ipv4/conf/eth0/arp_ignore"
        await stage.cluster.run(holder, "sh", "-c", f"echo 8 > {ignore}")
        message = await event(stage, "NoAnswer", address)
        print(message)
        assert f"node {holder} has this address, and nobody answers" in message
        await conditions(stage, address, {"NoAnswer"})
        place = (f"{address}/32", "dev", "eth0")
        await stage.cluster.run(OWNER, "ip", "address", "add", *place)
        message = await event(stage, "ForeignAnswer", address)
        assert stage.cluster.topology.machine(OWNER).main.mac in message
        await stage.cluster.run(OWNER, "ip", "address", "del", *place)
        await stage.cluster.run(holder, "sh", "-c", f"echo 0 > {ignore}")
        await conditions(stage, address, set())
        assert await stage.placed(address) == holder

    play(work)


def test_another_node_that_answers_is_called_by_its_name() -> None:
    """As one does whose kube-proxy is in IPVS mode without strictARP."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        holder = await stage.placed(address)
        await until_judged(stage, "right", 1)
        node = await third(stage, address, holder)
        strict = "/proc/sys/net/ipv4/conf/all/arp_ignore"
        await stage.cluster.run(node, "sh", "-c", f"echo 0 > {strict}")
        await stage.cluster.run(node, "ip", "address", "add", f"{address}/32", "dev", "lo")
        message = await event(stage, "SeveralAnswers", address)
        print(message)
        assert f"node {node} (" in message
        assert "strictARP" in message
        await stage.cluster.run(node, "ip", "address", "del", f"{address}/32", "dev", "lo")
        await conditions(stage, address, set())

    play(work)


def test_a_node_without_power_is_replaced_and_not_complained_of() -> None:
    """Nobody answers for its addresses, and its Lease tells why."""

    async def work(stage: Scene) -> None:
        addresses = [(await stage.service(f"web-{n}"))[0] for n in range(6)]
        await until_judged(stage, "right", len(addresses))
        node = await stage.placed(addresses[0])
        await stage.cluster.power_off(node)
        stage.watch.forget(node)
        for address in addresses:
            assert await stage.placed(address) != node
        await until_judged(stage, "right", len(addresses), besides=node)
        await _assert_no_complaint(stage)

    play(work)


def test_questions_are_few_however_many_addresses_there_are() -> None:
    """Counted on the wire, for each node in each window of a second; and nothing is found."""

    async def work(stage: Scene) -> None:
        addresses = [await stage.service(f"web-{n}") for n in range(ADDRESSES)]
        vips = {one for found in addresses for one in found}
        nics = {machine.main.mac: machine.name for machine in stage.cluster.topology.nodes}
        async with listening(stage.cluster, EAR) as heard:
            await until_judged(stage, "right", ADDRESSES)
            await heard.until(time.time() + 5.0)
            asked = [one for one in heard.frames if _is_question(one) and one.target in vips]
            assert {nics[one.by] for one in asked} <= set(stage.cluster.nodes)
            for mac in nics:
                times = [one.at for one in asked if one.by == mac]
                worst = max((sum(t <= u < t + 1.0 for u in times) for t in times), default=0)
                print(nics[mac], len(times), worst)
                assert worst <= RATE + 1
            assert not any(frame.is_announcement for frame in asked)
            assert max(Counter(one.target for one in asked).values()) >= 1
        await _assert_no_complaint(stage)

    play(work)


async def _assert_no_complaint(stage: Scene) -> None:
    events = await stage.cluster.api.items("Event", "default")
    assert not {"NoAnswer", "SeveralAnswers", "ForeignAnswer"} & {e["reason"] for e in events}


def _place(address: str) -> tuple[str, ...]:
    return f"{address}/{128 if ':' in address else 32}", "dev", "eth0"


def _wrong(service: Object) -> str:
    """Return what a Service says of wrong answers, if it does."""
    for one in service.get("status", {}).get("conditions") or ():
        if one["type"] == "purelb.io/WrongAnswers":
            return str(one["message"])
    return ""


def _is_question(frame: Frame) -> bool:
    return frame.kind == "arp-request" and frame.source != frame.target and not frame.is_probe
