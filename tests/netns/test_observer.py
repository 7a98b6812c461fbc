"""The observer on a real segment: it sees what neighbors see, and nothing else."""

import asyncio

from playground.cluster import Cluster
from playground.observations import longest, observing, pinging

SECONDS = 30.0
V4, V6 = "192.0.2.200", "2001:db8:0:1::200"
BOTH = {"node-a", "node-b"}


def test_the_observer_sees_who_answers_and_for_how_long_two_or_nobody_did() -> None:
    """Also a node that nobody else on the segment can see."""

    async def scenario() -> None:
        async with Cluster(nodes=2) as cluster, observing(cluster, (V4, V6)) as seen:

            async def do(node: str, *commands: str) -> None:
                await cluster.run(node, "sh", "-c", "; ".join(commands))

            async def until(*nodes: str) -> None:
                wanted = set(nodes)
                assert await seen.wait(lambda: seen.by(V4) == seen.by(V6) == wanted, SECONDS)

            both = (f"{V4}/32", f"{V6}/128")
            add = [f"ip addr add {one} dev eth0 nodad" for one in both]
            remove = [f"ip addr del {one} dev eth0" for one in both]
            await until()
            await do("node-a", *add)
            await until("node-a")
            assert not seen.doubles()
            await do("node-b", *add)
            await until("node-a", "node-b")
            await cluster.partition(["node-a"])
            await do("node-b", *remove)
            await until("node-a")
            doubles = seen.doubles()
            assert {span.address for span in doubles} == {V4, V6}
            assert all(span.by == BOTH and span.seconds > 0 for span in doubles)
            await do("node-a", *remove)
            await until()
            before = longest(seen.silences())
            await do("node-b", *add)
            await until("node-b")
            assert longest(seen.silences()) >= before > 0
            assert seen.moves(0.0, seen.until) == 2 * 1

    asyncio.run(scenario())


def test_the_client_notices_when_an_address_is_served_and_when_it_is_not() -> None:
    """Behind a router with its neighbor table, by echo requests of both families."""

    async def scenario() -> None:
        async with Cluster(nodes=1) as cluster, pinging(cluster, (V4, V6)) as seen:

            async def until(*, is_served: bool) -> None:
                def holds() -> bool:
                    return bool(seen.by(V4)) is bool(seen.by(V6)) is is_served

                assert await seen.wait(holds, SECONDS)

            await until(is_served=False)
            for address in (f"{V4}/32", f"{V6}/128"):
                await cluster.run("node-a", "ip", "addr", "add", address, "dev", "eth0", "nodad")
            await until(is_served=True)
            await cluster.power_off("node-a")
            await until(is_served=False)
            assert {span.address for span in seen.silences()} == {V4, V6}

    asyncio.run(scenario())
