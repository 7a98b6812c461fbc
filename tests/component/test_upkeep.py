"""What the chart's Jobs do to an API server: definitions, the end of an installation, its check."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from playground.apiserver import ApiServer
from purelb import VERSION
from purelb.runtime.credentials import Access
from purelb.runtime.errors import NotFoundError, PermanentError, SettingsError
from purelb.runtime.kube import Kube
from upkeep import check, crds, leave

Object = dict[str, Any]
Scenario = Callable[[Kube], Awaitable[None]]

CRDS = Path(__file__).parents[2] / "crds"
GROUPS = f"{crds.DEFINITIONS}/servicegroups.purelb.io"
SPACE = "purelb-system"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{SPACE}/leases"
RECORDS = f"/api/v1/namespaces/{SPACE}/configmaps"
APPS = f"/apis/apps/v1/namespaces/{SPACE}"
WORKLOADS = (f"{APPS}/deployments", f"{APPS}/daemonsets")
SECONDS = 20.0  # generous


def play(scenario: Scenario) -> None:
    """Run a scenario with an embedded API server that has the install namespace."""

    async def run() -> None:
        async with (
            asyncio.timeout(SECONDS),
            ApiServer() as server,
            Kube(Access(server=server.url, token_text="upkeep"), "upkeep") as kube,
        ):
            await kube.post("/api/v1/namespaces", {"metadata": {"name": SPACE}})
            await scenario(kube)

    asyncio.run(run())


def definitions() -> list[Object]:
    """Return the CRDs of this version."""
    return [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]


def older(definition: Object) -> Object:
    """Return a definition whose objects have no status conditions, by somebody else."""
    copy: Object = json.loads(json.dumps(definition))
    (version,) = copy["spec"]["versions"]
    version["schema"]["openAPIV3Schema"]["properties"].pop("status")
    return copy


async def read(kube: Kube, path: str) -> Object:
    """Return an object or a list."""
    found: Object = json.loads(await kube.get(path))
    return found


def properties(definition: Object) -> set[str]:
    """Return what objects of a kind have at their top."""
    (version,) = definition["spec"]["versions"]
    return set(version["schema"]["openAPIV3Schema"]["properties"])


def test_a_definition_that_is_missing_is_made() -> None:
    """And who made it is on record."""

    async def scenario(kube: Kube) -> None:
        await crds.upgrade(kube, definitions())
        made = await read(kube, GROUPS)
        assert made["metadata"]["annotations"][crds.APPLIED_BY] == VERSION

    play(scenario)


def test_an_older_definition_gets_what_it_lacks() -> None:
    """Whoever made it: with PureLB's chart it was Helm."""

    async def scenario(kube: Kube) -> None:
        for definition in definitions():
            await kube.post(crds.DEFINITIONS, older(definition))
        await crds.upgrade(kube, definitions())
        assert "status" in properties(await read(kube, GROUPS))

    play(scenario)


@pytest.mark.parametrize(
    ("version", "stays"), [("99.0.0", True), ("0.0.1", False), ("a branch", False), ("", False)]
)
def test_the_definition_of_a_newer_chart_stays(version: str, stays: bool) -> None:
    """Fields it has and ours has not would vanish from objects."""

    async def scenario(kube: Kube) -> None:
        for definition in definitions():
            body = older(definition)
            body["metadata"]["annotations"] = {crds.APPLIED_BY: version}
            await kube.post(crds.DEFINITIONS, body)
        await crds.upgrade(kube, definitions())
        assert ("status" not in properties(await read(kube, GROUPS))) is stays

    play(scenario)


def test_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    """A mount that is missing must not look like success."""
    with pytest.raises(SettingsError, match="no definitions"):
        crds.read(tmp_path)


def workload(kind: str, name: str, **status: int) -> Object:
    """Return a workload of an image that does not matter."""
    labels = {"app": name}
    container = {"name": name, "image": "none"}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
        "status": status,
    }


def report() -> Object:
    """Return what a BGP sidecar says of its node."""
    kind = {"apiVersion": "bgp.purelb.io/v1", "kind": "BGPNodeStatus"}
    return {**kind, "metadata": {"name": "node-a"}, "spec": {}}


