"""The status of a BGPConfiguration: the sum over nodes, as one of them writes it. Pure."""

from collections.abc import Collection, Sequence
from typing import Any

from bgp.core.findings import Finding, listed
from purelb.api.bgp import BgpConfiguration
from purelb.api.bgpstatus import BgpNodeStatus
from purelb.api.resources import Condition

ESTABLISHED = "Established"
READY, RESOLVED = "Ready", "RouterIDResolved"
MOST_NAMED = 5


def configuration_status(
    configuration: BgpConfiguration,
    findings: Sequence[Finding],
    nodes: Collection[BgpNodeStatus],
    now: str,
) -> dict[str, Any]:
    """Return the status; `now` is an RFC 3339 time, for conditions that change."""
    fatal = [finding for finding in findings if finding.is_fatal]
    remarks = [finding for finding in findings if not finding.is_fatal]
    established = sum(
        neighbor.state == ESTABLISHED for node in nodes for neighbor in node.status.neighbors or ()
    )
    sick = sorted(node.metadata.name for node in nodes if not node.status.healthy)
    if fatal:
        ready = (READY, False, "ConfigurationInvalid", listed(fatal))
    else:
        note = "; ".join(filter(None, (_sick(sick), listed(remarks))))
        ready = (READY, True, "ReconcileSuccess", note)
    unresolved = sorted(node.metadata.name for node in nodes if not node.status.router_id)
    resolved = (
        (RESOLVED, False, "ResolutionFailed", f"no router ID on {_some(unresolved)}")
        if unresolved
        else (RESOLVED, True, "Resolved", "")
    )
    sources = sorted({node.status.router_id_source or "" for node in nodes} - {""})
    before = configuration.status.conditions or ()
    return {
        "observedGeneration": configuration.metadata.generation,
        "conditions": [_condition(one, before, configuration, now) for one in (ready, resolved)],
        "neighborCount": len(configuration.spec.neighbors or ()),
        "establishedNeighbors": established,
        "message": ready[3],
        "routerIDSource": sources[0] if len(sources) == 1 else "",
    }


def is_news(configuration: BgpConfiguration, status: dict[str, Any]) -> bool:
    """Tell whether a status differs from the one that is there."""
    old = configuration.status
    conditions = [
        (one.type, one.status, one.reason, one.message, one.observed_generation)
        for one in old.conditions or ()
    ]
    fresh = [
        (
            one["type"],
            one["status"],
            one["reason"],
            one["message"],
            one["observedGeneration"],
        )
        for one in status["conditions"]
    ]
    return conditions != fresh or (
        old.observed_generation,
        old.neighbor_count,
        old.established_neighbors,
        old.message,
        old.router_id_source,
    ) != (
        status["observedGeneration"],
        status["neighborCount"],
        status["establishedNeighbors"],
        status["message"],
        status["routerIDSource"],
    )


def _condition(
    one: tuple[str, bool, str, str],
    before: Sequence[Condition],
    configuration: BgpConfiguration,
    now: str,
) -> dict[str, Any]:
    type_, is_true, reason, message = one
    status = "True" if is_true else "False"
    old = next((known for known in before if known.type == type_), None)
    since = old.last_transition_time if old is not None and old.status == status else now
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": configuration.metadata.generation,
        "lastTransitionTime": since or now,
    }


def _sick(names: Sequence[str]) -> str:
    return f"not healthy: {_some(names)}; see their BGPNodeStatus" if names else ""


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
