"""What a pass tells the world: slots, Events, log lines and counts, each only when it changes.

Belongs here: what has changed since it was last told. Does not: the words (`words`), requests,
logging and counters (`nodeagent.shell`). Called by the shell after each pass.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import assert_never

from nodeagent.core import words
from nodeagent.core.conflicts import Conflict
from nodeagent.core.endpoints import LOCAL
from nodeagent.core.gate import Blocked
from nodeagent.core.installed import Outcome
from nodeagent.core.notices import Level, Line, Notice
from nodeagent.core.ops import (
    AddAddress,
    DeleteLink,
    RaiseLink,
    RefreshAddress,
    RemoveAddress,
    ReorderAddress,
)
from nodeagent.core.rest import is_mute
from nodeagent.core.results import Results, is_pending
from nodeagent.core.reuse import patched
from nodeagent.core.slots import SlotWrite, write_slots
from nodeagent.core.verdicts import Away, DesiredState, Here, Reason, Verdict, Wait
from nodeagent.core.vips import Vip
from nodeagent.core.words import Count
from purelb.api import annotations
from purelb.api.addresses import IPAddress, sort_key
from purelb.api.identifiers import LinkName, NodeName, ServiceKey
from purelb.api.views import ServiceView
from purelb.core.steps import STEP, Steps, chunks, finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told up to the last pass.

    `held` are the addresses in place, with their links; `installed` those that were put in place
    and not withdrawn since, even if they are missing now; `announced` those that have had a burst.
    `slots` and `overrides` are outstanding. `touched` are those that the last pass did something
    about. The rest is what the last whole pass had.
    """

    held: Mapping[IPAddress, LinkName] = field(default_factory=dict)
    installed: frozenset[IPAddress] = frozenset()
    announced: frozenset[IPAddress] = frozenset()
    verdicts: Mapping[IPAddress, Verdict] = field(default_factory=dict)
    services: Mapping[IPAddress, tuple[ServiceKey, ...]] = field(default_factory=dict)
    fallbacks: frozenset[IPAddress] = frozenset()
    slots: Mapping[ServiceKey, tuple[SlotWrite, ...]] = field(default_factory=dict)
    overrides: Mapping[ServiceKey, "Override"] = field(default_factory=dict)
    touched: frozenset[IPAddress] = frozenset()


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

    `slots` and `overrides` are all that is outstanding by the Services as they are known: what is
    under way must not be sent again. `left` are the addresses that were in place and no longer are,
    or are on the dummy link now, where no neighbor hears of them. `gone` are Services that have
    lost an address, as those that were deleted.
    """

    told: Told
    left: tuple[IPAddress, ...] = ()
    gone: frozenset[ServiceKey] = frozenset()
    slots: tuple[SlotWrite, ...] = ()
    overrides: tuple[Override, ...] = ()
    notices: tuple[Notice, ...] = ()
    lines: tuple[Line, ...] = ()
    counts: tuple[Count, ...] = ()


def report(
    me: NodeName, told: Told, desired: DesiredState, outcomes: Sequence[Outcome], members: int
) -> Report:
    """Return what follows from a pass for everybody else, in one go."""
    return finished(report_in_steps(me, told, desired, outcomes, members))


def report_in_steps(
    me: NodeName, told: Told, desired: DesiredState, outcomes: Sequence[Outcome], members: int
) -> Steps[Report]:
    """Return what follows from a pass for everybody else; `members` is how many nodes are live.

    Only addresses are looked at that may differ from what was told, or that this pass or the last
    one did something about; for all others what was told still holds.
    """
    if not desired.is_whole:
        return Report(told=told)
    results = Results.of(outcomes)
    yield
    affected = _affected(told, desired, results)
    yield
    after = yield from _told(me, told, desired, results, affected)
    yield
    teller = _Teller(me, told, desired, results, members)
    refreshes = [one for one in outcomes if isinstance(one.op, RefreshAddress)]
    teller.tell_refreshes(refreshes)
    for number, outcome in enumerate(outcomes if len(refreshes) < len(outcomes) else (), 1):
        if number % STEP == 0:
            yield
        teller.tell_outcome(outcome)
    for number, address in enumerate(affected, 1):
        if number % STEP == 0:
            yield
        teller.tell_address(address)
    for address in set(desired.fallbacks) - told.fallbacks:
        teller.counts.append(Count(words.AFFINITY_FALLBACKS, (("service", str(address)),)))
    return Report(
        told=after,
        left=tuple(a for a in affected if a in told.held and _has_left(a, told, after)),
        gone=frozenset(
            key
            for address in affected
            for key in told.services.get(address, ())
            if key not in after.services.get(address, ())
        ),
        slots=tuple(chain(*after.slots.values())),
        overrides=tuple(after.overrides.values()),
        notices=tuple(teller.notices),
        lines=tuple(teller.lines),
        counts=tuple(teller.counts),
    )


def _affected(told: Told, desired: DesiredState, results: Results) -> list[IPAddress]:
    changed: Iterable[IPAddress] = desired.changed
    if desired.before is not told.verdicts:
        changed = desired.verdicts.keys() | told.verdicts.keys()
    return sorted({*changed, *results.touched, *told.touched}, key=sort_key)


def _told(
    me: NodeName, told: Told, desired: DesiredState, results: Results, affected: list[IPAddress]
) -> Steps[Told]:
    here: dict[IPAddress, Here] = {}
    held: dict[IPAddress, LinkName] = {}
    vips: dict[IPAddress, Vip] = {}
    for some in chunks(affected):
        found = {a: v for a in some if isinstance(v := desired.verdicts.get(a), Here)}
        here |= found
        held |= {a: verdict.link.name for a, verdict in found.items() if results.holds(verdict)}
        vips |= {a: vip for a in some if (vip := desired.vips.get(a)) is not None}
        yield
    installed, announced = told.installed, told.announced
    given_up = {a for a in affected if a in installed and a not in here}
    if given_up or not held.keys() <= installed:
        installed = (installed - given_up) | held.keys()
    if results.announced or installed is not told.installed:
        announced = (announced | results.announced) & installed
    yield
    after = Told(
        held=patched(told.held, held, affected),
        installed=installed,
        announced=announced,
        touched=results.touched,
        verdicts=desired.verdicts,
        services=patched(told.services, {a: vip.keys for a, vip in vips.items()}, affected),
        fallbacks=frozenset(desired.fallbacks),
    )
    yield
    return (yield from _with_writes(me, told, after, vips.values(), affected))


def _with_writes(
    me: NodeName, told: Told, after: Told, vips: Iterable[Vip], affected: list[IPAddress]
) -> Steps[Told]:
    """Add what is outstanding: anew for Services of affected addresses, as before for others."""
    services = {service.key: service for vip in vips for service in vip.services}
    keys = services.keys() | {key for a in affected for key in told.services.get(a, ())}
    addresses = {address for service in services.values() for address in service.ingress}
    pending = {a for a in addresses if is_pending(after.verdicts.get(a))}
    held = {
        a: after.held[a] for a in addresses if _is_local(after.verdicts.get(a)) if a in after.held
    }
    slots: dict[ServiceKey, tuple[SlotWrite, ...]] = {}
    overrides: dict[ServiceKey, Override] = {}
    for some in chunks(services.items()):
        yield
        for key, service in some:
            if wanted := tuple(write_slots(service, me, held, pending)):
                slots[key] = wanted
            if (override := _override(service, held)) is not None:
                overrides[key] = override
    return replace(
        after,
        slots=patched(told.slots, slots, keys),
        overrides=patched(told.overrides, overrides, keys),
    )


def _has_left(address: IPAddress, told: Told, after: Told) -> bool:
    """Tell whether an address that was in place is no more, or where no neighbor hears of it."""
    before, now = told.verdicts.get(address), after.verdicts.get(address)
    if address not in after.held or not isinstance(now, Here):
        return True
    return is_mute(now) and isinstance(before, Here) and not is_mute(before)


def _is_local(verdict: Verdict | None) -> bool:
    return isinstance(verdict, Here) and not verdict.is_remote


def _override(service: ServiceView, held: Container[IPAddress]) -> Override | None:
    """Return the override of a Service's policy; local pools are the allocator's."""
    keys = service.annotations
    if (
        service.external_policy != LOCAL
        or keys.get(annotations.POOL_TYPE) != annotations.POOL_REMOTE
    ):
        return None
    address = next((address for address in service.ingress if address in held), None)
    if address is None or annotations.ALLOW_LOCAL in keys:
        return None
    notice = words.policy_overridden(service.key, address)
    return Override(service=service.key, version=service.version, notice=notice)


class _Teller:
    """Collects what one pass has to tell."""

    def __init__(
        self, me: NodeName, told: Told, desired: DesiredState, results: Results, members: int
    ) -> None:
        self._me, self._told, self._desired = me, told, desired
        self._results, self._members = results, members
        self.notices: list[Notice] = []
        self.lines: list[Line] = []
        self.counts: list[Count] = []

    def tell_refreshes(self, outcomes: Sequence[Outcome]) -> None:
        """Count refreshes, of which there are many."""
        failed = sum(bool(one.error) for one in outcomes)
        amounts = {words.RENEWALS: len(outcomes) - failed, words.RENEWAL_ERRORS: failed}
        self.counts += (Count(metric, amount=n) for metric, n in amounts.items() if n)

    def tell_outcome(self, outcome: Outcome) -> None:
        """Tell what an operation by itself means."""
        error = outcome.error
        match outcome.op:
            case AddAddress(link=link, entry=entry) | ReorderAddress(link=link, entry=entry) if (
                error
            ):
                self._failed(entry.address, link, error)
            case RaiseLink(link=link) | DeleteLink(link=link) if error:
                fields = {"interface": link, "error": error}
                self.lines.append(Line(op="linkFailed", level=Level.WARNING, fields=fields))
            case AddAddress(is_repair=True, cause=cause):
                self.counts.append(Count(words.DRIFT_REPAIRED, (("reason", cause.value),)))
            case ReorderAddress():
                self.counts.append(Count(words.ORDER_FIXED))
            case RemoveAddress(address=address, link=link) if error:
                fields = {"ip": str(address), "interface": link, "error": error}
                self.lines.append(Line(op="removeFailed", level=Level.WARNING, fields=fields))
            case RemoveAddress(reason=words.DAD_FAILED):
                self.counts.append(Count(words.DAD_FAILURES))
            case _:
                pass

    def tell_address(self, address: IPAddress) -> None:
        """Tell what has changed about one address."""
        vip = self._desired.vips.get(address)
        if vip is None:
            self._tell_forgotten(address)
            return
        before, verdict = self._told.verdicts.get(address), self._desired.verdicts[address]
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

    def _tell_forgotten(self, address: IPAddress) -> None:
        """Tell of an address that no Service of ours has any more."""
        if address in self._told.held or address in self._results.removed:
            for service in self._told.services.get(address, (ServiceKey(""),)):
                self._withdrawn(address, service, Reason.CLUSTER_EVENT)

    def _tell_here(self, vip: Vip, verdict: Here, before: Verdict | None) -> None:
        address = vip.address
        if not self._results.holds(verdict):
            was_blocked = isinstance(before, Here) and isinstance(before.gate, Blocked)
            if isinstance(verdict.gate, Blocked) and not was_blocked:
                self.lines.append(words.blocked(address, verdict.link.name, verdict.gate.reason))
            return
        again = address in self._results.announced and address in self._told.announced
        is_news = address in self._results.added or address not in self._told.held or again
        is_told = is_news and address not in self._results.silent
        known = () if is_told else self._told.services.get(address, ())
        if is_news:
            self.counts += [Count(words.ADDITIONS)]
            self.counts += [] if verdict.is_remote else [Count(words.WINS)]
        for service in vip.services:
            if service.key in known:
                continue
            if verdict.is_remote:
                self.notices.append(words.announcing_remotely(service.key, self._me, verdict))
                self.lines.append(words.placed_remotely(service.key, self._me, verdict))
            else:
                self._tell_local(service, verdict)
                self.lines.append(
                    words.election_won(service.key, self._me, address, verdict.link, self._members)
                )
                self._tell_policy(service, address)

    def _tell_local(self, service: ServiceView, verdict: Here) -> None:
        address, misfit = verdict.address, verdict.misfit
        if misfit:
            self.lines.append(words.misconfigured(address, service.key, misfit))
            self.notices.append(words.sheltered(service.key, self._me, verdict))
        else:
            self.notices.append(words.announcing(service.key, self._me, address, verdict.link))

    def _tell_policy(self, service: ServiceView, address: IPAddress) -> None:
        is_local = service.external_policy == LOCAL
        if is_local and annotations.ALLOW_LOCAL in service.annotations:
            self.notices.append(words.policy_kept(service.key, address))

    def _tell_wait(self, vip: Vip, verdict: Wait, before: Verdict | None) -> None:
        if verdict.conflict is not None and verdict.conflict.is_told:
            self._tell_conflict(verdict.address, verdict.conflict, before)
        if isinstance(before, Wait):
            return
        fields = {"ip": str(vip.address), "reason": verdict.reason}
        self.lines.append(Line(op="handover", level=Level.DEBUG, fields=fields))
        if vip.address in self._told.held:
            for key in vip.keys:
                self._withdrawn(vip.address, key, verdict.why)

    def _tell_conflict(
        self, address: IPAddress, conflict: Conflict, before: Verdict | None
    ) -> None:
        """Tell of a stranger once, and count each attempt that it thwarts."""
        known = before.conflict if isinstance(before, Wait) else None
        if known is not None and not known.is_told:
            known = None
        if known is None or known.failures != conflict.failures:
            self.counts.append(Count(words.FOREIGN_CONFLICTS))
        if known is None or known.owner != conflict.owner:
            link = self._told.held.get(address, LinkName(""))
            self._failed(address, link, f"{conflict.text} this address")

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
        removed = address in self._results.removed
        self.lines.append(words.withdrawn(address, service, reason, removed=removed))
        self.counts.append(Count(words.WITHDRAWALS))
