"""What `decide` can answer. Pure values.

Belongs here: the closed set of decisions and their parts. Does not: how they come about
(`decide`), their JSON (`report`). Matched exhaustively by the shell; `Ledger.commit` takes any.

In all of them `before` and `after` are the ledger's record of the Service at decision time and once
committed, None for no addresses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from allocator.core.asks import Ask
from allocator.core.holdings import Holding, Want
from allocator.core.request import NotOurs
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import ServiceKey
from purelb.api.problems import Notice, Problem, Reason
from purelb.api.resources import Condition


class Metric(StrEnum):
    """The counters a decision can move, by their names without the common prefix."""

    REJECTED = "allocation_rejected"
    MULTIPOOL = "multipool_allocations"
    MULTIPOOL_PARTIAL = "multipool_partial"
    BALANCED = "balance_pools_allocations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """One increment. `reason` is set for REJECTED only.

    `pool` is a pool's name, or what a user wrote where a name belongs, None where nothing was
    written: see `report.Labels`.
    """

    metric: Metric
    pool: str | None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What to write on a Service, on condition that it still has `version`.

    `ingress` is the complete new list in order, None if it stays as it is. `annotations` has only
    what differs, None removes a key. `conditions` is the complete new list, those of others
    included, None if it stays; one without a time gets that of the write. `resets_policy` asks for
    externalTrafficPolicy Cluster, in a write of its own before the others.
    """

    version: str
    ingress: tuple[IPAddress, ...] | None = None
    annotations: Mapping[str, str | None]
    conditions: tuple[Condition, ...] | None = None
    resets_policy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a decision says to people, and what the Service waits for.

    `problem` stands as long as the decision is repeated. The others are empty when the same problem
    was reported before. `warnings` must be visible before the write is. `notices` are true once the
    write, if there is one, has succeeded; a decision repeated for a lost write has them again.
    `counts` are true once the decision is committed, and never repeated. `ask` stands as long as
    the decision is repeated: what an external provider is to be asked.
    """

    problem: Problem | None = None
    wants: frozenset[Want] = frozenset()
    warnings: tuple[Notice, ...] = ()
    notices: tuple[Notice, ...] = ()
    counts: tuple[Count, ...] = ()
    ask: Ask | None = None


QUIET = Report()


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """The Service is as it should be, or as it can be: nothing to write."""

    key: ServiceKey
    before: Holding | None
    after: Holding | None
    report: Report = QUIET


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign:
    """The Service's addresses, or what tells of them, must be written.

    `added` are the addresses its ingress does not show yet; empty for a repair of annotations or
    policy. Decided again before the write is seen, it is the same again.
    """

    key: ServiceKey
    before: Holding | None
    after: Holding
    change: Change
    added: tuple[IPAddress, ...]
    report: Report = QUIET


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Addresses must go: all of a Service that is gone or left us, or those of a dropped family.

    `change` is None where no object is left to write. An address that the Service still shows stays
    owned until the write is seen, so that nobody gets it while it is in two places. `is_renewed`:
    a namesake exists, and is to be looked at next.
    """

    key: ServiceKey
    before: Holding | None
    after: Holding | None
    change: Change | None = None
    is_renewed: bool = False
    report: Report = QUIET


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """The Service gets nothing; it stays as it is, but for a consumed `re-evaluate`."""

    key: ServiceKey
    before: Holding | None
    after: None = None
    problem: Problem
    change: Change | None = None
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """The Service is none of ours; `why` is None where there is no such Service."""

    key: ServiceKey
    before: Holding | None
    after: Holding | None
    why: NotOurs | None = None
    report: Report = QUIET


@dataclass(frozen=True, slots=True, kw_only=True)
class Consult:
    """The Service gets what an external provider says, and that is not known yet: see `ask`."""

    key: ServiceKey
    before: Holding | None
    after: None = None
    report: Report


Decision: TypeAlias = Keep | Assign | Release | Refuse | Consult | Ignore
