"""How long the kernel keeps addresses, by what the LBNodeAgent and the ServiceGroup say."""

import asyncio

from playground.api import path_of
from purelb.api.annotations import SKIP_IPV6_DAD
from tests.netns.agentscene import LEASE, SECONDS, Object, Scene, ingress, play
from tests.netns.capture import listening

AGENT = path_of("LBNodeAgent", "purelb-system", "default")
GROUP = path_of("ServiceGroup", "purelb-system", "default")
FOREVER = 2**32 - 1


async def entry(stage: Scene, address: str, wanted: dict[str, object]) -> Object:
    """Wait until a node's kernel shows an address with these fields."""
    node = await stage.placed(address)
    async with asyncio.timeout(SECONDS):
        while True:
            for found in await stage.entries(node):
                shown = {"noprefixroute": False, **found}
                if found["local"] == address and shown | wanted == shown:
                    return found
            await asyncio.sleep(0.1)


async def configure(stage: Scene, **config: object) -> None:
    """Set the address configuration of local interfaces."""
    spec = {"local": {"addressConfig": {"localInterface": config}}}
    await stage.cluster.api.patch(AGENT, {"spec": spec})


def test_users_lifetimes_and_prefix_routes_come_and_go_with_the_configuration() -> None:
    """Without end and back to the Lease's; the address stays on its node."""

    async def work(stage: Scene) -> None:
        v4, v6 = await stage.service("web", "IPv4", "IPv6")
        holders = [await stage.placed(address) for address in (v4, v6)]
        await configure(stage, validLifetime=0)
        for address, preferred in ((v4, FOREVER), (v6, 0)):
            found = await entry(stage, address, {"valid_life_time": FOREVER})
            assert found["preferred_life_time"] == preferred
        await configure(stage, validLifetime=60, preferredLifetime=1, noPrefixRoute=False)
        for address in (v4, v6):
            found = await entry(stage, address, {"noprefixroute": False})
            assert 0 < found["valid_life_time"] <= LEASE
            assert found["preferred_life_time"] <= 1
        await configure(stage, noPrefixRoute=True)
        for address in (v4, v6):
            await entry(stage, address, {"noprefixroute": True})
        assert [await stage.placed(address) for address in (v4, v6)] == holders

    play(work)


def test_a_pool_can_spare_its_addresses_duplicate_detection() -> None:
    """Flagged nodad, usable and announced at once; the others are checked by the kernel first."""

    async def work(stage: Scene) -> None:
        async with listening(stage.cluster, "router") as heard:
            (checked,) = await stage.service("checked", "IPv6")
            await heard.wait_for(checked, 1)
            assert "nodad" not in await entry(stage, checked, {})
            assert heard.probes(checked) != []
            await stage.cluster.api.patch(GROUP, {"spec": {"local": {"skipIPv6DAD": True}}})
            spared = await _spared(stage)
            await heard.wait_for(spared, 1)
            assert (await entry(stage, spared, {}))["nodad"]
            assert heard.probes(spared) == []

    play(work)


async def _spared(stage: Scene) -> str:
    """Create Services until the allocator has heard of the pool's change; return the address."""
    for number in range(int(SECONDS)):
        name = f"spared-{number}"
        (address,) = await stage.service(name, "IPv6")
        service = await stage.until(name, lambda found: bool(ingress(found)))
        if service["metadata"]["annotations"].get(SKIP_IPV6_DAD) == "true":
            return address
    raise AssertionError("the allocator does not hear of it")
