"""Admission of the small built-in kinds.

Belongs here: the few defaults and rules that clients of these kinds meet. Does not: Services
(services), CustomResourceDefinitions (customresources).
"""

from __future__ import annotations

import base64
from typing import Any

from playground.apiserver.errors import forbidden_field, invalid_value, required, unsupported
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
    if spec.get("holderIdentity") == "":
        problems.append(invalid_value("spec.holderIdentity", "", "must not be empty"))
    return new


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
        if not endpoint.get("addresses"):
            text = "must contain at least 1 address"
            problems.append(required(f"endpoints[{index}].addresses", text))
    ports = [{"name": "", "protocol": "TCP"} | port for port in new.get("ports", ())]
    if ports and ports != new["ports"]:
        new = new | {"ports": ports}
    return new


def event(new: JsonObject, _: JsonObject | None, problems: Problems) -> JsonObject:
    """Check that an Event lives where its object does."""
    involved = (new.get("involvedObject") or {}).get("namespace", "")
    own = new["metadata"].get("namespace", "")
    if involved != own and not (involved == "" and own == "default"):
        text = "does not match event.namespace"
        problems.append(invalid_value("involvedObject.namespace", involved, text))
    return new


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
