"""What a pass tells the world: slots, Events, log lines and counts, each only when it changes.

Belongs here: what has changed since it was last told. Does not: the words (`words`), requests,
logging and counters (`nodeagent.shell`). Called by the shell after each pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import assert_never

from nodeagent.core import words
from nodeagent.core.gate import Blocked, WaitUntil
from nodeagent.core.installed import Outcome
from nodeagent.core.notices import Level, Line, Notice
from nodeagent.core.plan import (
    AddAddress,
    Announce,
    RefreshAddress,
    RemoveAddress,
    ReorderAddress,
)
from nodeagent.core.slots import SlotWrite, write_slots
from nodeagent.core.verdicts import Away, DesiredState, Here, Reason, Verdict, Wait
from nodeagent.core.vips import Vip
from nodeagent.core.words import Count
from purelb.api import annotations
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import LinkName, NodeName, ServiceKey
from purelb.api.views import ServiceView

POOL_REMOTE = "remote"  # value of the pool-type annotation
LOCAL = "Local"  # externalTrafficPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told up to the last pass.

    `held` are the addresses in place, with their links; `installed` those that were put in place
    and not withdrawn since, even if they are missing now; `announced` those that have had a burst.
    The rest is what the last whole pass had.
    """

    held: Mapping[IPAddress, LinkName] = field(default_factory=dict)
    installed: frozenset[IPAddress] = frozenset()
    announced: frozenset[IPAddress] = frozenset()
    verdicts: Mapping[IPAddress, Verdict] = field(default_factory=dict)
    services: Mapping[IPAddress, tuple[ServiceKey, ...]] = field(default_factory=dict)
    fallbacks: frozenset[IPAddress] = frozenset()
    slots: tuple[SlotWrite, ...] = ()
    overrides: tuple["Override", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A Service of a remote pool with an address here, whose traffic policy must become Cluster.

    `notice` is to be sent once that is written; `version` is the resourceVersion decided on.
    """

    service: ServiceKey
    version: str
    notice: Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What to tell after one pass, and what will have been told then.

    `slots` and `overrides` are computed from the Services as they are known, at each pass: what is
    under way must not be sent again.
    """

    told: Told
    slots: tuple[SlotWrite, ...] = ()
    overrides: tuple[Override, ...] = ()
    notices: tuple[Notice, ...] = ()
    lines: tuple[Line, ...] = ()
    counts: tuple[Count, ...] = ()


def report(
    me: NodeName, told: Told, desired: DesiredState, outcomes: Sequence[Outcome], members: int
) -> Report:
    """Return what follows from a pass for everybody else; `members` is how many nodes are live."""
    if not desired.is_whole:
        return Report(told=told)
    if desired.verdicts is told.verdicts and not outcomes:
        return Report(told=told, slots=told.slots, overrides=told.overrides)
    result = _Result.of(desired, outcomes)
    teller = _Teller(me, told, desired, result, members)
    for outcome in outcomes:
        teller.tell_outcome(outcome)
    for address, verdict in desired.verdicts.items():
        teller.tell_verdict(desired.vips[address], verdict)
    teller.tell_forgotten()
    for address in set(desired.fallbacks) - told.fallbacks:
        teller.counts.append(Count(words.AFFINITY_FALLBACKS, (("service", str(address)),)))
    services = {s.key: s for vip in desired.vips.values() for s in vip.services}
    writes = (write_slots(s, me, result.held, result.pending) for s in services.values())
    slots, overrides = tuple(chain(*writes)), tuple(teller.overrides.values())
    return Report(
        told=replace(_told(told, desired, result), slots=slots, overrides=overrides),
        slots=slots,
        overrides=overrides,
        notices=tuple(teller.notices),
        lines=tuple(teller.lines),
        counts=tuple(teller.counts),
    )


def _told(told: Told, desired: DesiredState, result: "_Result") -> Told:
    carried = {a for a, verdict in desired.verdicts.items() if isinstance(verdict, Here)}
    installed = (told.installed | result.held.keys()) & carried
    return Told(
        held=result.held,
        installed=installed,
        announced=(told.announced | result.announced) & installed,
        verdicts=desired.verdicts,
        services={address: vip.keys for address, vip in desired.vips.items()},
        fallbacks=frozenset(desired.fallbacks),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """What is true after a pass.

    `held` are the addresses in place, `pending` those that drifted away and wait for the gate,
    the others what was done.
    """

    held: Mapping[IPAddress, LinkName]
    pending: frozenset[IPAddress]
    added: frozenset[IPAddress]
    removed: frozenset[IPAddress]
    announced: frozenset[IPAddress]

    @classmethod
    def of(cls, desired: DesiredState, outcomes: Sequence[Outcome]) -> "_Result":
        done = [outcome.op for outcome in outcomes if not outcome.error]
        failed = [outcome.op for outcome in outcomes if outcome.error]
        added = frozenset(op.entry.address for op in done if isinstance(op, AddAddress))
        lost = {op.entry.address for op in failed if isinstance(op, ReorderAddress)}
        carried = [v for v in desired.verdicts.values() if isinstance(v, Here)]
        held = {
            v.address: v.link.name
            for v in carried
            if (v.is_standing or v.address in added) and v.address not in lost
        }
        removed = frozenset(
            op.address for op in done if isinstance(op, RemoveAddress) and not op.is_copy
        )
        return cls(
            held=held,
            pending=frozenset(
                v.address
                for v in carried
                if v.is_repair and isinstance(v.gate, WaitUntil | Blocked)
            ),
            added=added,
            removed=removed,
            announced=frozenset(op.address for op in done if isinstance(op, Announce)),
        )


class _Teller:
    """Collects what one pass has to tell."""

    def __init__(
        self, me: NodeName, told: Told, desired: DesiredState, result: _Result, members: int
    ) -> None:
        self._me, self._told, self._desired = me, told, desired
        self._result, self._members = result, members
        self._touched = result.added | result.removed | result.announced
        self.overrides: dict[ServiceKey, Override] = {}
        self.notices: list[Notice] = []
        self.lines: list[Line] = []
        self.counts: list[Count] = []

    def tell_outcome(self, outcome: Outcome) -> None:
        """Tell what an operation by itself means."""
        error = outcome.error
        match outcome.op:
            case AddAddress(link=link, entry=entry) | ReorderAddress(link=link, entry=entry) if (
                error
            ):
                self._failed(entry.address, link, error)
            case AddAddress(is_repair=True):
                self.counts.append(Count(words.DRIFT_REPAIRED, (("reason", "removed"),)))
            case ReorderAddress():
                self.counts.append(Count(words.ORDER_FIXED))
            case RefreshAddress():
                self.counts.append(Count(words.RENEWAL_ERRORS if error else words.RENEWALS))
            case RemoveAddress(address=address, link=link) if error:
                fields = {"ip": str(address), "interface": link, "error": error}
                self.lines.append(Line(op="removeFailed", level=Level.WARNING, fields=fields))
            case RemoveAddress(address=address, link=link, reason=words.DAD_FAILED):
                self.counts.append(Count(words.DAD_FAILURES))
                self._failed(address, link, "another host on the network has this address")
            case _:
                pass

    def tell_verdict(self, vip: Vip, verdict: Verdict) -> None:
        """Tell what has changed about one address."""
        before = self._told.verdicts.get(vip.address)
        if before is verdict and vip.address not in self._touched:
            return
        was, winner = words.winner_of(before, self._me), words.winner_of(verdict, self._me)
        if was is not None and winner is not None and was != winner:
            labels = ((("service", key),) for key in vip.keys)
            self.counts.extend(Count(words.WINNER_CHANGES, label) for label in labels)
        match verdict:
            case Here():
                self._tell_here(vip, verdict, before)
            case Wait():
                self._tell_wait(vip, verdict, before)
            case Away():
                self._tell_away(vip, verdict, before)
            case _:
                assert_never(verdict)

    def tell_forgotten(self) -> None:
        """Tell of addresses that no Service of ours has any more."""
        gone = self._told.held.keys() - self._desired.verdicts.keys()
        for address in sorted((*gone, *self._orphans(gone)), key=str):
            for service in self._told.services.get(address, (ServiceKey(""),)):
                self._withdrawn(address, service, Reason.CLUSTER_EVENT)

    def _orphans(self, gone: set[IPAddress]) -> set[IPAddress]:
        return set(self._result.removed - self._desired.verdicts.keys() - gone)

    def _tell_here(self, vip: Vip, verdict: Here, before: Verdict | None) -> None:
        address = vip.address
        if address not in self._result.held:
            was_blocked = isinstance(before, Here) and isinstance(before.gate, Blocked)
            if isinstance(verdict.gate, Blocked) and not was_blocked:
                self.lines.append(words.blocked(address, verdict.link.name, verdict.gate.reason))
            return
        again = address in self._result.announced and address in self._told.announced
        is_news = address in self._result.added or address not in self._told.held or again
        known = () if is_news else self._told.services.get(address, ())
        if is_news:
            self.counts += [Count(words.WINS), Count(words.ADDITIONS)]
        for service in vip.services:
            if service.key not in known:
                self.notices.append(words.announcing(service.key, self._me, address, verdict.link))
                self.lines.append(
                    words.election_won(service.key, self._me, address, verdict.link, self._members)
                )
            self._tell_policy(service, address, is_news=service.key not in known)

    def _tell_policy(self, service: ServiceView, address: IPAddress, *, is_news: bool) -> None:
        if service.external_policy != LOCAL:
            return
        if annotations.ALLOW_LOCAL in service.annotations:
            if is_news:
                self.notices.append(words.policy_kept(service.key, address))
        elif service.annotations.get(annotations.POOL_TYPE) == POOL_REMOTE:
            # For pools of type local the allocator does it, before the address is visible.
            notice = words.policy_overridden(service.key, address)
            self.overrides[service.key] = Override(
                service=service.key, version=service.version, notice=notice
            )

    def _tell_wait(self, vip: Vip, verdict: Wait, before: Verdict | None) -> None:
        if isinstance(before, Wait):
            return
        fields = {"ip": str(vip.address), "reason": verdict.reason}
        self.lines.append(Line(op="handover", level=Level.DEBUG, fields=fields))
        if vip.address in self._told.held:
            for key in vip.keys:
                self._withdrawn(vip.address, key, Reason.LOST_ELECTION)

    def _tell_away(self, vip: Vip, verdict: Away, before: Verdict | None) -> None:
        if isinstance(before, Away) and words.cause(before) == words.cause(verdict):
            return
        if verdict.reason is Reason.LOST_ELECTION:
            self.counts.append(Count(words.LOSSES))
            self.lines.append(words.not_winner(vip.address, verdict.winner))
        for key in vip.keys:
            self._withdrawn(vip.address, key, verdict.reason)
            if verdict.reason is Reason.NO_LOCAL_INTERFACE and verdict.detail:
                self.lines.append(words.misconfigured(vip.address, key, verdict.detail))
                self.notices.append(words.failed(key, self._me, vip.address, "", verdict.detail))

    def _failed(self, address: IPAddress, link: LinkName, cause: str) -> None:
        vip = self._desired.vips.get(address)
        for key in vip.keys if vip is not None else ():
            self.notices.append(words.failed(key, self._me, address, link, cause))
        fields = {"ip": str(address), "interface": link, "error": cause}
        self.lines.append(Line(op="announcementFailed", level=Level.ERROR, fields=fields))

    def _withdrawn(self, address: IPAddress, service: ServiceKey, reason: Reason) -> None:
        removed = address in self._result.removed
        self.lines.append(words.withdrawn(address, service, reason, removed=removed))
        self.counts.append(Count(words.WITHDRAWALS))
