"""MkDocs' hook: pages that are made from the code, and links out of the documentation.

Made here: the reference of the CRDs and of the chart's values, and the release notes. They are in
no commit, so they cannot be out of date.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts/purelb"
DOCS = ROOT / "docs"
LINK = re.compile(r"(?<!!)\[([^]\n]+)\]\(([^)\s]+)\)")

Schema = Mapping[str, Any]


def crds() -> str:
    """Return the reference of every custom resource, field by field."""
    pages = ["# Custom resources\n"]
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        definition = yaml.safe_load(path.read_text())
        spec = definition["spec"]
        names = spec["names"]
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            short = ", ".join(f"`{name}`" for name in names.get("shortNames", ()))
            pages.append(
                f"## {names['kind']}\n\n`{spec['group']}/{version['name']}`, "
                f"{spec['scope'].lower()}, short: {short or '-'}. {_sentence(schema)}\n\n"
                "| field | type | default | meaning |\n|---|---|---|---|\n"
            )
            rows = (row for name in ("spec", "status") for row in _fields(schema, name))
            pages.append("\n".join(rows) + "\n")
    return "\n".join(pages)


def _fields(schema: Schema, name: str, path: str = "") -> Iterator[str]:
    inner = schema.get("properties", {}).get(name)
    if inner is None:
        return
    where = f"{path}.{name}" if path else name
    is_required = name in schema.get("required", ())
    kind = inner.get("type", "any")
    item = inner.get("items", {}) if kind == "array" else inner
    shown = f"[]{item.get('type', 'any')}" if kind == "array" else kind
    default = f"`{json.dumps(inner['default'])}`" if "default" in inner else ""
    star = "*" if is_required else ""
    yield f"| `{where}`{star} | {shown} | {default} | {_cell(inner)} |"
    for child in item.get("properties", {}):
        yield from _fields(item, child, f"{where}[]" if kind == "array" else where)


def _cell(schema: Schema) -> str:
    """Return a description with its rules, in one table cell."""
    words = [_sentence(schema)]
    if "enum" in schema:
        words.append("One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".")
    if "pattern" in schema:
        words.append(f"Must match `{schema['pattern']}`.")
    words += [f"Rule: {rule['message']}." for rule in schema.get("x-kubernetes-validations", ())]
    return " ".join(filter(None, words)).replace("|", "\\|")


def _sentence(schema: Schema) -> str:
    return " ".join(schema.get("description", "").split())


def values() -> str:
    """Return the reference of the chart's values, from the comments in values.yaml."""
    text = (CHART / "values.yaml").read_text()
    schema = json.loads((CHART / "values.schema.json").read_text())
    lines = [
        "# Values of the chart\n",
        "Names and meaning are PureLB's unless said otherwise. Others are ignored.\n",
        "| value | default | meaning |\n|---|---|---|",
    ]
    root = yaml.compose(text)
    assert root is not None
    lines += _values(root, schema, yaml.safe_load(text), text.splitlines())
    return "\n".join(lines) + "\n"


def _values(
    node: yaml.Node, schema: Schema, value: Mapping[str, Any], lines: list[str], path: str = ""
) -> Iterator[str]:
    for key, inner in node.value:
        name = key.value
        where = f"{path}.{name}" if path else name
        known = schema["properties"][name]
        if "properties" in known:
            yield from _values(inner, known, value[name], lines, where)
        else:
            told = " ".join(comment(lines, key.start_mark.line)).replace("|", "\\|")
            shown = json.dumps(value[name])
            default = f"`{shown}`" if len(shown) < 40 else "see values.yaml"
            yield f"| `{where}` | {default} | {told} |"


def comment(lines: list[str], number: int) -> list[str]:
    """Return the lines of the comment directly above a line."""
    above: list[str] = []
    while number > 0 and lines[number - 1].lstrip().startswith("#"):
        number -= 1
        above.insert(0, lines[number].strip().lstrip("# "))
    return above


def release_notes() -> str:
    """Return the changelog as a page."""
    text = (ROOT / "CHANGELOG.md").read_text()
    return text.replace("# Changelog", "# Release notes", 1).replace("](docs/", "](")


MADE = {
    "reference/crds.md": crds,
    "reference/values.md": values,
    "release-notes.md": release_notes,
}


def on_files(files: Any, config: Any) -> Any:  # noqa: ANN401  # MkDocs' own types
    """Add the pages that are made."""
    from mkdocs.structure.files import File

    for path, make in MADE.items():
        files.append(File.generated(config, path, content=make()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:  # noqa: ANN401
    """Turn links to files outside the documentation into their names."""
    place = (DOCS / page.file.src_uri).parent

    def point(found: re.Match[str]) -> str:
        text, target = found.groups()
        if ":" in target or target.startswith("#"):
            return found[0]
        path = (place / target.partition("#")[0]).resolve()
        if path == ROOT / "CHANGELOG.md":
            return f"[{text}]({'../' * page.file.src_uri.count('/')}release-notes.md)"
        return found[0] if path.is_relative_to(DOCS) else text

    return LINK.sub(point, markdown)
