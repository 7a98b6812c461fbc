"""Addresses of external pools: what to ask for, and what of an answer is taken. Pure.

Belongs here: the question that a Service's lack leads to, and the checks of what came back: a
provider may be wrong, and its addresses are given only where one of our own ranges could give them.
Does not: calls, retries and giving back (`accounts` and the shell). Called by `grant`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from allocator.core import refusals
from allocator.core.asks import Ask
from allocator.core.facts import Facts
from allocator.core.holdings import Allocation
from allocator.core.ledger import Ledger
from allocator.core.place import Found, Lack, Placement, combined
from allocator.core.pool import Pool
from allocator.core.request import AddressRequest
from allocator.core.world import World
from purelb.api.addresses import AddressRange, Family, IPAddress, family_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One Service that is served from an external pool, and all that its case depends on."""

    world: World
    ledger: Ledger
    facts: Facts
    request: AddressRequest
    pool: Pool


def place_external(case: Case, missing: Sequence[Family]) -> Placement:
    """Take what the provider has said, or ask.

    The question stands (`Placement.ask`) until every missing family has an address.
    """
    request = case.request
    pins = _pins(request, missing)
    ask = Ask(
        key=request.key,
        uid=case.facts.service.uid,
        pool=case.pool.name,
        families=() if pins else _families(case, missing),
        pins=pins,
        sharing=request.sharing,
    )
    answer = case.world.answers.get(request.key)
    if answer is None or answer.ask != ask:
        return Placement(ask=ask)
    if answer.problem is not None:
        return Placement(lacks=(Lack(problem=answer.problem),), ask=ask)
    wanted = _wanted(request, pins, missing, answer.addresses)
    placement = combined(request, [_take(case, f, pins, answer.addresses) for f in wanted])
    return replace(placement, ask=ask if placement.lacks else None)


def _pins(request: AddressRequest, missing: Sequence[Family]) -> tuple[IPAddress, ...]:
    # Without a group of its own a pin lies in one of our ranges, and was placed there or refused.
    if request.group is None:
        return ()
    return tuple(pin for pin in request.pins if family_of(pin) in missing)


def _families(case: Case, missing: Sequence[Family]) -> tuple[Family, ...]:
    """Return the families that this provider is to serve: missing ones, and those it serves now.

    An address in no range came from a provider. Leaving its family out of the question could be
    read as giving it back.
    """
    pools = case.world.pools
    served = {family_of(a) for a in case.facts.kept if pools.locate(a) is None}
    return tuple(f for f in case.request.families if f in missing or f in served)


def _wanted(
    request: AddressRequest,
    pins: Sequence[IPAddress],
    missing: Sequence[Family],
    given: Sequence[IPAddress],
) -> Sequence[Family]:
    if pins:
        return [family_of(pin) for pin in pins]
    if request.families:
        return missing
    return [family_of(given[0])]  # no family was asked for: one address, as the provider likes


def _take(
    case: Case, family: Family, pins: Sequence[IPAddress], given: Sequence[IPAddress]
) -> Found:
    """Take the first address of a family that the Service may have."""
    lacks = []
    for address in given:
        if family_of(address) is not family or (pins and address not in pins):
            continue
        found = _checked(case, address)
        if isinstance(found, Allocation):
            return found
        lacks.append(found)
    return lacks[0] if lacks else Lack(problem=refusals.incomplete(case.pool, family))


def _checked(case: Case, address: IPAddress) -> Found:
    request, pool = case.request, case.pool
    home = case.world.pools.locate(address)
    if home is not None:
        return Lack(problem=refusals.in_a_range(pool, address, home))
    guards = case.world.pools.guards.within(AddressRange(address, address))
    if guards:
        return Lack(problem=refusals.guarded(address, guards[0], pool))
    objection = case.ledger.objection(address, request.key, request.sharing, request.ports)
    if objection is not None:
        problem = refusals.in_the_way(objection, request.sharing, pool.name)
        return Lack(problem=problem, wants=frozenset({address}))
    return Allocation(address=address, pool=pool)
