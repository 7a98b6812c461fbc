"""Which Services are ours: their load balancer's class and their type."""

import pytest

from tests.e2e.user import FAMILIES, Object, Story, User, addresses, ours, service

CLUSTER_IP = {"type": "ClusterIP"}


def classed(name: str, text: str) -> Object:
    """Return a Service with a class."""
    body = service(name)
    body["spec"]["loadBalancerClass"] = text
    return body


@pytest.mark.parametrize("text", ["purelb.io/purelbv2", "purelb.io/purelb"])
def test_our_classes_are_served(story: Story, text: str) -> None:
    """The one that PureLB's program knows, and the one that its documentation has."""

    async def scene(user: User) -> None:
        await user.apply(classed("own", text))
        (address,) = await user.until_served("own")
        await user.page(address)

    story(scene)


def test_a_service_of_another_class_is_not_touched(story: Story) -> None:
    """Neither when it comes nor when it changes: no write, no Event, whatever it asks us for."""

    async def scene(user: User) -> None:
        body = classed("foreign", "example.com/other")
        body["metadata"]["annotations"] = {"purelb.io/addresses": "192.0.2.240"}
        await user.apply(body)
        await user.annotate("foreign", "purelb.io/node-affinity=service-endpoints")
        before = await user.get("foreign")
        # Each daemon has seen the foreign one when it has dealt with a younger one.
        await user.apply(service("younger"))
        await user.until_served("younger")
        assert await user.get("foreign") == before
        assert addresses(before) == ()
        only = "--field-selector=involvedObject.name=foreign"
        assert await user.kubectl("get", "events", only, "-o", "name") == ""

    story(scene)


def test_a_service_that_is_no_load_balancer_any_more_gives_everything_back(story: Story) -> None:
    """Address, annotations, slots; the address is on no node and another Service can have it."""

    async def scene(user: User) -> None:
        await user.apply(service("turncoat", families=FAMILIES))
        given = await user.until_served("turncoat", 2)
        await user.patch("turncoat", CLUSTER_IP)
        await user.until("turncoat", lambda one: not addresses(one) and not ours(one))
        await user.wait_withdrawn(*given)
        event = await user.event("turncoat", "AddressReleased", "ClusterIP")
        assert all(address in event["message"] for address in given)

        settings = {"addresses": ",".join(given)}
        await user.apply(service("heir", families=FAMILIES, settings=settings))
        assert await user.until_served("heir", 2) == given
        for address in given:
            await user.page(address)

    story(scene)


def test_a_service_that_is_a_load_balancer_again_is_served_anew(story: Story) -> None:
    """What is left of its first life is in nobody's way."""

    async def scene(user: User) -> None:
        await user.apply(service("returns"))
        await user.until_served("returns")
        await user.patch("returns", CLUSTER_IP)
        await user.until("returns", lambda one: not addresses(one) and not ours(one))
        await user.patch("returns", {"type": "LoadBalancer"})
        (address,) = await user.until_served("returns")
        await user.page(address)

    story(scene)


def test_a_service_that_leaves_with_its_class_gives_everything_back_too(story: Story) -> None:
    """The API server takes the class away together with the type."""

    async def scene(user: User) -> None:
        await user.apply(classed("leaves", "purelb.io/purelbv2"))
        (address,) = await user.until_served("leaves")
        await user.patch("leaves", {**CLUSTER_IP, "loadBalancerClass": None})
        await user.until("leaves", lambda one: not addresses(one) and not ours(one))
        await user.wait_withdrawn(address)

    story(scene)
