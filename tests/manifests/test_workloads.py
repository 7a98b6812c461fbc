"""The workloads, read as data: what users, dashboards and scripts rely on is there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

Object = Mapping[str, Any]

MANIFEST = Path(__file__).parents[2] / "deploy/workloads.yaml"
KINDS = {"allocator": "Deployment", "lbnodeagent": "DaemonSet"}
PORT = 7472
FIELDS = {"PURELB_NODE_NAME": "spec.nodeName", "PURELB_HOST": "status.hostIP"}


def workload(name: str) -> Object:
    """Return a workload by its name."""
    found = {one["metadata"]["name"]: one for one in yaml.safe_load_all(MANIFEST.read_text())}
    assert {key: one["kind"] for key, one in found.items()} == KINDS
    only: Object = found[name]
    return only


def pod(name: str) -> Object:
    """Return the Pods' spec."""
    spec: Object = workload(name)["spec"]["template"]["spec"]
    return spec


def container(name: str) -> Object:
    """Return the only container."""
    (only,) = pod(name)["containers"]
    found: Object = only
    return found


def variables(name: str) -> dict[str, str]:
    """Return each variable's value, or the path of the field it comes from."""
    return {
        one["name"]: one["value"] if "value" in one else one["valueFrom"]["fieldRef"]["fieldPath"]
        for one in container(name)["env"]
    }


@pytest.mark.parametrize("name", KINDS)
def test_pods_are_found_by_the_labels_and_container_names_that_tools_use(name: str) -> None:
    """Selectors are immutable: they are the same for ever."""
    labels = {"app": "purelb", "component": name}
    spec = workload(name)["spec"]
    assert spec["selector"] == {"matchLabels": labels}
    assert spec["template"]["metadata"]["labels"] == labels
    assert container(name)["name"] == name
    assert container(name)["image"] == f"purelb-kopf/{name}:dev"
    assert "command" not in container(name)
    assert "args" not in container(name)


@pytest.mark.parametrize("name", KINDS)
def test_metrics_are_found_by_annotation_and_by_the_name_of_the_port(name: str) -> None:
    """As scrape configurations do."""
    assert workload(name)["spec"]["template"]["metadata"]["annotations"] == {
        "prometheus.io/port": str(PORT),
        "prometheus.io/scrape": "true",
    }
    assert container(name)["ports"] == [{"name": "monitoring", "containerPort": PORT}]


@pytest.mark.parametrize("name", KINDS)
def test_probes_ask_the_endpoints_that_the_daemon_serves(name: str) -> None:
    """`purelb.runtime.health` serves both paths on the metrics port."""
    asked = {kind: container(name)[f"{kind}Probe"]["httpGet"] for kind in ("liveness", "readiness")}
    assert asked == {
        "liveness": {"path": "/healthz", "port": "monitoring"},
        "readiness": {"path": "/readyz", "port": "monitoring"},
    }


def test_a_second_allocator_stands_by_and_a_leader_has_time_to_give_back_its_lease() -> None:
    """A rolling update starts a new one before the old one goes."""
    spec = workload("allocator")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["type"] == "RollingUpdate"
    assert pod("allocator")["terminationGracePeriodSeconds"] == 5


def test_an_agent_has_the_time_that_leaving_in_order_takes() -> None:
    """And lives in its node's network."""
    assert pod("lbnodeagent")["terminationGracePeriodSeconds"] == 30
    assert pod("lbnodeagent")["hostNetwork"] is True


def test_the_environment_names_what_the_settings_read() -> None:
    """Services without a class are ours; the agent is told which node and Pod it is."""
    common = {
        "DEFAULT_ANNOUNCER": "PureLB",
        "PURELB_NAMESPACE": "metadata.namespace",
        "PURELB_POD_UID": "metadata.uid",
        "PURELB_LEASE_DURATION": "10s",
    }
    assert variables("allocator") == common
    assert variables("lbnodeagent") == common | FIELDS


@pytest.mark.parametrize(("name", "added"), [("allocator", None), ("lbnodeagent", "NET")])
def test_containers_have_no_privileges_but_those_for_the_network(
    name: str, added: str | None
) -> None:
    """Only agents have any."""
    security = container(name)["securityContext"]
    capabilities = security["capabilities"]
    assert capabilities["drop"] == ["ALL"]
    assert capabilities.get("add") == (["NET_ADMIN", "NET_RAW"] if added else None)
    assert security["allowPrivilegeEscalation"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert (pod(name).get("securityContext") or {}).get("runAsNonRoot") is (None if added else True)
