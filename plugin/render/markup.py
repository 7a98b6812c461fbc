"""Pieces of HTML, escaped where they take text."""

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --dim: #5a6675; --line: #d5dbe3; --page: #fff;
  --card: #f5f7fa; --good: #1a7f4b; --warn: #9a6200; --bad: #b3261e; --free: #e3e8ee;
  --used: #2f6fb0; --shared: #7a4fb5; --kept: #9aa5b1; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf2; --dim: #9fb0c3; --line: #34404e;
  --page: #12171d; --card: #1b222b; --good: #57c98d; --warn: #e8b04b; --bad: #ff8a80;
  --free: #2a3440; --used: #5b9bdc; --shared: #ad87e6; --kept: #66727f; } }
@media print { :root { --ink: #000; --dim: #444; --line: #bbb; --page: #fff; --card: #fff; }
  section, figure, tr { break-inside: avoid } a { color: inherit }
  details::details-content { content-visibility: visible; block-size: auto } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; color: var(--ink);
  background: var(--page); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem }
h3 { font-size: 1rem; margin: 1rem 0 .25rem } p { margin: .25rem 0 }
.dim { color: var(--dim) } .good { color: var(--good) } .warn { color: var(--warn) }
.bad { color: var(--bad) } .good, .warn, .bad { font-weight: 600 }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: .75rem }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .75rem 1rem }
.card b { display: block; color: var(--dim); font-weight: 600 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--dim); padding: .25rem 0 }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top }
th { color: var(--dim); font-weight: 600; white-space: nowrap }
figure { margin: 0 0 1rem } figcaption { margin-bottom: .25rem } svg { display: block; width: 100% }
.free, .part0 { fill: var(--free) } .used, .part4 { fill: var(--used) }
.shared { fill: var(--shared) } .kept { fill: var(--kept) }
.part1, .part2, .part3 { fill: var(--used) } .part1 { fill-opacity: .35 }
.part2 { fill-opacity: .6 } .part3 { fill-opacity: .8 }
rect { stroke: var(--dim); stroke-width: .4 } .shared { stroke: var(--ink); stroke-width: 2 }
.kept { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 2 1 }
.key svg { display: inline-block; width: .8rem; height: .8rem; vertical-align: -.05rem }
.key span { margin-right: 1rem; white-space: nowrap }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .4rem;
  padding: .5rem .75rem; overflow-x: auto; margin: .25rem 0 }
"""


def element(name: str, *children: str, **attributes: str) -> str:
    """Return an element; children are HTML, attributes are text. `class_` is `class`."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{shown}>{''.join(children)}</{name}>"


def text(value: object) -> str:
    """Return text as HTML."""
    return escape(str(value), quote=False)


def table(caption: str, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with headings for screen readers; cells are HTML."""
    head = element("tr", *(element("th", text(name), scope="col") for name in headers))
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", c) for c in row[1:]))
        for row in rows
    ]
    if not body:
        body = [element("tr", element("td", "none", colspan=str(len(headers))))]
    found = element(
        "table",
        element("caption", text(caption)),
        element("thead", head),
        element("tbody", *body),
    )
    return element("div", found, class_="scroll", tabindex="0", role="region", aria_label=caption)


def document(title: str, *body: str) -> str:
    """Return a whole page that loads nothing from anywhere."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{STYLE}</style>"
    )
    main = element("main", *body)
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>{main}</body></html>\n'
