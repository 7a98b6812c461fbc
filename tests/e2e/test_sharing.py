"""Services that share an address under a key, each with ports of its own."""

import pytest

from tests.e2e.user import FAMILIES, Story, User, addresses, service, slots

KEY = {"allow-shared-ip": "shop"}


@pytest.mark.parametrize("families", [("IPv4",), FAMILIES], ids="+".join)
def test_two_ports_of_one_address_lead_to_two_services(
    story: Story, families: tuple[str, ...]
) -> None:
    """Both say the same slots, one node has each address, and both ports load."""

    async def scene(user: User) -> None:
        count = len(families)
        await user.apply(service("plain", families=families, settings=KEY))
        given = await user.until_served("plain", count)
        await user.apply(service("extra", families=families, port=8081, settings=KEY))
        assert await user.until_served("extra", count) == given
        said = slots(await user.get("extra"))
        assert said == slots(await user.get("plain"))
        for address in given:
            assert await user.holders(address) == [said[address]]
            await user.page(address, 80)
            await user.page(address, 8081)

    story(scene)


def test_the_address_stays_until_the_last_sharer_is_gone(story: Story) -> None:
    """The one that stays does not notice that the other leaves."""

    async def scene(user: User) -> None:
        await user.apply(service("first", settings=KEY), service("second", port=8081, settings=KEY))
        (address,) = await user.until_served("first")
        await user.until_served("second")
        await user.delete("service", "first")
        # A third Service's address proves that the deletion has been dealt with everywhere.
        await user.apply(service("witness"))
        assert await user.until_served("witness") != (address,)
        await user.page(address, 8081)
        assert len(await user.holders(address)) == 1

        await user.delete("service", "second")
        await user.wait_withdrawn(address)

    story(scene)


def test_a_port_that_is_taken_is_refused_with_its_holder_named(story: Story) -> None:
    """The holder is not disturbed; once it is gone, the refused one moves in by itself."""

    async def scene(user: User) -> None:
        await user.apply(service("holder", settings=KEY))
        (address,) = await user.until_served("holder")
        await user.apply(service("late", settings=KEY))
        event = await user.event("late", "AllocationFailed", "already in use")
        for text in ("port TCP/80", address, "default/holder", '"shop"'):
            assert text in event["message"]
        assert event["type"] == "Warning"
        assert addresses(await user.get("late")) == ()
        assert await user.until_served("holder") == (address,)
        await user.page(address)

        await user.delete("service", "holder")
        assert await user.until_served("late") == (address,)
        await user.page(address)

    story(scene)


def test_another_key_and_no_key_mean_another_address(story: Story) -> None:
    """Although ports would not clash."""

    async def scene(user: User) -> None:
        other = {"allow-shared-ip": "office"}
        await user.apply(
            service("shop", port=8080, settings=KEY),
            service("office", port=8081, settings=other),
            service("alone", port=8082),
        )
        given = [await user.until_served(name) for name in ("shop", "office", "alone")]
        assert len(set(given)) == 3

    story(scene)
