"""What a Service owns and what it is about to get: the values the ledger records. Pure.

Belongs here: values. Does not: the record itself (`ledger`) and the rules (`place`, `decide`).
"""

from dataclasses import dataclass
from typing import TypeAlias

from allocator.core.pool import Pool, PoolType
from allocator.core.request import sharing_of
from purelb.api.addresses import AddressRange, IPAddress
from purelb.api.identifiers import NO_SHARING, ServiceKey, SharingKey, Uid
from purelb.api.problems import Problem
from purelb.api.views import NO_UID, Port, ServiceView

# What a waiting Service waits for: room in a range, a change on one address, or a holder with its
# sharing key.
Want: TypeAlias = AddressRange | IPAddress | SharingKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where addresses came from, in the words of the annotations that say so."""

    allocated_from: str
    pool_type: PoolType
    skip_ipv6_dad: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """The addresses of one Service, in ingress order, and under which terms others may join.

    A foreign holding belongs to another controller, or to nobody we know: its addresses are not
    given away, and it shares with nobody. `origin` is set while the write that tells of it has not
    been seen in the cluster.
    """

    key: ServiceKey
    uid: Uid = NO_UID
    addresses: tuple[IPAddress, ...]
    sharing: SharingKey = NO_SHARING
    ports: frozenset[Port] = frozenset()
    is_foreign: bool = False
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """One address chosen for a Service, and the pool that has it."""

    address: IPAddress
    pool: Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Why a Service may not use an address: who holds it, and on which port they clash.

    `port` is None where the two may not share at all.
    """

    address: IPAddress
    holder: ServiceKey
    port: Port | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What a Service was told last, and what would make another look worthwhile."""

    problem: Problem
    wants: frozenset[Want] = frozenset()


def holding_of(
    service: ServiceView,
    addresses: tuple[IPAddress, ...],
    *,
    is_foreign: bool = False,
    origin: Origin | None = None,
) -> Holding | None:
    """Build the record of a Service's addresses; None for no addresses."""
    if not addresses:
        return None
    return Holding(
        key=service.key,
        uid=service.uid,
        addresses=addresses,
        sharing=NO_SHARING if is_foreign else sharing_of(service),
        ports=frozenset(service.ports),
        is_foreign=is_foreign,
        origin=origin,
    )
