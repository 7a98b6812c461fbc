"""Groups bound to namespaces: whose Services they serve, and what enforcement forbids."""

from typing import Any

from tests.e2e.user import Object, Story, User, addresses, group, namespace, ours, service

RANGE, OTHER_RANGE = "192.0.2.100-192.0.2.109", "192.0.2.110-192.0.2.119"


def bound(name: str, text: str, *namespaces: str, **flags: bool) -> Object:
    """Return a group bound to namespaces."""
    fields: dict[str, Any] = {"namespaces": list(namespaces), **flags}
    return group(name, text, namespaces=fields)


async def refusal(user: User, name: str, space: str, text: str) -> None:
    """Wait until a Service has been refused with a text, and check that it got nothing."""
    event = await user.event(name, "AllocationFailed", text)
    assert event["type"] == "Warning"
    assert event["metadata"]["namespace"] == space
    assert addresses(await user.get(name, space)) == ()


def test_a_namespace_is_served_from_the_group_bound_to_it(story: Story) -> None:
    """Without any annotation, while others still get the default group."""

    async def scene(user: User) -> None:
        await user.apply(
            namespace("red"),
            bound("red-pool", RANGE, "red"),
            service("inside", namespace="red"),
            service("beside"),
        )
        assert await user.until_served("inside", namespace="red") == ("192.0.2.100",)
        assert ours(await user.get("inside", "red"))["allocated-from"] == "red-pool"
        await user.until_served("beside")
        assert ours(await user.get("beside"))["allocated-from"] == "default"

    story(scene)


def test_of_two_groups_the_one_marked_as_default_serves(story: Story) -> None:
    """The other is still there for those who name it."""

    async def scene(user: User) -> None:
        await user.apply(
            namespace("orange"),
            bound("a-spare", RANGE, "orange"),
            bound("z-main", OTHER_RANGE, "orange", namespaceDefault=True),
            service("plain", namespace="orange"),
            service("named", namespace="orange", settings={"service-group": "a-spare"}),
        )
        assert await user.until_served("plain", namespace="orange") == ("192.0.2.110",)
        assert await user.until_served("named", namespace="orange") == ("192.0.2.100",)

    story(scene)


def test_without_a_mark_the_default_group_serves_and_a_warning_says_why(story: Story) -> None:
    """The warning names both groups and what to do."""

    async def scene(user: User) -> None:
        await user.apply(
            namespace("yellow"), bound("one", RANGE, "yellow"), bound("two", OTHER_RANGE, "yellow")
        )
        await user.event("one", "Parsed")
        await user.event("two", "Parsed")
        await user.apply(service("unsure", namespace="yellow"))
        await user.until_served("unsure", namespace="yellow")
        assert ours(await user.get("unsure", "yellow"))["allocated-from"] == "default"
        event = await user.event("unsure", "ConfigurationWarning", "none sets namespaceDefault")
        assert "one, two" in event["message"]
        assert "exactly one must" in event["message"]

    story(scene)


def test_enforcement_keeps_a_namespace_in_and_all_others_out(story: Story) -> None:
    """By name, by a pinned address, and by default; the refused get nothing."""

    async def scene(user: User) -> None:
        await user.apply(
            namespace("green"), bound("walled", RANGE, "green", enforceNamespaces=True)
        )
        await user.event("walled", "Parsed")
        await user.apply(
            service("home", namespace="green"),
            service("leaver", namespace="green", settings={"service-group": "default"}),
            service("intruder", settings={"service-group": "walled"}),
            service("burglar", settings={"addresses": "192.0.2.105"}),
            service("neighbor"),
        )
        assert await user.until_served("home", namespace="green") == ("192.0.2.100",)
        await user.until_served("neighbor")
        assert ours(await user.get("neighbor"))["allocated-from"] == "default"
        await refusal(user, "leaver", "green", "namespace denied")
        await refusal(user, "intruder", "default", "namespace denied")
        await refusal(user, "burglar", "default", "namespace denied")

    story(scene)


def test_enforcement_with_two_groups_and_no_mark_refuses_until_there_is_one(story: Story) -> None:
    """The mark is enough: nobody has to touch the Service."""

    async def scene(user: User) -> None:
        await user.apply(
            namespace("blue"),
            bound("first", RANGE, "blue", enforceNamespaces=True),
            bound("second", OTHER_RANGE, "blue"),
        )
        await user.event("first", "Parsed")
        await user.event("second", "Parsed")
        await user.apply(service("torn", namespace="blue"))
        await refusal(user, "torn", "blue", "ambiguous namespace default")
        await user.patch("second", {"namespaceDefault": True}, kind="ServiceGroup")
        assert await user.until_served("torn", namespace="blue") == ("192.0.2.110",)

    story(scene)


def test_enforcement_switched_on_takes_nothing_away(story: Story) -> None:
    """The next one from outside is refused, who is in stays in and keeps the page."""

    async def scene(user: User) -> None:
        await user.apply(
            namespace("violet"),
            bound("opened", RANGE, "violet"),
            service("early", settings={"service-group": "opened"}),
        )
        (address,) = await user.until_served("early")
        await user.patch("opened", {"enforceNamespaces": True}, kind="ServiceGroup")
        await user.apply(service("too-late", settings={"service-group": "opened"}))
        await refusal(user, "too-late", "default", "namespace denied")
        assert addresses(await user.get("early")) == (address,)
        assert len(await user.holders(address)) == 1
        await user.page(address)

    story(scene)
