"""Decisions and pools → the bodies of API writes, and metric labels. Pure.

Belongs here: JSON values and labels. Does not: sending, counting, rate limits (the shell), texts of
Events (`notices`) and conditions (`conditions`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from allocator.core.conditions import dated
from allocator.core.decisions import Change, Consult, Count, Decision, Ignore, Keep
from allocator.core.ledger import Ledger
from allocator.core.pool import Pool, PoolSet
from purelb.api.addresses import FAMILIES
from purelb.api.ipam import PoolStats
from purelb.api.resources import to_json

JSON: TypeAlias = Mapping[str, Any]

INT64_MAX = 2**63 - 1
NO_GROUP = "<none>"
OTHER_GROUPS = "<other>"
MOST_UNKNOWN = 20  # texts that are no group's name and still get a label of their own
LONGEST_NAME = 253  # of an object (RFC 1123 subdomain); longer texts, or with a comma, never do


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """Merge patches (RFC 7386) for one Service, None where nothing is to be written.

    `spec` goes first, to the Service itself; then `status`, to its `status` subresource, which
    persists the annotations together with the addresses. Both name the version that was decided on:
    after the first the second needs the version of its reply.
    """

    spec: JSON | None
    status: JSON | None


def writes_of(decision: Decision, now: str) -> Writes:
    """Return what a decision wants written; `now` is the time of the write for its condition."""
    if isinstance(decision, Keep | Ignore | Consult) or decision.change is None:
        return Writes(spec=None, status=None)
    change = decision.change
    return Writes(spec=_spec(change), status=_status(change, now))


def group_status(pool: Pool, ledger: Ledger) -> JSON:
    """Return `status` of an accepted ServiceGroup with ranges of its own, without conditions.

    Counts are of distinct addresses with any owner, clamped to int64. A rejected group gets no
    status but its condition, and none at all on a CRD whose schema lacks `status.conditions`:
    server-side apply refuses an undeclared field together with all others.
    """
    ranges = [entry.text for found in pool.ranges.values() for entry in found]
    counts: dict[str, object] = {}
    for family in FAMILIES:
        counts[f"allocated{family}"] = min(pool.used(family, ledger), INT64_MAX)
        counts[f"available{family}"] = min(pool.available(family, ledger), INT64_MAX)
    return {**_identity(pool, "Cluster"), "addresses": ranges, **counts}


def external_status(pool: Pool, stats: PoolStats | None, shown: JSON) -> JSON:
    """Return `status` of an accepted external ServiceGroup, without conditions.

    The numbers are the provider's; without any what is `shown` now stays, as when it is down.
    `availableIPv4` and `availableIPv6` are absent where the provider does not know its capacity.
    """
    identity = _identity(pool, pool.group.provider)
    if stats is None:
        fields = [f"{word}{family}" for word in ("allocated", "available") for family in FAMILIES]
        kept = {key: shown[key] for key in ("addresses", *fields) if key in shown}
        return {**identity, "allocatedIPv4": 0, "allocatedIPv6": 0, **kept}
    counts: dict[str, object] = {}
    for index, family in enumerate(FAMILIES):
        counts[f"allocated{family}"] = min(stats.in_use[index], INT64_MAX)
        if stats.size is not None:
            free = max(0, stats.size[index] - stats.in_use[index])
            counts[f"available{family}"] = min(free, INT64_MAX)
    return {**identity, "addresses": list(stats.shown), **counts}


def _identity(pool: Pool, ipam: str) -> JSON:
    status: dict[str, object] = {"announce": pool.type.value.capitalize(), "ipam": ipam}
    if pool.group.namespaces:
        status["boundNamespaces"] = list(pool.group.namespaces)
    return status


class Labels:
    """The values of the `pool` label: users write them, so their number has a bound.

    One writer: whoever counts.
    """

    def __init__(self) -> None:
        self._unknown: set[str] = set()

    def pool_of(self, count: Count, pools: PoolSet) -> str:
        """Return the label of one increment.

        Names of existing groups stay as they are, accepted or not; of other texts the first few.
        """
        text = count.pool
        if text is None:
            return NO_GROUP
        if text in pools.pools or text in self._unknown:
            return text
        if any(name == text for _, name in pools.problems):
            return text
        if len(self._unknown) == MOST_UNKNOWN or len(text) > LONGEST_NAME or "," in text:
            return OTHER_GROUPS
        self._unknown.add(text)
        return text


def _spec(change: Change) -> JSON | None:
    if not change.resets_policy:
        return None
    return {
        "metadata": {"resourceVersion": change.version},
        "spec": {"externalTrafficPolicy": "Cluster"},
    }


def _status(change: Change, now: str) -> JSON | None:
    if change.ingress is None and not change.annotations and change.conditions is None:
        return None
    metadata: dict[str, object] = {"resourceVersion": change.version}
    if change.annotations:
        metadata["annotations"] = dict(change.annotations)
    body: dict[str, object] = {"metadata": metadata}
    status: dict[str, object] = {}
    if change.ingress is not None:
        # Servers before Kubernetes 1.29 drop `ipMode`.
        ingress = [{"ip": str(address), "ipMode": "VIP"} for address in change.ingress]
        status["loadBalancer"] = {"ingress": ingress}
    if change.conditions is not None:
        # A merge patch replaces the list as a whole; the version makes sure that it is current.
        status["conditions"] = [to_json(one) for one in dated(change.conditions, (), now)]
    return {**body, "status": status} if status else body
