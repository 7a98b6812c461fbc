"""What cannot be: each mistake is told once, to its author, and nobody else suffers."""

import pytest

from tests.e2e.user import FAMILIES, Story, User, addresses, group, ours, service

HELD = "192.0.2.160"  # the only address of the group "tiny", and "holder" has it

# What is wrong, and what the Warning says.
MISTAKES = {
    "an unknown group": ({"service-group": "nowhere"}, 'unknown pool "nowhere"'),
    "a group without a name": ({"service-group": ""}, 'unknown pool ""'),
    "an address outside every pool": ({"addresses": "203.0.113.9"}, "does not belong to any group"),
    "an address somebody holds": ({"addresses": HELD}, f"{HELD} is already in use by Service"),
    "an exhausted pool": ({"service-group": "tiny"}, "exhausted: no available addresses"),
    "no address at all": ({"addresses": "www.example.com"}, "invalid user-specified address"),
    "an empty wish": ({"addresses": ""}, "invalid user-specified address"),
    "two for one family": (
        {"addresses": "192.0.2.241,192.0.2.242"},
        "invalid user-specified address",
    ),
    "the wrong family": ({"addresses": "2001:db8:0:1::241"}, "invalid user-specified address"),
}


async def arrange(user: User) -> None:
    """Make a group of one address with its holder."""
    await user.apply(
        group("tiny", f"{HELD}-{HELD}"), service("holder", settings={"service-group": "tiny"})
    )
    assert await user.until_served("holder") == (HELD,)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_warning_and_others_are_served(story: Story, mistake: str) -> None:
    """The Service is left as its author wrote it, also after another look at it."""

    async def scene(user: User) -> None:
        settings, text = MISTAKES[mistake]
        name = mistake.replace(" ", "-")
        await arrange(user)
        await user.apply(service(name, settings=settings))
        event = await user.event(name, "AllocationFailed", text)
        assert f"default/{name}" in event["message"]

        # A setting that the allocator keeps, so that it looks again; a label would not do.
        await user.annotate(name, "purelb.io/node-affinity=service-endpoints")
        # Served, with its Event, after the mistake's second look: had there been another Warning
        # it would be there, because Events are sent in order.
        await user.apply(service(f"after-{name}"))
        (address,) = await user.until_served(f"after-{name}")
        await user.event(f"after-{name}", "AddressAssigned", address)
        assert await user.warnings(name) == [(event["message"], 1)]
        found = await user.get(name)
        assert addresses(found) == ()
        assert ours(found) == {**settings, "node-affinity": "service-endpoints"}
        await user.page(address)
        assert await user.holders(HELD) != []
        await user.page(HELD)

    story(scene)


def test_a_corrected_mistake_is_served_at_once(story: Story) -> None:
    """Each of them, by taking the annotation away."""

    async def scene(user: User) -> None:
        await arrange(user)
        names = {mistake.replace(" ", "-"): mistake for mistake in MISTAKES}
        for name, mistake in names.items():
            await user.apply(service(f"fixed-{name}", settings=MISTAKES[mistake][0]))
            await user.event(f"fixed-{name}", "AllocationFailed", MISTAKES[mistake][1])
        given: list[str] = []
        for name, mistake in names.items():
            keys = (f"purelb.io/{key}-" for key in MISTAKES[mistake][0])
            await user.annotate(f"fixed-{name}", *keys)
            given += await user.until_served(f"fixed-{name}")
        assert len(set(given)) == len(MISTAKES)

    story(scene)


def test_half_of_a_dual_stack_is_not_given(story: Story) -> None:
    """A Service that requires both families gets none from a group that has one."""

    async def scene(user: User) -> None:
        await arrange(user)
        await user.apply(
            group("half", "192.0.2.165-192.0.2.169"),
            service("whole", families=FAMILIES, settings={"service-group": "half"}),
        )
        await user.event("whole", "AllocationFailed", "no IPv6 range")
        found = await user.get("whole")
        assert addresses(found) == ()
        assert ours(found) == {"service-group": "half"}

    story(scene)


def test_a_group_that_makes_no_sense_says_so_and_the_others_go_on(story: Story) -> None:
    """An end before its start, and a range that is another group's."""

    async def scene(user: User) -> None:
        await user.apply(
            group("backwards", "192.0.2.179-192.0.2.170"),
            group("double", "192.0.2.200-192.0.2.209"),
            service("unmoved"),
        )
        await user.event("backwards", "ParseFailed")
        await user.event("double", "ParseFailed", "default")
        await user.until_served("unmoved")
        assert ours(await user.get("unmoved"))["allocated-from"] == "default"

    story(scene)


def test_a_group_that_appears_serves_who_has_named_it(story: Story) -> None:
    """The mistake was the order of two manifests."""

    async def scene(user: User) -> None:
        await user.apply(service("eager", settings={"service-group": "soon"}))
        await user.event("eager", "AllocationFailed", 'unknown pool "soon"')
        await user.apply(group("soon", "192.0.2.180-192.0.2.184"))
        assert await user.until_served("eager") == ("192.0.2.180",)
        await user.page("192.0.2.180")

    story(scene)