async def install(kube: Kube, *, ready: int = 2) -> None:
    """Make both workloads; of two Pods each so many are ready."""
    deployment = workload("Deployment", "allocator")
    agents = workload("DaemonSet", "lbnodeagent")
    await kube.post(f"{APPS}/deployments", deployment)
    await kube.post(f"{APPS}/daemonsets", agents)
    status = {"replicas": 2, "readyReplicas": 2}
    await kube.patch(f"{APPS}/deployments/allocator/status", {"status": status})
    status = {"desiredNumberScheduled": 2, "numberReady": ready}
    await kube.patch(f"{APPS}/daemonsets/lbnodeagent/status", {"status": status})


def test_leaving_takes_workloads_and_what_only_they_needed() -> None:
    """A record of what a provider holds is kept: nobody else knows it."""

    async def scenario(kube: Kube) -> None:
        await install(kube)
        for definition in definitions():
            await kube.post(crds.DEFINITIONS, definition)
        await kube.post(leave.REPORTS, report())
        for name in ("purelb-allocator", "purelb-bgp", "purelb-node-a"):
            await kube.post(LEASES, {"metadata": {"name": name}})
        for name, data in (("full", {"default/web": "{}"}), ("empty", {})):
            labels = {leave.JOURNAL: "true"}
            await kube.post(RECORDS, {"metadata": {"name": name, "labels": labels}, "data": data})
        await kube.post(RECORDS, {"metadata": {"name": "foreign"}})
        await leave.leave(kube, SPACE)
        left = {
            path: [one["metadata"]["name"] for one in (await read(kube, path))["items"]]
            for path in (*WORKLOADS, leave.REPORTS, LEASES, RECORDS)
        }
        assert list(left.values()) == [[], [], [], ["purelb-node-a"], ["foreign", "full"]]

    play(scenario)


def test_leaving_twice_is_fine() -> None:
    """A Job may be started again."""

    async def scenario(kube: Kube) -> None:
        await leave.leave(kube, SPACE)
        await leave.leave(kube, SPACE)
        with pytest.raises(NotFoundError):
            await kube.get(f"{APPS}/daemonsets/lbnodeagent")

    play(scenario)


def test_a_pod_that_does_not_end_is_waited_for_no_longer_than_it_is_worth() -> None:
    """As on a node that does not answer: it holds nothing any more."""

    async def scenario(kube: Kube) -> None:
        body = workload("DaemonSet", "lbnodeagent")
        body["metadata"]["finalizers"] = ["example.org/never"]
        await kube.post(f"{APPS}/daemonsets", body)
        await leave.leave(kube, SPACE, patience=0.1)
        found = await read(kube, f"{APPS}/daemonsets/lbnodeagent")
        assert "deletionTimestamp" in found["metadata"]

    play(scenario)


@pytest.mark.parametrize(
    ("ready", "condition", "complaint"),
    [
        (2, "True", ""),
        (1, "True", "lbnodeagent: 1 of 2 Pods are ready"),
        (2, "False", "ServiceGroup default: the range is upside down"),
    ],
)
def test_the_check_names_what_is_wrong(ready: int, condition: str, complaint: str) -> None:
    """Workloads and groups."""

    async def scenario(kube: Kube) -> None:
        await crds.upgrade(kube, definitions())
        await install(kube, ready=ready)
        groups = f"/apis/purelb.io/v2/namespaces/{SPACE}/servicegroups"
        pool = {"pool": "192.0.2.1-192.0.2.9", "subnet": "192.0.2.0/24"}
        body = {
            "apiVersion": "purelb.io/v2",
            "kind": "ServiceGroup",
            "metadata": {"name": "default", "namespace": SPACE},
            "spec": {"local": {"v4pools": [pool]}},
        }
        await kube.post(groups, body)
        told = {
            "type": "Ready",
            "status": condition,
            "reason": "Tested",
            "message": "the range is upside down",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        counts = {"allocatedIPv4": 0, "allocatedIPv6": 0}
        await kube.patch(f"{groups}/default/status", {"status": {**counts, "conditions": [told]}})
        if complaint:
            with pytest.raises(PermanentError, match=complaint):
                await check.check(kube, SPACE)
        else:
            await check.check(kube, SPACE)

    play(scenario)


def test_a_check_of_nothing_fails() -> None:
    """Without workloads there is no installation."""

    async def scenario(kube: Kube) -> None:
        with pytest.raises(PermanentError, match="allocator: 0 of 1 Pods"):
            await check.check(kube, SPACE)

    play(scenario)
