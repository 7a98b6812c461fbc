"""Stock kubectl against the embedded API server."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from playground.controlplane.binaries import locate

SECONDS = 30
KUBECTL = locate("kubectl", os.environ)
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: pets.kubectl.example}
spec:
  group: kubectl.example
  scope: Namespaced
  names: {kind: Pet, plural: pets, shortNames: [pt]}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      additionalPrinterColumns:
        - {name: Sound, type: string, jsonPath: .spec.sound}
        - {name: Legs, type: integer, jsonPath: .spec.legs, priority: 1}
      schema:
        openAPIV3Schema:
          type: object
          description: An animal.
          properties:
            spec:
              type: object
              required: [sound]
              properties:
                sound: {type: string, description: What it says.}
                legs: {type: integer, default: 4}
            status:
              type: object
              x-kubernetes-preserve-unknown-fields: true
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}, {name: https, port: 443}]
"""
PET = """
apiVersion: kubectl.example/v1
kind: Pet
metadata: {name: rex}
spec: {sound: woof}
"""

pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl with a configuration and a cache of its own."""

    folder: Path
    url: str
    namespace: str = "default"

    def command(self, *arguments: str) -> list[str]:
        """Return the command line."""
        assert KUBECTL is not None
        return [str(KUBECTL), "--namespace", self.namespace, *arguments]

    def environment(self) -> dict[str, str]:
        """Return an environment in which nothing of the user's matters."""
        config = self.folder / "config"
        if not config.exists():
            cluster = {"name": "c", "cluster": {"server": self.url}}
            user = {"name": "u", "user": {"token": "kubectl-test"}}
            context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
            body = {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [cluster],
                "users": [user],
                "contexts": [context],
                "current-context": "x",
            }
            config.write_text(json.dumps(body))
        kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        return kept | {"HOME": str(self.folder), "KUBECONFIG": str(config)}

    def run(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.command(*arguments),
            input=text,
            capture_output=True,
            text=True,
            env=self.environment(),
            timeout=SECONDS,
            check=False,
        )

    def __call__(self, *arguments: str, text: str = "") -> str:
        """Run a command that must succeed; returns what it printed."""
        done = self.run(*arguments, text=text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def failing(self, *arguments: str, text: str = "") -> str:
        """Run a command that must fail; returns what it complained about."""
        done = self.run(*arguments, text=text)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return an object."""
        found = json.loads(self("get", *arguments, "-o", "json"))
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the server as a program, with a CRD from a file."""
    folder = tmp_path_factory.mktemp("crds")
    (folder / "pets.yaml").write_text(CRD)
    command = [sys.executable, "-m", "playground.apiserver", "--crds", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[1]
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for kubectl's configuration and cache."""
    return tmp_path_factory.mktemp("kubectl")


@pytest.fixture
def kubectl(folder: Path, server_url: str, request: pytest.FixtureRequest) -> Kubectl:
    """Return kubectl in a namespace of its own."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name)[:50].strip("-")
    Kubectl(folder, server_url)("create", "namespace", name)
    return Kubectl(folder, server_url, name)


def test_apply_creates_leaves_alone_and_changes(kubectl: Kubectl) -> None:
    """Client-side apply with its annotation."""
    assert kubectl("apply", "-f", "-", text=SERVICE) == "service/web created\n"
    assert kubectl("apply", "-f", "-", text=SERVICE) == "service/web unchanged\n"
    changed = SERVICE.replace("8080", "8081")
    assert kubectl("apply", "-f", "-", text=changed) == "service/web configured\n"
    ports = kubectl.get("svc", "web")["spec"]["ports"]
    assert [(port["port"], port["targetPort"]) for port in ports] == [(80, 8081), (443, 443)]
    fewer = changed.replace(", {name: https, port: 443}", "")
    kubectl("apply", "-f", "-", text=fewer)
    assert [port["port"] for port in kubectl.get("svc", "web")["spec"]["ports"]] == [80]


def test_server_side_apply_reports_conflicts(kubectl: Kubectl) -> None:
    """Force takes over; kubectl moves the record of its client-side applies along."""
    kubectl("apply", "-f", "-", text=SERVICE)
    same = kubectl("apply", "--server-side", "-f", "-", text=SERVICE)
    assert same == "service/web serverside-applied\n"
    other = ("apply", "--server-side", "--field-manager=other", "-f", "-")
    changed = SERVICE.replace("8080", "8081")
    complaint = kubectl.failing(*other, text=changed)
    assert 'conflict with "kubectl"' in complaint
    assert '.spec.ports[port=80,protocol="TCP"].targetPort' in complaint
    kubectl(*other, "--force-conflicts", text=changed)
    managers = kubectl("get", "svc", "web", "-o", "yaml", "--show-managed-fields")
    assert "manager: other" in managers
    assert "manager: kubectl\n" in managers


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("strategic", '{"spec":{"ports":[{"port":80,"appProtocol":"http"}]}}'),
        ("merge", '{"metadata":{"labels":{"x":"y"}}}'),
        ("json", '[{"op":"replace","path":"/spec/sessionAffinity","value":"ClientIP"}]'),
    ],
)
def test_patches_of_all_types_are_understood(kubectl: Kubectl, kind: str, patch: str) -> None:
    """And a patch that changes nothing says so."""
    kubectl("create", "-f", "-", text=SERVICE)
    command = ("patch", "svc", "web", f"--type={kind}", "-p", patch)
    assert kubectl(*command) == "service/web patched\n"
    assert kubectl(*command) == "service/web patched (no change)\n"


def test_the_status_can_be_patched_and_waited_for(kubectl: Kubectl) -> None:
    """`wait` on a JSON path, as scripts do for an address."""
    kubectl("create", "-f", "-", text=SERVICE)
    wait = ("wait", "svc/web", "--for=jsonpath={.status.loadBalancer.ingress[0].ip}=192.0.2.7")
    command = kubectl.command(*wait, f"--timeout={SECONDS}s")
    with subprocess.Popen(
        command, env=kubectl.environment(), stdout=subprocess.PIPE, text=True
    ) as waiting:
        patch = '{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.7"}]}}}'
        kubectl("patch", "svc", "web", "--subresource=status", "--type=merge", "-p", patch)
        out, _ = waiting.communicate(timeout=SECONDS)
    assert (waiting.returncode, out) == (0, "service/web condition met\n")
    table = kubectl("get", "svc")
    assert re.search(r"web +LoadBalancer +10\.96\.\d+\.\d+ +192\.0\.2\.7 +80:", table)


def test_a_watch_prints_each_change(kubectl: Kubectl) -> None:
    """As a table, row by row."""
    kubectl("create", "-f", "-", text=SERVICE)
    command = kubectl.command("get", "svc", "-w", "--output-watch-events")
    with subprocess.Popen(
        command, env=kubectl.environment(), stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        head = watching.stdout.readline()
        assert head.split()[:3] == ["EVENT", "NAME", "TYPE"]
        assert watching.stdout.readline().split()[:2] == ["ADDED", "web"]
        kubectl("label", "svc", "web", "color=red")
        assert watching.stdout.readline().split()[:2] == ["MODIFIED", "web"]
        kubectl("delete", "svc", "web")
        assert watching.stdout.readline().split()[:2] == ["DELETED", "web"]
        watching.terminate()


def test_labels_annotations_and_selectors_work(kubectl: Kubectl) -> None:
    """Set, overwrite, remove, select."""
    kubectl("create", "-f", "-", text=SERVICE)
    kubectl("label", "svc", "web", "tier=front")
    kubectl("annotate", "svc", "web", "example.com/note=hello")
    assert "web" in kubectl("get", "svc", "-l", "tier in (front),app=web", "-o", "name")
    assert kubectl("get", "svc", "-l", "tier!=front", "-o", "name") == ""
    assert kubectl("get", "svc", "--field-selector=spec.type=ClusterIP", "-o", "name") == ""
    kubectl("label", "svc", "web", "tier-")
    metadata = kubectl.get("svc", "web")["metadata"]
    assert "tier" not in metadata["labels"]
    assert metadata["annotations"]["example.com/note"] == "hello"


def test_long_lists_are_read_in_chunks(kubectl: Kubectl) -> None:
    """All items arrive, in order."""
    names = [f"m{number:02}" for number in range(25)]
    items = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in names
    ]
    body = {"apiVersion": "v1", "kind": "List", "items": items}
    kubectl("create", "-f", "-", text=json.dumps(body))
    printed = kubectl("get", "cm", "--chunk-size=10", "-o", "name").split()
    assert [line.removeprefix("configmap/") for line in printed] == names


def test_delete_waits_until_the_object_is_gone(kubectl: Kubectl) -> None:
    """Also when a finalizer has to be removed by somebody else."""
    kubectl("create", "-f", "-", text=PET)
    kubectl("patch", "pet", "rex", "--type=merge", "-p", '{"metadata":{"finalizers":["a.b/c"]}}')
    command = kubectl.command("delete", "pet", "rex", "--wait", f"--timeout={SECONDS}s")
    with subprocess.Popen(command, env=kubectl.environment(), stdout=subprocess.PIPE) as deleting:
        kubectl("wait", "pet/rex", "--for=jsonpath={.metadata.deletionTimestamp}")
        assert deleting.poll() is None
        kubectl("patch", "pet", "rex", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        assert deleting.wait(SECONDS) == 0
    assert 'pets.kubectl.example "rex" not found' in kubectl.failing("get", "pet", "rex")


def test_replace_and_edit_carry_the_version(kubectl: Kubectl, tmp_path: Path) -> None:
    """An editor that changes one word."""
    kubectl("create", "-f", "-", text=PET)
    body = kubectl("get", "pet", "rex", "-o", "yaml")
    kubectl("replace", "-f", "-", text=body.replace("woof", "arf"))
    assert "the object has been modified" in kubectl.failing("replace", "-f", "-", text=body)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/arf/yip/ "$1"\n')
    editor.chmod(0o755)
    done = subprocess.run(
        kubectl.command("edit", "pet", "rex"),
        env=kubectl.environment() | {"EDITOR": str(editor)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert kubectl.get("pet", "rex")["spec"] == {"sound": "yip", "legs": 4}


def test_a_custom_kind_is_shown_in_its_columns(kubectl: Kubectl) -> None:
    """Wide has more, JSON and YAML have all."""
    kubectl("create", "-f", "-", text=PET)
    assert kubectl("get", "pt").splitlines() == ["NAME   SOUND", "rex    woof"]
    assert kubectl("get", "pt", "-o", "wide").splitlines() == [
        "NAME   SOUND   LEGS",
        "rex    woof    4",
    ]
    assert "sound: woof" in kubectl("get", "pt", "rex", "-o", "yaml")


def test_unknown_fields_are_refused_before_anything_is_stored(kubectl: Kubectl) -> None:
    """kubectl asks the server to be strict."""
    complaint = kubectl.failing("create", "-f", "-", text=PET.replace("sound:", "tail: 1, sound:"))
    assert 'unknown field "spec.tail"' in complaint
    complaint = kubectl.failing("create", "-f", "-", text=PET.replace("woof", "1"))
    assert "must be of type string" in complaint
    assert kubectl("get", "pets", "-o", "name") == ""


def test_explain_tells_what_fields_mean(kubectl: Kubectl) -> None:
    """For custom and built-in kinds."""
    told = kubectl("explain", "pets.spec.sound")
    assert "What it says." in told
    assert "sound\t<string> -required-" in kubectl("explain", "pets.spec")
    assert "-required-" in kubectl("explain", "service.spec.ports")
    assert "legs\t<integer>" in kubectl("explain", "pet", "--recursive")


def test_describe_shows_the_events_of_an_object(kubectl: Kubectl) -> None:
    """Found by field selectors."""
    kubectl("create", "-f", "-", text=SERVICE)
    uid = kubectl.get("svc", "web")["metadata"]["uid"]
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "web.1"},
        "involvedObject": {
            "kind": "Service",
            "namespace": kubectl.namespace,
            "name": "web",
            "uid": uid,
        },
        "reason": "AddressAssigned",
        "message": "took it from the pool",
        "type": "Normal",
        "source": {"component": "tester"},
        "lastTimestamp": "2024-01-01T00:00:00Z",
    }
    kubectl("create", "-f", "-", text=json.dumps(event))
    told = kubectl("describe", "svc", "web")
    assert re.search(r"Type: +LoadBalancer", told)
    assert re.search(r"AddressAssigned .* tester +took it from the pool", told)
    assert "AddressAssigned" in kubectl("get", "events")


def test_dry_runs_and_diffs_leave_things_as_they_are(kubectl: Kubectl) -> None:
    """The difference is the server's."""
    kubectl("create", "-f", "-", text=PET)
    told = kubectl("apply", "--dry-run=server", "-f", "-", text=PET.replace("woof", "arf"))
    assert "(server dry run)" in told
    done = kubectl.run("diff", "-f", "-", text=PET.replace("woof", "arf"))
    assert done.returncode == 1, done.stderr
    assert "+  sound: arf" in done.stdout
    assert kubectl.get("pet", "rex")["spec"]["sound"] == "woof"


def test_kinds_can_be_listed_and_watched_for(kubectl: Kubectl) -> None:
    """Discovery, with short names."""
    table = kubectl("api-resources")
    assert re.search(r"pets +pt +kubectl.example/v1 +true +Pet", table)
    assert re.search(r"services +svc +v1 +true +Service", table)
    crd = CRD.replace("kubectl.example", "late.example").replace("pets", "birds")
    crd = crd.replace("Pet", "Bird").replace("[pt]", "[bd]")
    kubectl("create", "-f", "-", text=crd)
    kubectl("wait", "crd/birds.late.example", "--for=condition=Established")
    assert kubectl("get", "birds", "-o", "name") == ""


def test_simple_objects_can_be_made_from_the_command_line(kubectl: Kubectl) -> None:
    """These commands speak protobuf."""
    kubectl("create", "configmap", "settings", "--from-literal=a=b")
    assert kubectl.get("cm", "settings")["data"] == {"a": "b"}
    kubectl("create", "secret", "generic", "hidden", "--from-literal=key=value")
    assert kubectl.get("secret", "hidden")["data"] == {"key": "dmFsdWU="}
    kubectl("create", "service", "loadbalancer", "lb", "--tcp=80:8080")
    spec = kubectl.get("svc", "lb")["spec"]
    assert (spec["type"], spec["ports"][0]["port"]) == ("LoadBalancer", 80)
    assert spec["ports"][0]["targetPort"] == 8080
    kubectl("create", "deployment", "idle", "--image=none", "--replicas=0")
    spec = kubectl.get("deploy", "idle")["spec"]
    assert spec["replicas"] == 0
    assert spec["template"]["spec"]["containers"][0]["image"] == "none"
    kubectl("create", "serviceaccount", "robot")
    assert kubectl.get("sa", "robot")["metadata"]["name"] == "robot"


def test_a_namespace_can_be_deleted_with_its_content(kubectl: Kubectl) -> None:
    """kubectl waits for the end."""
    kubectl("create", "-f", "-", text=SERVICE)
    kubectl("delete", "namespace", kubectl.namespace, "--wait", f"--timeout={SECONDS}s")
    assert "not found" in kubectl.failing("get", "namespace", kubectl.namespace)
