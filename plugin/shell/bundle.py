"""Everything that a support bundle has: objects as they are, Events, logs; gaps are named in it."""

import json
from datetime import UTC, datetime
from typing import Any

from plugin.core import snapshot as kinds
from plugin.core.components import AGENT, ALLOCATOR, SIDECAR
from plugin.core.problem import PluginError
from plugin.core.redact import redacted
from plugin.core.snapshot import Kind
from plugin.core.wire import Pod, decode_any
from plugin.shell.cluster import Cluster
from plugin.shell.listing import PAGE, Source
from purelb import VERSION

CONTAINERS = (ALLOCATOR, AGENT, SIDECAR)
KINDS = (
    kinds.GROUPS,
    kinds.AGENTS,
    kinds.SERVICES,
    kinds.LEASES,
    kinds.NODES,
    kinds.PODS,
    kinds.SLICES,
    kinds.BGP_NODES,
    kinds.BGP_CONFIGS,
)


def default_name(now: float) -> str:
    """Return the name of a bundle made at that time."""
    return f"purelb-support-{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}"


def collect(cluster: Cluster, log_lines: int) -> dict[str, bytes]:
    """Return file names and contents; what cannot be read is told in `gaps.txt`.

    Raises PluginError if nothing at all can be read.
    """
    files: dict[str, bytes] = {"version.txt": f"kubectl-purelb {VERSION}\n".encode()}
    gaps: list[str] = []
    reasons: list[Exception] = []
    for kind in KINDS:
        try:
            items = _items(cluster, kind)
        except PluginError as error:
            reasons.append(cluster.explained(kind, error))
            gaps.append(f"{kind.resource}: {reasons[-1]}")
            continue
        files[f"objects/{kind.resource}.json"] = _json(items)
    if len(reasons) == len(KINDS):
        raise reasons[0]
    files["objects/events.json"] = _events(cluster, gaps)
    if log_lines:
        files |= _logs(cluster, log_lines, gaps)
    files["gaps.txt"] = "".join(f"{gap}\n" for gap in gaps).encode()
    return files


def _items(cluster: Cluster, kind: Kind) -> list[Any]:
    source = Source(kind, cluster.namespace)
    return _pages(cluster, source.path, source.selectors)


def _pages(cluster: Cluster, path: str, selectors: dict[str, str]) -> list[Any]:
    found: list[Any] = []
    token = ""
    while True:
        more = {"continue": token} if token else {}
        page = decode_any(cluster.client.get(path, {**selectors, "limit": PAGE, **more}))
        found += [redacted(item) for item in page.get("items") or ()]
        token = (page.get("metadata") or {}).get("continue", "")
        if not token:
            return found


def _json(items: list[Any]) -> bytes:
    return json.dumps(items, indent=1, ensure_ascii=False).encode()


def _events(cluster: Cluster, gaps: list[str]) -> bytes:
    """Return the Events of the suite's own objects and of Services."""
    try:
        items = _pages(cluster, "/api/v1/events", {})
    except PluginError as error:
        gaps.append(f"events: {error}")
        return b"[]"
    ours = ("purelb-allocator", "purelb-lbnodeagent", "bgpconfiguration-controller")
    return _json([one for one in items if (one.get("source") or {}).get("component") in ours])


def _logs(cluster: Cluster, lines: int, gaps: list[str]) -> dict[str, bytes]:
    snapshot = cluster.read((), (kinds.PODS,))
    files: dict[str, bytes] = {}
    for pod in snapshot.pods:
        for name in _containers(pod):
            for suffix, previous in (("", "false"), (".previous", "true")):
                if previous == "true" and not _restarts(pod, name):
                    continue
                path = f"/api/v1/namespaces/{cluster.namespace}/pods/{pod.metadata.name}/log"
                params = {"container": name, "tailLines": str(lines), "previous": previous}
                try:
                    content = cluster.client.get(path, params)
                except PluginError as error:
                    gaps.append(f"log of {pod.metadata.name}/{name}: {error}")
                    continue
                files[f"logs/{pod.metadata.name}/{name}{suffix}.log"] = content
    return files


def _containers(pod: Pod) -> list[str]:
    return [one.name for one in pod.spec.containers or () if one.name in CONTAINERS]


def _restarts(pod: Pod, container: str) -> int:
    statuses = pod.status.container_statuses or ()
    return sum(one.restart_count for one in statuses if one.name == container)
