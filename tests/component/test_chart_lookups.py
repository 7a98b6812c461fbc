"""What the chart makes of what it finds in a cluster: the embedded API server's answers to Helm."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.charts import CHART, KUBERNETES, NAMESPACE, Object, helm, one, render

SECONDS = 30
SELECTED = {
    "app.kubernetes.io/name": "purelb",
    "app.kubernetes.io/instance": "purelb",
    "app.kubernetes.io/component": "lbnodeagent",
}
FORMER = [
    {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "update"]},
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["get", "list", "watch", "create", "update", "delete"],
    },
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An API server, and Helm with a configuration that leads to it."""

    url: str
    folder: Path

    def create(self, path: str, body: Object) -> None:
        """Store an object."""
        request = urllib.request.Request(
            f"{self.url}/{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": "Bearer test"},
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as reply:
            assert reply.status == 201

    def render(self) -> tuple[Object, ...]:
        """Return all objects of the chart, for what there is in the cluster."""
        user = {"name": "u", "user": {"token": "test"}}
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [user],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        config = self.folder / "config"
        config.write_text(json.dumps(body))
        arguments = ("template", "purelb", str(CHART), "--namespace", NAMESPACE)
        done = subprocess.run(
            (helm(), *arguments, "--dry-run=server", *KUBERNETES),
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "KUBECONFIG": str(config)},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return tuple(found for found in yaml.load_all(done.stdout, yaml.CSafeLoader) if found)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Run the server as a program, with the install namespace and nothing else."""
    helm()  # or skip
    command = [sys.executable, "-m", "playground.apiserver"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = Server(url=process.stdout.readline().split()[1], folder=tmp_path)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        found.create("api/v1/namespaces", namespace)
        yield found
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0


def workload(server: Server, *, is_ours: bool) -> None:
    """Store the agents' DaemonSet, without Pods."""
    body = dict(one(render(), "DaemonSet", "lbnodeagent"))
    if not is_ours:
        body["metadata"] = {key: body["metadata"][key] for key in ("name", "namespace")}
    server.create(f"apis/apps/v1/namespaces/{NAMESPACE}/daemonsets", body)


def pod(server: Server, name: str, labels: Mapping[str, str]) -> None:
    """Store an agent's Pod."""
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {"containers": [{"name": "lbnodeagent", "image": "x"}]},
    }
    server.create(f"api/v1/namespaces/{NAMESPACE}/pods", body)


def rights(objects: tuple[Object, ...]) -> list[Object]:
    """Return the rules by which PureLB's agents keep their rights: those that ours do not need."""
    own = one(render(), "ClusterRole", "purelb:lbnodeagent")["rules"]
    return [r for r in one(objects, "ClusterRole", "purelb:lbnodeagent")["rules"] if r not in own]


def test_a_fresh_installation_grants_nothing_to_purelbs_agents(server: Server) -> None:
    """There are none."""
    assert rights(server.render()) == []


def test_the_first_upgrade_leaves_purelbs_agents_their_rights(server: Server) -> None:
    """They run until their node's turn comes."""
    workload(server, is_ours=False)
    assert rights(server.render()) == FORMER


def test_an_upgrade_run_again_leaves_purelbs_last_agents_their_rights(server: Server) -> None:
    """The workload is ours already; on a node whose turn has not come is theirs."""
    workload(server, is_ours=True)
    pod(server, "lbnodeagent-a", {**SELECTED, "app": "purelb", "component": "lbnodeagent"})
    pod(server, "lbnodeagent-b", {**SELECTED, "helm.sh/chart": "purelb-v0.17.0"})
    assert rights(server.render()) == FORMER


def test_an_upgrade_takes_these_rights_away_when_all_agents_are_ours(server: Server) -> None:
    """Pods of others in the namespace do not matter."""
    workload(server, is_ours=True)
    pod(server, "lbnodeagent-a", {**SELECTED, "app": "purelb", "component": "lbnodeagent"})
    pod(server, "another", {"app": "another"})
    assert rights(server.render()) == []


def test_an_upgrade_keeps_the_key_of_heartbeats(server: Server) -> None:
    """Agents with different keys do not hear each other."""
    secret = {**one(render(), "Secret", "purelb-heartbeat"), "data": {"key": "a2V5"}}
    server.create(f"api/v1/namespaces/{NAMESPACE}/secrets", secret)
    assert one(server.render(), "Secret", "purelb-heartbeat")["data"] == {"key": "a2V5"}
