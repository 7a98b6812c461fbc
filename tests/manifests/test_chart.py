"""The chart, rendered by Helm and read as data. What a real API server makes of it: `tests/e2e`."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from purelb import VERSION
from tests import rights
from tests.charts import (
    CHART,
    KUBERNETES,
    NAMESPACE,
    SETS,
    Object,
    leaves,
    one,
    pod_spec,
    render,
    run,
)

WORKLOADS = {"allocator": "Deployment", "lbnodeagent": "DaemonSet"}
MANIFEST = rights.documents("workloads.yaml")
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
RESTRICTED: Object = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def comments() -> Mapping[str, str]:
    """Return the comment above each key of values.yaml, by its path."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    found: dict[str, str] = {}

    def visit(node: yaml.Node, path: str) -> None:
        if not isinstance(node, yaml.MappingNode):
            return
        for key, value in node.value:
            where = f"{path}.{key.value}" if path else key.value
            above: list[str] = []
            number = key.start_mark.line - 1
            while number >= 0 and lines[number].lstrip().startswith("#"):
                above.insert(0, lines[number].lstrip(" #"))
                number -= 1
            found[where] = " ".join(above)
            visit(value, where)

    root = yaml.compose("\n".join(lines))
    assert root is not None
    visit(root, "")
    return found


@pytest.mark.parametrize("values", SETS, ids=lambda path: path.stem)
def test_helm_finds_no_fault_with_any_set_of_values(values: Path) -> None:
    """`helm lint --strict` and rendering, with and without the Prometheus operator."""
    linted = run("lint", "--strict", str(CHART), "--values", str(values), *KUBERNETES)
    assert linted.returncode == 0, linted.stdout
    with_operator = render("--values", str(values))
    without = render("--values", str(values), has_operator=False)
    assert len(with_operator) >= len(without) > 0


@pytest.mark.parametrize("values", SETS, ids=lambda path: path.stem)
def test_whatever_is_namespaced_is_in_the_namespace_of_the_release(values: Path) -> None:
    """But for rules whose namespace is a value, and for objects of the user's."""
    placed = {
        (found["kind"], found["metadata"].get("namespace"))
        for found in render("--values", str(values))
        if not found["kind"].startswith("Cluster")
        and not found["metadata"]["name"].endswith("extra")
    }
    assert {where for _, where in placed} <= {NAMESPACE, "monitoring"}


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_chart_and_the_manifest_run_the_same_pods(name: str) -> None:
    """Probes, ports, grace periods, security, limits: one way of running a daemon."""
    charted = pod_spec(one(render("--set", "gobgp.enabled=false"), WORKLOADS[name], name))
    (written,) = (pod_spec(one) for one in MANIFEST if one["metadata"]["name"] == name)
    (ours,), (theirs,) = charted["containers"], written["containers"]
    alike = ("name", "ports", "livenessProbe", "readinessProbe", "resources", "imagePullPolicy")
    assert [ours[key] for key in alike] == [theirs[key] for key in alike]
    assert ours["securityContext"].items() >= theirs["securityContext"].items()
    keys = ("serviceAccountName", "terminationGracePeriodSeconds", "nodeSelector", "hostNetwork")
    assert [charted.get(key) for key in keys] == [written.get(key) for key in keys]
    assert charted.get("tolerations") == written.get("tolerations")
    assert charted.get("securityContext") == written.get("securityContext")
    assert [entry for entry in theirs["env"] if entry not in ours["env"]] == []


