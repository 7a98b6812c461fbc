"""Which address: lowest free, shared, pinned, or one of each range. Pure.

Belongs here: the choice inside pools that are already known to serve the request. Does not: which
pool (`select`), what is then written (`decide`). Nothing here changes the ledger.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from allocator.core import refusals
from allocator.core.asks import Ask
from allocator.core.decisions import Count, Metric
from allocator.core.holdings import Allocation, Want
from allocator.core.ledger import Ledger
from allocator.core.pool import Pool, PoolSet, Range
from allocator.core.request import AddressRequest
from allocator.core.select import check
from purelb.api.addresses import AddressRange, Family, IPAddress, family_of
from purelb.api.problems import Problem, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """Why one address cannot be given, and what would make another try worthwhile."""

    problem: Problem
    wants: frozenset[Want] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The addresses chosen, and what is lacking beside them or instead.

    `ask` is the question to an external provider that could fill what is lacking.
    """

    allocations: tuple[Allocation, ...] = ()
    lacks: tuple[Lack, ...] = ()
    counts: tuple[Count, ...] = ()
    ask: Ask | None = None


Found: TypeAlias = Allocation | Lack
Candidate: TypeAlias = Pool | Problem  # a pool, or why one that was named is of no use


def place(
    request: AddressRequest, missing: Collection[Family], pools: Sequence[Candidate], ledger: Ledger
) -> Placement:
    """Choose one address for each missing family, in the request's order.

    Of the first pool, and of those behind it only where it is full. All or nothing, unless the
    request takes what it can get. Without any family in the request (API servers that do not fill
    ipFamilies) it is IPv6, and IPv4 only if that fails.
    """
    if not request.families:
        return _either(request, pools, ledger)
    found = [
        _first(request, pools, family, ledger) for family in request.families if family in missing
    ]
    return combined(request, found)


def place_pinned(
    request: AddressRequest, missing: Collection[Family], pools: PoolSet, ledger: Ledger
) -> Placement:
    """Give the pinned addresses of the missing families: all of them, or none.

    Families that are not pinned are for `place`.
    """
    found = [
        _pinned(request, pin, pools, ledger)
        for pin in request.pins
        if not request.families or family_of(pin) in missing
    ]
    lacks = tuple(entry for entry in found if isinstance(entry, Lack))
    allocations = tuple(entry for entry in found if isinstance(entry, Allocation))
    return Placement(allocations=() if lacks else allocations, lacks=lacks)


def find(request: AddressRequest, pool: Pool, family: Family, ledger: Ledger) -> Found:
    """Choose one address of a family.

    The one kept for it, that of its sharing key, the one that it had a short while ago, else the
    lowest free.
    """
    own = pool.reservations.own(request.key, family)
    if own is not None:
        return joined(request, own, pool, ledger)
    bound = _bound(request, pool, family, ledger)
    if bound is not None:
        return joined(request, bound, pool, ledger)
    spans = [span for candidate in pool.ranges[family] for span in candidate.spans]
    if (rested := own_rest(request, spans, ledger)) is not None:
        return Allocation(address=rested, pool=pool)
    for candidate in _in_order(request, pool, family, ledger):
        free = lowest_free(candidate, ledger)
        if free is not None:
            return Allocation(address=free, pool=pool)
    wants: set[Want] = {candidate.addresses for candidate in pool.ranges[family]}
    if request.sharing:
        wants.add(request.sharing)
    return Lack(problem=refusals.exhausted(pool, family, ledger), wants=frozenset(wants))


def lowest_free(candidate: Range, ledger: Ledger) -> IPAddress | None:
    """Return the lowest address of a range that may be given and has no owner."""
    free = (ledger.lowest_free(span) for span in candidate.spans)
    return next((address for address in free if address is not None), None)


def own_rest(
    request: AddressRequest, spans: Sequence[AddressRange], ledger: Ledger
) -> IPAddress | None:
    """Return an address that a Service of this name had and that rests for it."""
    own = ledger.own_rests(request.key)
    return next((address for address in own if any(address in span for span in spans)), None)


