"""All that a decision may look at, besides the ledger. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from allocator.core.asks import Answer
from allocator.core.pool import PoolSet
from allocator.core.statements import Statement
from purelb.api.addresses import IPAddress, IPNetwork
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.api.views import ServiceView


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The cluster as the caches have it.

    `active_subnets` are the networks that node agents with a live Lease announce; only multi-pool
    Services depend on them. `departed` are nodes whose Lease is known to be gone. `answers` is what
    external providers said last to the Services that ask. `statements` are what node agents say of
    addresses, None while nobody knows.
    """

    services: Mapping[ServiceKey, ServiceView]
    pools: PoolSet
    is_default_announcer: bool = False
    active_subnets: frozenset[IPNetwork] = frozenset()
    departed: frozenset[NodeName] = frozenset()
    answers: Mapping[ServiceKey, Answer] = field(default_factory=dict)
    statements: Mapping[IPAddress, Statement] | None = None
