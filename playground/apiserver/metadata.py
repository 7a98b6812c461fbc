"""Metadata of objects: what the server fills in, what clients may change.

Belongs here: names, labels, finalizers, owner references, times. Does not: anything below spec or
status. Rules and messages follow apimachinery's validation.
"""

from __future__ import annotations

import random
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from playground.apiserver.errors import (
    FieldProblem,
    forbidden_field,
    invalid_value,
    required,
    shown,
)

JsonObject = dict[str, Any]
SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
NAME_RULES: Mapping[str, tuple[re.Pattern[str], int, str]] = {
    "label": (
        re.compile(f"{DNS_LABEL}$"),
        63,
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
        "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex "
        f"used for validation is '{DNS_LABEL}')",
    ),
    "label1035": (
        re.compile("[a-z]([-a-z0-9]*[a-z0-9])?$"),
        63,
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
        "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
        "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
    ),
    "subdomain": (
        re.compile(rf"{DNS_LABEL}(\.{DNS_LABEL})*$"),
        253,
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
        "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex "
        rf"used for validation is '{DNS_LABEL}(\.{DNS_LABEL})*')",
    ),
}
QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
STANDARD_FINALIZERS = ("foregroundDeletion", "kubernetes", "orphan")
MOST_ANNOTATION_BYTES = 256 * 1024


def timestamp(seconds: float | None = None) -> str:
    """Return a time, now by default, as metav1.Time prints it."""
    return _timestamp(int(time.time() if seconds is None else seconds))


@lru_cache(maxsize=8)
def _timestamp(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def generated_name(prefix: str) -> str:
    """Return `prefix` with five random characters, cut to the length of a label."""
    return prefix[:58] + "".join(random.choices(SUFFIX, k=5))


def new_uid() -> str:
    """Return a fresh uid."""
    return str(uuid.uuid4())


def ordered(obj: JsonObject) -> JsonObject:
    """Return the metadata in the order of Go's struct, so that bodies read as usual."""
    return {key: obj[key] for key in _ORDER if key in obj}


_ORDER = (
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
)
# What an update cannot change; "" and absence mean "as it was".
FIXED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


@dataclass(frozen=True, slots=True)
class Rules:
    """What metadata of a kind must keep to: a key of NAME_RULES, and whether finalizers need a
    domain."""

    name: str
    are_finalizers_qualified: bool


def problems_of(new: JsonObject, old: JsonObject | None, rules: Rules) -> Iterator[FieldProblem]:
    """Yield what is wrong with metadata; parts that are as in `old` are not looked at."""
    before: JsonObject = {} if old is None else old
    if old is None:
        yield from _name_problems(new.get("name", ""), rules.name)
    for key in ("labels", "annotations", "finalizers", "ownerReferences"):
        value, was = new.get(key), before.get(key)
        if value and value is not was and value != was:
            yield from _CHECKS[key](value)
    if rules.are_finalizers_qualified:
        for index, name in enumerate(new.get("finalizers", ())):
            if "/" not in name and name not in STANDARD_FINALIZERS:
                text = "name is neither a standard finalizer name nor is it fully qualified"
                yield invalid_value(f"metadata.finalizers[{index}]", name, text)
    if before.get("deletionTimestamp"):
        added = sorted(set(new.get("finalizers", ())) - set(before.get("finalizers", ())))
        if added:
            text = "no new finalizers can be added if the object is being deleted, found new "
            text += f"finalizers []string{{{', '.join(map(shown, added))}}}"
            yield forbidden_field("metadata.finalizers", text)


def _name_problems(name: str, rule: str) -> Iterator[FieldProblem]:
    if not name:
        yield required("metadata.name", "name or generateName is required")
        return
    pattern, longest, text = NAME_RULES[rule]
    if len(name) > longest:
        yield invalid_value("metadata.name", name, f"must be no more than {longest} bytes")
    if not pattern.match(name):
        yield invalid_value("metadata.name", name, text)


def label_problems(labels: Mapping[str, str], path: str) -> Iterator[FieldProblem]:
    """Yield what is wrong with a map of labels."""
    for key, value in labels.items():
        text = _key_problem(key)
        if text:
            yield invalid_value(path, key, text)
        text = _value_problem(value)
        if text:
            yield invalid_value(path, value, text)


@lru_cache(maxsize=4096)
def _key_problem(key: str) -> str:
    prefix, slash, name = key.rpartition("/")
    if slash and not NAME_RULES["subdomain"][0].match(prefix):
        return f"prefix part {NAME_RULES['subdomain'][2]}"
    if len(name) > 63:
        return "name part must be no more than 63 bytes"
    return "" if QUALIFIED.match(name) else QUALIFIED_TEXT


@lru_cache(maxsize=4096)
def _value_problem(value: str) -> str:
    if len(value) > 63:
        return "must be no more than 63 bytes"
    return "" if not value or QUALIFIED.match(value) else VALUE_TEXT


def _labels(labels: Mapping[str, str]) -> Iterator[FieldProblem]:
    return label_problems(labels, "metadata.labels")


def _annotations(annotations: Mapping[str, str]) -> Iterator[FieldProblem]:
    for key in annotations:
        text = _key_problem(key.lower())
        if text:
            yield invalid_value("metadata.annotations", key, text)
    if sum(len(key) + len(value) for key, value in annotations.items()) > MOST_ANNOTATION_BYTES:
        detail = f"Too long: may not be more than {MOST_ANNOTATION_BYTES} bytes"
        yield FieldProblem("FieldValueTooLong", "metadata.annotations", detail)


def _finalizers(finalizers: list[str]) -> Iterator[FieldProblem]:
    for name in finalizers:
        text = _key_problem(name)
        if text:
            yield invalid_value("metadata.finalizers", name, text)


def _owners(owners: list[JsonObject]) -> Iterator[FieldProblem]:
    for owner in owners:
        for key in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(key):
                yield invalid_value(
                    f"metadata.ownerReferences.{key}", "", f"{key} must not be empty"
                )
    if sum(bool(owner.get("controller")) for owner in owners) > 1:
        text = "Only one reference can have Controller set to true."
        yield invalid_value("metadata.ownerReferences", owners, text)


_CHECKS: Mapping[str, Any] = {
    "labels": _labels,
    "annotations": _annotations,
    "finalizers": _finalizers,
    "ownerReferences": _owners,
}
