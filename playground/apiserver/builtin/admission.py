"""Admission of the small built-in kinds.

Belongs here: the few defaults and rules that clients of these kinds meet. Does not: Services
(services), CustomResourceDefinitions (customresources).
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterator
from typing import Any

from playground.apiserver.builtin.servicerules import IP_TEXT
from playground.apiserver.errors import (
    FieldProblem,
    forbidden_field,
    invalid_value,
    required,
    unsupported,
)
from playground.apiserver.kinds import Problems

JsonObject = dict[str, Any]
ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
MOST_ENDPOINTS = 1000
AT_LEAST_ONE = "must be greater than 0"
NOT_NEGATIVE = "must be greater than or equal to 0"


def namespace(new: JsonObject, old: JsonObject | None, _: Problems) -> JsonObject:
    """Give a Namespace its label, finalizer and phase."""
    metadata = new["metadata"]
    labels = (metadata.get("labels") or {}) | {"kubernetes.io/metadata.name": metadata["name"]}
    if labels != metadata.get("labels"):
        new = new | {"metadata": metadata | {"labels": labels}}
    if old is not None:
        return new
    return new | {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}


def lease(new: JsonObject, _: JsonObject | None, problems: Problems) -> JsonObject:
    """Check a Lease."""
    spec = new.get("spec") or {}
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        problems.append(invalid_value("spec.leaseDurationSeconds", duration, AT_LEAST_ONE))
    if transitions is not None and transitions < 0:
        problems.append(invalid_value("spec.leaseTransitions", transitions, NOT_NEGATIVE))
    return new if "spec" in new else new | {"spec": {}}


def node(new: JsonObject, _: JsonObject | None, __: Problems) -> JsonObject:
    """Give a Node a spec and a status, even if they are empty."""
    return new | {key: {} for key in ("spec", "status") if key not in new}


def endpoint_slice(new: JsonObject, old: JsonObject | None, problems: Problems) -> JsonObject:
    """Complete the ports of an EndpointSlice and check it."""
    kind = new.get("addressType", "")
    if not kind:
        problems.append(required("addressType"))
    elif kind not in ADDRESS_TYPES:
        problems.append(unsupported("addressType", kind, ADDRESS_TYPES))
    elif old is not None and kind != old.get("addressType"):
        problems.append(invalid_value("addressType", kind, "field is immutable"))
    if len(new.get("endpoints", ())) > MOST_ENDPOINTS:
        text = f"must have at most {MOST_ENDPOINTS} items"
        problems.append(invalid_value("endpoints", len(new["endpoints"]), text))
    for index, endpoint in enumerate(new.get("endpoints", ())):
        problems += _endpoint_problems(endpoint, kind, f"endpoints[{index}].addresses")
    endpoints = [{"conditions": {}} | endpoint for endpoint in new.get("endpoints", ())]
    if endpoints and endpoints != new["endpoints"]:
        new = new | {"endpoints": endpoints}
    ports = [{"name": "", "protocol": "TCP"} | port for port in new.get("ports", ())]
    if ports and ports != new["ports"]:
        new = new | {"ports": ports}
    return new


def _endpoint_problems(endpoint: JsonObject, kind: str, path: str) -> Iterator[FieldProblem]:
    if not endpoint.get("addresses"):
        yield required(path, "must contain at least 1 address")
    for index, text in enumerate(endpoint.get("addresses", ())):
        if kind not in ("IPv4", "IPv6"):
            continue
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            yield invalid_value(f"{path}[{index}]", text, IP_TEXT)
            continue
        if f"IPv{address.version}" != kind:
            yield invalid_value(path, text, f"must be an {kind} address")
        elif address.is_loopback or address.is_link_local or address.is_unspecified:
            detail = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
            if address.is_loopback:
                detail = "may not be in the loopback range (127.0.0.0/8, ::1/128)"
            elif address.is_unspecified:
                detail = f"may not be unspecified ({address})"
            yield invalid_value(f"{path}[{index}]", text, detail)


def event(new: JsonObject, _: JsonObject | None, problems: Problems) -> JsonObject:
    """Check that an Event lives where its object does; what is empty is shown as such."""
    involved = (new.get("involvedObject") or {}).get("namespace", "")
    own = new["metadata"].get("namespace", "")
    if involved != own and not (involved == "" and own == "default"):
        text = "does not match event.namespace"
        problems.append(invalid_value("involvedObject.namespace", involved, text))
    if new.get("eventTime"):
        for key in ("reportingComponent", "reportingInstance", "action", "reason"):
            if not new.get(key):
                problems.append(required(key))
    empty = {key: None for key in ("firstTimestamp", "lastTimestamp", "eventTime")}
    return new | {
        key: value
        for key, value in (empty | {"reportingComponent": "", "reportingInstance": ""}).items()
        if key not in new
    }


def secret(new: JsonObject, old: JsonObject | None, problems: Problems) -> JsonObject:
    """Turn stringData into data, default the type, and keep what is immutable."""
    text = new.get("stringData")
    data = dict(new.get("data") or {})
    if text:
        data |= {key: base64.b64encode(value.encode()).decode() for key, value in text.items()}
        new = {key: value for key, value in new.items() if key != "stringData"} | {"data": data}
    if not new.get("type"):
        new = new | {"type": "Opaque"}
    if old is not None and new["type"] != old.get("type"):
        problems.append(invalid_value("type", new["type"], "field is immutable"))
    return immutable_data(new, old, problems)


def immutable_data(new: JsonObject, old: JsonObject | None, problems: Problems) -> JsonObject:
    """Refuse changes to the data of a ConfigMap or Secret that says it is immutable."""
    if old is not None and old.get("immutable"):
        for key in ("immutable", "data", "binaryData"):
            if new.get(key) != old.get(key):
                text = "field is immutable when `immutable` is set"
                problems.append(forbidden_field(key, text))
    return new


def pod(new: JsonObject, old: JsonObject | None, problems: Problems) -> JsonObject:
    """Start a Pod as Pending."""
    if old is not None:
        return new
    if not (new.get("spec") or {}).get("containers"):
        problems.append(required("spec.containers"))
    return new | {"status": {"phase": "Pending"}}


def workload(new: JsonObject, old: JsonObject | None, _: Problems) -> JsonObject:
    """Give a Deployment or DaemonSet an empty status."""
    return new | {"status": {}} if old is None else new


def deployment(new: JsonObject, old: JsonObject | None, problems: Problems) -> JsonObject:
    """Default the number of replicas."""
    spec = new.get("spec") or {}
    if spec.get("replicas") is None:
        new = new | {"spec": {"replicas": 1} | spec}
    return workload(new, old, problems)
