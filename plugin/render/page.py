"""The page of `report`: one file, no script, nothing loaded; for screens, printers and readers."""

from collections.abc import Iterator
from typing import Final

from plugin.core.doctor import Ailment
from plugin.core.page import Page, RangeMap, Reach
from plugin.core.verdicts import Verdict
from plugin.render.markup import document, element, table, text

COLUMNS: Final = 64  # cells in one row of a map
SIDE, GAP = 10, 2
LEGEND: Final = (
    ("free", "free"),
    ("used", "in use"),
    ("shared", "shared"),
    ("kept", "the cluster's own, or reserved"),
)


def page_html(page: Page) -> str:
    """Return the page."""
    return document(
        f"PureLB report {page.made}",
        element(
            "header",
            element("h1", "PureLB report"),
            element("p", text(f"{page.server}, made {page.made}"), class_="dim"),
        ),
        _section("Health", *_health(page)),
        _section("Occupancy of pools", *_occupancy(page)),
        _section("Networks, nodes and addresses", *_nodes(page)),
        _section("Moves", _moves(page)),
        _section("Hosts", *_hosts(page)),
        _section("Services", *_services(page)),
    )


def _section(title: str, *children: str) -> str:
    anchor = title.lower().split()[0].strip(",")
    return element(
        "section", element("h2", text(title), id=anchor), *children, aria_labelledby=anchor
    )


def _health(page: Page) -> Iterator[str]:
    status = page.status
    grade = "good" if status.overall == "OK" else "warn"
    yield element("p", element("span", text(f"Overall: {status.overall}"), class_=grade))
    if status.warnings:
        yield element("ul", *(element("li", text(warning)) for warning in status.warnings))
    parts = status.components
    cards = [
        ("Allocator", parts.allocator),
        ("Node agents", parts.lbnodeagent),
        *([("BGP sidecars", parts.k8gobgp)] if parts.k8gobgp else []),
        ("Pools", status.pools.summary),
        ("Election", status.election.summary),
        ("BGP", status.bgp.summary),
        ("Services", status.services.summary),
    ]
    yield element(
        "div",
        *(element("div", element("b", text(k)), text(v), class_="card") for k, v in cards),
        class_="cards",
    )


def _occupancy(page: Page) -> Iterator[str]:
    keys = (
        element(
            "span",
            f'<svg viewBox="0 0 10 10" aria-hidden="true"><rect class="{state}" width="10"'
            f' height="10" rx="2"/></svg> {text(label)}',
        )
        for state, label in LEGEND
    )
    yield element("p", *keys, class_="key")
    for one in page.maps:
        yield _map(one)
    for group in page.pools.service_groups:
        if group.problem:
            yield element("p", text(f"{group.name} is not usable: {group.problem}"), class_="bad")
        elif group.provider:
            yield element(
                "p", text(f"{group.name}: {group.allocated} allocated by {group.provider}")
            )


def _map(one: RangeMap) -> str:
    share = f"{one.used / one.size:.0%}" if one.size else "0%"
    facts = f"{one.text} in {one.subnet} ({one.type}): {one.used} of {one.size} in use, {share}"
    if one.per_cell > 1:
        facts += f"; {one.per_cell} addresses in each cell"
    step = SIDE + GAP
    rows = -(-len(one.cells) // COLUMNS)
    cells = "".join(
        f'<rect class="{cell.state}" x="{number % COLUMNS * step}" y="{number // COLUMNS * step}"'
        f' width="{SIDE}" height="{SIDE}" rx="2"><title>{text(cell.label)}</title></rect>'
        for number, cell in enumerate(one.cells)
    )
    picture = element(
        "svg",
        cells,
        viewBox=f"0 0 {COLUMNS * step} {rows * step}",
        role="img",
        aria_label=f"{one.group}: {facts}",
    )
    caption = element("figcaption", element("strong", text(one.group)), " ", text(facts))
    return element("figure", caption, picture)


def _nodes(page: Page) -> Iterator[str]:
    names = [node.name for node in page.election.nodes]
    yield table(
        "Addresses that each node announces in each network; a dash where it is not in it",
        ("Network", *names),
        (_reach(one, names) for one in page.reach),
    )
    yield table(
        "Members of the election",
        ("Node", "Configuration", "Renewed", "Expires", "Healthy", "Announcing"),
        (
            (
                text(node.name),
                text(node.config.state),
                text(f"{node.renewed_ago} ago"),
                text(node.expires_in),
                _graded("yes" if node.healthy else "no", is_good=node.healthy),
                text(node.announcing),
            )
            for node in page.election.nodes
        ),
    )
    for lost in page.election.uncovered_ranges:
        note = f"{lost.service_group}: no node reaches {lost.pool} (subnet {lost.subnet})"
        yield element("p", text(note), class_="warn")


def _reach(one: Reach, names: list[str]) -> list[str]:
    inside = dict(one.nodes)
    cells = [text(one.subnet)]
    for name in names:
        if name not in inside:
            cells.append(element("span", "-", class_="dim"))
            continue
        addresses = inside[name]
        shown = "<br>".join(text(address) for address in addresses)
        many = element("details", element("summary", text(len(addresses))), shown)
        cells.append(many if addresses else "0")
    return cells


def _moves(page: Page) -> str:
    return table(
        "What became of addresses, newest first, as far as the cluster still has Events of it",
        ("When", "Service", "Event", "What"),
        (
            (text(move.at), text(move.service), text(move.reason), text(move.message))
            for move in page.moves
        ),
    )


def _hosts(page: Page) -> Iterator[str]:
    sick = [node for node in page.doctor.nodes if node.findings]
    if not sick:
        yield element("p", "Nothing was found.", class_="good")
    for node in sick:
        yield element("h3", text(node.node))
        yield element("ul", *(element("li", *_ailment(one)) for one in node.findings))


def _ailment(one: Ailment) -> Iterator[str]:
    grade = "warn" if one.severity == "Warning" else "dim"
    yield element("span", text(f"{one.type} {one.subject}"), class_=grade)
    yield f": {text(one.message)}"
    if one.remedy is not None:
        yield element("pre", text(f"# {one.remedy.path}\n{one.remedy.content}# {one.remedy.then}"))


def _services(page: Page) -> Iterator[str]:
    yield table(
        "Services and their addresses; those that something is wrong with come first",
        ("Service", "Address", "Pool", "Announced by", "Sharing", "Status"),
        (
            (
                text(f"{row.namespace}/{row.name}"),
                text(row.ip),
                text(row.pool),
                text(row.announcing or "-"),
                text(row.sharing_key or "-"),
                _graded(row.status, is_good=row.status == Verdict.OK),
            )
            for row in page.services
        ),
    )
    if page.hidden:
        yield element("p", text(f"{page.hidden} more are not shown."), class_="dim")


def _graded(word: str, *, is_good: bool) -> str:
    return element("span", text(word), class_="good" if is_good else "bad")
