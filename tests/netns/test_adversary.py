"""A node whose NIC somebody disturbs at random: after a quiet second it is as it should be.

What is there is read from the kernel, not asked of the agent. One minute; `make soak`: ten, and
then a second means a second. The seed is printed and may be set: PURELB_SEED.
"""

import asyncio
import ipaddress
import json
import os
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from playground.api import path_of
from purelb.api.links import (
    FOREVER,
    IFA_F_DADFAILED,
    IFA_F_DEPRECATED,
    IFA_F_NOPREFIXROUTE,
    OUR_MARK,
)
from tests.netns.adversary import Adversary
from tests.netns.networkdscene import NODE, Scene, scene
from tests.netns.test_nodeagent_remote import FAMILIES, FAR, KUBE_LB0
from tests.soak import IS_SOAK

SECONDS = 600.0 if IS_SOAK else 60.0
QUIET = 1.0  # seconds
PATIENCE = 0.0 if IS_SOAK else 20.0  # seconds besides, for a machine that does other things
LEASE = 10  # seconds
SOON = 60.0  # seconds, far longer than what is waited for takes
FAR_SERVICES = 5
PREFIXES = {4: 24, 6: 64}  # of the remote pools' subnets
Entry = dict[str, Any]
DUMP = """
import asyncio, dataclasses, json
from purelb.runtime.netlink.addresses import AddressSocket
from purelb.runtime.netlink.listing import links
async def main():
    found = {link.index: link for link in await links()}
    shown = {index: {"link": link.name, "is_up": link.is_up} for index, link in found.items()}
    async with AddressSocket() as kernel:
        entries = await kernel.dump()
    print(json.dumps([
        dataclasses.asdict(e) | {"address": str(e.address)} | shown[e.index]
        for e in entries if e.index in shown
    ]))
asyncio.run(main())
"""


@pytest.mark.timeout(SECONDS + 240)
def test_after_a_quiet_second_the_kernel_is_as_desired() -> None:
    """Whatever was done before, in whatever order."""
    seed = int(os.environ.get("PURELB_SEED", random.randrange(1 << 32)))
    print(f"PURELB_SEED={seed}")

    async def play() -> None:
        async with scene(pairs=15) as stage:
            dice = random.Random(seed)
            place = await _with_remote(stage)
            await _until_as_desired(place, ["start"], patience=SOON)
            adversary = Adversary(stage.cluster.topology, stage.machine, stage.vips, dice)
            done: Counter[str] = Counter()
            rounds, late, ends_at = 0, 0, time.monotonic() + SECONDS
            while time.monotonic() < ends_at:
                story = await _disturb(stage, adversary, dice)
                done.update(name.rstrip(" .0123456789") for name in story)
                await asyncio.sleep(QUIET)
                late += await _until_as_desired(place, story, patience=PATIENCE)
                rounds += 1
            print(f"{rounds} rounds, {late} of them late, {sum(done.values())} deeds: {dict(done)}")

    asyncio.run(play())


@dataclass(frozen=True, slots=True)
class Place:
    """The node, and what is to be on its link for remote addresses, with prefix lengths."""

    stage: Scene
    far: set[str]


async def _with_remote(stage: Scene) -> Place:
    """Create Services whose addresses every node carries, and wait until this one does."""
    api, far = stage.cluster.api, set[str]()
    await api.create(FAR)
    for number in range(FAR_SERVICES):
        metadata = {
            "name": f"far-{number}",
            "namespace": "default",
            "annotations": {"purelb.io/service-group": "far"},
        }
        spec = {"type": "LoadBalancer", "ports": [{"port": 80}], **FAMILIES}
        body = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
        await api.create(body)
    async with asyncio.timeout(SOON):
        async for _, service in api.watch(path_of("Service", "default")):
            if service["metadata"]["name"].startswith("far"):
                for entry in service.get("status", {}).get("loadBalancer", {}).get("ingress") or ():
                    address = ipaddress.ip_address(entry["ip"])
                    far.add(f"{address}/{PREFIXES[address.version]}")
            if len(far) == 2 * FAR_SERVICES:
                break
    return Place(stage, far)


async def _disturb(stage: Scene, adversary: Adversary, dice: random.Random) -> list[str]:
    story = []
    for _ in range(dice.randint(1, 6)):
        deed = adversary.deed()
        story.append(deed.name)
        await stage.cluster.run(NODE, "sh", "-c", deed.script)
        await asyncio.sleep(dice.choice((0.0, 0.01, 0.05, 0.2)))
    await stage.cluster.run(NODE, "sh", "-c", adversary.put_right().script)
    return story


async def _until_as_desired(place: Place, story: list[str], *, patience: float) -> bool:
    """Wait until all is right, for so many seconds; returns whether it was not at once."""
    ends_at, looks = time.monotonic() + patience, 1
    while (faults := _faults(place, await _dump(place.stage))) and time.monotonic() < ends_at:
        print(f"not yet after {story}: {faults[:5]}")
        looks += 1
        await asyncio.sleep(0.2)
    assert not faults, f"after {story}: {faults[:10]}"
    return looks > 1


async def _dump(stage: Scene) -> list[dict[str, Any]]:
    done = await stage.cluster.run(NODE, sys.executable, "-c", DUMP)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _faults(place: Place, entries: list[Entry]) -> list[str]:
    nic = place.stage.machine.main
    own = {str(address) for address in (nic.v4, nic.v6, nic.link_local)}
    wanted = {f"{vip}/{128 if ':' in vip else 32}" for vip in place.stage.vips}
    here = [e for e in entries if e["link"] == nic.name]
    faults = _differences(here, own | wanted)
    v4 = [text for text in map(_text, here) if ":" not in text]
    faults += [f"{v4[0]} is first"] if v4 and v4[0] != str(nic.v4) else []
    faults += [f"not as it should be: {e}" for e in here if _text(e) in wanted and not _is_near(e)]
    far = [e for e in entries if e["link"] == KUBE_LB0 and not e["address"].startswith("fe80:")]
    faults += _differences(far, place.far)
    faults += [f"not as it should be: {e}" for e in far if not _is_far(e)]
    others = [e for e in entries if e["link"] not in (nic.name, KUBE_LB0)]
    return faults + [f"on another link: {e}" for e in others if e["mark"] == OUR_MARK]


def _text(entry: Entry) -> str:
    return f"{entry['address']}/{entry['prefix']}"


def _differences(entries: list[Entry], expected: set[str]) -> list[str]:
    listed = Counter(map(_text, entries))
    wanted = Counter(expected)
    missing, extra = sorted(wanted - listed), sorted(listed - wanted)
    return [*(f"missing {text}" for text in missing), *(f"too many {text}" for text in extra)]


def _is_near(entry: Entry) -> bool:
    is_deprecated = bool(entry["flags"] & IFA_F_DEPRECATED)
    return (
        entry["mark"] == OUR_MARK
        and 0 < entry["valid_seconds"] <= LEASE
        and is_deprecated is (":" in entry["address"])
        and not entry["flags"] & IFA_F_DADFAILED
    )


def _is_far(entry: Entry) -> bool:
    is_right = entry["mark"] == OUR_MARK and entry["valid_seconds"] == FOREVER
    return bool(is_right and not entry["flags"] & IFA_F_NOPREFIXROUTE and entry["is_up"])
