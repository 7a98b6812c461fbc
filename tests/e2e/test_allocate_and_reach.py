"""A Service gets an address, one node has it, and a browser outside loads the page behind it."""

import pytest

from tests.e2e.user import FAMILIES, Story, User, addresses, ours, service, slots

CHOICES = [("IPv4",), ("IPv6",), FAMILIES]


@pytest.mark.parametrize("families", CHOICES, ids="+".join)
def test_a_new_service_shows_addresses_that_load_outside(
    story: Story, families: tuple[str, ...]
) -> None:
    """From `kubectl apply` to the page, in each family."""

    async def scene(user: User) -> None:
        await user.apply(service("web", families=families))
        given = await user.until_served("web", len(families))
        shown = await user.kubectl("get", "service", "web", "--no-headers")
        assert shown.split()[3] == ",".join(given)
        assert [("IPv6" if ":" in address else "IPv4") for address in given] == list(families)
        for address in given:
            assert (await user.page(address))["node"] in user.cluster.nodes

    story(scene)


@pytest.mark.parametrize("families", CHOICES, ids="+".join)
def test_the_slot_names_the_one_node_and_link_that_have_the_address(
    story: Story, families: tuple[str, ...]
) -> None:
    """What `kubectl` says is what `ip addr` says."""

    async def scene(user: User) -> None:
        await user.apply(service("slot", families=families))
        given = await user.until_served("slot", len(families))
        said = slots(await user.get("slot"))
        assert {address: await user.holders(address) for address in given} == {
            address: [said[address]] for address in given
        }

    story(scene)


def test_a_person_reads_where_the_address_came_from(story: Story) -> None:
    """In annotations for tools, in an Event for people."""

    async def scene(user: User) -> None:
        await user.apply(service("origin"))
        (address,) = await user.until_served("origin")
        said = ours(await user.get("origin"))
        del said["announcing-IPv4"]
        assert said == {
            "allocated-by": "PureLB",
            "allocated-from": "default",
            "pool-type": "local",
        }
        await user.event("origin", "AddressAssigned", f"assigned {address} from pool default")
        await user.event("origin", "AnnouncingLocal", address)

    story(scene)


def test_an_address_that_is_asked_for_is_given(story: Story) -> None:
    """It does not matter that lower ones are free."""

    async def scene(user: User) -> None:
        wanted = ("192.0.2.231", "2001:db8:0:1::231")
        await user.apply(
            service("pinned", families=FAMILIES, settings={"addresses": ",".join(wanted)})
        )
        assert await user.until_served("pinned", 2) == wanted
        for address in wanted:
            await user.page(address)

    story(scene)


def test_a_second_family_comes_and_goes_while_the_first_address_stays(story: Story) -> None:
    """Neither change disturbs what is in use."""

    async def scene(user: User) -> None:
        await user.apply(service("grows"))
        first = await user.until_served("grows")

        both = {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": list(FAMILIES)}
        await user.patch("grows", both)
        kept, added = await user.until_served("grows", 2)
        await user.page(added)
        assert (kept,) == first

        await user.patch("grows", {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"]})
        assert await user.until_served("grows") == first
        await user.wait_withdrawn(added)
        await user.event("grows", "AddressReleased", added)
        await user.page(kept)

    story(scene)


def test_a_deleted_service_leaves_nothing_and_the_next_gets_its_address(story: Story) -> None:
    """Deletion does not wait for us, nodes follow at once, the lowest free address is next."""

    async def scene(user: User) -> None:
        await user.apply(service("old", families=FAMILIES))
        given = await user.until_served("old", 2)
        await user.delete("service", "old")
        await user.wait_withdrawn(*given)
        await user.apply(service("new", families=FAMILIES))
        assert await user.until_served("new", 2) == given
        for address in given:
            await user.page(address)

    story(scene)


def test_many_services_get_addresses_of_their_own(story: Story) -> None:
    """One manifest with a dozen of them; each page loads, and no node has an address twice."""

    async def scene(user: User) -> None:
        names = [f"many-{number}" for number in range(12)]
        await user.apply(*(service(name) for name in names))
        given = [address for name in names for address in await user.until_served(name)]
        assert len(set(given)) == len(names)
        for name, address in zip(names, given, strict=True):
            found = await user.get(name)
            assert addresses(found) == (address,)
            assert await user.holders(address) == [slots(found)[address]]
            await user.page(address)

    story(scene)
