"""The playground's kubelet: it runs Pods as processes, and says what became of them."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from playground.api import path_of
from tests.netns.kubeletscene import (
    ADDRESS,
    NODE,
    SECONDS,
    Object,
    Scene,
    World,
    container,
    has_restarted,
    in_world_of_its_own,
    is_ready,
    needs_playground,
    world_of_a_module,
)

SHOW = "import json, os, time; print(json.dumps(dict(os.environ)), flush=True); time.sleep(1000)"
# Says one more thing when it gets SIGUSR1.
TALKATIVE = """
import signal
signal.signal(signal.SIGUSR1, lambda *_: print("four", flush=True))
print("one", "two", "three", sep="\\n", flush=True)
while True: signal.pause()
"""
CALL = """
import json, os, urllib.request
config = json.load(open(os.environ["KUBECONFIG"]))
folder = os.path.dirname(os.environ["KUBECONFIG"])
token = open(os.path.join(folder, config["users"][0]["user"]["tokenFile"])).read()
url = config["clusters"][0]["cluster"]["server"] + "/api/v1/namespaces/default"
request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
print(token, urllib.request.urlopen(request, timeout=5).status, flush=True)
"""
pytestmark = needs_playground


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Run scenarios in one world for this module; each has Pods of its own."""
    yield from world_of_a_module()


