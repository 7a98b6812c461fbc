"""What a pass decides about each address, and what it must remember until the next.

Belongs here: the values. Does not: the rules (`desired`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from nodeagent.core.config import Garp, NodeConfig, Unconfigured
from nodeagent.core.conflicts import Conflict
from nodeagent.core.dummy import Dummy
from nodeagent.core.gate import CLEAR, Cause, Gate
from nodeagent.core.inputs import Inputs
from nodeagent.core.links import Presence, Selection
from nodeagent.core.vips import Vip
from purelb.api.addresses import IPAddress, IPNetwork
from purelb.api.annotations import Slot
from purelb.api.identifiers import Instant, NodeName, PoolName
from purelb.api.links import FOREVER, Link

NO_GROUP = PoolName("")


class Reason(StrEnum):
    """Why an address is not on this node, spelled as PureLB logs it."""

    NO_CONFIG = "noConfig"
    NO_LOCAL_INTERFACE = "noLocalInterface"
    CLUSTER_LOCAL = "ClusterLocal"
    NO_ELIGIBLE_NODES = "noEligibleNodes"
    LOST_ELECTION = "lostElection"
    NO_ENDPOINTS = "noEndpoints"
    FOREIGN_OWNER = "foreignOwner"  # a host that is no node of ours has it
    CLUSTER_EVENT = "cluster event"  # no Service of ours has it any more
    WITHDRAW_ALL = "withdrawAll"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """For how long addresses may be promised to the kernel, the same for all that are here.

    `until` is when the right to hold ends, `valid_limit` the user's upper limit in seconds. An
    address in place whose lifetime could grow by `gain` seconds is refreshed. Every renewal brings
    new terms and leaves the verdicts alone.
    """

    until: Instant = -math.inf
    valid_limit: int = FOREVER
    gain: int = 1

    def is_bounded(self, now: Instant) -> bool:
        """Tell whether the right ends before the lifetime that the user allows."""
        return self.valid_seconds(now) < self.valid_limit

    def valid_seconds(self, now: Instant) -> int:
        """Return the `valid_lft` that may be promised now; 0 means that nothing may.

        Whole seconds, rounded down, because the kernel takes no others. The margin for its late
        removal is already in `until`.
        """
        if self.valid_limit == FOREVER:
            return self.valid_limit
        return math.floor(max(0.0, min(self.valid_limit, self.until - now)))

    def is_stale(self, valid_seconds: int, read_at: Instant, now: Instant) -> bool:
        """Tell whether an address of ours that was read with this lifetime needs another one."""
        valid = self.valid_seconds(now)
        if FOREVER in (valid_seconds, valid):
            return valid_seconds != valid
        left = valid_seconds - (now - read_at)
        # Two roundings to whole seconds lie between what was promised and what is read back; more
        # than that is a promise that this node may not keep.
        return valid - left >= self.gain or left > valid + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """This node carries the address on `link`.

    `preferred_limit` is the user's upper limit in seconds; the `Terms` of the state say the rest.
    `gate` says when a missing one may be added, and whether one in place must go.
    `is_standing`: it is in place and may stay; `is_repair`: it was, and is no longer, by `cause`.
    `group` is empty for a local address; a remote one has that of its pool and stands on the dummy
    link of every node, without election, slot and packets. `misfit` is why a local one stands
    there, too, without packets: no link with its network could be chosen. Else empty.
    `needs_silence`: it may be added only as long as nobody answers for it on the link. `outlasts`:
    its lifetime ends with this agent's life, and not before with the right.
    `succeeds`: another node of ours had it last, so an IPv6 address is asked for shortly, as one of
    IPv4 is, and the kernel does not look for duplicates, for a second or two, once more.
    """

    address: IPAddress
    link: Link
    prefix: int
    flags: int
    preferred_limit: int = FOREVER
    gate: Gate = CLEAR
    is_standing: bool = False
    is_repair: bool = False
    cause: Cause = Cause.REMOVED
    group: PoolName = NO_GROUP
    misfit: str = ""
    needs_silence: bool = False
    outlasts: bool = False
    succeeds: bool = False

    @property
    def is_remote(self) -> bool:
        """Whether the address is on the dummy link of every node."""
        return self.group != NO_GROUP


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """This node will carry the address, but must not have it before `at`; `reason` says why.

    `at` is infinity where time alone does not help. `asks` is the link on which other hosts are to
    be asked for the address; `conflict` is that with one that has it. `why` is for the log, if the
    address has been in place. `silence_on` is the link on which no node may answer for the address
    any more.
    """

    address: IPAddress
    at: Instant
    reason: str
    asks: Link | None = None
    conflict: Conflict | None = None
    why: Reason = Reason.LOST_ELECTION
    silence_on: Link | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """This node does not carry the address.

    `winner` is who does, if the election says so, and `link` where this node would.
    """

    address: IPAddress
    reason: Reason
    winner: NodeName | None = None
    link: Link | None = None
    detail: str = ""


Verdict: TypeAlias = Here | Wait | Away


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """What is remembered of one address.

    `won_at` is since when this node is the winner, or saw another take the slot meanwhile; None if
    it is not the winner. `slot` is the slot of the last pass. `epoch` numbers the taking over of an
    address whose slot named another node, 0 if it was not taken over; `stated` is what the
    Service's slot said then. `succeeds`: the winner has it, or will, after another node had it.
    `is_usurped`: that other took the slot while this node was the winner.
    """

    seen_at: Instant
    won_at: Instant | None = None
    slot: Slot | None = None
    epoch: int = 0
    stated: Slot | None = None
    succeeds: bool = False
    is_usurped: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, what to remember, and when time alone may change it (perhaps in the past)."""

    verdict: Verdict
    tenure: Tenure
    changes: tuple[Instant, ...] = ()
    fell_back: bool = False

    def is_due(self, now: Instant) -> bool:
        """Tell whether it must be judged anew although nothing has changed but the time.

        A wait may end by signs that nobody keeps track of.
        """
        return isinstance(self.verdict, Wait) or any(at <= now for at in self.changes)


