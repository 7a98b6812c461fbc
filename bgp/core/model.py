"""What a BGP engine can be told, as values: independent of gobgpd's messages and of our CRDs.

Belongs here: the vocabulary that `desired`, `plan` and the engine adapter share. Does not: where
the values come from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import NewType

from purelb.api.addresses import IPAddress, IPNetwork

PeerName = NewType("PeerName", str)  # what users call it: its address, or iface:NAME

DEFAULT_PORT = 179
DEFAULT_HOLD, DEFAULT_RETRY = 90, 120  # seconds, as gobgpd has them
NO_VRF = ""


class AfiSafi(StrEnum):
    """A family of routes, spelled as in a BGPConfiguration."""

    IPV4 = "ipv4-unicast"
    IPV6 = "ipv6-unicast"
    EVPN = "l2vpn-evpn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """The BGP speaker as a whole. Any change of it restarts every session."""

    asn: int
    router_id: str
    port: int = DEFAULT_PORT
    listen: tuple[str, ...] = ()  # addresses; empty is all
    uses_multiple_paths: bool = False
    device: str = ""
    always_compares_med: bool = False
    advertises_inactive: bool = False
    confederation: int = 0  # its identifier, 0 for none
    confederation_members: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFamily:
    """A family that a session carries; zeros mean no limit, one path."""

    family: AfiSafi
    most_prefixes: int = 0
    threshold_percent: int = 0
    receives_paths: bool = False
    sends_paths: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """Graceful restart (RFC 4724); `seconds` is how long the peer keeps our routes."""

    seconds: int
    is_helper_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """How to talk to a neighbor. Any change of it resets the session; times in seconds."""

    peer_asn: int
    families: tuple[SessionFamily, ...]
    local_asn: int = 0  # 0 is the speaker's
    password: str = field(default="", repr=False)
    hold: int = DEFAULT_HOLD
    keepalive: int = DEFAULT_HOLD // 3
    retry: int = DEFAULT_RETRY
    advertisement_interval: int = 0
    local_address: str = ""
    is_passive: bool = False
    device: str = ""
    restart: Restart | None = None
    reflects_for: str | None = None  # the cluster's id where the neighbor is a client of ours
    multihop_ttl: int = 0  # 0: directly connected
    least_ttl: int = 0  # RFC 5082; 0: not looked at
    vrf: str = NO_VRF


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One configured neighbor.

    `address` is what the engine connects to, with a zone where it is link-local. `description` is
    for people: it is sent once, and never resets anything.
    """

    name: PeerName
    address: str
    session: Session
    is_down: bool = False
    description: str = ""

    def alike(self) -> "Peer":
        """Return what decides whether the session must be reset."""
        return replace(self, description="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What sessions of dynamic neighbors are like."""

    name: str
    session: Session
    description: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """A network whose hosts may connect as members of a group."""

    prefix: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vrf:
    """A VRF: distinguisher and targets as texts, `ASN:number` or `address:number`."""

    name: str
    number: int  # unique on this node, from 1
    distinguisher: str
    imports: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A prefix we originate."""

    prefix: IPNetwork
    vrf: str = NO_VRF


class SetKind(Enum):
    """What a defined set lists."""

    PREFIX = "prefix"
    NEIGHBOR = "neighbor"
    AS_PATH = "as-path"
    COMMUNITY = "community"
    LARGE_COMMUNITY = "large-community"


@dataclass(frozen=True, slots=True)
class PrefixMatch:
    """Prefixes below one, with lengths in an inclusive range."""

    prefix: str
    shortest: int
    longest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedSet:
    """A named set for conditions; prefixes for that kind, texts for the others."""

    kind: SetKind
    name: str
    texts: tuple[str, ...] = ()
    prefixes: tuple[PrefixMatch, ...] = ()


class Match(Enum):
    """How a condition relates to its set."""

    ANY = "any"
    ALL = "all"
    INVERT = "invert"


class Change(Enum):
    """What an action does with communities."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Conditions, all of which must hold, and actions. `accepts` None: go on with the next."""

    name: str
    sets: tuple[tuple[SetKind, Match, str], ...] = ()
    family: AfiSafi | None = None
    rpki: str = ""
    is_own: bool = False  # only routes that we originate
    accepts: bool | None = None
    communities: tuple[Change, tuple[str, ...]] | None = None
    med: tuple[bool, int] | None = None  # whether it is relative, and the number
    prepend: tuple[int, int] | None = None  # ASN (0: the neighbor's view of the last), times
    local_pref: int | None = None
    next_hop: IPAddress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """Everything about policy: one chain of statements for each direction, for all neighbors."""

    sets: tuple[DefinedSet, ...] = ()
    imports: tuple[Statement, ...] = ()
    exports: tuple[Statement, ...] = ()
    accepts_imports: bool = True  # what no statement decides
    accepts_exports: bool = True


NO_POLICIES = Policies()


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The state of an engine, wanted or as far as we have brought it there.

    Without a speaker there is nothing else.
    """

    speaker: Speaker | None = None
    policies: Policies = NO_POLICIES
    vrfs: Mapping[str, Vrf] = field(default_factory=dict)
    routes: frozenset[Route] = frozenset()
    groups: Mapping[str, Group] = field(default_factory=dict)
    ranges: frozenset[Range] = frozenset()
    peers: Mapping[PeerName, Peer] = field(default_factory=dict)


STOPPED = Engine()
