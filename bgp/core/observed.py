"""What an engine tells of itself, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from bgp.core.model import AfiSafi, Route
from purelb.api.addresses import IPAddress, IPNetwork


class SessionState(StrEnum):
    """RFC 4271 section 8.2.2, spelled as in a BGPNodeStatus."""

    UNKNOWN = "Unknown"
    IDLE = "Idle"
    CONNECT = "Connect"
    ACTIVE = "Active"
    OPEN_SENT = "OpenSent"
    OPEN_CONFIRM = "OpenConfirm"
    ESTABLISHED = "Established"


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyCounts:
    """Prefixes of one family; None is one that we never configure."""

    family: AfiSafi | None
    received: int = 0
    accepted: int = 0
    advertised: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """One session; `group` is not empty for dynamic neighbors, `up_since` is for people."""

    address: str
    peer_asn: int
    local_asn: int
    state: SessionState
    group: str = ""
    up_since: datetime | None = None
    is_over_limit: bool = False
    counts: tuple[FamilyCounts, ...] = ()

    @property
    def is_up(self) -> bool:
        """Whether routes are exchanged."""
        return self.state is SessionState.ESTABLISHED

    def total(self, kind: str) -> int:
        """Return the sum over families of `received`, `accepted` or `advertised`."""
        return sum(getattr(count, kind) for count in self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedPath:
    """One path to a prefix; `neighbor` is empty for our own.

    In a VRF it has a `distinguisher`, and route `targets` of others that take it, as texts like
    64512:1.
    """

    prefix: IPNetwork
    next_hops: tuple[IPAddress, ...] = ()
    neighbor: str = ""
    communities: tuple[str, ...] = ()
    large_communities: tuple[str, ...] = ()
    distinguisher: str = ""
    targets: tuple[str, ...] = ()
    is_best: bool = False
    is_withdrawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What an engine has, as it lists it: to find out what others have changed in it.

    `addresses` of its neighbors without the dynamic ones; `routes` are ours in the global table.
    """

    is_speaking: bool
    addresses: frozenset[str] = frozenset()
    routes: frozenset[Route] = frozenset()


Sent: TypeAlias = Mapping[str, Sequence[LearnedPath]]  # by neighbor's address: what it is sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What neighbors are to have no more: routes of ours, and neighbors with others' routes."""

    own: tuple[Route, ...] = ()
    stuck: tuple[str, ...] = ()


def not_sent(before: Sent, after: Sent) -> Lost:
    """Return what was sent before and is not now, for neighbors that are still there."""
    own: set[IPNetwork] = set()
    stuck: set[str] = set()
    for address in before.keys() & after.keys():
        kept = {path.prefix for path in after[address]}
        for path in before[address]:
            if path.prefix in kept:
                continue
            if path.neighbor:
                stuck.add(address)
            else:
                own.add(path.prefix)
    routes = sorted(own, key=lambda one: (one.version, int(one.network_address), one.prefixlen))
    return Lost(own=tuple(map(Route, routes)), stuck=tuple(sorted(stuck)))
