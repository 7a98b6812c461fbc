"""The chart as Helm renders it. Called by the tests of manifests and by those in `tests/e2e`."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from playground.controlplane.binaries import BUILD, locate

Object = Mapping[str, Any]

CHART = Path(__file__).parents[1] / "charts/purelb"
SETS = tuple(sorted((CHART / "ci").glob("*-values.yaml")))
NAMESPACE = "purelb-system"
OPERATOR = "monitoring.coreos.com/v1"
# Helm built from its module calls itself a client of a very old Kubernetes.
KUBERNETES = ("--kube-version", "1.34.0")


class Once(yaml.CSafeLoader):
    """Reads YAML in which no mapping has a key twice: Helm takes it, other tools refuse it."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping; raises ValueError with the key that is there twice."""
        keys = [key.value for key, _ in node.value]
        if len(set(keys)) != len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            message = f"{twice} is there twice{node.start_mark}"
            raise ValueError(message)
        return super().construct_mapping(node, deep)


def helm() -> str:
    """Return the program; skips the test with the command that helps if there is none."""
    if (found := locate("helm", os.environ)) is None:
        if os.environ.get("PURELB_E2E"):
            pytest.fail(f"helm not found: `{BUILD}` builds it")
        pytest.skip(f"helm not found: `{BUILD}` builds it")
    return str(found)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Helm and return what it said, whether it failed or not."""
    command = (helm(), *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def render(
    *arguments: str, has_operator: bool = True, release: str = "purelb"
) -> tuple[Object, ...]:
    """Return all objects of the chart, hooks too; `arguments` are Helm's, such as `--set`."""
    text = _rendered(arguments, has_operator=has_operator, release=release)
    return tuple(found for found in yaml.load_all(text, Once) if found)


@lru_cache
def _rendered(arguments: tuple[str, ...], *, has_operator: bool, release: str) -> str:
    """Return what Helm writes; it takes a second."""
    apis = ("--api-versions", OPERATOR) if has_operator else ()
    done = run(
        *("template", release, str(CHART), "--namespace", NAMESPACE),
        *KUBERNETES,
        *apis,
        *arguments,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def one(objects: tuple[Object, ...], kind: str, name: str) -> Object:
    """Return the object of a kind and name."""
    (found,) = (o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name))
    return found


def pod_spec(owner: Object) -> Object:
    """Return the Pods' spec of a workload, or that of a Pod."""
    spec: Object = owner["spec"].get("template", owner)["spec"]
    return spec


def leaves(value: Any, schema: Object, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Yield every value of the chart with its path; what the schema leaves open is one value."""
    for name, inner in schema.get("properties", {}).items():
        where = f"{path}.{name}" if path else name
        if "properties" in inner:
            yield from leaves(value[name], inner, where)
        else:
            yield where, value[name]
