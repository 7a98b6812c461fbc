"""The CRDs of the chart, applied over what the cluster has. Helm does so only where there is none.

A definition in the cluster that a newer chart has applied stays: ours would take fields away from
it, and the API server would drop them from every object at its next write.
"""

import asyncio
import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from purelb import VERSION
from purelb.core.backoff import Backoff
from purelb.runtime.errors import NotFoundError, SettingsError, TransientError
from purelb.runtime.kube import Kube, PatchType

logger = logging.getLogger(__name__)

Object: TypeAlias = dict[str, Any]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MANAGER = {"fieldManager": "purelb-upkeep", "force": "true"}
APPLIED_BY = "purelb.io/applied-by"  # the version of the chart
ATTEMPTS = 10
PAUSES = Backoff(first=0.2, longest=5.0)


def read(folder: Path) -> Sequence[Object]:
    """Return the definitions in a folder of JSON files, by name; raises SettingsError."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    if not found:
        raise SettingsError(f"{folder} has no definitions")
    return found


def is_newer(other: str, ours: str) -> bool:
    """Tell whether a version is newer than ours; one that is none is not."""
    return _numbers(other) > _numbers(ours)


async def upgrade(kube: Kube, definitions: Sequence[Object]) -> None:
    """Apply definitions and wait until each is served; raises PurelbError."""
    for definition in definitions:
        name = definition["metadata"]["name"]
        applied_by = await _applied_by(kube, name)
        if is_newer(applied_by, VERSION):
            logger.info("a newer chart's CRD stays", extra={"crd": name, "by": applied_by})
            continue
        await _apply(kube, name, definition)
        await _wait_served(kube, name)
        logger.info("CRD is up to date", extra={"crd": name, "before": applied_by or "unknown"})


async def _applied_by(kube: Kube, name: str) -> str:
    """Return the version of the chart that applied a definition; empty if none did."""
    try:
        found = await _get(kube, name)
    except NotFoundError:
        return ""
    version: str = found["metadata"].get("annotations", {}).get(APPLIED_BY, "")
    return version


async def _get(kube: Kube, name: str) -> Object:
    found: Object = json.loads(await kube.get(f"{DEFINITIONS}/{name}"))
    return found


async def _apply(kube: Kube, name: str, definition: Object) -> None:
    meta = definition["metadata"]
    annotations = meta.get("annotations", {}) | {APPLIED_BY: VERSION}
    body = definition | {"metadata": meta | {"annotations": annotations}}
    path = f"{DEFINITIONS}/{name}"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await kube.patch(path, body, patch_type=PatchType.APPLY, params=MANAGER)
            return
        except TransientError:
            if attempt == ATTEMPTS:
                raise
            await asyncio.sleep(PAUSES.delay(attempt))


async def _wait_served(kube: Kube, name: str) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        conditions = (await _get(kube, name)).get("status", {}).get("conditions", ())
        held = {one["type"] for one in conditions if one["status"] == "True"}
        if {"Established", "NamesAccepted"} <= held:
            return
        await asyncio.sleep(PAUSES.delay(attempt))
    raise TransientError(f"{name} is applied, and the API server does not serve it")


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version; () if there are none."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    return tuple(int(text) for text in found.groups()) if found else ()
