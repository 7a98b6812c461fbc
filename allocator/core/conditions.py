"""The conditions of ServiceGroups and Services: what `kubectl wait` and people read. Pure.

Belongs here: types, reasons and messages. Reasons are stable words, and a message changes only when
there is something else to do: a condition that counted would be written all the time. Does not:
when a status is written (the shell), other fields of a status (`report`).
"""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from allocator.core import refusals
from allocator.core.guards import Guard
from allocator.core.ledger import Ledger
from allocator.core.pool import Fault, GroupProblem, Pool, PoolSet
from allocator.core.statements import Statement
from purelb.api.addresses import FAMILIES, Family, IPAddress
from purelb.api.groups import GroupKey
from purelb.api.identifiers import PoolName
from purelb.api.problems import Problem
from purelb.api.resources import Condition
from purelb.api.views import ServiceView

MOST_SHOWN = 5  # guards named in a message
PENDING = "purelb.io/AddressPending"  # on a Service that lacks an address it asks for
WRONG_ANSWERS = "purelb.io/WrongAnswers"  # on one with an address that others answer for, or nobody


class GroupAspect(StrEnum):
    """The types of a ServiceGroup's conditions."""

    READY = "Ready"  # Services are served
    OVERLAPPING = "Overlapping"  # not accepted, because an older group has some of its addresses
    EXHAUSTED = "Exhausted"  # a family that the group has ranges of is used up
    GUARDED = "Guarded"  # some addresses are given to nobody, because they are the cluster's own
    INVALID = "Invalid"  # not accepted, because of what its own spec says


@dataclass(frozen=True, slots=True)
class Ailment:
    """Why an accepted group serves nobody for now, in the words of its condition."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One condition before it has a time: whether an aspect holds, and why."""

    aspect: GroupAspect
    holds: bool
    reason: str
    message: str


def group_conditions(
    pools: PoolSet,
    ledger: Ledger,
    group: GroupKey,
    ailing: Mapping[PoolName, Ailment] = MappingProxyType({}),
) -> tuple[Condition, ...]:
    """Return what is true of a ServiceGroup, sorted by type; empty for an unknown group.

    `lastTransitionTime` is empty: see `dated`. Whether an external group is exhausted is its
    provider's secret; `ailing` says why accepted pools serve nobody for now.
    """
    problem = pools.problems.get(group)
    if problem is not None:
        return _conditions(_rejected(problem), problem.group.generation)
    pool = pools.pools.get(PoolName(group[1]))
    if pool is None or pool.group.key != group:
        return ()
    claims = _accepted(pool, ledger, ailing.get(pool.name))
    return _conditions(claims, pool.group.generation)


def ailments(
    pools: PoolSet, silent: Container[PoolName], unrecorded: Mapping[PoolName, str]
) -> Mapping[PoolName, Ailment]:
    """Return what ails external pools.

    The provider of a `silent` one does not answer; what may be asked of that of an `unrecorded` one
    cannot be put on record, for the reason given.
    """
    found = {}
    for name, pool in pools.pools.items():
        if (error := unrecorded.get(name)) is not None:
            found[name] = Ailment("RecordUnavailable", refusals.unrecorded(pool, error).detail)
        elif name in silent:
            found[name] = Ailment("ProviderUnavailable", refusals.silent(pool).detail)
    return found


def ready_condition(pools: PoolSet, group: GroupKey) -> Condition | None:
    """Return a group's `Ready` condition; None for an unknown group."""
    found = group_conditions(pools, Ledger(), group)
    return next((one for one in found if one.type == GroupAspect.READY), None)


def service_conditions(
    service: ServiceView,
    problem: Problem | None,
    statements: Sequence[Statement] | None = (),
) -> tuple[Condition, ...] | None:
    """Return all conditions of a Service once ours tell what is wrong, or of nothing any more.

    None if they say so already. Ours are there only as long as something could not be given, or as
    nodes state wrong answers; None for `statements`: nobody knows, so that one stays.
    """
    ours = {one.type: one for one in service.conditions if one.type in (PENDING, WRONG_ANSWERS)}
    fresh = dict(ours)
    if problem is None:
        fresh.pop(PENDING, None)
    elif not is_told(service, problem):
        fresh[PENDING] = _standing(ours, PENDING, _reason(problem), problem.detail)
    if statements:
        text = "; ".join(f"{one.address}: {one.message}" for one in statements)
        fresh[WRONG_ANSWERS] = _standing(ours, WRONG_ANSWERS, statements[0].reason, text)
    elif statements is not None:
        fresh.pop(WRONG_ANSWERS, None)
    if fresh == ours:
        return None
    others = (one for one in service.conditions if one.type not in ours)
    return (*others, *fresh.values())


