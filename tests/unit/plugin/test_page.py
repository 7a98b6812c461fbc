"""`report` and `top`: what is on the page and on the screen."""

import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from plugin.core.allocation import allocator_of
from plugin.core.live import Look, look
from plugin.core.page import MOST_CELLS, MOST_ROWS, Page, page_of
from plugin.render.page import page_html
from plugin.render.top import frame, trouble
from tests.plugin import scenes
from tests.plugin.scenes import Object, pool
from tests.unit.plugin.worlds import world

VOID = {"meta", "br", "rect"}


def page(*objects: Object) -> Page:
    """Return the page of a cluster."""
    found = world(objects)
    return page_of(found, allocator_of(found), "https://api.example")


def local(text: str, *reservations: Object) -> Object:
    """Return a local group of one range."""
    v4pool = pool(text, "192.0.2.0/24")
    return scenes.group("default", local={"v4pool": v4pool}, reservations=list(reservations))


class Outline(HTMLParser):
    """Checks that every element is closed, and takes note of what a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.images = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.references += [found[key] or "" for key in ("src", "href") if key in found]
        if tag == "svg" and found.get("role") == "img":
            assert found["aria-label"]
            self.images += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def outline(text: str) -> Outline:
    """Parse a page to its end."""
    found = Outline()
    found.feed(text)
    assert found.open == []
    return found


def test_a_page_is_whole_and_refers_to_nothing() -> None:
    """It must open where there is no network, also in ten years."""
    text = page_html(page(*scenes.healthy()))
    assert outline(text).references == []
    assert "default-src 'none'" in text.replace("&#x27;", "'")
    assert not re.search(r"<script|url\(|@import", text)


def test_names_cannot_break_out_of_their_place() -> None:
    """Whoever may create a Service may not write the operator's page."""
    evil = "<script>alert(1)</script>"
    service = scenes.service("shop/web", annotations={"service-group": evil})
    text = page_html(page(*scenes.healthy(), service))
    outline(text)
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_every_range_is_a_map_that_readers_can_hear() -> None:
    """The caption and the label say the numbers."""
    found = page(*scenes.healthy())
    assert outline(page_html(found)).images == len(found.maps) == 3


def test_each_address_of_a_small_range_has_a_cell_of_its_own() -> None:
    """Free, used, shared, the cluster's own, reserved."""
    group = local("192.0.2.2-192.0.2.6", {"address": "192.0.2.6", "service": "a/b"})
    one = scenes.service("shop/one", "192.0.2.3")
    sharers = [
        scenes.service(f"shop/{name}", "192.0.2.4", annotations={"allow-shared-ip": "k"}, port=port)
        for name, port in (("x", 1), ("y", 2))
    ]
    (found,) = page(group, scenes.node("node-a", "192.0.2.2"), one, *sharers).maps
    assert [cell.state for cell in found.cells] == ["kept", "used", "shared", "free", "kept"]
    assert found.cells[1].label == "192.0.2.3: shop/one"


@pytest.mark.parametrize(
    "text", ["10.0.0.0/16", "10.0.0.0-10.0.3.7"], ids=["even", "the last cell is smaller"]
)
def test_a_large_range_has_several_addresses_in_each_cell(text: str) -> None:
    """No address is lost, whatever the size."""
    group = scenes.group("default", local={"v4pool": pool(text, "10.0.0.0/8")})
    held = scenes.service("shop/web", "10.0.0.0")
    (found,) = page(group, held).maps
    assert len(found.cells) <= MOST_CELLS
    assert len(found.cells) * found.per_cell >= found.size
    assert found.cells[0].state in ("part1", "part2", "part3")
    assert found.cells[1].state == "part0"


def test_a_huge_range_is_no_problem() -> None:
    """An IPv6 /64 has more addresses than anybody can draw."""
    group = scenes.group("default", local={"v6pool": pool("2001:db8::/64", "2001:db8::/64")})
    (found,) = page(group, scenes.service("shop/web", "2001:db8::1")).maps
    assert len(found.cells) == MOST_CELLS


def test_of_many_services_those_in_trouble_are_on_the_page() -> None:
    """A page of ten thousand rows helps nobody."""
    services = [
        scenes.service(f"shop/s{number:04}", "203.0.113.0", via="remote", pool="routed")
        for number in range(MOST_ROWS + 5)
    ]
    found = page(*services, scenes.service("shop/z", "203.0.113.1"))
    assert found.services[0].name == "z"
    assert (len(found.services), found.hidden) == (MOST_ROWS, 6)


def test_nodes_show_what_they_announce_in_each_network() -> None:
    """Rows are networks."""
    found = page(*scenes.healthy())
    reach = {one.subnet: dict(one.nodes) for one in found.reach}
    assert reach["192.0.2.0/24"] == {"node-a": (), "node-b": ("192.0.2.16", "192.0.2.17")}


