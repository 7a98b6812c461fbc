"""Columns that kubectl shows for built-in kinds, as kube-apiserver prints them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from playground.apiserver.jsonpath import compiled_path
from playground.apiserver.kinds import Column
from playground.apiserver.tables import AGE, NAME, age

JsonObject = dict[str, Any]
NONE = "<none>"
ROLE = "node-role.kubernetes.io/"


def _column(
    name: str, cell: Callable[[JsonObject], object], *, wide: bool = False, kind: str = "string"
) -> Column:
    return Column(name=name, cell=cell, priority=int(wide), type=kind)


def _at(path: str, absent: object = NONE) -> Callable[[JsonObject], object]:
    find = compiled_path(path)

    def cell(obj: JsonObject) -> object:
        found = find(obj)
        return found[0] if found and found[0] not in (None, "") else absent

    return cell


def _spec(obj: JsonObject) -> JsonObject:
    spec = obj.get("spec")
    return spec if isinstance(spec, dict) else {}


def _status(obj: JsonObject) -> JsonObject:
    status = obj.get("status")
    return status if isinstance(status, dict) else {}


def _service_external_ip(obj: JsonObject) -> str:
    spec = _spec(obj)
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    ips = list(spec.get("externalIPs", ()))
    if spec.get("type") == "LoadBalancer":
        ingress = (_status(obj).get("loadBalancer") or {}).get("ingress", ())
        ips = sorted({e.get("ip") or e.get("hostname", "") for e in ingress} - {""}) + ips
        return ",".join(ips) or "<pending>"
    return ",".join(ips) or NONE


def _service_ports(obj: JsonObject) -> str:
    texts = []
    for port in _spec(obj).get("ports", ()):
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        texts.append(f"{port['port']}{node_port}/{port['protocol']}")
    return ",".join(texts) or NONE


def _selector(obj: JsonObject) -> str:
    pairs = _spec(obj).get("selector") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(pairs.items())) or NONE


SERVICE = (
    NAME,
    _column("Type", _at(".spec.type")),
    _column("Cluster-IP", _at(".spec.clusterIP")),
    _column("External-IP", _service_external_ip),
    _column("Port(s)", _service_ports),
    AGE,
    _column("Selector", _selector, wide=True),
)


def _first_three(values: Iterable[object]) -> str:
    texts = [str(value) for value in values]
    more = f" + {len(texts) - 3} more..." if len(texts) > 3 else ""
    return ",".join(texts[:3]) + more if texts else ""


def _slice_ports(obj: JsonObject) -> str:
    return _first_three(port.get("port", "*") for port in obj.get("ports", ())) or "<unset>"


def _slice_endpoints(obj: JsonObject) -> str:
    endpoints = obj.get("endpoints", ())
    return _first_three(e["addresses"][0] for e in endpoints if e.get("addresses")) or "<unset>"


ENDPOINT_SLICE = (
    NAME,
    _column("AddressType", _at(".addressType")),
    _column("Ports", _slice_ports),
    _column("Endpoints", _slice_endpoints),
    AGE,
)


def _endpoints(obj: JsonObject) -> str:
    texts = [
        f"{address.get('ip')}:{port.get('port')}"
        for subset in obj.get("subsets", ())
        for port in subset.get("ports", ())
        for address in subset.get("addresses", ())
    ]
    return _first_three(texts) or NONE


ENDPOINTS = (NAME, _column("Endpoints", _endpoints), AGE)
LEASE = (NAME, _column("Holder", _at(".spec.holderIdentity", "")), AGE)
NAMESPACE = (NAME, _column("Status", _at(".status.phase", "")), AGE)


def _node_status(obj: JsonObject) -> str:
    ready = [c for c in _status(obj).get("conditions", ()) if c.get("type") == "Ready"]
    text = "Unknown"
    if ready:
        text = "Ready" if ready[0].get("status") == "True" else "NotReady"
    return text + (",SchedulingDisabled" if _spec(obj).get("unschedulable") else "")


def _node_roles(obj: JsonObject) -> str:
    labels = obj["metadata"].get("labels") or {}
    roles = sorted(key.removeprefix(ROLE) for key in labels if key.startswith(ROLE))
    return ",".join(roles) or NONE


def _node_address(kind: str) -> Callable[[JsonObject], object]:
    return _at(f'.status.addresses[?(@.type=="{kind}")].address')


NODE = (
    NAME,
    _column("Status", _node_status),
    _column("Roles", _node_roles),
    AGE,
    _column("Version", _at(".status.nodeInfo.kubeletVersion", "")),
    _column("Internal-IP", _node_address("InternalIP"), wide=True),
    _column("External-IP", _node_address("ExternalIP"), wide=True),
    _column("OS-Image", _at(".status.nodeInfo.osImage", "<unknown>"), wide=True),
    _column("Kernel-Version", _at(".status.nodeInfo.kernelVersion", "<unknown>"), wide=True),
    _column(
        "Container-Runtime", _at(".status.nodeInfo.containerRuntimeVersion", "<unknown>"), wide=True
    ),
)


def _pod_ready(obj: JsonObject) -> str:
    states = _status(obj).get("containerStatuses", ())
    ready = sum(bool(state.get("ready")) for state in states)
    return f"{ready}/{len(_spec(obj).get('containers', ()))}"


def _pod_status(obj: JsonObject) -> object:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return _status(obj).get("reason") or _status(obj).get("phase", "")


def _pod_restarts(obj: JsonObject) -> str:
    states = _status(obj).get("containerStatuses", ())
    return str(sum(state.get("restartCount", 0) for state in states))


POD = (
    NAME,
    _column("Ready", _pod_ready),
    _column("Status", _pod_status),
    _column("Restarts", _pod_restarts),
    AGE,
    _column("IP", _at(".status.podIP"), wide=True),
    _column("Node", _at(".spec.nodeName"), wide=True),
    _column("Nominated Node", _at(".status.nominatedNodeName"), wide=True),
    _column("Readiness Gates", lambda _: NONE, wide=True),
)


def _event_object(obj: JsonObject) -> str:
    involved = obj.get("involvedObject") or {}
    return f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"


def _event_last_seen(obj: JsonObject) -> str:
    return age(obj.get("lastTimestamp") or obj.get("eventTime") or obj.get("firstTimestamp"))


EVENT = (
    _column("Last Seen", _event_last_seen),
    _column("Type", _at(".type", "")),
    _column("Reason", _at(".reason", "")),
    _column("Object", _event_object),
    _column("Subobject", _at(".involvedObject.fieldPath", ""), wide=True),
    _column("Source", _at(".source.component", ""), wide=True),
    _column("Message", _at(".message", "")),
    _column("First Seen", lambda obj: age(obj.get("firstTimestamp")), wide=True),
    _column("Count", _at(".count", 1), wide=True),
    Column(name="Name", format="name", priority=1, cell=lambda obj: obj["metadata"]["name"]),
)


def _data_size(obj: JsonObject) -> int:
    return len(obj.get("data") or {}) + len(obj.get("binaryData") or {})


SECRET = (
    NAME,
    _column("Type", _at(".type", "Opaque")),
    _column("Data", _data_size),
    AGE,
)
CONFIG_MAP = (NAME, _column("Data", _data_size), AGE)
SERVICE_ACCOUNT = (
    NAME,
    _column("Secrets", lambda obj: len(obj.get("secrets", ()))),
    AGE,
)


def _deployment_ready(obj: JsonObject) -> str:
    return f"{_status(obj).get('readyReplicas', 0)}/{_spec(obj).get('replicas', 1)}"


DEPLOYMENT = (
    NAME,
    _column("Ready", _deployment_ready),
    _column("Up-to-date", _at(".status.updatedReplicas", 0)),
    _column("Available", _at(".status.availableReplicas", 0)),
    AGE,
)
DAEMON_SET = (
    NAME,
    _column("Desired", _at(".status.desiredNumberScheduled", 0), kind="integer"),
    _column("Current", _at(".status.currentNumberScheduled", 0), kind="integer"),
    _column("Ready", _at(".status.numberReady", 0), kind="integer"),
    _column("Up-to-date", _at(".status.updatedNumberScheduled", 0), kind="integer"),
    _column("Available", _at(".status.numberAvailable", 0), kind="integer"),
    AGE,
)
CUSTOM_RESOURCE_DEFINITION = (
    NAME,
    _column("Created At", _at(".metadata.creationTimestamp", "")),
)