def combined(request: AddressRequest, found: Sequence[Found]) -> Placement:
    """Give all that was found or nothing, unless the request takes what it can get."""
    lacks = tuple(entry for entry in found if isinstance(entry, Lack))
    allocations = tuple(entry for entry in found if isinstance(entry, Allocation))
    if lacks and not request.is_best_effort:
        return Placement(lacks=lacks)
    balanced = tuple(
        Count(metric=Metric.BALANCED, pool=entry.pool.name)
        for entry in allocations
        if _is_balanced(request, entry.pool)
    )
    return Placement(allocations=allocations, lacks=lacks, counts=balanced)


def _first(
    request: AddressRequest, pools: Sequence[Candidate], family: Family, ledger: Ledger
) -> Found:
    """Choose an address in the first pool that has one left, or tell of all that have none."""
    lacks: list[Lack] = []
    for pool in pools:
        found = (
            find(request, pool, family, ledger) if isinstance(pool, Pool) else Lack(problem=pool)
        )
        if isinstance(found, Allocation):
            return found
        lacks.append(found)
        if isinstance(pool, Pool) and found.problem.reason is not Reason.EXHAUSTED:
            break  # it is not room that is missing
    return replace(
        lacks[0],
        problem=refusals.all_of([lack.problem for lack in lacks]) or lacks[0].problem,
        wants=frozenset(want for lack in lacks for want in lack.wants),
    )


def _either(request: AddressRequest, pools: Sequence[Candidate], ledger: Ledger) -> Placement:
    found = [_first(request, pools, family, ledger) for family in (Family.IPV6, Family.IPV4)]
    for entry in found:
        if isinstance(entry, Allocation):
            return combined(request, [entry])
    # Of two refusals the one that speaks of a family the pool has helps more.
    found.sort(key=lambda entry: isinstance(entry, Lack) and not entry.wants)
    return combined(request, found)


def _is_balanced(request: AddressRequest, pool: Pool) -> bool:
    return pool.group.balance and not request.sharing


def _in_order(
    request: AddressRequest, pool: Pool, family: Family, ledger: Ledger
) -> Sequence[Range]:
    ranges = pool.ranges[family]
    if not _is_balanced(request, pool):
        return ranges
    return sorted(ranges, key=lambda candidate: ledger.used(candidate.addresses))


def _bound(request: AddressRequest, pool: Pool, family: Family, ledger: Ledger) -> IPAddress | None:
    if not request.sharing:
        return None
    for extent in pool.extents[family]:
        bound = ledger.lowest_bound(request.sharing, extent)
        if bound is not None:
            return bound
    return None


def joined(request: AddressRequest, address: IPAddress, pool: Pool, ledger: Ledger) -> Found:
    """Give one certain address, alone or beside its owners, or say why not.

    Whatever the reason, a change of owners may help: it may be asked for only because a sharing key
    stands for it.
    """
    if (guard := pool.guard(address)) is not None:
        return Lack(problem=refusals.guarded(address, guard, pool), wants=_wants(request, address))
    kept_for = pool.reservations.kept.get(address, request.key)
    if kept_for != request.key:
        problem = refusals.reserved(address, kept_for, pool)
        return Lack(problem=problem, wants=_wants(request, address))
    objection = ledger.objection(address, request.key, request.sharing, request.ports)
    if objection is None:
        rest = ledger.resting(address)
        if rest is None or rest.key == request.key:
            return Allocation(address=address, pool=pool)
        problem = refusals.resting(rest, pool)
        return Lack(problem=problem, wants=_wants(request, address))
    problem = refusals.in_the_way(objection, request.sharing, pool.name)
    return Lack(problem=problem, wants=_wants(request, address))


def _pinned(request: AddressRequest, pin: IPAddress, pools: PoolSet, ledger: Ledger) -> Found:
    pool = pools.locate(pin)
    if pool is None:
        return Lack(problem=refusals.outside(pin, pools))
    allowed = check(pools, request.namespace, pool.name)
    if isinstance(allowed, Problem):
        return Lack(problem=allowed)
    bound = _bound(request, pool, family_of(pin), ledger)
    if bound is not None and bound != pin and ledger.owners(bound) != (request.key,):
        problem = refusals.bound_elsewhere(request.sharing, bound, pin, pool.name)
        return Lack(problem=problem, wants=_wants(request, bound))
    return joined(request, pin, pool, ledger)


def _wants(request: AddressRequest, address: IPAddress) -> frozenset[Want]:
    """Return what to wait for where an address has other owners.

    The address, and that the sharing key comes to stand for another one.
    """
    return frozenset({address, request.sharing}) if request.sharing else frozenset({address})
