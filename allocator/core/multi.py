"""One address of every range: multi-pool Services. Pure.

Belongs here: which ranges take part, and what is missing of them. Does not: single addresses
(`place`). Called by `decide`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from allocator.core import refusals
from allocator.core.decisions import Count, Metric
from allocator.core.holdings import Allocation
from allocator.core.ledger import Ledger
from allocator.core.place import Found, Lack, Placement, joined, lowest_free, own_rest
from allocator.core.pool import Pool, PoolSet, PoolType, Range
from allocator.core.request import AddressRequest
from purelb.api.addresses import Family, IPAddress, IPNetwork
from purelb.api.problems import Problem, Reason


@dataclass(frozen=True, slots=True)
class Ranges:
    """Where a multi-pool request looks: local ranges count only on subnets that a node serves."""

    families: Sequence[Family]
    active_subnets: frozenset[IPNetwork]

    def eligible(self, pool: Pool) -> list[Range]:
        """Return the ranges of a pool that take part, in the order in which they are filled."""
        return [
            candidate
            for family in self.families
            for candidate in pool.ranges[family]
            if pool.type is PoolType.REMOTE or candidate.subnet in self.active_subnets
        ]


def place_multi(
    request: AddressRequest,
    held: Collection[IPAddress],
    pool: Pool,
    ranges: Ranges,
    ledger: Ledger,
) -> Placement:
    """Choose the lowest free address of each range that has none of those held.

    A full range is a lack; the others are given all the same. Without anything held or found it is
    a refusal.
    """
    refusal = _refusal(request, pool)
    if refusal is not None:
        return Placement(lacks=(Lack(problem=refusal),))
    eligible = ranges.eligible(pool)
    if not eligible and not held:
        return Placement(lacks=(Lack(problem=_nowhere(pool)),))
    allocations: list[Allocation] = []
    lacks: list[Lack] = []
    for candidate in eligible:
        # Ranges of one pool may overlap: an address stands for every range that has it.
        if any(a in candidate.addresses for a in [*held, *(new.address for new in allocations)]):
            continue
        found = _find(request, candidate, pool, ledger)
        if isinstance(found, Lack):
            lacks.append(found)
        else:
            allocations.append(found)
    counts = _counts(pool, bool(allocations), bool(lacks))
    return Placement(allocations=tuple(allocations), lacks=tuple(lacks), counts=counts)


def _find(request: AddressRequest, candidate: Range, pool: Pool, ledger: Ledger) -> Found:
    own = pool.reservations.own_in(request.key, candidate.addresses)
    if own is not None:
        return joined(request, own, pool, ledger)
    free = own_rest(request, candidate.spans, ledger) or lowest_free(candidate, ledger)
    return _full(candidate, pool) if free is None else Allocation(address=free, pool=pool)


def home_of(held: Collection[IPAddress], pools: PoolSet) -> Pool | Problem:
    """Return the one pool that has all addresses held."""
    homes = {address: pools.locate(address) for address in held}
    distinct = {home.name if home else None for home in homes.values()}
    first = next(iter(homes.values()))
    if first is not None and len(distinct) == 1:
        return first
    where = ", ".join(
        f"{address} in {f'pool {home.name}' if home else 'no pool'}"
        for address, home in homes.items()
    )
    return Problem(
        reason=Reason.MULTIPOOL_POOL_MISMATCH,
        detail=f"its addresses are not all of one pool ({where}), so none is added; restore the"
        ' ServiceGroup, or set annotation purelb.io/multi-pool to "false"',
    )


def _refusal(request: AddressRequest, pool: Pool) -> Problem | None:
    if pool.group.balance:
        return Problem(
            reason=Reason.OTHER,
            detail=f'multi-pool and balancePools of pool "{pool.name}" are mutually exclusive;'
            ' switch off one of them, or set annotation purelb.io/multi-pool to "false"',
        )
    if request.sharing:
        return Problem(
            reason=Reason.OTHER,
            detail="multi-pool allocation cannot be combined with IP sharing; remove annotation"
            ' purelb.io/allow-shared-ip, or set purelb.io/multi-pool to "false"',
        )
    return None


def _full(candidate: Range, pool: Pool) -> Lack:
    size = sum(span.size for span in candidate.spans)
    problem = Problem(
        reason=Reason.EXHAUSTED,
        detail=f'pool "{pool.name}" {refusals.FULL} in range {candidate.text}:'
        f" all {size} are in use and 0 are free; widen it, or delete a Service that holds one",
        pool=pool.name,
    )
    return Lack(problem=problem, wants=frozenset({candidate.addresses}))


def _nowhere(pool: Pool) -> Problem:
    return Problem(
        reason=Reason.NO_USABLE_POOL,
        detail=f'no range of pool "{pool.name}" is of the requested family and on a subnet that a'
        " node announces; check the subnets of its ranges, or wait for the node agents",
    )


def _counts(pool: Pool, has_some: bool, has_lacks: bool) -> tuple[Count, ...]:
    if not has_some:
        return ()
    whole = Count(metric=Metric.MULTIPOOL, pool=pool.name)
    partial = Count(metric=Metric.MULTIPOOL_PARTIAL, pool=pool.name)
    return (whole, partial) if has_lacks else (whole,)
