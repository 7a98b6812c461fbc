"""Whether an installation is well: what `helm test` asks.

One line for each thing that was looked at; it fails if one is not as it should be.
"""

import json
import logging
from typing import Any, TypeAlias

from purelb.runtime.errors import NotFoundError, PermanentError
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

Object: TypeAlias = dict[str, Any]


async def check(kube: Kube, namespace: str) -> None:
    """Look at workloads and groups; raises PermanentError that names what is wrong."""
    findings = [
        *_workload(await _get(kube, f"/apis/apps/v1/namespaces/{namespace}/deployments/allocator")),
        *_agents(await _get(kube, f"/apis/apps/v1/namespaces/{namespace}/daemonsets/lbnodeagent")),
    ]
    groups = await _get(kube, f"/apis/purelb.io/v2/namespaces/{namespace}/servicegroups")
    for group in groups.get("items", ()):
        findings += _group(group)
    if findings:
        raise PermanentError("; ".join(findings))
    logger.info("all is well", extra={"groups": len(groups.get("items", ()))})


async def _get(kube: Kube, path: str) -> Object:
    """Return an object or a list; empty if there is none."""
    try:
        found: Object = json.loads(await kube.get(path))
    except NotFoundError:
        return {}
    return found


def _workload(deployment: Object) -> list[str]:
    status = deployment.get("status", {})
    return _compared("allocator", status.get("readyReplicas", 0), status.get("replicas", 1))


def _agents(daemon_set: Object) -> list[str]:
    status = daemon_set.get("status", {})
    wanted = status.get("desiredNumberScheduled", 1)
    return _compared("lbnodeagent", status.get("numberReady", 0), wanted)


def _compared(name: str, ready: int, wanted: int) -> list[str]:
    logger.info("Pods ready", extra={"workload": name, "ready": ready, "wanted": wanted})
    return [] if ready >= wanted else [f"{name}: {ready} of {wanted} Pods are ready"]


def _group(group: Object) -> list[str]:
    """Return what is wrong with a ServiceGroup; one without conditions tells nothing."""
    name = group["metadata"]["name"]
    for condition in group.get("status", {}).get("conditions", ()):
        if condition["type"] == "Ready" and condition["status"] == "False":
            return [f"ServiceGroup {name}: {condition['message']}"]
    logger.info("ServiceGroup", extra={"group": name, "status": "nothing is wrong with it"})
    return []
