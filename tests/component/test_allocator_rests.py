"""A running allocator lets released addresses rest, and so does the one that takes over."""

import asyncio
from dataclasses import replace

from allocator.app import Allocator
from tests.component.harness import SETTINGS, Api, allocator, scenario

WEB = "/api/v1/namespaces/default/services/web"
POOL = {"v4pool": {"pool": "192.0.2.9/32", "subnet": "192.0.2.0/24"}}
SHORT = replace(SETTINGS, lease_seconds=3.0)


async def _refused_for_rest(api: Api, name: str) -> None:
    async def says() -> bool:
        conditions = (await api.get(name))["status"].get("conditions") or ()
        return any("at rest after their release" in one["message"] for one in conditions)

    await api.until(says, f"{name} says that the address rests")


def test_an_address_comes_back_by_itself_when_its_rest_is_over() -> None:
    """The waiting Service gets it, and the group counts it."""

    async def work(api: Api) -> None:
        await api.group(local=POOL, coolDown="1s")
        async with allocator(api):
            await api.service("web")
            await api.addresses("web")
            await api.send("DELETE", WEB)
            await api.service("late")
            await _refused_for_rest(api, "late")
            assert await api.addresses("late") == ["192.0.2.9"]

    scenario(work)


def test_a_replica_that_takes_over_lets_rest_what_was_released_before() -> None:
    """It has seen it, too."""

    stop = asyncio.Event()

    async def lead(api: Api) -> None:
        async with allocator(api, replace(SHORT, identity="first")):
            await stop.wait()

    async def work(api: Api) -> None:
        await api.group(local=POOL, coolDown="1h")
        leading = asyncio.create_task(lead(api))
        await api.service("web")
        await api.addresses("web")
        async with allocator(api, replace(SHORT, identity="second")) as second:

            async def knows() -> bool:
                return bool(second.store.rests)

            await api.until(lambda: _stands_by(second), "the second one stands by")
            await api.send("DELETE", WEB)
            await api.until(knows, "the second one knows what rests")
            stop.set()
            await leading
            await api.service("late")
            await _refused_for_rest(api, "late")
            await api.service("web")
            assert await api.addresses("web") == ["192.0.2.9"]

    scenario(work)


async def _stands_by(one: Allocator) -> bool:
    return one.health().is_ready() is None