def _standing(ours: Mapping[str, Condition], kind: str, reason: str, message: str) -> Condition:
    before = ours.get(kind)
    return Condition(
        type=kind,
        status="True",
        reason=reason,
        message=message,
        last_transition_time=before.last_transition_time if before else "",
    )


def shown_wrong(services: Iterable[ServiceView]) -> frozenset[IPAddress]:
    """Return the addresses of Services whose condition tells of wrong answers."""
    return frozenset(
        address
        for service in services
        if any(one.type == WRONG_ANSWERS for one in service.conditions)
        for address in service.ingress
    )


def is_told(service: ServiceView, problem: Problem) -> bool:
    """Tell whether the Service's condition says so already, in other words perhaps."""
    return any(
        one.type == PENDING
        and one.reason == _reason(problem)
        and refusals.gist(one.message) == refusals.gist(problem.detail)
        for one in service.conditions
    )


def dated(
    conditions: Iterable[Condition], before: Collection[Condition], now: str
) -> tuple[Condition, ...]:
    """Return conditions with their transition times, which move only when their status does.

    A condition that has a time keeps it; `now` is for those without, of which none is in `before`.
    """
    since = {(old.type, old.status): old.last_transition_time for old in before}
    return tuple(
        Condition(
            type=one.type,
            status=one.status,
            reason=one.reason,
            message=one.message,
            observed_generation=one.observed_generation,
            last_transition_time=one.last_transition_time
            or since.get((one.type, one.status))
            or now,
        )
        for one in conditions
    )


def _reason(problem: Problem) -> str:
    return "".join(word.capitalize() for word in problem.reason.split("_"))


def _conditions(claims: Iterable[Claim], generation: int) -> tuple[Condition, ...]:
    return tuple(
        Condition(
            type=claim.aspect.value,
            status="True" if claim.holds else "False",
            reason=claim.reason,
            message=claim.message,
            observed_generation=generation,
        )
        for claim in sorted(claims, key=lambda claim: claim.aspect)
    )


def _rejected(problem: GroupProblem) -> Iterable[Claim]:
    reason, text = problem.fault.value, problem.detail
    yield Claim(aspect=GroupAspect.READY, holds=False, reason=reason, message=text)
    yield _overlapping(text if problem.rivals else None)
    is_invalid = problem.fault is Fault.REJECTED and not problem.rivals
    yield _invalid(text if is_invalid else None)


def _accepted(pool: Pool, ledger: Ledger, ailment: Ailment | None) -> Iterable[Claim]:
    reason, text = "Parsed", "; ".join(pool.warnings) or "the group serves Services"
    if ailment is not None:
        reason, text = ailment.reason, ailment.message
    yield Claim(aspect=GroupAspect.READY, holds=ailment is None, reason=reason, message=text)
    yield _overlapping(None)
    yield _invalid(None)
    if not pool.is_external:
        yield _exhausted([family for family in FAMILIES if _is_full(pool, family, ledger)])
        yield _guarded(pool.guarded)


def _guarded(guards: Sequence[Guard]) -> Claim:
    shown = ", ".join(f"{_span(guard)} ({guard.owner})" for guard in guards[:MOST_SHOWN])
    more = f" and {len(guards) - MOST_SHOWN} more" if len(guards) > MOST_SHOWN else ""
    return Claim(
        aspect=GroupAspect.GUARDED,
        holds=bool(guards),
        reason="ClusterAddresses" if guards else "NoClusterAddress",
        message=f"never given out: {shown}{more}; take them out of the ranges"
        if guards
        else "no range has an address of the cluster itself",
    )


def _span(guard: Guard) -> str:
    return str(guard.span.first if guard.span.size == 1 else guard.span)


def _is_full(pool: Pool, family: Family, ledger: Ledger) -> bool:
    return bool(pool.ranges[family]) and pool.available(family, ledger) == 0


def _exhausted(full: Collection[Family]) -> Claim:
    if full:
        names = " and ".join(full)
        text = f"no {names} address is left; add a range, or delete Services that hold one"
        return _exhaustion(text, holds=True)
    return _exhaustion("addresses of every family are left", holds=False)


def _exhaustion(text: str, *, holds: bool) -> Claim:
    reason = "NoAddressLeft" if holds else "AddressesLeft"
    return Claim(aspect=GroupAspect.EXHAUSTED, holds=holds, reason=reason, message=text)


def _overlapping(text: str | None) -> Claim:
    return Claim(
        aspect=GroupAspect.OVERLAPPING,
        holds=text is not None,
        reason="SharedAddresses" if text else "NoSharedAddress",
        message=text or "no other group has its addresses",
    )


def _invalid(text: str | None) -> Claim:
    return Claim(
        aspect=GroupAspect.INVALID,
        holds=text is not None,
        reason="ParseFailed" if text else "Parsed",
        message=text or "the spec is understood",
    )