def looks(*worlds: list[Object]) -> Look:
    """Return the last of several looks."""
    seen: Look | None = None
    for objects in worlds:
        seen = look(world(objects), seen)
    assert seen is not None
    return seen


def screen(seen: Look, width: int = 120) -> str:
    """Return a screen as text."""
    console = Console(width=width, height=32, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(frame(seen, width))
    return capture.get()


def test_a_move_is_seen_between_two_looks() -> None:
    """Who had it, who has it."""
    before = [local("192.0.2.16/28"), scenes.service("a/b", "192.0.2.16", slots=["x,e,192.0.2.16"])]
    after = [local("192.0.2.16/28"), scenes.service("a/b", "192.0.2.16", slots=["y,e,192.0.2.16"])]
    (change,) = looks(before, after).changes
    assert (change.old, change.new) == ("x", "y")
    assert "x → y" in screen(looks(before, after))
    assert looks(before, before).changes == ()


def at(now: float, seen: Look | None, *objects: Object) -> Look:
    """Look at a cluster so many seconds after the first look."""
    found = world(objects)
    return look(replace(found, now=found.now + now), seen)


def test_a_move_with_nobody_in_between_is_one_move() -> None:
    """The old node clears its slot before the new one fills it."""
    pools, nobody = local("192.0.2.16/28"), scenes.service("a/b", "192.0.2.16")
    x, y = (scenes.service("a/b", "192.0.2.16", slots=[f"{n},e,192.0.2.16"]) for n in "xy")
    left = at(1, at(0, None, pools, x), pools, nobody)
    assert [(c.old, c.new) for c in left.changes] == [("x", "nobody")]
    for seconds, new, moves in (
        (2, y, [("x", "y")]),
        (2, x, [("nobody", "x"), ("x", "nobody")]),
        (30, y, [("nobody", "y"), ("x", "nobody")]),
    ):
        assert [(c.old, c.new) for c in at(seconds, left, pools, new).changes] == moves


def test_pools_show_their_trend() -> None:
    """How many more than a minute ago, whatever looks there were since then."""
    pools, held = local("192.0.2.16/28"), scenes.service("a/b", "192.0.2.16")
    seen = at(0, None, pools)
    trends = []
    for seconds in range(1, 121):
        seen = at(seconds, seen, pools, held)
        (fill,) = seen.fills
        trends.append(fill.trend)
        assert len(seen.marks) <= 13
    assert (fill.used, trends) == (1, [1] * 61 + [0] * 59)


def test_a_screen_has_everything_that_is_wrong() -> None:
    """At a glance."""
    late = [scenes.service(f"shop/late-{n}") for n in range(10)]
    shown = screen(looks([*scenes.healthy(), *late]))
    for piece in ("WARNING", "! 10 service(s) pending", "shop/late-0", "and 2 more", "node-c"):
        assert piece in shown


def test_a_narrow_screen_has_whole_names_and_all_warnings() -> None:
    """In a split window: tables below each other, and one line for each warning."""
    lost = [scenes.service(f"shop/lost-{n}", f"192.0.2.2{n}") for n in range(2)]
    silent = [one for one in scenes.healthy() if one not in scenes.AGENT_PODS]
    shown = screen(looks([*silent, scenes.service("shop/late"), *lost]), 60)
    for piece in ("node-a", "in 27d11h", "configured", "! LBNodeAgent", "! 1 service", "! 2 IP"):
        assert piece in shown


def test_what_is_wrong_is_on_a_screen_that_is_too_small_for_all() -> None:
    """A hundred nodes and pools, and 32 lines."""
    many = [scenes.lease(f"m-{n:03}", scenes.FRONT) for n in range(100)]
    dead = scenes.lease("z-dead", scenes.FRONT, expired=scenes.RENEWED)
    groups = [
        scenes.group(f"p-{n:03}", remote={"v4pool": pool(f"10.0.{n}.0/30", "10.0.0.0/16")})
        for n in range(100)
    ]
    full = scenes.group("z-full", remote={"v4pool": pool("10.1.0.0/32", "10.1.0.0/16")})
    holder = scenes.service("shop/holder", "10.1.0.0", pool="z-full", via="remote")
    shown = screen(looks([*scenes.healthy(), *many, dead, *groups, full, holder]))
    assert "z-dead" in shown
    assert "z-full" in shown


def test_an_error_is_shown_as_it_is() -> None:
    """Brackets are markup to the screen's library."""
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(trouble("cannot reach http://[fd00::1]:6443 [/x]"))
    assert console.export_text() == "cannot reach http://[fd00::1]:6443 [/x]; trying again\n"
