"""Events of the real kernel about links."""

import asyncio
from socket import if_nametoindex

from purelb.api.identifiers import LinkName
from purelb.runtime.netlink.events import Event, LinkChanged
from tests.netns.conftest import Namespace
from tests.netns.eventscene import running


def test_a_link_is_followed_from_its_making_to_its_end(namespace: Namespace) -> None:
    """Made, renamed, deleted: one index throughout."""

    async def scenario() -> list[Event]:
        async with running() as seen:
            namespace.ip(
                "link add one0 index 77 type ifb",
                "link set one0 name two0",
                "link del two0",
            )
            return await seen.wait_for(
                LinkChanged(index=77, name=LinkName("two0"), gone=True, works=False)
            )

    names = [
        (event.name, event.gone)
        for event in asyncio.run(scenario())
        if isinstance(event, LinkChanged) and event.index == 77
    ]
    assert list(dict.fromkeys(names)) == [("one0", False), ("two0", False), ("two0", True)]


def test_a_lost_carrier_is_reported(namespace: Namespace, far_namespace: Namespace) -> None:
    """The far end of the cable goes down; nobody touched the near one."""
    index, name = if_nametoindex("eth0"), LinkName("eth0")
    changed = LinkChanged(index=index, name=name, gone=False, works=False)

    async def scenario() -> None:
        async with running() as seen:
            far_namespace.ip("link set peer0 down")
            await seen.wait_for(changed)

    asyncio.run(scenario())


def test_a_link_that_leaves_a_bridge_is_not_gone(namespace: Namespace) -> None:
    """The kernel sends a RTM_DELLINK for it all the same."""
    namespace.ip(
        "link add br0 type bridge",
        "link add port0 index 78 type ifb",
        "link set port0 master br0",
    )

    async def scenario() -> list[Event]:
        async with running() as seen:
            namespace.ip("link set port0 nomaster", "link set port0 name last0")
            return await seen.wait_for(
                LinkChanged(index=78, name=LinkName("last0"), gone=False, works=False)
            )

    events = asyncio.run(scenario())
    assert not [event for event in events if isinstance(event, LinkChanged) and event.gone]
