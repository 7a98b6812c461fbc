"""Objects → the snapshot that the command line would read of them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from plugin.core import snapshot as kinds
from plugin.core.snapshot import Kind, Scope, Snapshot
from tests.plugin.scenes import INSTALL, Object, at

NOW = datetime(2026, 6, 1, tzinfo=UTC)
KINDS: dict[str, Kind] = {
    "Service": kinds.SERVICES,
    "ServiceGroup": kinds.GROUPS,
    "LBNodeAgent": kinds.AGENTS,
    "Lease": kinds.LEASES,
    "Node": kinds.NODES,
    "Pod": kinds.PODS,
    "EndpointSlice": kinds.SLICES,
    "Event": kinds.EVENTS,
    "BGPNodeStatus": kinds.BGP_NODES,
    "BGPConfiguration": kinds.BGP_CONFIGS,
}


def world(objects: Iterable[Object], namespace: str = INSTALL) -> Snapshot:
    """Return the snapshot of a cluster with these objects; created one second after the other."""
    found: dict[str, list[Any]] = {kind.name: [] for kind in KINDS.values()}
    for number, given in enumerate(objects):
        one: Object = at(NOW, given)
        kind = KINDS.get(one["kind"])
        if kind is None:
            continue
        meta = one["metadata"]
        if kind.scope is Scope.INSTALL and meta["namespace"] != namespace:
            continue
        created = {"creationTimestamp": f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"}
        body = {**one, "metadata": {"uid": f"uid-{number}", **created, **meta}}
        if one["kind"] == "Service":
            body["spec"] = {
                "clusterIP": "10.96.0.1",
                "ipFamilies": ["IPv4"],
                "externalTrafficPolicy": "Cluster",
                **one["spec"],
            }
        view = kind.view(msgspec.json.encode(body))
        if view is not None:
            found[kind.name].append(view)
    return Snapshot(
        now=NOW.timestamp(),
        namespace=namespace,
        **{name: tuple(views) for name, views in found.items()},
    )
