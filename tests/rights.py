"""What the manifests let the daemons do. Called by the tests of manifests and of the audit log."""

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import yaml

Object = Mapping[str, Any]
Grant = tuple[str, str, str]  # API group, resource with its subresource or object, verb

DEPLOY = Path(__file__).parents[1] / "deploy"
NAMESPACE = "purelb-system"
DAEMONS = ("allocator", "lbnodeagent")  # their ServiceAccounts are called the same
SIDECAR = "k8gobgp"  # in the node agent's Pod, with its ServiceAccount
PROGRAMS = (*DAEMONS, SIDECAR)
ACCOUNTS = {daemon: daemon for daemon in DAEMONS} | {SIDECAR: "lbnodeagent"}


def documents(file: str) -> tuple[Object, ...]:
    """Return the objects of a manifest."""
    return tuple(yaml.safe_load_all((DEPLOY / file).read_text()))


RBAC = documents("rbac.yaml")


def of_kind(kind: str) -> tuple[Object, ...]:
    """Return the objects of a kind."""
    return tuple(found for found in RBAC if found["kind"] == kind)


def grants(role: Object) -> Iterator[Grant]:
    """Yield what a role grants, each verb on its own; one object as `resource:name`."""
    for rule in role["rules"]:
        assert set(rule) - {"resourceNames"} == {"apiGroups", "resources", "verbs"}
        names = [f":{name}" for name in rule.get("resourceNames", ())] or [""]
        for group, resource, name, verb in product(
            rule["apiGroups"], rule["resources"], names, rule["verbs"]
        ):
            yield group, resource + name, verb


def granted(kind: str, program: str) -> list[Grant]:
    """Return, sorted, what the bindings of a kind give to a program's ServiceAccount for it."""
    roles = {role["metadata"]["name"]: role for role in of_kind(kind)}
    subject = {"kind": "ServiceAccount", "name": ACCOUNTS[program], "namespace": NAMESPACE}
    found: list[Grant] = []
    for binding in of_kind(f"{kind}Binding"):
        name = binding["roleRef"]["name"]
        if subject in binding["subjects"] and name.split(":")[1] == program:
            found += grants(roles[name])
    return sorted(found)
