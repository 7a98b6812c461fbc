"""What a Service of ours is to get in addition to what it has. Pure.

Belongs here: single or multi-pool, pins before pools, all or nothing. Does not: the choice of an
address (`place`, `multi`), what is written (`settle`).
"""

from dataclasses import dataclass, replace

from allocator.core import notices, refusals
from allocator.core.asks import Ask
from allocator.core.decisions import Count, Metric
from allocator.core.external import Case, place_external
from allocator.core.facts import Facts
from allocator.core.holdings import Allocation, Want
from allocator.core.ledger import Ledger
from allocator.core.multi import Ranges, home_of, place_multi
from allocator.core.place import Lack, Placement, place, place_pinned
from allocator.core.pool import PoolSet
from allocator.core.request import AddressRequest
from allocator.core.select import Selection, fallbacks, select
from allocator.core.world import World
from purelb.api.addresses import Family, family_of
from purelb.api.identifiers import PoolName
from purelb.api.problems import Notice, Problem, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """New addresses, and what could not be given.

    `warning` concerns the choice of the pool, whether or not it had an address. `home` is the pool
    of all addresses of a multi-pool Service, None for others. `ask` is the question whose answer
    may complete it.
    """

    allocations: tuple[Allocation, ...] = ()
    problem: Problem | None = None
    wants: frozenset[Want] = frozenset()
    counts: tuple[Count, ...] = ()
    warning: Notice | None = None
    is_pinned: bool = False
    home: PoolName | None = None
    ask: Ask | None = None


NOTHING = Grant()


def grant(world: World, ledger: Ledger, facts: Facts, request: AddressRequest | Problem) -> Grant:
    """Find what is missing; an empty grant where nothing is, or nothing may be given."""
    if facts.service.is_deleting:
        return NOTHING
    if isinstance(request, Problem):
        return Grant(problem=request) if facts.missing else NOTHING
    if not request.pins:
        selection = select(world.pools, request.key, request.group)
        if _is_multi(request, selection):
            return _multi(world, ledger, facts, request)
    return _single(world, ledger, facts, request) if facts.missing else NOTHING


def _is_multi(request: AddressRequest, selection: Selection | Problem) -> bool:
    if isinstance(selection, Selection) and selection.pool.is_external:
        return False  # a provider has no ranges that we know of
    if request.multi_pool is not None:
        return request.multi_pool
    return isinstance(selection, Selection) and selection.pool.group.multi_pool


def _multi(world: World, ledger: Ledger, facts: Facts, request: AddressRequest) -> Grant:
    warning = None
    if facts.kept:
        pool = home_of(facts.kept, world.pools)
    else:
        selection = select(world.pools, request.key, request.group)
        if isinstance(selection, Selection):
            pool, warning = selection.pool, selection.warning
        else:
            pool = selection
    if isinstance(pool, Problem):
        return Grant(problem=pool)
    ranges = Ranges(request.families or (Family.IPV4,), world.active_subnets)
    placement = place_multi(request, facts.kept, pool, ranges, ledger)
    return replace(_of(placement, warning), home=pool.name)


def _single(world: World, ledger: Ledger, facts: Facts, request: AddressRequest) -> Grant:
    selection = select(world.pools, request.key, request.group)
    if _asks_provider_for_pins(request, selection, world.pools):
        pinned = Placement()
    else:
        pinned = place_pinned(request, facts.missing, world.pools, ledger)
    if pinned.lacks:
        return _of(pinned, is_pinned=True)
    served = {family_of(allocation.address) for allocation in pinned.allocations}
    rest = [family for family in facts.missing if family not in served]
    if not rest or (served and not request.families):
        return _of(pinned, is_pinned=True)
    warning = None
    if isinstance(selection, Problem):
        placement = Placement(lacks=(Lack(problem=selection),))
    elif selection.pool.is_external:
        placement = place_external(
            Case(world=world, ledger=ledger, facts=facts, request=request, pool=selection.pool),
            rest,
        )
        placement, warning = _not_multi(request, selection, placement)
    else:
        others = fallbacks(world.pools, request.namespace, request.fallbacks)
        placement = place(request, rest, (selection.pool, *others), ledger)
        warning = selection.warning
    if (placement.lacks or placement.ask) and not request.is_best_effort:
        pinned = Placement()
    both = Placement(
        allocations=(*pinned.allocations, *placement.allocations),
        lacks=placement.lacks,
        counts=placement.counts,
        ask=placement.ask,
    )
    return _of(both, warning, is_pinned=bool(pinned.allocations))


def _asks_provider_for_pins(
    request: AddressRequest, selection: Selection | Problem, pools: PoolSet
) -> bool:
    """Tell whether the pins are for a provider: its group is named, and no range has them."""
    if not request.pins or request.group is None:
        return False
    if any(pools.locate(pin) is not None for pin in request.pins):
        return False
    return isinstance(selection, Selection) and selection.pool.is_external


def _not_multi(
    request: AddressRequest, selection: Selection, placement: Placement
) -> tuple[Placement, Notice | None]:
    """Tell once that an external pool gives single addresses, whatever the annotation says."""
    if not request.multi_pool or not placement.allocations:
        return placement, selection.warning
    pool = selection.pool.name
    count = Count(metric=Metric.REJECTED, pool=pool, reason=Reason.MULTIPOOL_REFUSED)
    placement = replace(placement, counts=(*placement.counts, count))
    return placement, notices.not_multi(request.key, pool)


def _of(placement: Placement, warning: Notice | None = None, *, is_pinned: bool = False) -> Grant:
    """Turn what was placed into a grant."""
    return Grant(
        allocations=placement.allocations,
        problem=refusals.all_of([lack.problem for lack in placement.lacks]),
        wants=frozenset(want for lack in placement.lacks for want in lack.wants),
        counts=placement.counts,
        warning=warning,
        is_pinned=is_pinned,
        ask=placement.ask,
    )
