"""Manifests and archives: the files that commands read and write."""

import io
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import yaml

from plugin.core.problem import PluginError
from purelb.api.resources import DecodeError, ServiceGroup, convert

GROUP, KIND = "purelb.io/v2", "ServiceGroup"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_groups(name: str, namespace: str) -> list[ServiceGroup]:
    """Read the ServiceGroups of a file, `-` for standard input; lists count as their items.

    Those without a namespace belong to the given one. Raises PluginError if there is none, or one
    is not understood.
    """
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        documents = [one for one in yaml.load_all(content, _LOADER) if one]
    except OSError as error:
        raise PluginError(f"cannot read {name}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:  # of a date that is none, too
        raise PluginError(f"{name} is not YAML: {' '.join(str(error).split())}") from error
    bodies = [item for one in documents for item in _items(one)]
    found = [_group(one, name, namespace) for one in bodies if _is_group(one)]
    if not found:
        raise PluginError(f"{name} has no {KIND} of {GROUP}; diff is about those only")
    keys = [(one.metadata.namespace, one.metadata.name) for one in found]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise PluginError(f'{name} has {KIND} "{"/".join(twice)}" more than once; leave one')
    return found


def _items(document: object) -> list[object]:
    if isinstance(document, dict) and isinstance(document.get("items"), list):
        return list(document["items"])
    return [document]


def _is_group(body: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(body, dict) and (body.get("apiVersion"), body.get("kind")) == (GROUP, KIND)


def _group(body: Mapping[str, Any], name: str, namespace: str) -> ServiceGroup:
    meta = body.get("metadata")
    if not isinstance(meta, dict) or not meta.get("name"):
        raise PluginError(f"{name} has a {KIND} without a name")
    try:
        kept = {"name": meta["name"], "namespace": meta.get("namespace") or namespace}
        return convert({"metadata": kept, "spec": body.get("spec") or {}}, ServiceGroup)
    except DecodeError as error:
        raise PluginError(
            f'{KIND} "{meta["name"]}" of {name} is not understood: {error}'
        ) from error


def write_archive(path: Path, folder: str, files: Mapping[str, bytes]) -> None:
    """Write a tar.gz with these files in one folder, readable by its owner only."""
    try:
        with path.open("wb") as out:
            path.chmod(0o600)
            with tarfile.open(fileobj=out, mode="w:gz") as archive:
                for name, content in sorted(files.items()):
                    entry = tarfile.TarInfo(f"{folder}/{name}")
                    entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o600
                    archive.addfile(entry, io.BytesIO(content))
    except OSError as error:
        raise PluginError(f"cannot write {path}: {error.strerror}") from error
