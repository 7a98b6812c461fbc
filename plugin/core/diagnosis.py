"""Why a Service has no address: what the allocator itself would say, and whether it runs."""

from typing import assert_never

from allocator.core.conditions import PENDING
from allocator.core.decisions import Assign, Consult, Decision, Ignore, Keep, Refuse, Release
from allocator.core.explain import explain
from allocator.core.request import (
    AddressRequest,
    NotOurs,
    group_of,
    request_of,
    sharing_of,
    standing_of,
)
from allocator.core.select import DEFAULT, Selection, select
from plugin.core.allocation import Allocator
from plugin.core.components import ALLOCATOR, component
from plugin.core.document import Document
from plugin.core.snapshot import Snapshot
from purelb.api.addresses import FAMILIES
from purelb.api.identifiers import PoolName
from purelb.api.problems import Problem, Reason
from purelb.api.views import ServiceView


class Diagnosis(Document, frozen=True):
    """The reason in a few words, and what was looked at."""

    reason: str
    details: tuple[str, ...]


def diagnose(snapshot: Snapshot, allocator: Allocator, service: ServiceView) -> Diagnosis:
    """Return the first reason that holds."""
    is_default = allocator.world.is_default_announcer
    details: list[str] = []
    standing = standing_of(service, is_default)
    if standing is not None:
        return Diagnosis(reason=f"NOT FOR PURELB: {standing}", details=())
    if snapshot.has("pods") and not component(snapshot.pods, ALLOCATOR).running:
        found = f"no Pod with container {ALLOCATOR} runs in {snapshot.namespace}"
        return Diagnosis(reason="ALLOCATOR NOT RUNNING", details=(found,))
    name = _asked(allocator, service)
    details += _pool_details(allocator, name)
    request = request_of(service, is_default)
    details += _request_details(request, service)
    decision = explain(allocator.world, allocator.ledger, service.key)
    told = told_pending(service)
    if told:
        details.append(f"The allocator told it: {told}")
    details.append(f"The allocator's answer: {decision.summary}")
    return Diagnosis(
        reason=_reason(allocator, name, request, decision.decision, told), details=tuple(details)
    )


def told_pending(service: ServiceView) -> str:
    """Return what the allocator has written on a Service about an address that it lacks."""
    found = (one for one in service.conditions if (one.type, one.status) == (PENDING, "True"))
    return next((one.message for one in found), "")


def _asked(allocator: Allocator, service: ServiceView) -> PoolName:
    group = group_of(service)
    if group is not None:
        return group
    selection = select(allocator.pools, service.key, None)
    return selection.pool.name if isinstance(selection, Selection) else DEFAULT


def _pool_details(allocator: Allocator, name: PoolName) -> list[str]:
    pool = allocator.pools.pools.get(name)
    lines = [f'Requested pool: "{name}"', f"Pool exists: {'Yes' if pool else 'No'}"]
    if pool is None:
        return lines
    lines.append(f"Pool type: {pool.group.kind}")
    for family in FAMILIES:
        if size := pool.size(family):
            used = pool.used(family, allocator.ledger)
            free = pool.available(family, allocator.ledger)
            lines.append(f"Pool capacity: {size} {family} total, {used} used, {free} available")
    return lines


def _request_details(
    request: AddressRequest | NotOurs | Problem, service: ServiceView
) -> list[str]:
    pins = ", ".join(map(str, request.pins)) if isinstance(request, AddressRequest) else ""
    asked = f"Requested IP: {pins or 'none (automatic allocation)'}"
    return [asked, f"Sharing key: {sharing_of(service) or 'none'}"]


def _reason(
    allocator: Allocator,
    name: PoolName,
    request: AddressRequest | NotOurs | Problem,
    decision: Decision,
    told: str,
) -> str:
    if name not in allocator.pools.pools:
        known = {problem.group.name for problem in allocator.pools.problems.values()}
        return f'SERVICEGROUP "{name}" {"NOT USABLE" if name in known else "NOT FOUND"}'
    match decision:
        case Refuse(problem=problem):
            if problem.reason is Reason.EXHAUSTED:
                return f"POOL EXHAUSTED - no addresses available in {problem.pool or name}"
            for pin in request.pins if isinstance(request, AddressRequest) else ():
                if allocator.pools.locate(pin) is None:
                    return f"REQUESTED IP {pin} IS OUTSIDE POOL RANGE"
            return f"REFUSED - {problem.detail}"
        case Assign() | Keep() | Release() if told:
            # It knows more than the API shows, of addresses that rest after their release.
            return f"REFUSED - {told}"
        case Assign() | Keep() | Release():
            return "UNKNOWN - it should have an address any moment; see the allocator's log"
        case Consult():
            return f"WAITING FOR THE PROVIDER OF {name}"
        case Ignore(why=why):
            return f"NOT FOR PURELB: {why}"
        case _:
            assert_never(decision)
