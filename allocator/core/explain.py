"""The same decision with every pool and why it serves or not. Pure; for people.

Belongs here: words about candidates. Does not: any rule of its own: it asks the ones that decide.
Called by the kubectl plugin and by conditions.
"""

from dataclasses import dataclass
from typing import assert_never

from allocator.core.decide import decide
from allocator.core.decisions import Assign, Consult, Decision, Ignore, Keep, Refuse, Release
from allocator.core.ledger import Ledger
from allocator.core.pool import Pool
from allocator.core.request import group_of
from allocator.core.select import Selection, check, select
from allocator.core.world import World
from purelb.api.addresses import FAMILIES
from purelb.api.identifiers import PoolName, ServiceKey, split_key
from purelb.api.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One group, and why it may serve the Service or not."""

    name: PoolName
    may_serve: bool
    is_chosen: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A decision in one sentence, and all groups sorted by name.

    `chosen` candidates are those that a Service without pinned addresses is served from.
    """

    decision: Decision
    summary: str
    candidates: tuple[Candidate, ...]


def explain(world: World, ledger: Ledger, key: ServiceKey) -> Explanation:
    """Decide about a Service and say why; nothing is changed."""
    decision = decide(world, ledger, key)
    return Explanation(
        decision=decision, summary=_summary(decision), candidates=_candidates(world, ledger, key)
    )


def _summary(decision: Decision) -> str:
    match decision:
        case Ignore(why=why):
            return f"no address from us: {why}" if why else "there is no such Service"
        case Refuse(problem=problem):
            return problem.detail
        case Keep(after=after, report=report):
            held = ", ".join(map(str, after.addresses)) if after else "nothing"
            return f"holds {held}" + (f"; {report.problem.detail}" if report.problem else "")
        case Assign(after=after, added=added, report=report):
            given = ", ".join(map(str, after.addresses))
            verb = "gets" if added else "holds"
            return f"{verb} {given}" + (f"; {report.problem.detail}" if report.problem else "")
        case Consult(report=report):
            return f"asks the provider of pool {report.ask.pool if report.ask else 'unknown'}"
        case Release():
            return "gives back what it does not ask for any more"
        case _:
            assert_never(decision)


def _candidates(world: World, ledger: Ledger, key: ServiceKey) -> tuple[Candidate, ...]:
    pools, namespace = world.pools, split_key(key)[0]
    service = world.services.get(key)
    selection = select(pools, key, group_of(service) if service else None)
    chosen = selection.pool.name if isinstance(selection, Selection) else None
    found = []
    for pool in pools.pools.values():
        checked = check(pools, namespace, pool.name)
        denied = isinstance(checked, Problem)
        why = checked.detail if isinstance(checked, Problem) else _room(pool, ledger)
        found.append(
            Candidate(name=pool.name, may_serve=not denied, is_chosen=pool.name == chosen, why=why)
        )
    for problem in pools.problems.values():
        name, detail = problem.group.name, problem.detail
        found.append(Candidate(name=name, may_serve=False, is_chosen=False, why=detail))
    return tuple(sorted(found, key=lambda candidate: (candidate.name, candidate.why)))


def _room(pool: Pool, ledger: Ledger) -> str:
    if pool.is_external:
        return f"addresses come from the external provider {pool.group.provider}"
    parts = []
    for family in FAMILIES:
        free = pool.available(family, ledger)
        parts.append(f"{free} of {pool.size(family)} {family} addresses free")
    return ", ".join(parts)
