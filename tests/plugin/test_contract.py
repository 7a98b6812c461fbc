"""Scripts that were written for PureLB's plugin go on working: the tables of `contract` hold."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from plugin.cli.options import shown_connection
from plugin.core.catalog import DOCUMENTS
from plugin.core.wire import schema_of
from tests.plugin import contract, scenes
from tests.plugin.scenes import Object
from tests.plugin.stage import Stage, play
from tests.plugin.test_schemas import commands

TYPES = {"#": "integer", "%": "number", "!": "boolean", "": "string"}
TOKEN = re.compile(r"\s*([A-Za-z0-9]+|\[\{|\}\]|\[\]|[{},#%!?])")
NOWHERE = ("-s", "http://127.0.0.1:1")


@dataclass(frozen=True, slots=True)
class Key:
    """One key; `inner` are the keys of its object, or of the objects in its list."""

    name: str
    type: str
    is_optional: bool
    inner: "tuple[Key, ...]" = ()


def parse(text: str) -> tuple[Key, ...]:
    """Read the keys of a table's entry."""
    rest = TOKEN.sub(lambda found: f"{found[1]}\n", text).split()
    keys = _keys(rest)
    assert not rest, rest
    return keys


def _keys(rest: list[str]) -> tuple[Key, ...]:
    keys: list[Key] = []
    while rest and rest[0] not in ("}", "}]"):
        name, kind = rest.pop(0), "string"
        inner: tuple[Key, ...] = ()
        assert name.isalnum(), name
        mark = rest[0] if rest else ","
        if mark in ("{", "[{"):
            rest.pop(0)
            inner, kind = _keys(rest), "object" if mark == "{" else "array"
            assert rest.pop(0) == ("}" if mark == "{" else "}]")
        elif mark == "[]":
            rest.pop(0)
            kind = "array"
        elif mark in TYPES:
            kind = TYPES[rest.pop(0)]
        is_optional = bool(rest) and rest[0] == "?"
        if is_optional:
            rest.pop(0)
        if rest and rest[0] == ",":
            rest.pop(0)
        keys.append(Key(name, kind, is_optional, inner))
    return tuple(keys)


def broken(keys: tuple[Key, ...], node: Mapping[str, Any], defs: Any, at: str) -> Iterator[str]:  # noqa: ANN401  # JSON
    """Yield where a schema does not have what the table has."""
    node = resolved(node, defs)
    for key in keys:
        place = f"{at}.{key.name}"
        if key.name not in node["properties"]:
            yield f"{place} is missing"
            continue
        if (key.name in node["required"]) is key.is_optional:
            yield f"{place} is {'always there' if key.is_optional else 'left out while empty'}"
        found = resolved(node["properties"][key.name], defs)
        if found["type"] != key.type:
            yield f"{place} is {found['type']}"
        elif key.type == "array":
            item = resolved(found["items"], defs)
            if key.inner:
                yield from broken(key.inner, item, defs, place)
            elif item["type"] != "string":
                yield f"{place} has {item['type']}"
        elif key.inner:
            yield from broken(key.inner, found, defs, place)


