"""Facts and grant → the decision: the new record, the write, and what is told. Pure.

Belongs here: which decision it is, and whether a problem is news. Does not: what is written
(`change`), which addresses (`facts`, `grant`). Called by `decide`.
"""

from collections.abc import Iterable
from dataclasses import replace

from allocator.core import notices, refusals
from allocator.core.change import change_of, origin_of, refusal_of
from allocator.core.conditions import is_told
from allocator.core.decisions import (
    Assign,
    Change,
    Consult,
    Count,
    Decision,
    Ignore,
    Keep,
    Metric,
    Refuse,
    Release,
    Report,
)
from allocator.core.facts import Facts
from allocator.core.grant import Grant
from allocator.core.holdings import Origin, Want, holding_of
from allocator.core.ledger import Ledger
from allocator.core.pool import PoolSet
from allocator.core.request import NotOurs, group_of, sharing_of
from purelb.api.addresses import IPAddress
from purelb.api.problems import Notice, Problem


def settle(pools: PoolSet, ledger: Ledger, facts: Facts, grant: Grant) -> Decision:
    """Decide about a Service of ours."""
    addresses = (*facts.kept, *(allocation.address for allocation in grant.allocations))
    origin = origin_of(pools, facts, grant)
    after = holding_of(facts.service, (*addresses, *facts.shown_excess), origin=origin)
    report = _report(ledger, facts, grant, addresses)
    key, before = facts.service.key, facts.before
    if after is None:
        return _empty_handed(facts, report)
    change = change_of(pools, facts, grant, addresses, origin)
    if change is None:
        return Keep(key=key, before=before, after=after, report=report)
    added = tuple(address for address in addresses if address not in facts.service.ingress)
    told = _told(facts, grant, added, origin, change)
    report = replace(report, notices=(*told, *report.notices))
    if facts.shown_excess and not added:
        return Release(key=key, before=before, after=after, change=change, report=report)
    return Assign(key=key, before=before, after=after, change=change, added=added, report=report)


def _empty_handed(facts: Facts, report: Report) -> Decision:
    service, before = facts.service, facts.before
    if report.problem is None and report.ask is not None:
        return Consult(key=service.key, before=before, report=report)
    if report.problem is None:  # nothing is given to what is about to go
        return Ignore(key=service.key, before=before, after=None, why=NotOurs.DELETING)
    told = (*notices.settings_used(service), *report.notices) if report.notices else ()
    return Refuse(
        key=service.key,
        before=before,
        problem=report.problem,
        change=refusal_of(service, report.problem),
        report=replace(report, notices=told),
    )


def _report(ledger: Ledger, facts: Facts, grant: Grant, addresses: Iterable[IPAddress]) -> Report:
    service = facts.service
    known = ledger.problem(service.key)
    problem, wants = grant.problem, grant.wants
    is_news = problem is not None and refusals.is_news(problem, known)
    told: list[Notice] = []
    counts = list(grant.counts)
    if problem is None:
        clash = _clash(ledger, facts, addresses)
        if clash is not None:
            problem, wants = clash
            told = [notices.clashing(service.key, problem)] if problem != known else []
    elif (
        is_news and not (known is None and is_told(service, problem))
    ) or facts.is_pending:  # a first write that was lost took its notices with it
        told = [notices.refused(service.key, problem)]
    if is_news and grant.problem is not None:
        counts.append(_rejection(facts, grant.problem))
    has_warning = grant.warning is not None and (grant.allocations or is_news)
    return Report(
        problem=problem,
        wants=wants,
        warnings=(grant.warning,) if grant.warning and has_warning else (),
        notices=tuple(told),
        counts=tuple(counts),
        ask=grant.ask,
    )


def _clash(
    ledger: Ledger, facts: Facts, addresses: Iterable[IPAddress]
) -> tuple[Problem, frozenset[Want]] | None:
    """Find the first address owned beside somebody it may not be shared with."""
    service = facts.service
    sharing = sharing_of(service)
    for address in addresses:
        objection = ledger.objection(address, service.key, sharing, service.ports)
        if objection is not None:
            return refusals.in_the_way(objection, sharing, None), frozenset({address})
    return None


def _rejection(facts: Facts, problem: Problem) -> Count:
    pool = problem.pool if problem.pool is not None else group_of(facts.service)
    return Count(metric=Metric.REJECTED, pool=pool, reason=problem.reason)


def _told(
    facts: Facts,
    grant: Grant,
    added: tuple[IPAddress, ...],
    origin: Origin | None,
    change: Change,
) -> Iterable[Notice]:
    if added:
        if not any(allocation.pool.is_external for allocation in grant.allocations):
            yield from notices.settings_used(facts.service)
        yield from notices.assigned(
            facts.service, added, origin.allocated_from if origin else "unknown"
        )
    yield from notices.dropped(facts)
    if change.resets_policy:
        yield notices.policy_reset(facts.service)
