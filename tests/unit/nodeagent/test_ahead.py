"""Elections before a pass needs them."""

import asyncio
import time
from ipaddress import ip_address, ip_network

from nodeagent.core.election import Electorate, Member
from nodeagent.shell.ahead import Ahead
from purelb.api.annotations import ALLOCATED_BY, BRAND
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.api.views import ServiceView


class CountingElectorate(Electorate):
    """Counts how often it is asked."""

    asked = 0

    def winner(self, *arguments: object, **others: object) -> None:
        """Answer nothing, after a while."""
        self.asked += 1
        ends = time.perf_counter() + 0.001
        while time.perf_counter() < ends:
            pass


def services(count: int) -> dict[ServiceKey, ServiceView]:
    """Return Services of which each has one address."""
    return {
        (key := ServiceKey(f"shop/s{number}")): ServiceView(
            key=key,
            annotations={ALLOCATED_BY: BRAND},
            ingress=(ip_address(0x0A000000 + number),),
        )
        for number in range(count)
    }


def test_others_have_their_turns_while_many_addresses_are_elected_for() -> None:
    """However many there are: a heartbeat waits for some milliseconds only."""

    async def run() -> tuple[int, int]:
        electorate, turns = CountingElectorate(), 0
        async with asyncio.TaskGroup() as tasks:
            electing = tasks.create_task(Ahead().elect(electorate, services(100)))
            while not electing.done():
                await asyncio.sleep(0)
                turns += 1
        return electorate.asked, turns

    asked, turns = asyncio.run(run())
    assert asked == 100
    assert turns >= 10


def test_each_electorate_is_asked_once() -> None:
    """Later Services are few at a time: the pass elects for those."""

    async def run() -> int:
        electorate, ahead = CountingElectorate(), Ahead()
        await ahead.elect(None, services(3))
        await ahead.elect(electorate, services(3))
        await ahead.elect(electorate, services(4))
        return electorate.asked

    assert asyncio.run(run()) == 3


def test_what_was_elected_ahead_is_what_a_pass_finds() -> None:
    """The same object answers both."""
    member = Member(node=NodeName("a"), subnets=(ip_network("10.0.0.0/8"),))
    electorate = Electorate([member])
    asyncio.run(Ahead().elect(electorate, services(2)))
    assert electorate.winner(ip_address("10.0.0.1")) == Electorate([member]).winner(
        ip_address("10.0.0.1")
    )
