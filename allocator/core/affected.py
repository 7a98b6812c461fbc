"""Which Services a change of the configuration concerns. Pure.

Belongs here: who is to be looked at again. Does not: what becomes of them (`decide`). Called by the
shell when groups or active subnets have changed.
"""

from collections.abc import Collection, Iterable

from allocator.core.ledger import Ledger
from allocator.core.pool import Pool, PoolSet
from allocator.core.world import World
from purelb.api import annotations
from purelb.api.addresses import FAMILIES, IPAddress
from purelb.api.identifiers import NodeName, ServiceKey


def affected(old: PoolSet, new: PoolSet, ledger: Ledger) -> tuple[ServiceKey, ...]:
    """Return all Services that wait, oldest first, then the owners in pools that differ, sorted.

    Owners keep what they have; some may get more, such as an address of a new range. All owners are
    concerned where other Services than before are served by a pool that gives one address of each
    range: those Services want more, or are to hear why they get none, wherever their addresses lie.
    """
    waiting = ledger.all_waiting()
    if _serves_others_widely(old, new):
        return _merged(waiting, {holding.key for holding in ledger.holdings()})
    names = old.pools.keys() | new.pools.keys()
    changed = [
        pool
        for name in sorted(names)
        if old.pools.get(name) != new.pools.get(name)
        for pool in (old.pools.get(name), new.pools.get(name))
        if pool is not None
    ]
    return _merged(waiting, _owners(changed, ledger))


def affected_by_subnets(world: World, ledger: Ledger) -> tuple[ServiceKey, ...]:
    """Return all Services that wait, oldest first, then those with an address of many ranges."""
    asking = [
        key
        for key, service in world.services.items()
        if service.annotations.get(annotations.MULTI_POOL) == "true"
    ]
    spread = [pool for pool in world.pools.pools.values() if pool.group.multi_pool]
    return _merged(ledger.all_waiting(), {*asking, *_owners(spread, ledger)})


def announced_by(world: World, nodes: Collection[NodeName]) -> tuple[ServiceKey, ...]:
    """Return the Services that say that one of these nodes announces them, sorted."""
    return tuple(
        sorted(
            key
            for key, service in world.services.items()
            if any(slot.node in nodes for family in FAMILIES for slot in service.slots(family))
        )
    )


def with_addresses(ledger: Ledger, addresses: Iterable[IPAddress]) -> tuple[ServiceKey, ...]:
    """Return the owners of these addresses, sorted."""
    return tuple(sorted({owner for address in addresses for owner in ledger.owners(address)}))


def _serves_others_widely(old: PoolSet, new: PoolSet) -> bool:
    wide, were_wide = (
        {name for name, pool in pools.pools.items() if pool.group.multi_pool}
        for pools in (new, old)
    )
    return wide != were_wide or bool(wide and old.bindings != new.bindings)


def _owners(pools: Iterable[Pool], ledger: Ledger) -> set[ServiceKey]:
    return {
        owner
        for pool in pools
        for family in FAMILIES
        for extent in pool.extents[family]
        for owner in ledger.owners_in(extent)
    }


def _merged(first: tuple[ServiceKey, ...], rest: set[ServiceKey]) -> tuple[ServiceKey, ...]:
    return (*first, *sorted(rest.difference(first)))
