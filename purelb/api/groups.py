"""What programs see of a ServiceGroup: a frozen view of its spec, ranges still as they are typed.

Built once per change, at the edge. Whether a group is acceptable beside the others is for the
allocator to say; the texts stay as typed because its status shows them so.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from purelb.api.addresses import Family
from purelb.api.identifiers import PoolName, ServiceKey, Uid
from purelb.api.resources import AddressPool, PoolSpec, ServiceGroup
from purelb.api.views import NO_UID

GroupKey: TypeAlias = tuple[str, str]  # (namespace, name)


class GroupKind(StrEnum):
    """Which of the three pool kinds a group has."""

    LOCAL = "local"
    REMOTE = "remote"
    EXTERNAL = "external"


class Fencing(StrEnum):
    """When another node may take a local address over, and when its holder lets go."""

    STRICT = "strict"  # taken only when its holder's Lease has ended
    FAST = "fast"  # heartbeats may shorten the wait
    AVAILABLE = "available"  # an isolated holder keeps it


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeEntry:
    """One range as typed, and the family of the field it stands in."""

    family: Family
    text: str
    subnet: str
    aggregation: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """One ServiceGroup.

    `kind` is None unless exactly one of the three is present. `entries` has IPv4 first, in a family
    the plural list first, then the singular field. `created` is metadata.creationTimestamp, which
    sorts by age. `namespaces` is verbatim, so it may repeat itself. `reservations` are addresses
    as typed, each with the Service it is kept for; `cool_down` is a duration as typed. `fencing`
    and `is_non_revertive` are those of a local group. `provider`, `announce` and `socket` belong to
    external groups.
    """

    namespace: str
    name: PoolName
    uid: Uid = NO_UID
    generation: int = 0
    created: str = ""
    kind: GroupKind | None = None
    entries: tuple[RangeEntry, ...] = ()
    skip_ipv6_dad: bool = False
    multi_pool: bool = False
    balance: bool = False
    provider: str = ""
    announce: str = ""
    socket: str = ""
    namespaces: tuple[str, ...] = ()
    enforces: bool = False
    is_default: bool = False
    reservations: tuple[tuple[str, ServiceKey], ...] = ()
    cool_down: str = ""
    fencing: Fencing = Fencing.FAST
    is_non_revertive: bool = False

    @property
    def key(self) -> GroupKey:
        """The identity of the object; inside the suite a group goes by its name alone."""
        return self.namespace, self.name


def view_group(group: ServiceGroup) -> GroupView:
    """Build the view of a ServiceGroup."""
    meta, spec = group.metadata, group.spec
    pools, external = spec.local or spec.remote or PoolSpec(), spec.external
    return GroupView(
        namespace=meta.namespace,
        name=PoolName(meta.name),
        uid=Uid(meta.uid),
        generation=meta.generation,
        created=meta.creation_timestamp or "",
        kind=_kind(group),
        entries=_entries(pools),
        skip_ipv6_dad=spec.local is not None and pools.skip_ipv6_dad,
        multi_pool=pools.multi_pool,
        balance=pools.balance_pools,
        provider=external.provider if external else "",
        announce=external.announce if external else "",
        socket=external.socket if external else "",
        namespaces=spec.namespaces or (),
        enforces=spec.enforce_namespaces,
        is_default=spec.namespace_default,
        reservations=tuple(
            (entry.address, ServiceKey(entry.service)) for entry in spec.reservations or ()
        ),
        cool_down=spec.cool_down,
        fencing=_fencing(spec.local),
        is_non_revertive=spec.local is not None and spec.local.non_revertive,
    )


def _fencing(local: PoolSpec | None) -> Fencing:
    """Return the choice of a local group; the default for all else, as for a text without one."""
    chosen = local.fencing if local is not None else ""
    return next((one for one in Fencing if one.value == chosen), Fencing.FAST)


def _kind(group: ServiceGroup) -> GroupKind | None:
    spec = group.spec
    present = [
        kind
        for kind, value in (
            (GroupKind.LOCAL, spec.local),
            (GroupKind.REMOTE, spec.remote),
            (GroupKind.EXTERNAL, spec.external),
        )
        if value is not None
    ]
    return present[0] if len(present) == 1 else None


def _entries(pools: PoolSpec) -> tuple[RangeEntry, ...]:
    typed: list[tuple[Family, AddressPool | None]] = [
        *((Family.IPV4, entry) for entry in pools.v4pools or ()),
        (Family.IPV4, pools.v4pool),
        *((Family.IPV6, entry) for entry in pools.v6pools or ()),
        (Family.IPV6, pools.v6pool),
    ]
    return tuple(
        RangeEntry(
            family=family,
            text=entry.pool,
            subnet=entry.subnet,
            aggregation=entry.aggregation or "default",
        )
        for family, entry in typed
        if entry is not None
    )
