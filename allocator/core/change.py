"""What must be written on a Service so that it shows what it has. Pure.

Belongs here: ingress, annotations, condition and traffic policy as they should be, less what is
there already. Does not: JSON (`report`), which addresses (`grant`). Called by `settle`.
"""

from collections.abc import Mapping, Sequence

from allocator.core.conditions import service_conditions
from allocator.core.decisions import Change
from allocator.core.facts import Facts
from allocator.core.grant import Grant
from allocator.core.holdings import Origin
from allocator.core.pool import PoolSet, PoolType
from purelb.api import annotations
from purelb.api.addresses import FAMILIES, IPAddress
from purelb.api.annotations import encode_slots
from purelb.api.problems import Problem
from purelb.api.views import ServiceView


def origin_of(pools: PoolSet, facts: Facts, grant: Grant) -> Origin | None:
    """Return what the annotations must say about the pool; None where they say it already.

    Addresses that are new, or not seen in the cluster yet, or seen without the brand, need all of
    it. Which pool an address came from is taken from the first decision, else from where it lies.
    New addresses name their pool alone, as PureLB has it, but where groups stand in for each other.
    """
    if grant.allocations:
        chosen = [allocation.pool for allocation in grant.allocations]
        if annotations.FALLBACK_GROUPS in facts.service.annotations:
            homes = (pools.locate(address) for address in facts.kept)
            chosen = [*(home for home in homes if home is not None), *chosen]
        names = [pool.name for pool in chosen]
        return Origin(
            allocated_from=", ".join(names if grant.is_pinned else dict.fromkeys(names)),
            pool_type=chosen[0].type,
            skip_ipv6_dad=any(pool.group.skip_ipv6_dad for pool in chosen),
        )
    if facts.service.is_branded and not facts.is_pending:
        return None
    if facts.before is not None and facts.before.origin is not None:
        return facts.before.origin
    return _located(pools, facts.kept)


def change_of(
    pools: PoolSet,
    facts: Facts,
    grant: Grant,
    addresses: tuple[IPAddress, ...],
    origin: Origin | None,
) -> Change | None:
    """Return what to write so that the Service shows these addresses; None if it does already.

    Its condition tells of what could not be given beside them.
    """
    service = facts.service
    desired = {
        **_consumed(service),
        **_swept_slots(facts, addresses),
        **(_brand(pools, facts, grant, origin) if addresses else {}),
    }
    ingress = None if addresses == service.ingress else addresses
    resets = _resets_policy(pools, service, addresses, origin)
    edits = _differing(service, desired)
    conditions = service_conditions(service, grant.problem, facts.statements)
    if ingress is None and not edits and not resets and conditions is None:
        return None
    return Change(
        version=service.version,
        ingress=ingress,
        annotations=edits,
        conditions=conditions,
        resets_policy=resets,
    )


def refusal_of(service: ServiceView, problem: Problem) -> Change | None:
    """Return the write that says why the Service gets nothing; None if that is said already."""
    edits, conditions = _consumed(service), service_conditions(service, problem)
    if not edits and conditions is None:
        return None
    return Change(version=service.version, annotations=edits, conditions=conditions)


def consumption_of(service: ServiceView) -> Change | None:
    """Return the write that consumes `re-evaluate` and nothing else; None if it is not asked."""
    edits = _consumed(service)
    return Change(version=service.version, annotations=edits) if edits else None


def farewell_of(service: ServiceView) -> Change | None:
    """Return the write that removes all that is ours; None if nothing is there."""
    keys = (*annotations.OURS, *_consumed(service))
    edits = _differing(service, dict.fromkeys(keys))
    ingress = () if service.ingress else None
    conditions = service_conditions(service, None)
    if ingress is None and not edits and conditions is None:
        return None
    return Change(
        version=service.version, ingress=ingress, annotations=edits, conditions=conditions
    )


def _located(pools: PoolSet, addresses: Sequence[IPAddress]) -> Origin | None:
    homes = [home for address in addresses if (home := pools.locate(address)) is not None]
    if not homes:
        return None
    names = [home.name for home in homes]
    return Origin(
        allocated_from=names[0] if len(set(names)) == 1 else ", ".join(names),
        pool_type=homes[0].type,
        skip_ipv6_dad=any(home.group.skip_ipv6_dad for home in homes),
    )


def _brand(
    pools: PoolSet, facts: Facts, grant: Grant, origin: Origin | None
) -> Mapping[str, str | None]:
    brand: dict[str, str | None] = {annotations.ALLOCATED_BY: annotations.BRAND}
    if origin is not None:
        brand[annotations.ALLOCATED_FROM] = origin.allocated_from
        brand[annotations.POOL_TYPE] = origin.pool_type.value
        brand[annotations.SKIP_IPV6_DAD] = "true" if origin.skip_ipv6_dad else None
        return brand
    have = facts.service.annotations
    lost = {annotations.ALLOCATED_FROM, annotations.POOL_TYPE} - have.keys()
    if lost and (located := _located(pools, facts.kept)) is not None:
        brand.setdefault(annotations.ALLOCATED_FROM, located.allocated_from)
        brand.setdefault(annotations.POOL_TYPE, located.pool_type.value)
        # A value that is there may be older than the pools of today, and stays.
        brand = {key: have.get(key, value) for key, value in brand.items()}
    if grant.home is not None:
        brand[annotations.ALLOCATED_FROM] = grant.home
    return brand


def _consumed(service: ServiceView) -> Mapping[str, None]:
    asked = service.annotations.get(annotations.RE_EVALUATE) == "true"
    return {annotations.RE_EVALUATE: None} if asked else {}


def _swept_slots(facts: Facts, addresses: tuple[IPAddress, ...]) -> Mapping[str, str | None]:
    """Return the announcing annotations that name an address or a node that is not there."""
    swept: dict[str, str | None] = {}
    for family in FAMILIES:
        slots = facts.service.slots(family)
        left = [
            slot for slot in slots if slot.address in addresses and slot.node not in facts.departed
        ]
        if len(left) < len(slots):
            swept[annotations.ANNOUNCING[family]] = encode_slots(left) or None
    return swept


def _resets_policy(
    pools: PoolSet, service: ServiceView, addresses: tuple[IPAddress, ...], origin: Origin | None
) -> bool:
    # One node holds a local address, and traffic that reaches it must go on to pods elsewhere.
    if service.external_policy != "Local" or annotations.ALLOW_LOCAL in service.annotations:
        return False
    if not addresses:
        return False
    if origin is not None:
        return origin.pool_type is PoolType.LOCAL
    homes = [home.type for address in addresses if (home := pools.locate(address)) is not None]
    if homes:
        return PoolType.LOCAL in homes
    return service.annotations.get(annotations.POOL_TYPE) == PoolType.LOCAL


def _differing(service: ServiceView, desired: Mapping[str, str | None]) -> Mapping[str, str | None]:
    have = service.annotations
    return {key: value for key, value in desired.items() if have.get(key) != value}
