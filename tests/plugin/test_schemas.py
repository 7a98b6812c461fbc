"""The JSON schemas in docs/reference: made from the code, and true of every golden file."""

import json
import os
import re
from pathlib import Path
from typing import Any

import click
import pytest

from plugin.cli.root import HIDDEN, MODULES, cli
from plugin.core.catalog import DOCUMENTS
from plugin.core.wire import schema_of
from tests.plugin.schema import errors
from tests.plugin.stage import GOLDEN, ROOT

FOLDER = ROOT / "docs" / "reference" / "kubectl-purelb"
PAGE = ROOT / "docs" / "reference" / "kubectl-purelb.md"
# Golden files are named after their command, and after the scene.
COMMANDS = sorted(DOCUMENTS, key=len, reverse=True)
GOLDENS = sorted(path.name for path in GOLDEN.glob("*.json"))


def schema(command: str) -> dict[str, Any]:
    """Return the schema of a command's JSON, as its file has it."""
    made = schema_of(DOCUMENTS[command])
    uri = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": uri, "title": f"kubectl purelb {command} -o json", **made}


def path_of(command: str) -> Path:
    """Return the file of a command's schema."""
    return FOLDER / f"{command.replace(' ', '-')}.schema.json"


def command_of(golden: str) -> str:
    """Return the command that a golden file is of."""
    return next(one for one in COMMANDS if golden.startswith(one.replace(" ", "-")))


@pytest.mark.parametrize("command", sorted(DOCUMENTS))
def test_the_schema_in_the_reference_is_that_of_the_code(command: str) -> None:
    """With PURELB_GOLDEN=write in the environment it is written anew."""
    text = json.dumps(schema(command), indent=2) + "\n"
    if os.environ.get("PURELB_GOLDEN") == "write":
        FOLDER.mkdir(exist_ok=True)
        path_of(command).write_text(text)
    assert path_of(command).read_text() == text


@pytest.mark.parametrize("golden", GOLDENS)
def test_every_golden_file_is_valid(golden: str) -> None:
    """Nothing is printed that the reference does not have."""
    found = json.loads(path_of(command_of(golden)).read_text())
    value = json.loads((GOLDEN / golden).read_text())
    root = found["$defs"][found["$ref"].removeprefix("#/$defs/")]
    assert list(errors(value, root, found)) == []


def test_the_validator_finds_what_is_wrong() -> None:
    """Else it would find everything valid."""
    found = schema("version")
    root = found["$defs"]["VersionReport"]
    value = {"plugin": 1, "crds": ["a", 2], "allocator": {}, "other": True}
    problems = " ".join(errors(value, root, found))
    for piece in ("$.plugin: 1 is no string", "consistent is missing", "$.crds[1]", "other is not"):
        assert piece in problems
    assert "$.allocator: image is missing" in problems


def commands() -> dict[str, click.Command]:
    """Return all commands that are shown, subcommands by their whole name."""
    context = click.Context(cli)
    found: dict[str, click.Command] = {}
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= {f"{name} {sub}": one for sub, one in command.commands.items()}
        else:
            found[name] = command
    return found


def test_the_reference_has_every_command_and_option() -> None:
    """And none that does not exist."""
    text = PAGE.read_text()
    sections = dict(re.findall(r"^### `([a-z -]+)`.*?\n(.*?)(?=^##|\Z)", text, re.M | re.S))
    assert set(sections) == set(commands())
    for name, command in commands().items():
        shown = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
        options = {max(one.opts, key=len) for one in shown} - {"--help"}
        assert set(re.findall(r"`(--[a-z-]+)", sections[name])) == options, name


def test_every_module_has_the_commands_that_the_root_expects_there() -> None:
    """They are imported by name, when they are called."""
    context = click.Context(cli)
    for names in MODULES.values():
        for name in names:
            assert cli.get_command(context, name) is not None
    assert set(HIDDEN).isdisjoint(cli.list_commands(context))