def test_the_chart_and_the_manifest_run_the_same_sidecar() -> None:
    """But for the image's tag; the agent's container needs nothing of it."""
    (written,) = (pod_spec(one) for one in rights.documents("bgp/sidecar.yaml"))
    charted = pod_spec(one(render("--set", "image.tag=dev"), "DaemonSet", "lbnodeagent"))
    (_, ours), (theirs,) = charted["containers"], written["containers"]
    assert {**ours, "image": theirs["image"]} == theirs
    assert [volume for volume in charted["volumes"] if "emptyDir" in volume] == written["volumes"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_chart_and_the_manifest_roll_out_alike(name: str) -> None:
    """One agent at a time; a new allocator before the old one goes."""
    charted = one(render(), WORKLOADS[name], name)["spec"]
    (written,) = (found["spec"] for found in MANIFEST if found["metadata"]["name"] == name)
    for key in ("replicas", "strategy", "updateStrategy", "revisionHistoryLimit"):
        assert charted.get(key) == written.get(key)


def test_agents_are_replaced_at_the_users_pace_if_wished() -> None:
    """The API server refuses the limits of a rolling update beside another strategy."""
    objects = render("--set", "lbnodeagent.updateStrategy.type=OnDelete")
    assert one(objects, "DaemonSet", "lbnodeagent")["spec"]["updateStrategy"] == {
        "type": "OnDelete"
    }


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_release_of_purelbs_chart_can_be_upgraded(name: str) -> None:
    """Selectors are immutable: these are PureLB's. Pods also have the labels of its manifests."""
    spec = one(render(), WORKLOADS[name], name)["spec"]
    selector = {
        "app.kubernetes.io/name": "purelb",
        "app.kubernetes.io/instance": "purelb",
        "app.kubernetes.io/component": name,
    }
    assert spec["selector"] == {"matchLabels": selector}
    labels = selector | {"app": "purelb", "component": name}
    assert spec["template"]["metadata"]["labels"] == labels


def test_the_chart_grants_what_the_manifest_grants() -> None:
    """Role by role and binding by binding; the namespace is the release's."""
    objects = render("--set", "crds.upgrade=false,cleanup.enabled=false")
    kinds = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount")
    said = ("rules", "roleRef", "subjects")
    hooks = ("purelb:check", "purelb-check")
    charted = {
        (found["kind"], found["metadata"]["name"]): [found.get(key) for key in said]
        for found in objects
        if found["kind"] in kinds and found["metadata"]["name"] not in hooks
    }
    written = {
        (found["kind"], found["metadata"]["name"]): [found.get(key) for key in said]
        for found in rights.RBAC
        if found["kind"] in kinds
    }
    assert charted == written


def test_the_sidecar_runs_as_in_purelbs_chart_and_goes_with_its_rights() -> None:
    """Whoever has a BGPConfiguration and does not mention `gobgp` keeps the routes."""
    agents = pod_spec(one(render(), "DaemonSet", "lbnodeagent"))
    assert [one["name"] for one in agents["containers"]] == ["lbnodeagent", "k8gobgp"]
    bare = render("--set", "gobgp.enabled=false")
    agents = pod_spec(one(bare, "DaemonSet", "lbnodeagent"))
    assert [one["name"] for one in agents["containers"]] == ["lbnodeagent"]
    assert not [found for found in bare if found["metadata"]["name"].endswith("k8gobgp")]


def test_the_rights_follow_the_release_into_another_namespace() -> None:
    """Subjects as well as Roles."""
    objects = render("--namespace", "elsewhere")
    subjects = [s for found in objects for s in found.get("subjects", ())]
    assert {subject["namespace"] for subject in subjects} == {"elsewhere"}
    namespaces = {found["metadata"].get("namespace", "elsewhere") for found in objects}
    assert namespaces == {"elsewhere"}


def test_the_chart_has_the_crds_of_this_version() -> None:
    """In Helm's folder, for the first installation, and with the Job that upgrades them."""
    folder = CHART.parents[1] / "crds"
    assert sorted(path.name for path in (CHART / "crds").iterdir()) == sorted(
        path.name for path in folder.iterdir()
    )
    data = one(render(), "ConfigMap", "purelb-crds")["data"]
    assert {name: json.loads(text) for name, text in data.items()} == {
        path.with_suffix(".json").name: yaml.safe_load(path.read_text())
        for path in folder.glob("*.yaml")
    }


def test_a_job_may_touch_our_crds_only_and_no_daemon_may() -> None:
    """Creating cannot be tied to a name; reading and changing is."""
    objects = render()
    create, change = one(objects, "ClusterRole", "purelb:crds")["rules"]
    assert create["verbs"] == ["create"]
    assert sorted(change["resourceNames"]) == sorted(
        path.name.removesuffix(".yaml") for path in (CHART / "crds").iterdir()
    )
    holders = {
        subject["name"]
        for found in objects
        if found["metadata"]["name"] in ("purelb:crds", "purelb:leave", "purelb:check")
        for subject in found.get("subjects", ())
    }
    assert holders == {"purelb-crds", "purelb-leave", "purelb-check"}


def test_what_jobs_need_is_gone_when_they_have_succeeded() -> None:
    """Every object of a hook goes with it; that of a failed one stays to be read."""
    hooks = [o for o in render() if "helm.sh/hook" in o["metadata"].get("annotations", {})]
    assert len(hooks) == 15
    policies = {o["metadata"]["annotations"]["helm.sh/hook-delete-policy"] for o in hooks}
    assert policies == {"before-hook-creation,hook-succeeded"}


def test_every_pod_but_the_agents_is_as_restricted_as_pods_can_be() -> None:
    """Whatever the values do not loosen."""
    owners = [o for o in render() if o["kind"] in ("Deployment", "Job", "Pod")]
    assert len(owners) == 4
    for owner in owners:
        spec = pod_spec(owner)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"].items() >= RESTRICTED.items()


def test_an_eviction_leaves_an_allocator_unless_there_is_only_one() -> None:
    """With one, a budget would block the drain of its node."""
    budget = one(render(), "PodDisruptionBudget", "allocator")
    assert budget["spec"]["maxUnavailable"] == 1
    # Replicas that are both not ready would block the drains of their nodes for ever.
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    single = render("--set", "allocator.replicas=1")
    assert not [found for found in single if found["kind"] == "PodDisruptionBudget"]


def test_agents_have_the_key_of_their_heartbeats_and_run_without_it() -> None:
    """The Secret is optional: an agent must start in a namespace where it is missing."""
    spec = pod_spec(one(render(), "DaemonSet", "lbnodeagent"))
    (volume,) = (found for found in spec["volumes"] if "secret" in found)
    assert volume["secret"]["secretName"] == "purelb-heartbeat"
    assert volume["secret"]["optional"] is True
    mounts = spec["containers"][0]["volumeMounts"]
    (mount,) = (found for found in mounts if found["name"] == volume["name"])
    files = [e["value"] for e in spec["containers"][0]["env"] if e["name"].endswith("KEY_FILE")]
    assert files == [f"{mount['mountPath']}/key"]


def test_the_chart_is_of_this_version() -> None:
    """Images are found by it."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["name"], chart["version"], chart["appVersion"]) == ("purelb", VERSION, VERSION)


def test_the_schema_knows_every_value_and_no_other() -> None:
    """Both ways."""

    def compare(value: Any, schema: Object, path: str) -> None:  # noqa: ANN401
        if "properties" in schema:
            assert value.keys() == schema["properties"].keys(), path
            for name, inner in schema["properties"].items():
                compare(value[name], inner, f"{path}.{name}")

    compare(VALUES, SCHEMA, "")


def test_every_value_is_described_above_its_key() -> None:
    """The reference in the documentation is made of these texts."""
    told = comments()
    assert [path for path, _ in leaves(VALUES, SCHEMA) if not told[path]] == []


def test_every_value_is_used() -> None:
    """But one of PureLB's that has no meaning any more."""
    texts = "\n".join(p.read_text() for p in (CHART / "templates").rglob("*") if p.is_file())
    unused = [
        path
        for path, _ in leaves(VALUES, SCHEMA)
        if not re.search(rf"\.{path.rsplit('.', 1)[-1]}\b", texts)
    ]
    assert unused == ["memberlistSecretKey"]


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("allocator.replicas=-1", "replicas"),
        ("leaseConfig.leaseDuration=ten", "leaseDuration"),
        ("logLevel=chatty", "logLevel"),
        ("lbnodeagent.dummyInterface=a-name-that-is-too-long", "dummyInterface"),
        ("serviceGroup.create=true", "serviceGroup.spec"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_name(setting: str, named: str) -> None:
    """Before anything is installed."""
    done = run("template", "purelb", str(CHART), *KUBERNETES, "--set", setting)
    assert done.returncode != 0
    assert named in done.stderr


def test_a_value_that_nobody_knows_is_ignored() -> None:
    """As PureLB's values of former versions are."""
    assert render("--set", "lbnodeagent.sendgarp=true", "--set", "no.such=1")
