"""A validator for the part of JSON Schema that our schemas use; anything else is an error."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
SILENT = {"title", "description", "default", "$defs", "$schema", "$id"}


def errors(value: object, schema: Schema, root: Schema, path: str = "$") -> Iterator[str]:
    """Yield what is wrong with a value, each with its path; a key that is not known is wrong."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        yield from errors(value, root["$defs"][name], root, path)
        return
    if "anyOf" in schema:
        found = [list(errors(value, one, root, path)) for one in schema["anyOf"]]
        if all(found):
            yield from min(found, key=len)
        return
    unknown = set(schema) - SILENT - {"type", "properties", "required", "items"}
    assert not unknown, f"{path}: the schema has {unknown}"
    expected = TYPES[schema["type"]]
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        yield f"{path}: {value!r} is no {schema['type']}"
        return
    if isinstance(value, dict):
        yield from _object(value, schema, root, path)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from errors(one, schema["items"], root, f"{path}[{number}]")


def _object(value: dict[str, object], schema: Schema, root: Schema, path: str) -> Iterator[str]:
    properties = schema["properties"]
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}: {name} is missing"
    for name, one in value.items():
        if name not in properties:
            yield f"{path}: {name} is not known"
        else:
            yield from errors(one, properties[name], root, f"{path}.{name}")
