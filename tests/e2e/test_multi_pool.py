"""Services with one address of every range of their group."""

from tests.e2e.user import Story, User, addresses, group, ours, service, v4pools

RANGES = ("192.0.2.120-192.0.2.124", "192.0.2.130-192.0.2.134")
THIRD = "192.0.2.140-192.0.2.144"
FIRSTS = ("192.0.2.120", "192.0.2.130")


def test_the_annotation_asks_for_an_address_of_every_range(story: Story) -> None:
    """All load; a Service without it gets one."""

    async def scene(user: User) -> None:
        chosen = {"service-group": "wide"}
        await user.apply(
            group("wide", *RANGES),
            service("several", settings={**chosen, "multi-pool": "true"}),
        )
        assert await user.until_served("several", 2) == FIRSTS
        for address in FIRSTS:
            assert len(await user.holders(address)) == 1
            await user.page(address)
        await user.apply(service("single", settings=chosen))
        assert await user.until_served("single") == ("192.0.2.121",)

    story(scene)


def test_the_annotation_says_no_where_the_group_says_yes(story: Story) -> None:
    """The group's flag is for those who say nothing."""

    async def scene(user: User) -> None:
        chosen = {"service-group": "always"}
        await user.apply(
            group("always", *RANGES, multiPool=True),
            service("silent", settings=chosen),
            service("modest", settings={**chosen, "multi-pool": "false"}),
        )
        silent = await user.until_served("silent", 2)
        (modest,) = await user.until_served("modest")
        assert modest not in silent

    story(scene)


def test_a_range_added_to_a_live_group_reaches_its_services(story: Story) -> None:
    """They keep what they have; nobody touches them."""

    async def scene(user: User) -> None:
        await user.apply(
            group("growing", *RANGES, multiPool=True),
            service("living", settings={"service-group": "growing"}),
        )
        assert await user.until_served("living", 2) == FIRSTS
        await user.patch(
            "growing", {"local": {"v4pools": v4pools(*RANGES, THIRD)}}, kind="ServiceGroup"
        )
        assert await user.until_served("living", 3) == (*FIRSTS, "192.0.2.140")
        for address in (*FIRSTS, "192.0.2.140"):
            await user.page(address)

    story(scene)


def test_a_range_added_to_a_full_group_serves_who_waits(story: Story) -> None:
    """Refused at first, served without another word once there is room."""

    async def scene(user: User) -> None:
        chosen = {"service-group": "narrow"}
        await user.apply(
            group("narrow", "192.0.2.150-192.0.2.150"), service("lucky", settings=chosen)
        )
        assert await user.until_served("lucky") == ("192.0.2.150",)
        await user.apply(service("patient", settings=chosen))
        await user.event("patient", "AllocationFailed", "exhausted")
        pools = v4pools("192.0.2.150-192.0.2.150", "192.0.2.155-192.0.2.155")
        await user.patch("narrow", {"local": {"v4pools": pools}}, kind="ServiceGroup")
        assert await user.until_served("patient") == ("192.0.2.155",)
        await user.page("192.0.2.155")

    story(scene)


def test_several_addresses_cannot_be_shared(story: Story) -> None:
    """The refusal says which of the two to give up; giving one up is enough."""

    async def scene(user: User) -> None:
        settings = {"service-group": "either", "multi-pool": "true", "allow-shared-ip": "key"}
        await user.apply(group("either", *RANGES), service("greedy", settings=settings))
        await user.event("greedy", "AllocationFailed", "cannot be combined with IP sharing")
        found = await user.get("greedy")
        assert addresses(found) == ()
        assert ours(found) == settings
        await user.annotate("greedy", "purelb.io/allow-shared-ip-")
        assert await user.until_served("greedy", 2) == FIRSTS

    story(scene)
