"""How much of a plan the agent's kernel does in one pass."""

import asyncio
from ipaddress import ip_address
from socket import if_nametoindex

import pytest

from nodeagent.core.ops import AddAddress, RemoveAddress
from nodeagent.shell.kernel import Kernel
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import LinkName
from purelb.api.links import FOREVER, IFA_F_NOPREFIXROUTE, NewAddress
from purelb.core.steps import STEP, chunks
from purelb.runtime.clock import BootClock
from tests.netns.conftest import Namespace

FIRST = int(ip_address("198.51.100.0"))
SECONDS = 30.0


@pytest.fixture
def link(namespace: Namespace) -> int:
    """The index of a link that is up."""
    namespace.ip("link add test0 type ifb", "link set test0 up")
    return if_nametoindex("test0")


def additions(link: int, count: int) -> tuple[AddAddress, ...]:
    """Return what puts so many addresses on a link."""
    return tuple(
        AddAddress(
            LinkName("test0"),
            NewAddress(
                index=link,
                address=ip_address(FIRST + number),
                prefix=32,
                flags=IFA_F_NOPREFIXROUTE,
                valid_seconds=FOREVER,
                preferred_seconds=FOREVER,
            ),
        )
        for number in range(count)
    )


def removals(link: int, count: int) -> tuple[RemoveAddress, ...]:
    """Return what takes them away again."""
    return tuple(
        RemoveAddress(
            link=op.link,
            index=link,
            address=op.entry.address,
            prefix=op.entry.prefix,
            reason="test",
        )
        for op in additions(link, count)
    )


async def executed(link: int, count: int, longest: float) -> tuple[int, int, int]:
    """Return how many operations were tried, how many addresses there are, and the wake-ups."""
    wakes: list[str] = []
    async with Kernel(BootClock(), lambda: wakes.append("wake"), "ifb", longest) as kernel:
        outcomes = await kernel.execute(additions(link, count))
        assert not any(one.error for one in outcomes)
        found = await kernel.observe(frozenset(), frozenset())
        assert found is not None
        there = sum(one.index == link for one in found.addresses if one.address.version == 4)
        return len(outcomes), there, len(wakes)


def test_a_plan_that_takes_long_is_left_to_the_next_pass(link: int) -> None:
    """What was not tried has no outcome, and another pass is asked for at once."""
    tried, there, wakes = asyncio.run(executed(link, 5 * STEP, longest=0.0))
    assert (tried, there, wakes) == (STEP, STEP, 1)


def test_a_plan_is_carried_out_whole_if_there_is_time(link: int) -> None:
    """As nearly every plan is."""
    tried, there, wakes = asyncio.run(executed(link, 5 * STEP, longest=60.0))
    assert (tried, there, wakes) == (5 * STEP, 5 * STEP, 0)


def test_a_removal_that_was_not_tried_is_a_loss_when_others_do_it(
    namespace: Namespace, link: int
) -> None:
    """It is not mistaken for our own."""
    last = ip_address(FIRST + STEP)

    async def scenario() -> list[IPAddress]:
        woken = asyncio.Event()
        kernel = Kernel(BootClock(), woken.set, "ifb", longest=0.0)
        async with kernel, asyncio.TaskGroup() as tasks, asyncio.timeout(SECONDS):
            running = tasks.create_task(kernel.run())
            for some in chunks(additions(link, STEP + 1)):
                await kernel.execute(some)
            outcomes = await kernel.execute(removals(link, STEP + 1))
            assert len(outcomes) == STEP
            namespace.ip(f"address del {last}/32 dev test0")
            while not kernel.struggles:
                woken.clear()
                await woken.wait()
            running.cancel()
        return list(kernel.struggles)

    assert asyncio.run(scenario()) == [last]