def test_a_container_sees_the_fields_it_asks_for_and_not_its_kubelet(world: World) -> None:
    """Variables come from the Pod; the kubelet's own credentials do not get in."""

    async def scenario(scene: Scene) -> None:
        fields = {
            "NAME": "metadata.name",
            "SPACE": "metadata.namespace",
            "UID": "metadata.uid",
            "NODE": "spec.nodeName",
            "HOST": "status.hostIP",
            "IPS": "status.podIPs",
            "COLOR": "metadata.labels['color']",
        }
        env: list[Object] = [
            {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
            for name, path in fields.items()
        ]
        env.append({"name": "PLAIN", "value": "text"})
        pod = await scene.create("fields", {"command": ["python", "-c", SHOW], "env": env})
        seen = json.loads(await scene.wait_said(pod, "}"))
        assert {name: seen[name] for name in (*fields, "PLAIN")} == {
            "NAME": "fields",
            "SPACE": "default",
            "UID": pod["metadata"]["uid"],
            "NODE": NODE,
            "HOST": ADDRESS,
            "IPS": f"{ADDRESS},2001:db8:0:1::11",
            "COLOR": "blue",
            "PLAIN": "text",
        }
        assert pod["metadata"]["uid"] in seen["KUBECONFIG"]

    world(scenario)


def test_a_pod_is_ready_while_it_answers_its_probe(world: World) -> None:
    """A process that hangs is not; it is not killed for that."""

    async def scenario(scene: Scene) -> None:
        probe = {"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 1, "failureThreshold": 1}
        ports = [{"name": "web", "containerPort": 8081}]
        echo = {"image": "registry.example/purelb-kopf/echo:1", "ports": ports}
        await scene.create("answers", echo | {"readinessProbe": probe})
        pod = await scene.until("answers", is_ready)
        await scene.signal("STOP", scene.pid(pod))
        silent = await scene.until("answers", lambda pod: not is_ready(pod))
        await scene.signal("CONT", scene.pid(pod))
        again = await scene.until("answers", is_ready)
        assert silent["status"]["phase"] == "Running"
        assert container(again)["restartCount"] == 0

    world(scenario)


def test_a_container_that_fails_its_liveness_probe_is_started_again(world: World) -> None:
    """It hangs, so only SIGKILL after the grace period ends it."""

    async def scenario(scene: Scene) -> None:
        probe = {"httpGet": {"port": 8082}, "periodSeconds": 1, "failureThreshold": 2}
        ports = [{"containerPort": 8082}]
        echo = {"image": "purelb-kopf/echo:1", "ports": ports}
        started = {"startupProbe": probe | {"failureThreshold": 20}, "livenessProbe": probe}
        await scene.create("hangs", echo | started, terminationGracePeriodSeconds=1)
        pod = await scene.until("hangs", is_ready)
        await scene.signal("STOP", scene.pid(pod))
        again = await scene.until("hangs", has_restarted(1))
        assert container(again)["lastState"]["terminated"]["exitCode"] == 137

    world(scenario)


def test_a_container_that_keeps_ending_is_started_again_and_again(world: World) -> None:
    """Its status says how it ended and that it waits."""

    async def scenario(scene: Scene) -> None:
        await scene.create("ends", {"command": ["sh", "-c", "exit 3"]})

        def is_waiting(pod: Object) -> bool:
            return container(pod)["restartCount"] >= 2 and "waiting" in container(pod)["state"]

        pod = await scene.until("ends", is_waiting)
        assert container(pod)["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        assert container(pod)["lastState"]["terminated"]["exitCode"] == 3
        assert pod["status"]["phase"] == "Running"
        await scene.delete("ends")

    world(scenario)


def test_a_pod_that_is_to_run_once_succeeds(world: World) -> None:
    """Nothing is restarted, and the phase says the outcome."""

    async def scenario(scene: Scene) -> None:
        await scene.create("once", {"command": ["true"]}, restartPolicy="Never")
        pod = await scene.until("once", lambda pod: "terminated" in container(pod)["state"])
        assert pod["status"]["phase"] == "Succeeded"
        assert container(pod)["restartCount"] == 0

    world(scenario)


def test_a_container_sees_its_volumes_and_nobody_else_does(world: World) -> None:
    """Secrets and ConfigMaps cannot be written; what is optional may be missing."""
    look = (
        "cat /run/a/secret/key /run/a/config/text; touch /run/a/empty/x && echo; ls /run/a/none;"
        "touch /run/a/secret/x 2>/dev/null || echo refused; sleep 1000"
    )

    async def scenario(scene: Scene) -> None:
        api = scene.cluster.api
        meta = {"name": "content", "namespace": "default"}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta}
        await api.create({**secret, "data": {"key": "c2VjcmV0Cg=="}})
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}
        await api.create({**config, "data": {"text": "plain\n"}})
        names = ("secret", "config", "empty", "none")
        mounts = [{"name": name, "mountPath": f"/run/a/{name}"} for name in names]
        volumes = [
            {"name": "secret", "secret": {"secretName": "content"}},
            {"name": "config", "configMap": {"name": "content"}},
            {"name": "empty", "emptyDir": {}},
            {"name": "none", "secret": {"secretName": "none", "optional": True}},
        ]
        await scene.create(
            "volumes", {"command": ["sh", "-c", look], "volumeMounts": mounts}, volumes=volumes
        )
        pod = await scene.until("volumes", is_ready)
        said = await scene.wait_said(pod, "refused")
        assert said == "secret\nplain\n\nrefused\n"
        outside = await scene.cluster.run(NODE, "ls", "/run/a/secret")
        assert outside.stdout == ""

    world(scenario)


def test_a_volume_that_cannot_be_keeps_the_container_from_starting(world: World) -> None:
    """A folder of the machine is not the playground's to make."""

    async def scenario(scene: Scene) -> None:
        mount = {"name": "empty", "mountPath": "/no/such/folder"}
        volumes = [{"name": "empty", "emptyDir": {}}]
        spec = {"command": ["sleep", "1000"], "volumeMounts": [mount]}
        await scene.create("misplaced", spec, volumes=volumes)
        pod = await scene.until(
            "misplaced",
            lambda one: (
                container(one)["state"].get("waiting", {}).get("reason")
                == "CreateContainerConfigError"
            ),
        )
        assert "/no/such/folder is neither" in container(pod)["state"]["waiting"]["message"]

    world(scenario)


def test_an_image_that_nobody_knows_is_not_pulled(world: World) -> None:
    """The Pod waits, with the reason."""

    async def scenario(scene: Scene) -> None:
        await scene.create("unknown", {"image": "registry.example/other:1"})
        pod = await scene.until(
            "unknown", lambda pod: container(pod)["state"]["waiting"]["reason"] == "ErrImagePull"
        )
        assert pod["status"]["phase"] == "Pending"

    world(scenario)


def test_a_pod_with_a_network_of_its_own_reaches_the_api_server(world: World) -> None:
    """In its node's name, with the token of its ServiceAccount."""

    async def scenario(scene: Scene) -> None:
        pod = await scene.create(
            "own-network",
            {"command": ["python", "-c", CALL]},
            hostNetwork=False,
            restartPolicy="Never",
            serviceAccountName="caller",
        )
        said = await scene.wait_said(pod, "\n")
        ended = await scene.until("own-network", lambda pod: pod["status"]["phase"] != "Running")
        assert said == "system:serviceaccount:default:caller 200\n"
        assert ended["status"]["podIP"].startswith("10.244.11.")

    world(scenario)


def test_logs_are_served_by_their_last_lines_and_while_they_grow(world: World) -> None:
    """Of the run before as well."""

    async def scenario(scene: Scene) -> None:
        pod = await scene.running("talks", "python", "-c", TALKATIVE)
        await scene.wait_said(pod, "three")
        async with scene.following("talks", "?follow=true&tailLines=1") as lines:
            first = await lines.readline()
            await scene.signal("USR1", scene.pid(pod))
            second = await lines.readline()
            tail = await scene.logs("talks", "?tailLines=2")
            await scene.signal("KILL", scene.pid(pod))
            rest = await lines.read()
        await scene.wait_said(pod, "three", attempt=1)
        before = await scene.logs("talks", "?previous=true")
        assert (first, second, rest) == (b"three\n", b"four\n", b"")
        assert tail == "three\nfour\n"
        assert before == "one\ntwo\nthree\nfour\n"

    world(scenario)


def test_the_nodes_lease_is_renewed(world: World) -> None:
    """And the Node says that it is ready, with room for Pods."""

    async def scenario(scene: Scene) -> None:
        times = set()
        async with asyncio.timeout(SECONDS):
            async for _, lease in scene.cluster.api.watch(path_of("Lease", "kube-node-lease")):
                times.add(lease["spec"]["renewTime"])
                if len(times) == 3:
                    break
        node = await scene.cluster.api.get(path_of("Node", name=NODE))
        ready = {entry["type"]: entry["status"] for entry in node["status"]["conditions"]}
        assert ready["Ready"] == "True"
        assert node["status"]["allocatable"]["pods"] == "110"

    world(scenario)


def test_a_token_is_replaced_before_its_life_is_over() -> None:
    """The file gets a new content at the same path, as a whole."""

    async def scenario(scene: Scene) -> None:
        pod = await scene.running("long", "sleep", "1000")
        folder = scene.cluster.paths.folder / "kubelet" / NODE / pod["metadata"]["uid"]
        token = folder / ".credentials/token"
        first = token.stat().st_ino
        await scene.cluster.wait_log(f"kubelet-{NODE}", "token of default replaced")
        assert token.stat().st_ino != first
        assert token.read_text() == "system:serviceaccount:default:default"

    in_world_of_its_own(scenario, token_seconds=1.0)
