"""Which node announces an address: the same answer on every node with the same view.

The winner is the candidate with the smallest SHA-256 of `<node>#<address>`. The formula is a
contract with PureLB's agents in the same cluster and with the plugin. Nobody tells it which node is
asking. Belongs here: candidates and winners. Does not: who is alive (`purelb.core.lease`), whether
the winner may already add the address (`fence`). Called by `desired`.
"""

import hashlib
from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass, replace

from purelb.api.addresses import IPAddress, IPNetwork
from purelb.api.identifiers import NodeName
from purelb.api.views import LeaseView

NOBODY: frozenset[NodeName] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A node with a live Lease, and the networks in which it can announce.

    `is_announcing` is False for one that only shows its networks: not configured, evacuated, or
    draining.
    `has_heartbeats`: it sends them. `heeds_wishes`: it knows that Services may name a node,
    and that holders may stay. `is_non_revertive`: what it has stays there.
    """

    node: NodeName
    subnets: tuple[IPNetwork, ...] = ()
    is_announcing: bool = True
    has_heartbeats: bool = False
    heeds_wishes: bool = True
    is_non_revertive: bool = False


@dataclass(frozen=True, slots=True)
class Winner:
    """The elected node; `fell_back` if none of the preferred ones was a candidate."""

    node: NodeName
    fell_back: bool = False


@dataclass(frozen=True, slots=True)
class _Round:
    """Who is a candidate for the addresses of some networks, and who was none before."""

    candidates: tuple[NodeName, ...]
    new: tuple[NodeName, ...]


class Electorate:
    """The members of one moment, indexed by network; remembers the winners it has computed.

    Build one when the members change. `live` are all members, candidates or not.
    """

    def __init__(self, members: Iterable[Member] = (), before: "Electorate | None" = None) -> None:
        """Index the members; their order does not matter.

        With the electorate `before`, an address is hashed again only for members that are new, and
        for all only if its winner left: thousands of addresses do not cost thousands of elections
        whenever one node comes or goes.
        """
        self.members = tuple(sorted(members, key=lambda member: member.node))
        self.live = frozenset(member.node for member in self.members)
        self._unheeding = frozenset(m.node for m in self.members if not m.heeds_wishes)
        self._staying = frozenset(m.node for m in self.members if m.is_non_revertive)
        self._networks = _by_network(self.members)
        self._rounds: dict[tuple[IPNetwork, ...], _Round] = {}
        self._plain: dict[IPAddress, NodeName | None] = {}
        self._past: dict[IPAddress, NodeName | None] = before._plain if before is not None else {}
        same = set(self.members).intersection(before.members if before is not None else ())
        self._kept = frozenset(member.node for member in same)

    def without(self, nodes: Container[NodeName]) -> "Electorate":
        """Return an electorate in which these members are no candidates, though they are live."""
        return Electorate(
            (replace(m, is_announcing=False) if m.node in nodes else m for m in self.members), self
        )

    @property
    def subnet_count(self) -> int:
        """How many distinct networks the members show."""
        return len({network for member in self.members for network in member.subnets})

    def candidates(self, address: IPAddress) -> tuple[NodeName, ...]:
        """Return the announcing members with a network that contains the address, sorted."""
        return self._round(address).candidates

    def _round(self, address: IPAddress) -> "_Round":
        number, version = int(address), address.version
        found = tuple(
            network
            for network, first, last in self._networks
            if network.version == version and first <= number <= last
        )
        if found not in self._rounds:
            nodes = {
                member.node
                for member in self.members
                if member.is_announcing and not set(found).isdisjoint(member.subnets)
            }
            candidates = tuple(sorted(nodes))
            new = tuple(node for node in candidates if node not in self._kept)
            self._rounds[found] = _Round(candidates, new)
        return self._rounds[found]

    def wished(self, address: IPAddress, wish: NodeName | None) -> Winner | None:
        """Return the node that a Service names, None if it cannot be the winner.

        It is not a candidate, or another candidate's agent would not know of the wish.
        """
        if wish is None:
            return None
        candidates = self.candidates(address)
        if wish not in candidates or not self._unheeding.isdisjoint(candidates):
            return None
        return Winner(wish)

    def incumbent(
        self, address: IPAddress, holder: NodeName | None, *, stays: bool
    ) -> NodeName | None:
        """Return the holder if nobody may take the address from it, else None.

        `stays`: the address's group wants that; else it is up to the holder.
        """
        if holder is None or not (stays or holder in self._staying):
            return None
        return holder if self.wished(address, holder) is not None else None

    def winner(
        self,
        address: IPAddress,
        preferred: frozenset[NodeName] = NOBODY,
        incumbent: NodeName | None = None,
    ) -> Winner | None:
        """Return who announces the address, or None if nobody can.

        Preferred nodes win over others if one of them is a candidate. An `incumbent` that is a
        candidate of that round stays, whatever the formula says.
        """
        if not preferred and incumbent is None:
            return self._winner_by_formula(address)
        candidates = self.candidates(address)
        chosen = tuple(node for node in candidates if node in preferred) or candidates
        if not chosen:
            return None
        fell_back = bool(preferred) and chosen is candidates and chosen[0] not in preferred
        node = incumbent if incumbent in chosen else _smallest(address, chosen)
        return Winner(node, fell_back=fell_back) if node is not None else None

    def runner_up(self, address: IPAddress, winner: NodeName) -> NodeName | None:
        """Return who is next by the formula beside the winner; None if there is nobody else."""
        others = tuple(node for node in self.candidates(address) if node != winner)
        return _smallest(address, others) if others else None

    def _winner_by_formula(self, address: IPAddress) -> Winner | None:
        if address not in self._plain:
            among, past = self._round(address), self._past.get(address)
            has_past = past is not None and past in self._kept
            candidates = (*among.new, past) if has_past and past else among.candidates
            self._plain[address] = _smallest(address, candidates) if candidates else None
        node = self._plain[address]
        return None if node is None else Winner(node)


def elect(
    address: IPAddress,
    members: Collection[Member],
    preferred: frozenset[NodeName] = NOBODY,
    incumbent: NodeName | None = None,
) -> NodeName | None:
    """Return the winner among these members, or None if nobody is a candidate."""
    winner = Electorate(members).winner(address, preferred, incumbent)
    return None if winner is None else winner.node


def members_of(leases: Iterable[LeaseView], own: Member | None) -> tuple[Member, ...]:
    """Return the members behind the live Leases, with the own node as it knows itself.

    `own` is None while the own Lease protects nothing. It replaces what the Lease says: a node
    whose Lease somebody deletes stays a member for itself and makes it again.
    """
    others = (
        Member(
            node=lease.node,
            subnets=lease.subnets,
            is_announcing=lease.is_announcing,
            has_heartbeats=lease.has_heartbeats,
            heeds_wishes=lease.heeds_wishes,
            is_non_revertive=lease.is_non_revertive,
        )
        for lease in leases
        if own is None or lease.node != own.node
    )
    return (*others, own) if own is not None else tuple(others)


def digest(node: NodeName, address: IPAddress) -> bytes:
    """Return a candidate's weight for an address; the smallest wins."""
    return hashlib.sha256(f"{node}#{address}".encode()).digest()


def _smallest(address: IPAddress, candidates: tuple[NodeName, ...]) -> NodeName:
    text = f"#{address}"  # formatting an address costs more than hashing it
    return min(candidates, key=lambda node: hashlib.sha256((node + text).encode()).digest())


def _by_network(members: Iterable[Member]) -> tuple[tuple[IPNetwork, int, int], ...]:
    networks = {n for member in members if member.is_announcing for n in member.subnets}
    ordered = sorted(networks, key=lambda n: (n.version, int(n.network_address), n.prefixlen))
    return tuple((n, int(n.network_address), int(n.broadcast_address)) for n in ordered)
