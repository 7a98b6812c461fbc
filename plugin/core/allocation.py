"""A snapshot as the allocator sees it: the same pools, the same ledger, the same decisions."""

from dataclasses import dataclass

from allocator.core.guarding import cidr_guards, node_guards
from allocator.core.guards import guards_of
from allocator.core.ledger import Ledger
from allocator.core.pool import PoolSet
from allocator.core.pools import build_pools
from allocator.core.world import World
from plugin.core.snapshot import Snapshot
from plugin.core.wire import Pod
from purelb.api.groups import view_group

ALLOCATOR = "allocator"  # name of the container
ANNOUNCER = ("DEFAULT_ANNOUNCER", "PureLB")


@dataclass(frozen=True, slots=True)
class Allocator:
    """What an allocator that had read the same would decide by."""

    world: World
    ledger: Ledger

    @property
    def pools(self) -> PoolSet:
        """All ServiceGroups, accepted or not."""
        return self.world.pools


def allocator_of(snapshot: Snapshot) -> Allocator:
    """Adopt what every Service shows, oldest first, as the allocator does when it starts."""
    ledger = Ledger()
    for service in sorted(snapshot.services, key=lambda view: (view.created, view.key)):
        ledger.adopt(service)
    world = World(
        services=snapshot.by_key,
        pools=pools_of(snapshot),
        is_default_announcer=is_default_announcer(snapshot.pods),
        active_subnets=frozenset(n for one in snapshot.leases for n in one.view.subnets),
    )
    return Allocator(world, ledger)


def pools_of(snapshot: Snapshot) -> PoolSet:
    """Validate the ServiceGroups as the allocator of the install namespace does."""
    guards = guards_of(
        [
            *(guard for node in snapshot.nodes for guard in node_guards(node)),
            *(guard for cidr in snapshot.cidrs for guard in cidr_guards(cidr)),
        ]
    )
    groups = [view_group(group) for group in snapshot.groups]
    return build_pools(groups, snapshot.namespace or None, guards)


def is_default_announcer(pods: tuple[Pod, ...]) -> bool:
    """Tell whether Services without a class are ours; so they are in PureLB's own manifests."""
    found = [
        (variable.name, variable.value) == ANNOUNCER
        for pod in pods
        for container in pod.spec.containers or ()
        if container.name == ALLOCATOR
        for variable in container.env or ()
        if variable.name == ANNOUNCER[0]
    ]
    has_allocator = any(
        container.name == ALLOCATOR for pod in pods for container in pod.spec.containers or ()
    )
    return any(found) if found or has_allocator else True
