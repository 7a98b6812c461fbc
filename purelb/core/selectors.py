"""Label selectors as Kubernetes understands them (metav1.LabelSelector, apimachinery `labels`).

Belongs here: conversion and matching. Does not: what a match means (the cores of the daemons).
"""

import re
from collections.abc import Mapping

from purelb.api.resources import LabelSelector, SelectorRequirement

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_DOMAIN = 253
_WITH_VALUES, _WITHOUT_VALUES = ("In", "NotIn"), ("Exists", "DoesNotExist")


def is_catch_all(selector: LabelSelector | None) -> bool:
    """Tell whether a selector is absent or empty, and so matches every node."""
    return selector is None or not (selector.match_labels or selector.match_expressions)


def defect_of(selector: LabelSelector) -> str | None:
    """Return why a selector does not convert, or None if it does."""
    for requirement in _requirements(selector):
        if (defect := _defect(requirement)) is not None:
            return defect
    return None


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Tell whether labels satisfy every part of a selector that converts."""
    return all(_is_met(requirement, labels) for requirement in _requirements(selector))


def _requirements(selector: LabelSelector) -> tuple[SelectorRequirement, ...]:
    pairs = (selector.match_labels or {}).items()
    wanted = (SelectorRequirement(key=k, operator="In", values=(v,)) for k, v in pairs)
    return (*wanted, *(selector.match_expressions or ()))


def _defect(requirement: SelectorRequirement) -> str | None:
    operator, values = requirement.operator, requirement.values or ()
    if operator not in _WITH_VALUES + _WITHOUT_VALUES:
        return f"{operator!r} is not a label selector operator"
    if operator in _WITH_VALUES and not values:
        return f"{operator} {requirement.key!r} needs values"
    if operator in _WITHOUT_VALUES and values:
        return f"{operator} {requirement.key!r} takes no values"
    if not _is_key(requirement.key):
        return f"{requirement.key!r} is not a label key"
    wrong = next((v for v in values if v and not _NAME.fullmatch(v)), None)
    return None if wrong is None else f"{wrong!r} is not a label value"


def _is_key(key: str) -> bool:
    domain, slash, name = key.rpartition("/")
    if not _NAME.fullmatch(name):
        return False
    return not slash or (len(domain) <= _LONGEST_DOMAIN and bool(_DOMAIN.fullmatch(domain)))


def _is_met(requirement: SelectorRequirement, labels: Mapping[str, str]) -> bool:
    found = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return found is not None and found in (requirement.values or ())
        case "NotIn":
            return found is None or found not in (requirement.values or ())
        case "Exists":
            return found is not None
        case _:
            return found is None