def resolved(node: Mapping[str, Any], defs: Any) -> Any:  # noqa: ANN401  # JSON
    """Return what a schema refers to; of what may be null, what it is otherwise."""
    if "anyOf" in node:
        node = next(one for one in node["anyOf"] if one.get("type") != "null")
    return defs[node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node


@pytest.mark.parametrize("command", contract.KEYS)
def test_every_key_has_its_place_and_type(command: str) -> None:
    """Lists are never null here: more than what scripts had to expect."""
    schema = schema_of(DOCUMENTS[command])
    assert list(broken(parse(contract.KEYS[command]), schema, schema["$defs"], command)) == []


def test_the_comparison_finds_what_differs() -> None:
    """Else every table would hold."""
    keys = parse("plugin#, crds[{a}], consistent!?, allocator{image, other}, nope")
    schema = schema_of(DOCUMENTS["version"])
    found = "; ".join(broken(keys[:1] + keys[2:], schema, schema["$defs"], "v"))
    assert found == (
        "v.plugin is string; v.consistent is always there; v.allocator.other is missing;"
        " v.nope is missing"
    )


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag: its spellings, whether it takes a value, and the one without it."""

    names: frozenset[str]
    takes_value: bool
    default: str = ""


def flags(text: str) -> Iterator[Flag]:
    """Yield the flags of a table's entry."""
    for word in text.split():
        names, equals, default = word.partition("=")
        yield Flag(frozenset(names.split("/")), bool(equals), default)


def differing(wanted: str, command: click.Command) -> Iterator[str]:
    """Yield the flags that a command does not have as they are wanted."""
    options = [one for one in command.params if isinstance(one, click.Option)]
    for flag in flags(wanted):
        found = next((one for one in options if flag.names <= set(one.opts)), None)
        if found is None or found.is_flag is flag.takes_value:
            yield "/".join(sorted(flag.names))
        elif flag.default and found.default != flag.default:
            yield f"{'/'.join(sorted(flag.names))}={found.default}"


@shown_connection
def _root() -> None:
    """Has the options of every command."""


ROOT = click.command(_root)
# They take all words behind them, so theirs are read by hand: see `test_inside`.
BY_HAND = ("gobgp", "ip")


@pytest.mark.parametrize("command", [one for one in contract.FLAGS if one not in BY_HAND])
def test_every_flag_is_there(command: str) -> None:
    """Those of the connection before and after the command's name."""
    found = commands()[command]
    assert list(differing(contract.FLAGS[command] + contract.PERSISTENT, found)) == []
    assert list(differing(contract.PERSISTENT, ROOT)) == []


def test_the_comparison_of_flags_finds_what_differs() -> None:
    """Else every table would hold."""
    found = commands()["dashboard"]
    assert list(differing("--interval --gobgp-interval=9s --nope=", found)) == [
        "--interval",
        "--gobgp-interval=5s",
        "--nope",
    ]


def ill() -> list[Object]:
    """Return a cluster with a problem for every check."""
    lost = scenes.group("lost", "shop", local={"v4pool": scenes.pool("10.0.0.0/24", "10.0.0.0/24")})
    down = scenes.session("203.0.113.7", "Active", lastError="refused")
    return [
        *(one for one in scenes.healthy() if one not in scenes.AGENT_PODS),
        scenes.lease("node-d", scenes.BACK, expired=scenes.RENEWED),
        lost,
        scenes.service("shop/late", annotations={"service-group": "lost"}),
        scenes.bgp_config(scenes.neighbor("203.0.113.7"), links=()),
        scenes.bgp_node("node-a", down),
    ]


def doubtful() -> list[Object]:
    """Return a cluster that validate warns of."""
    far = scenes.group("far", local={"v4pool": scenes.pool("10.0.0.0/24", "10.0.0.0/24")})
    return [*scenes.healthy(), far]


def local() -> list[Object]:
    """Return a cluster that nothing can be said against: no router has to learn a way."""
    return [one for one in scenes.healthy() if one not in (scenes.ROUTED_GROUP, scenes.API)]


CLUSTERS: dict[str, Callable[[], list[Object]]] = {
    "healthy": scenes.healthy,
    "local": local,
    "ill": ill,
    "doubtful": doubtful,
    "nowhere": list,
}


def exits(cluster: str) -> dict[str, int]:
    """Return the commands for a cluster and their exit codes."""
    rows = (line.split(maxsplit=2) for line in contract.EXITS.strip().splitlines())
    return {command: int(code) for name, code, command in rows if name == cluster}


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_every_exit_code_is_as_it_was(tmp_path: Path, cluster: str) -> None:
    """With one line on stderr where it is not 0."""
    found: dict[str, int] = {}

    async def work(stage: Stage) -> None:
        for command in exits(cluster):
            result = await stage.run(*command.split(), *(NOWHERE if cluster == "nowhere" else ()))
            found[command] = result.code
            assert result.err.startswith("Error: ") == (result.code != 0), command

    play(tmp_path, CLUSTERS[cluster](), work)
    assert found == exits(cluster)
