"""Protobuf bodies, which `kubectl create namespace|service|...` sends and nothing else we serve.

Belongs here: the envelope and the messages of a few kinds, field numbers as in the generated.proto
files of k8s.io/api. Does not: encoding; answers are JSON, which every client accepts. Fields not
listed are skipped. A name with "!" is a pointer in Go, whose zero value is kept.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from playground.apiserver.errors import bad_request, unsupported_media_type

JsonObject = dict[str, Any]
Field: TypeAlias = tuple[str, str]  # JSON name, type; "*" before a type means repeated
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

MESSAGES: Mapping[str, Mapping[int, Field]] = {
    "ObjectMeta": {
        1: ("name", "string"),
        2: ("generateName", "string"),
        3: ("namespace", "string"),
        5: ("uid", "string"),
        6: ("resourceVersion", "string"),
        8: ("creationTimestamp", "time"),
        11: ("labels", "map string"),
        12: ("annotations", "map string"),
        13: ("ownerReferences", "*OwnerReference"),
        14: ("finalizers", "*string"),
    },
    "OwnerReference": {
        1: ("kind", "string"),
        3: ("name", "string"),
        4: ("uid", "string"),
        5: ("apiVersion", "string"),
        6: ("controller!", "bool"),
        7: ("blockOwnerDeletion!", "bool"),
    },
    "Namespace": {1: ("metadata", "ObjectMeta")},
    "ConfigMap": {
        1: ("metadata", "ObjectMeta"),
        2: ("data", "map string"),
        3: ("binaryData", "map bytes"),
        4: ("immutable!", "bool"),
    },
    "Secret": {
        1: ("metadata", "ObjectMeta"),
        2: ("data", "map bytes"),
        3: ("type", "string"),
        4: ("stringData", "map string"),
        5: ("immutable!", "bool"),
    },
    "ServiceAccount": {1: ("metadata", "ObjectMeta")},
    "Service": {1: ("metadata", "ObjectMeta"), 2: ("spec", "ServiceSpec")},
    "ServiceSpec": {
        1: ("ports", "*ServicePort"),
        2: ("selector", "map string"),
        3: ("clusterIP", "string"),
        4: ("type", "string"),
        5: ("externalIPs", "*string"),
        7: ("sessionAffinity", "string"),
        8: ("loadBalancerIP", "string"),
        9: ("loadBalancerSourceRanges", "*string"),
        10: ("externalName", "string"),
        11: ("externalTrafficPolicy", "string"),
        12: ("healthCheckNodePort", "int"),
        13: ("publishNotReadyAddresses", "bool"),
        17: ("ipFamilyPolicy!", "string"),
        18: ("clusterIPs", "*string"),
        19: ("ipFamilies", "*string"),
        20: ("allocateLoadBalancerNodePorts!", "bool"),
        21: ("loadBalancerClass!", "string"),
        22: ("internalTrafficPolicy!", "string"),
        23: ("trafficDistribution!", "string"),
    },
    "ServicePort": {
        1: ("name", "string"),
        2: ("protocol", "string"),
        3: ("port", "int"),
        4: ("targetPort", "int or string"),
        5: ("nodePort", "int"),
        6: ("appProtocol!", "string"),
    },
    "Deployment": {1: ("metadata", "ObjectMeta"), 2: ("spec", "DeploymentSpec")},
    "DeploymentSpec": {
        1: ("replicas!", "int"),
        2: ("selector", "LabelSelector"),
        3: ("template", "PodTemplateSpec"),
    },
    "LabelSelector": {1: ("matchLabels", "map string")},
    "PodTemplateSpec": {1: ("metadata", "ObjectMeta"), 2: ("spec", "PodSpec")},
    "Pod": {1: ("metadata", "ObjectMeta"), 2: ("spec", "PodSpec")},
    "PodSpec": {
        2: ("containers", "*Container"),
        3: ("restartPolicy", "string"),
        8: ("serviceAccountName", "string"),
        10: ("nodeName", "string"),
    },
    "Container": {
        1: ("name", "string"),
        2: ("image", "string"),
        3: ("command", "*string"),
        4: ("args", "*string"),
        6: ("ports", "*ContainerPort"),
        7: ("env", "*EnvVar"),
    },
    "ContainerPort": {
        1: ("name", "string"),
        2: ("hostPort", "int"),
        3: ("containerPort", "int"),
        4: ("protocol", "string"),
    },
    "EnvVar": {1: ("name", "string"), 2: ("value", "string")},
}
KINDS = frozenset(
    {"Namespace", "ConfigMap", "Secret", "ServiceAccount", "Service", "Deployment", "Pod"}
)


def decoded(body: bytes) -> JsonObject:
    """Decode an object with its envelope; 400 for nonsense, 415 for kinds that are not known."""
    try:
        return _decoded(body)
    except (IndexError, ValueError) as error:
        raise bad_request(f"proto: {error}") from error


def _decoded(body: bytes) -> JsonObject:
    if not body.startswith(MAGIC):
        raise ValueError("the body does not begin with the magic number")
    envelope = dict(_fields(body[len(MAGIC) :]))
    types = dict(_fields(_bytes(envelope[1])))
    api_version, kind = _text(types.get(1, b"")), _text(types.get(2, b""))
    if kind not in KINDS:
        raise unsupported_media_type(["application/json", "application/yaml", MEDIA_TYPE])
    return {"apiVersion": api_version, "kind": kind} | _message(_bytes(envelope[2]), kind)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and raw value of each field of a message."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        value: int | bytes
        if tag & 7 == VARINT:
            value, position = _varint(data, position)
        elif tag & 7 == BYTES:
            length, position = _varint(data, position)
            value, position = data[position : position + length], position + length
        elif tag & 7 in (FIXED64, FIXED32):
            length = 8 if tag & 7 == FIXED64 else 4
            value, position = data[position : position + length], position + length
        else:
            raise ValueError(f"unknown wire type {tag & 7}")
        if position > len(data):
            raise ValueError("unexpected end")
        yield tag >> 3, value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        result |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return result, position


def _message(data: bytes, name: str) -> JsonObject:
    known = MESSAGES[name]
    result: JsonObject = {}
    for number, raw in _fields(data):
        if number not in known:
            continue
        key, kind = known[number]
        value = _value(raw, kind.lstrip("*"))
        if kind.startswith("*"):
            result.setdefault(key, []).append(value)
        elif kind.startswith("map "):
            result.setdefault(key, {}).update(value)
        elif key.endswith("!") or value not in ("", 0, False, None, {}):
            result[key.rstrip("!")] = value
    return result


def _value(raw: int | bytes, kind: str) -> Any:  # noqa: ANN401  # JSON
    convert = SCALARS.get(kind)
    return convert(raw) if convert is not None else _message(_bytes(raw), kind)


def _bytes(raw: int | bytes) -> bytes:
    if isinstance(raw, int):
        raise ValueError("wrong wire type")
    return raw


def _text(raw: int | bytes) -> str:
    return _bytes(raw).decode()


def _base64(raw: int | bytes) -> str:
    return base64.b64encode(_bytes(raw)).decode()


def _int(raw: int | bytes) -> int:
    """Read a varint as a signed number of 64 bits."""
    if isinstance(raw, bytes):
        raise ValueError("wrong wire type")
    return raw - (1 << 64) if raw >= 1 << 63 else raw


def _int_or_string(raw: int | bytes) -> int | str:
    parts = dict(_fields(_bytes(raw)))
    return _text(parts[3]) if parts.get(1) else _int(parts.get(2, 0))


def _time(raw: int | bytes) -> str | None:
    seconds = dict(_fields(_bytes(raw))).get(1)
    if not isinstance(seconds, int):
        return None
    moment = datetime.datetime.fromtimestamp(_int(seconds), datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _map_of(convert: Callable[[int | bytes], str]) -> Callable[[int | bytes], JsonObject]:
    def entry(raw: int | bytes) -> JsonObject:
        parts = dict(_fields(_bytes(raw)))
        return {_text(parts.get(1, b"")): convert(parts.get(2, b""))}

    return entry


SCALARS: Mapping[str, Callable[[int | bytes], Any]] = {
    "string": _text,
    "bytes": _base64,
    "int": _int,
    "bool": lambda raw: bool(_int(raw)),
    "time": _time,
    "int or string": _int_or_string,
    "map string": _map_of(_text),
    "map bytes": _map_of(_base64),
}
