"""What a Service of ours is to get in addition to what it has. Pure.

Belongs here: single or multi-pool, pins before pools, all or nothing. Does not: the choice of an
address (`place`, `multi`), what is written (`settle`).
"""

from dataclasses import dataclass, replace

from allocator.core.decisions import Count
from allocator.core.facts import Facts
from allocator.core.holdings import Allocation, Want
from allocator.core.ledger import Ledger
from allocator.core.multi import Ranges, home_of, place_multi
from allocator.core.place import Lack, Placement, place, place_pinned
from allocator.core.request import AddressRequest
from allocator.core.select import Selection, select
from allocator.core.world import World
from purelb.api.addresses import Family, family_of
from purelb.api.identifiers import PoolName
from purelb.api.problems import Notice, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """New addresses, and what could not be given.

    `warning` concerns the choice of the pool, whether or not it had an address. `home` is the pool
    of all addresses of a multi-pool Service, None for others.
    """

    allocations: tuple[Allocation, ...] = ()
    problem: Problem | None = None
    wants: frozenset[Want] = frozenset()
    counts: tuple[Count, ...] = ()
    warning: Notice | None = None
    is_pinned: bool = False
    home: PoolName | None = None


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
    pinned = place_pinned(request, facts.missing, world.pools, ledger)
    if pinned.lacks:
        return _of(pinned, is_pinned=True)
    served = {family_of(allocation.address) for allocation in pinned.allocations}
    rest = [family for family in facts.missing if family not in served]
    if not rest or (served and not request.families):
        return _of(pinned, is_pinned=True)
    selection = select(world.pools, request.key, request.group)
    if isinstance(selection, Problem):
        placement, warning = Placement(lacks=(Lack(problem=selection),)), None
    else:
        placement, warning = place(request, rest, selection.pool, ledger), selection.warning
    if placement.lacks and not request.is_best_effort:
        pinned = Placement()
    both = Placement(
        allocations=(*pinned.allocations, *placement.allocations),
        lacks=placement.lacks,
        counts=placement.counts,
    )
    return _of(both, warning, is_pinned=bool(pinned.allocations))


def _of(placement: Placement, warning: Notice | None = None, *, is_pinned: bool = False) -> Grant:
    """Turn what was placed into a grant; of several lacks the first is the one to report."""
    return Grant(
        allocations=placement.allocations,
        problem=placement.lacks[0].problem if placement.lacks else None,
        wants=frozenset(want for lack in placement.lacks for want in lack.wants),
        counts=placement.counts,
        warning=warning,
        is_pinned=is_pinned,
    )
