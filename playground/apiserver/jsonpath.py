"""The part of kubectl's JSONPath that printer columns use.

`.a.b`, `.a['k']`, `.labels.a\\.b`, `[0]`, `[-1]`, `[*]`, `[?(@.type=="Ready")]`. Called by tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

Step: TypeAlias = Callable[[object], Iterator[object]]
TOKEN = re.compile(
    r"""\.?\[\?\(\s*@(?P<filter>[^=!<>)]*?)\s*(?P<op>==|!=)\s*(?P<value>"[^"]*"|'[^']*'|[^)]+?)\s*\)\]
      | \.?\[(?P<quote>['"])(?P<quoted>.+?)(?P=quote)\]
      | \.?\[(?P<index>-?\d+|\*)\]
      | \.(?P<name>(?:\\.|[^.\[\\])+)""",
    re.VERBOSE,
)


def compiled_path(text: str) -> Callable[[object], list[Any]]:
    """Compile a path; the result returns every value found, in order. ValueError on nonsense."""
    steps = _steps(text.strip("{}"))

    def find(value: object) -> list[Any]:
        found: list[object] = [value]
        for step in steps:
            found = [item for start in found for item in step(start)]
        return found

    return find


def _steps(text: str) -> Sequence[Step]:
    steps, position = [], 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"unsupported JSONPath {text!r}")
        steps.append(_step(match))
        position = match.end()
    return steps


def _step(match: re.Match[str]) -> Step:
    if match["filter"] is not None:
        return _filter(match["filter"], match["op"], match["value"].strip("\"'"))
    if match["index"] is not None:
        return _every if match["index"] == "*" else _at(int(match["index"]))
    name = match["quoted"] or re.sub(r"\\(.)", r"\1", match["name"])
    return _key(name)


def _key(name: str) -> Step:
    def step(value: object) -> Iterator[object]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _at(index: int) -> Step:
    def step(value: object) -> Iterator[object]:
        if isinstance(value, list) and -len(value) <= index < len(value):
            yield value[index]

    return step


def _every(value: object) -> Iterator[object]:
    if isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()


def _filter(path: str, operator: str, wanted: str) -> Step:
    find = compiled_path(path)

    def step(value: object) -> Iterator[object]:
        for item in value if isinstance(value, list) else ():
            found = find(item)
            equal = bool(found) and _text(found[0]) == wanted
            if equal == (operator == "=="):
                yield item

    return step


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