# Since when this node has been a candidate, by link index and network.
Joined: TypeAlias = Mapping[tuple[int, IPNetwork], Instant]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What one pass hands to the next. The first pass gets an empty one.

    `epoch` counts the configurations: each announces everything anew. `away` are, by link index,
    the nodes whose silence has counted against them. `past` is what the next pass may use again
    (`reuse`); nothing is decided by it.
    """

    tenures: Mapping[IPAddress, Tenure] = field(default_factory=dict)
    presence: Presence = field(default_factory=dict)
    config: NodeConfig | Unconfigured | None = None
    epoch: int = 0
    away: Mapping[int, frozenset[NodeName]] = field(default_factory=dict)
    joined: Joined = field(default_factory=dict)
    past: "Past | None" = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Past:
    """The last whole state and what it followed from.

    `timed` are the judgements behind it that time alone may change. The state's own memory is
    empty.
    """

    inputs: Inputs
    state: "DesiredState"
    timed: Mapping[IPAddress, Judgement]


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """What this node should carry.

    `is_whole` False: something is not known yet, so nothing is added, withdrawn or swept. There is
    one entry in `verdicts` for each of `vips`. `next_change` is when time alone may change anything
    of this, None if never. `fallbacks` are addresses none of whose preferred nodes is a candidate.
    `restless` are the addresses that may need more than refreshing (`rest`), all others are as they
    should be. `changed` are those that may differ from the state whose verdicts are `before`; None:
    it differs from every other. `terms` are those of local addresses, `lasting_terms` of those that
    outlast the right.
    """

    is_whole: bool
    verdicts: Mapping[IPAddress, Verdict] = field(default_factory=dict)
    vips: Mapping[IPAddress, Vip] = field(default_factory=dict)
    selection: Selection = field(default_factory=Selection)
    terms: Terms = Terms()
    dummy: Dummy = field(default_factory=Dummy)
    remote_terms: Terms = Terms()
    lasting_terms: Terms = Terms()
    garp: Garp | None = None
    epoch: int = 0
    fallbacks: tuple[IPAddress, ...] = ()
    next_change: Instant | None = None
    restless: frozenset[IPAddress] = frozenset()
    changed: frozenset[IPAddress] = frozenset()
    before: Mapping[IPAddress, Verdict] | None = None
    memory: Memory = field(default_factory=Memory)

    def terms_of(self, verdict: Here) -> Terms:
        """Return the terms of an address that belongs here."""
        if verdict.outlasts:
            return self.lasting_terms
        return self.remote_terms if verdict.is_remote else self.terms
