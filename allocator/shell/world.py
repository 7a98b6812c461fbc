"""What the allocator knows of the cluster, ready for the core.

Written by the informers' callbacks and the mirrors, on the loop; read by the worker.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from allocator.core.accounts import Account
from allocator.core.asks import Answer, Ask
from allocator.core.conditions import Ailment, ailments, shown_wrong
from allocator.core.decide import World
from allocator.core.guards import NO_GUARDS, Guards
from allocator.core.pools import PoolSet, build_pools, view_group
from allocator.core.rests import Rest, rests_of
from allocator.core.statements import Statements
from purelb.api.addresses import FAMILIES, IPAddress, IPNetwork
from purelb.api.identifiers import Instant, NodeName, PoolName, ServiceKey
from purelb.api.ipam import PoolStats
from purelb.api.resources import ServiceGroup
from purelb.api.views import LeaseView, ServiceView


@dataclass(slots=True)
class ProviderNews:
    """What is known of external providers.

    `asks` are the questions that stand, `answers` the last ones to them; `accounts` what providers
    may hold; `stats` the last counts. A pool that is missing in `up` was never called. `unrecorded`
    are those whose accounts cannot be put on record, and why.
    """

    asks: dict[ServiceKey, Ask] = field(default_factory=dict)
    accounts: dict[PoolName, dict[ServiceKey, Account]] = field(default_factory=dict)

    answers: dict[ServiceKey, Answer] = field(default_factory=dict)
    stats: dict[PoolName, PoolStats] = field(default_factory=dict)
    up: dict[PoolName, bool] = field(default_factory=dict)
    unrecorded: dict[PoolName, str] = field(default_factory=dict)

    def reset(self) -> None:
        """Forget everything."""
        self.asks.clear()
        self.accounts.clear()
        self.answers.clear()
        self.unrecorded.clear()
        self.keep(None)

    def ailing(self, pools: PoolSet) -> Mapping[PoolName, Ailment]:
        """Return why pools serve nobody for now."""
        silent = {name for name, is_up in self.up.items() if not is_up}
        return ailments(pools, silent, self.unrecorded)

    def keep(self, pools: PoolSet | None) -> None:
        """Forget pools that are not external, or are gone."""
        for known in (self.stats, self.up):
            for name in tuple(known):
                pool = pools.pools.get(name) if pools is not None else None
                if pool is None or not pool.is_external:
                    del known[name]


class WorldStore:
    """The live caches behind `World`."""

    def __init__(self, install_namespace: str, *, is_default_announcer: bool) -> None:
        self.services: dict[ServiceKey, ServiceView] = {}
        self.groups: dict[str, ServiceGroup] = {}  # by uid
        self.pools: PoolSet = build_pools((), install_namespace or None)
        self.providers = ProviderNews()
        self.rests: dict[IPAddress, Rest] = {}  # oldest first; some may be over
        self.is_configured = False  # whether a group was ever accepted
        self._install_namespace = install_namespace
        self._is_default_announcer = is_default_announcer
        self._guards = NO_GUARDS
        self._leases: dict[NodeName, LeaseView] = {}
        self._active_subnets: frozenset[IPNetwork] = frozenset()
        self._departed: frozenset[NodeName] = frozenset()
        self._statements = Statements()
        self._has_statements = False

    def set_service(self, old: ServiceView | None, new: ServiceView | None) -> ServiceKey:
        """Take in one change of a Service; returns whose it was."""
        if new is not None:
            self.services[new.key] = new
            return new.key
        if old is None:
            raise ValueError("a change without an object")
        self.services.pop(old.key, None)
        return old.key

    def note_released(
        self, old: ServiceView | None, new: ServiceView | None, now: Instant
    ) -> tuple[Rest, ...]:
        """Take in what a Service shows no more; returns what rests from now on.

        Every replica does, so that the next leader knows as well.
        """
        if old is None or (new is not None and new.ingress == old.ingress):
            return ()
        begun = tuple(rests_of(old, new, self.pools, now))
        for rest in begun:
            self.rests.pop(rest.address, None)
            self.rests[rest.address] = rest
        while self.rests and next(iter(self.rests.values())).until <= now:
            del self.rests[next(iter(self.rests))]
        return begun

    def set_lease(self, old: LeaseView | None, new: LeaseView | None) -> bool:
        """Take in one change of a node's Lease; tells whether the active subnets changed."""
        if new is not None:
            self._leases[new.node] = new
            self._departed -= {new.node}
        elif old is not None:
            self._leases.pop(old.node, None)
            self._departed |= {old.node}
        if old is not None and new is not None and old.subnets == new.subnets:
            return False  # a renewal
        before = self._active_subnets
        shown = (net for lease in self._leases.values() for net in lease.subnets)
        self._active_subnets = frozenset(shown)
        return before != self._active_subnets

    def note_statement(
        self, lease: LeaseView, now: Instant, *, is_gone: bool, whole_since: Instant | None
    ) -> frozenset[IPAddress]:
        """Take in what a node says on its Lease; returns the addresses that it changes.

        `whole_since` is since when no change of a Lease can have been missed, None if one may be.
        """
        said = self._statements
        changed = said.forget(lease.node) if is_gone else said.note(lease, now)
        return changed | said.expire(now, whole_since)

    def trust_statements(self) -> frozenset[IPAddress]:
        """Take it that the Leases are listed; returns the addresses that this changes.

        What Services show may be of long ago.
        """
        if self._has_statements:
            return frozenset()
        self._has_statements = True
        return shown_wrong(self.services.values())

    def note_departed(self) -> None:
        """Take note of nodes that Services name and that have no Lease.

        Only with a list of Leases that is younger than that of the Services: a node has its Lease
        before a Service names it.
        """
        named = {
            slot.node
            for service in self.services.values()
            for family in FAMILIES
            for slot in service.slots(family)
        }
        self._departed = frozenset(named - self._leases.keys())

    def set_groups(self, groups: Iterable[ServiceGroup]) -> PoolSet:
        """Take in all ServiceGroups and return the pools that were in force before."""
        self.groups = {group.metadata.uid: group for group in groups}
        return self._build()

    def set_guards(self, guards: Guards) -> PoolSet:
        """Take in what belongs to the cluster; returns the pools that were in force before."""
        self._guards = guards
        return self._build()

    def _build(self) -> PoolSet:
        before = self.pools
        views = [view_group(group) for group in self.groups.values()]
        self.pools = build_pools(views, self._install_namespace or None, self._guards)
        self.is_configured |= bool(self.pools.pools)
        return before

    def snapshot(self) -> World:
        """Return the world as it is until the next await."""
        return World(
            services=self.services,
            pools=self.pools,
            is_default_announcer=self._is_default_announcer,
            active_subnets=self._active_subnets,
            departed=self._departed,
            answers=self.providers.answers,
            statements=self._statements.by_address if self._has_statements else None,
        )
