"""Which pool serves a request: annotation, namespace binding, default. Pure.

Belongs here: the choice and its refusals. Does not: whether the pool has a free address (`place`).
Called by `decide` and `explain`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from allocator.core.pool import Pool, PoolSet
from purelb.api.identifiers import PoolName, ServiceKey, split_key
from purelb.api.problems import Notice, NoticeType, Problem, Reason

DEFAULT = PoolName("default")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The pool that serves, and a warning where the choice was a fallback."""

    pool: Pool
    warning: Notice | None = None


def select(pools: PoolSet, key: ServiceKey, group: PoolName | None) -> Selection | Problem:
    """Choose the pool of a Service that names `group` (None: names no group)."""
    namespace = split_key(key)[0]
    bindings = pools.bindings
    if group is not None:
        return _selection(check(pools, namespace, group))
    if (bound := bindings.defaults.get(namespace)) is not None:
        return _selection(check(pools, namespace, bound))
    candidates = bindings.eligible.get(namespace, ())
    if not candidates:
        return _selection(check(pools, namespace, DEFAULT))
    ambiguity = _ambiguity(candidates, bindings.claimants[namespace])
    if namespace in bindings.enforcing:
        return Problem(
            reason=Reason.AMBIGUOUS_NAMESPACE_DEFAULT,
            detail=f"ambiguous namespace default: namespace {namespace} is bound to {ambiguity}, or"
            " name one in annotation purelb.io/service-group",
        )
    warning = Notice(
        type=NoticeType.WARNING,
        reason="ConfigurationWarning",
        message=f"{key}: namespace {namespace} is bound to {ambiguity};"
        f' pool "{DEFAULT}" is used instead',
    )
    return _selection(check(pools, namespace, DEFAULT), warning)


def fallbacks(
    pools: PoolSet, namespace: str, names: Iterable[PoolName]
) -> tuple[Pool | Problem, ...]:
    """Return the pools of these names, in their order, or why one cannot take what others lack."""
    found: list[Pool | Problem] = []
    for name in names:
        pool = check(pools, namespace, name)
        if isinstance(pool, Pool) and pool.is_external:
            pool = Problem(
                reason=Reason.OTHER,
                detail=f'pool "{name}" is external and cannot stand in for another; name a local or'
                " remote ServiceGroup in annotation purelb.io/fallback-groups",
                pool=name,
            )
        found.append(pool)
    return tuple(found)


def check(pools: PoolSet, namespace: str, name: PoolName) -> Pool | Problem:
    """Return the pool of that name if Services of the namespace may use it."""
    pool, bindings = pools.pools.get(name), pools.bindings
    if pool is None:
        return _unknown(pools, name)
    listed = name in bindings.eligible.get(namespace, ())
    if name in bindings.confined and not listed:
        serves = ", ".join(sorted(set(pool.group.namespaces)))
        return Problem(
            reason=Reason.NAMESPACE_DENIED,
            detail=f'namespace denied: pool "{name}" serves only {serves}; add {namespace} to its'
            " spec.namespaces, or name another ServiceGroup",
        )
    if namespace in bindings.enforcing and not listed:
        allowed = ", ".join(bindings.eligible[namespace])
        return Problem(
            reason=Reason.NAMESPACE_DENIED,
            detail=f'namespace denied: namespace {namespace} may use only {allowed}, not "{name}";'
            " name one of these in annotation purelb.io/service-group",
        )
    return pool


def _selection(checked: Pool | Problem, warning: Notice | None = None) -> Selection | Problem:
    if isinstance(checked, Problem):
        return checked
    return Selection(pool=checked, warning=warning)


def _ambiguity(candidates: Sequence[PoolName], claimants: Sequence[PoolName]) -> str:
    if not claimants:
        claim = "none sets namespaceDefault"
    elif len(claimants) == len(candidates):
        claim = "all set namespaceDefault"
    else:
        claim = f"of these {', '.join(claimants)} all set namespaceDefault"
    return f"{', '.join(candidates)}, and {claim}; exactly one must"


def _unknown(pools: PoolSet, name: PoolName) -> Problem:
    rejected = [problem for problem in pools.problems.values() if problem.group.name == name]
    if rejected:
        fault = rejected[0]
        advice = f"ServiceGroup {fault.group.namespace}/{name} is not usable: {fault.detail}"
    else:
        known = ", ".join(sorted(pools.pools)) or "none"
        advice = f"there is no such ServiceGroup; create it, or name one of: {known}"
    usable = bool(pools.pools) or not pools.problems
    return Problem(
        reason=Reason.UNKNOWN_POOL if usable else Reason.NO_USABLE_POOL,
        detail=f'unknown pool "{name}": {advice}',
    )
