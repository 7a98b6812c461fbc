"""The end of an installation: the daemons leave while they still have the rights to do so.

Helm deletes workloads and rights in one go, and an agent whose rights are gone can neither clear
its slots nor give back its Lease. So they go first, and after them what they left for a successor.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from purelb.runtime.errors import NotFoundError, TransientError
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

Object: TypeAlias = dict[str, Any]

WORKLOADS = ("daemonsets/lbnodeagent", "deployments/allocator")
LEADERS = ("purelb-allocator", "purelb-bgp")
REPORTS = "/apis/bgp.purelb.io/v1/bgpnodestatuses"  # of sidecars that are no more
JOURNAL = "purelb.io/journal"  # label of the records of what external providers hold
# An agent has 30 s; one on a node that does not answer can be told nothing, and holds nothing.
PATIENCE = 90.0
POLL_SECONDS = 0.5
FOREGROUND: Mapping[str, str] = {
    "apiVersion": "v1",
    "kind": "DeleteOptions",
    "propagationPolicy": "Foreground",  # the workload goes after its Pods
}


async def leave(kube: Kube, namespace: str, *, patience: float = PATIENCE) -> None:
    """Delete the workloads, wait until their Pods are gone, and tidy up; raises PurelbError."""
    paths = [f"/apis/apps/v1/namespaces/{namespace}/{workload}" for workload in WORKLOADS]
    for path in paths:
        await _delete(kube, path)
    try:
        async with asyncio.timeout(patience):
            for path in paths:
                await _wait_gone(kube, path)
    except TimeoutError:
        logger.warning("not every Pod has ended", extra={"seconds": patience})
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    for leader in LEADERS:
        await _delete(kube, f"{leases}/{leader}")
    await _tidy_reports(kube)
    await _tidy_journal(kube, f"/api/v1/namespaces/{namespace}/configmaps")
    logger.info("left", extra={"namespace": namespace})


async def _delete(kube: Kube, path: str) -> None:
    try:
        await kube.delete(path, FOREGROUND)
    except NotFoundError:
        return
    logger.info("deleted", extra={"path": path})


async def _wait_gone(kube: Kube, path: str) -> None:
    while True:
        try:
            await kube.get(path)
        except NotFoundError:
            return
        except TransientError as error:
            logger.warning("cannot see whether it is gone", extra={"error": str(error)})
        await asyncio.sleep(POLL_SECONDS)


async def _tidy_reports(kube: Kube) -> None:
    """Delete what sidecars last said of their nodes; a cluster may lack the definition."""
    try:
        listed: Sequence[Object] = json.loads(await kube.get(REPORTS))["items"]
    except NotFoundError:
        return
    for report in listed:
        await _delete(kube, f"{REPORTS}/{report['metadata']['name']}")


async def _tidy_journal(kube: Kube, path: str) -> None:
    """Delete records that say nothing; what a provider still holds stays on record."""
    listed: Sequence[Object] = json.loads(await kube.get(path, {"labelSelector": JOURNAL}))["items"]
    for record in listed:
        name = record["metadata"]["name"]
        if record.get("data"):
            logger.warning("providers still hold addresses", extra={"record": name})
        else:
            await _delete(kube, f"{path}/{name}")
