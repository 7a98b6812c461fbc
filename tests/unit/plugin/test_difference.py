"""`diff`: what an edit of pools would strand, move and serve."""

from plugin.core.difference import DiffReport, difference
from purelb.api.resources import ServiceGroup, convert
from tests.plugin import scenes
from tests.plugin.scenes import Object, pool
from tests.unit.plugin.worlds import world


def edited(before: list[Object], *after: Object) -> DiffReport:
    """Return what applying groups to a cluster would do."""
    groups = [convert({"metadata": g["metadata"], "spec": g["spec"]}, ServiceGroup) for g in after]
    return difference(world(before), groups)


def local(text: str, name: str = "default") -> Object:
    """Return a local group of one range."""
    return scenes.group(name, local={"v4pool": pool(text, "192.0.2.0/24")})


def remote(text: str, **more: str) -> Object:
    """Return a remote group of one range."""
    return scenes.group("routed", remote={"v4pool": pool(text, "203.0.113.0/24", **more)})


WEB = scenes.service("shop/web", "192.0.2.16")
API = scenes.service("shop/api", "203.0.113.1", pool="routed", via="remote")


def test_the_same_again_changes_nothing() -> None:
    """An unchanged file is a frequent question."""
    report = edited([local("192.0.2.16/28"), WEB], local("192.0.2.16/28"))
    assert report.groups[0].change == "unchanged"
    assert (report.addresses, report.waiting, report.stranded) == ((), (), 0)


def test_a_local_address_outside_the_new_range_stays() -> None:
    """Edits never move addresses."""
    report = edited([local("192.0.2.16/28"), WEB], local("192.0.2.20/30"))
    (found,) = report.addresses
    assert "it stays" in found.effect
    assert report.stranded == 0


def test_a_remote_address_outside_the_new_range_is_stranded() -> None:
    """The agents withdraw what no group has."""
    report = edited([remote("203.0.113.0/29"), API], remote("203.0.113.4/30"))
    (found,) = report.addresses
    assert "WITHDRAWS" in found.effect
    assert report.stranded == 1


def test_another_aggregation_changes_the_routes() -> None:
    """The prefix length of an address on the dummy link is what is advertised."""
    report = edited([remote("203.0.113.0/29"), API], remote("203.0.113.0/29", aggregation="/32"))
    (found,) = report.addresses
    assert "its prefix length becomes /32" in found.effect


def test_a_pool_of_another_type_announces_otherwise() -> None:
    """From every node to one, or the other way round."""
    after = scenes.group("routed", local={"v4pool": pool("203.0.113.0/29", "203.0.113.0/24")})
    report = edited([remote("203.0.113.0/29"), API], after)
    assert report.stranded == 1


def test_a_range_that_overlaps_makes_the_younger_group_unusable() -> None:
    """The group of the file may be the older one."""
    before = [local("192.0.2.16/28"), local("192.0.2.32/28", "other")]
    report = edited(before, local("192.0.2.16-192.0.2.40"))
    assert report.groups[0].problem == ""
    assert [text.split(":")[0] for text in report.broken] == ["other"]


def test_a_new_group_that_overlaps_is_refused_itself() -> None:
    """It is the youngest."""
    report = edited([local("192.0.2.16/28")], local("192.0.2.20/30", "new"))
    assert report.groups[0].change == "added"
    assert "overlap" in report.groups[0].problem
    assert report.broken == ()


def test_waiting_services_are_told_what_they_would_get() -> None:
    """In the order of their age, as the allocator serves them."""
    waiting = [scenes.service(f"shop/late-{number}") for number in (1, 2)]
    report = edited([local("192.0.2.16/32"), WEB, *waiting], local("192.0.2.16/31"))
    (found,) = report.waiting
    assert found.service == "shop/late-1"
    assert "exhausted" in found.before
    assert found.after == "gets 192.0.2.17"


def test_sizes_are_those_before_and_after() -> None:
    """What is free too."""
    report = edited([local("192.0.2.16/31"), WEB], local("192.0.2.16/30"))
    (found,) = report.groups
    assert (found.size_before, found.size_after) == (2, 4)
    assert (found.available_before, found.available_after) == (1, 3)


def test_an_address_may_move_from_group_to_group() -> None:
    """The Service keeps it all the same."""
    report = edited(
        [local("192.0.2.16/28"), WEB], local("192.0.2.32/28"), local("192.0.2.16/28", "new")
    )
    (found,) = report.addresses
    assert found.effect == "moves from default to new; the Service keeps it"


def test_an_address_that_no_group_had_may_come_back() -> None:
    """A range that was taken out by mistake."""
    report = edited([local("192.0.2.32/28"), WEB], local("192.0.2.16/28"))
    (found,) = report.addresses
    assert found.effect == "comes back into default"
