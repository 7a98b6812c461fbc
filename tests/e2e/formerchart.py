"""A stand-in for PureLB's chart: its names, selectors, labels and rights, without its programs.

Written from what users see of PureLB v0.17 (`kubectl get` in a cluster that has it).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

EVERY = ["get", "list", "watch"]


def _rule(group: str, resources: str, verbs: Sequence[str]) -> Object:
    return {"apiGroups": [group], "resources": resources.split(), "verbs": list(verbs)}


RIGHTS: Mapping[str, Sequence[Object]] = {
    "allocator": (
        _rule("purelb.io", "servicegroups lbnodeagents", [*EVERY, "update"]),
        _rule("purelb.io", "servicegroups/status", ["update", "patch"]),
        _rule("", "services", [*EVERY, "update"]),
        _rule("", "services/status", ["update"]),
        _rule("", "events", ["create", "patch"]),
    ),
    "lbnodeagent": (
        _rule("purelb.io", "servicegroups lbnodeagents", [*EVERY, "update"]),
        _rule("", "nodes", EVERY),
        _rule("discovery.k8s.io", "endpointslices", EVERY),
        _rule("", "services", [*EVERY, "update"]),
        _rule("", "events", ["create", "patch"]),
        _rule("coordination.k8s.io", "leases", [*EVERY, "create", "update", "delete"]),
    ),
}
COMMANDS = {
    "allocator": ["sleep", "infinity"],
    "lbnodeagent": ["python", "-m", "tests.e2e.former"],
}
FIELDS = {
    "PURELB_NODE_NAME": "spec.nodeName",
    "PURELB_NAMESPACE": "metadata.namespace",
    "PURELB_POD_UID": "metadata.uid",
}


def write(folder: Path, group: Object, definitions: Sequence[Object]) -> Path:
    """Write the chart with a ServiceGroup and PureLB's definitions; returns its folder."""
    templates, crds = folder / "templates", folder / "crds"
    templates.mkdir(parents=True)
    crds.mkdir()
    chart = {"apiVersion": "v2", "name": "purelb", "version": "0.17.0", "appVersion": "v0.17.0"}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(chart))
    for definition in definitions:
        (crds / f"{definition['metadata']['name']}.json").write_text(json.dumps(definition))
    objects = [group, _agent_config(), *(o for name in RIGHTS for o in _daemon(name))]
    (templates / "all.yaml").write_text(yaml.safe_dump_all(objects))
    return folder


def _agent_config() -> Object:
    local = {"localInterface": "default", "dummyInterface": "kube-lb0"}
    return _object("purelb.io/v2", "LBNodeAgent", "default", spec={"local": local})


def _object(version: str, kind: str, name: str, **more: object) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **more}


def _daemon(name: str) -> Sequence[Object]:
    rbac = "rbac.authorization.k8s.io"
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": f"purelb:{name}"}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": "purelb-system"}
    return (
        _object("v1", "ServiceAccount", name),
        _object(f"{rbac}/v1", "ClusterRole", f"purelb:{name}", rules=list(RIGHTS[name])),
        _object(
            f"{rbac}/v1", "ClusterRoleBinding", f"purelb:{name}", roleRef=role, subjects=[subject]
        ),
        _workload(name),
    )


def _workload(name: str) -> Object:
    labels = {
        "app.kubernetes.io/name": "purelb",
        "app.kubernetes.io/instance": "purelb",
        "app.kubernetes.io/component": name,
    }
    is_agent = name == "lbnodeagent"
    env = [{"name": k, "valueFrom": {"fieldRef": {"fieldPath": v}}} for k, v in FIELDS.items()]
    pod = {
        "serviceAccountName": name,
        "hostNetwork": is_agent,
        "terminationGracePeriodSeconds": 30 if is_agent else 0,
        "containers": [{"name": name, "image": "former", "command": COMMANDS[name], "env": env}],
    }
    spec: Object = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    if not is_agent:
        spec |= {"replicas": 1, "strategy": {"type": "Recreate"}}
    return _object("apps/v1", "DaemonSet" if is_agent else "Deployment", name, spec=spec)
