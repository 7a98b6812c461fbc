"""What a pass goes by, kept so that the next one can tell what has changed.

Belongs here: the values and how they differ. Does not: what follows from a difference (`reuse`).
"""

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TypeAlias

from nodeagent.core.config import LOCAL, REMOTE, Lifetimes, NodeConfig, Unconfigured
from nodeagent.core.conflicts import Conflict
from nodeagent.core.dummy import Carried, Dummy
from nodeagent.core.election import Electorate
from nodeagent.core.gate import Record
from nodeagent.core.links import Announced, Observed
from nodeagent.core.peers import Claim, Reach
from nodeagent.core.remote import RemotePools
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.api.links import OUR_MARK, DefaultRoute, Link, LinkAddress
from purelb.api.views import NodeView, ServiceView
from purelb.core.lease import LeaseState

# Type and number of an address, link, prefix length, flags, mark, whether it is ours. Plain values:
# the standard library's addresses hash and compare ten times slower.
Row: TypeAlias = tuple[type[IPAddress], int, int, int, int, int, bool]
NUMBER, INDEX, IS_OURS = 1, 2, 6
LINK_LOCAL = 0xFE80 >> 6  # the first ten bits of link-local addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What every address is judged by. Mostly the same objects from pass to pass.

    `denial` is why nothing may be held, empty with a right to hold. `reach` is what counts of what
    is heard on each link. `is_kept`: the right comes from a quorum.
    """

    me: NodeName
    config: NodeConfig | Unconfigured
    node: NodeView | None
    electorate: Electorate | None
    expired: frozenset[NodeName]
    lease: tuple[LeaseState, float]
    denial: str = ""
    links: tuple[Link, ...]
    routes: tuple[DefaultRoute, ...]
    has_marks: bool
    pools: RemotePools
    dummy: Dummy
    has_endpoints: bool
    is_leaving: bool
    reach: Mapping[int, Reach]
    is_kept: bool
    has_api: bool

    @property
    def lifetimes(self) -> Lifetimes:
        """The user's limits."""
        return self.config.local if isinstance(self.config, NodeConfig) else LOCAL

    @property
    def remote_lifetimes(self) -> Lifetimes:
        """The user's limits on the dummy link."""
        return self.config.remote if isinstance(self.config, NodeConfig) else REMOTE

    @property
    def own(self) -> tuple[IPAddress, ...]:
        """The addresses by which Kubernetes knows this node."""
        return self.node.addresses if self.node is not None else ()


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """The kernel's addresses in its order, and each of them as a row, without its lifetimes."""

    entries: Sequence[LinkAddress]
    rows: Sequence[Row]

    @classmethod
    def of(cls, observed: Observed) -> "Listing":
        """Build the listing of an observation."""
        rows = [
            (
                type(entry.address),
                int(entry.address),
                entry.index,
                entry.prefix,
                entry.flags,
                entry.mark,
                entry.mark == OUR_MARK or observed.is_ours(entry),
            )
            for entry in observed.addresses
        ]
        return cls(observed.addresses, rows)

    def entries_of(self, addresses: Collection[IPAddress]) -> dict[IPAddress, list[LinkAddress]]:
        """Return all entries of these addresses, in the kernel's order."""
        numbers = {int(address) for address in addresses}
        found: dict[IPAddress, list[LinkAddress]] = {}
        for row, entry in zip(self.rows, self.entries, strict=True):
            if row[NUMBER] in numbers and entry.address in addresses:
                found.setdefault(entry.address, []).append(entry)
        return found

    def has_stranger(self, addresses: Collection[IPAddress], links: Container[int]) -> bool:
        """Tell whether an entry of these addresses on one of these links is not ours."""
        numbers = {int(address) for address in addresses}
        return any(
            row[NUMBER] in numbers and not row[IS_OURS] and row[INDEX] in links for row in self.rows
        )

    def carried(self) -> Carried:
        """Return which links have addresses of ours, and which have others."""
        return Carried(
            ours=frozenset(index for _, _, index, *_, is_ours in self.rows if is_ours),
            others=frozenset(
                index
                for kind, number, index, *_, is_ours in self.rows
                if not is_ours
                if not (kind is IPv6Address and number >> 118 == LINK_LOCAL)
            ),
        )

    def difference(self, before: "Listing", links: Container[int]) -> set[IPAddress] | None:
        """Return the addresses that are listed otherwise than before; lifetimes do not count.

        None if entries that are not ours on one of these links have changed, or their order.
        """
        if self.rows == before.rows:
            return set()
        head = _count_same(self.rows, before.rows)
        tail = _count_same(self.rows[head:][::-1], before.rows[head:][::-1])
        new, old = self._between(head, tail), before._between(head, tail)
        if _strangers(new, links) != _strangers(old, links):
            return None
        changed = new.keys() ^ old.keys()
        return {entries[row].address for entries in (new, old) for row in changed & entries.keys()}

    def _between(self, head: int, tail: int) -> dict[Row, LinkAddress]:
        end = len(self.rows) - tail
        return dict(zip(self.rows[head:end], self.entries[head:end], strict=True))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """All that a pass goes by, but for the time, lifetimes and the signs of others' renewals.

    Those signs come on top of each other, and end a `Wait`; they never make one.

    `is_bounded`: the right ends before the lifetimes that the user allows, so its renewals ask for
    refreshing. What follows these two concerns single addresses, or those of one link: `unrest`.
    """

    common: Common
    is_bounded: bool
    services: Mapping[ServiceKey, ServiceView]
    endpoints: Mapping[ServiceKey, frozenset[NodeName]]
    listing: Listing
    installed: frozenset[IPAddress]
    conflicts: Mapping[IPAddress, Conflict]
    unrest: Record
    announced: frozenset[Announced]
    claims: Mapping[IPAddress, Claim]
    silent: frozenset[IPAddress]


def _count_same(one: Sequence[Row], other: Sequence[Row]) -> int:
    """Return how many rows are the same at the beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (left, right) in pairs if left != right), min(len(one), len(other)))


def _strangers(rows: Collection[Row], links: Container[int]) -> list[Row]:
    return [row for row in rows if not row[IS_OURS] and row[INDEX] in links]
