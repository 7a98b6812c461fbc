"""What is wrong with this node or with its configuration, as values.

A finding becomes an Event, a condition on the node's Lease, a log line and a metric label, all with
the same words. Belongs here: the values, and which of them are told when. Does not: the checks
(`config`, `hostchecks`, `scale`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nodeagent.core.notices import Kind, Level, Line, Notice
from purelb.api import conditions
from purelb.api.conditions import NodeCondition
from purelb.api.identifiers import Instant, NodeName, ServiceKey
from purelb.api.problems import NoticeType

SETTLE: Final = 3.0  # seconds that a host must be wrong: network managers put things right again
AGAIN: Final = 600.0  # seconds before a finding that comes and goes is told again


class Check(StrEnum):
    """What is looked at: type of a condition, reason of an Event, label `check` of the metric."""

    CONFIGURATION = "Configuration"
    DEFAULT_ROUTE = "DefaultRoute"
    CONNECTED_ROUTE = "ConnectedRoute"
    SOURCE_ADDRESS = "SourceAddress"
    CARRIER = "Carrier"
    REVERSE_PATH = "ReversePathFilter"
    ARP = "ArpAnswers"
    NODE_ADDRESS = "NodeAddress"
    PROMOTION = "PromoteSecondaries"
    POOL = "UnreachablePool"
    KERNEL = "KernelFeatures"
    STRUGGLE = "AddressesRemoved"
    CONFLICT = "AddressConflict"
    NODE_COUNT = "NodeCount"
    NO_ANSWER = conditions.NO_ANSWER
    SEVERAL_ANSWERS = conditions.SEVERAL_ANSWERS
    FOREIGN_ANSWER = conditions.FOREIGN_ANSWER


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong. `message` says what it does and what would change it.

    `subject` is the field, link or address that is meant. `key` is the LBNodeAgent whose fault it
    is, empty for the host's own. `reason` is the Event's where it is another word than the check.
    `services` are those that it harms, if it is of them alone.
    """

    check: Check
    subject: str
    message: str
    severity: NoticeType = NoticeType.WARNING
    key: str = ""
    reason: str = ""
    services: tuple[ServiceKey, ...] = ()

    @property
    def lasts(self) -> bool:
        """Whether it is known to last when it is found: that of a host may pass."""
        return bool(self.key or self.services)

    def notices(self, me: NodeName) -> tuple[Notice, ...]:
        """Return the Events: about the LBNodeAgent, about the Node, or about each Service."""
        if self.services:
            return tuple(self._notice(Kind.SERVICE, key, "") for key in self.services)
        kind = Kind.NODE_AGENT if self.key else Kind.NODE
        return (self._notice(kind, self.key or f"/{me}", f"node {me}: "),)

    def _notice(self, kind: Kind, key: str, prefix: str) -> Notice:
        return Notice(
            kind=kind,
            key=key,
            severity=self.severity,
            reason=self.reason or self.check.value,
            message=f"{prefix}{self.subject}: {self.message}",
        )

    def line(self) -> Line:
        """Return the log line."""
        fields = {"check": self.check.value, "subject": self.subject, "detail": self.message}
        if self.reason:  # tools search for the Event's word, as a word of logs
            fields["event"] = self.reason[0].lower() + self.reason[1:]
        level = Level.WARNING if self.severity is NoticeType.WARNING else Level.INFO
        return Line(op="finding", level=level, fields=fields)

    def solved(self) -> Line:
        """Return the log line for its end."""
        fields = {"check": self.check.value, "subject": self.subject}
        return Line(op="findingSolved", fields=fields)

    def condition(self, since: str) -> NodeCondition:
        """Return the condition; `since` is an RFC 3339 time."""
        return NodeCondition(
            type=self.check.value,
            subject=self.subject,
            severity=self.severity,
            message=self.message,
            since=since,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What was found so far: `since` when each finding is there, `told_at` when each was told.

    `valid` are those that count now. `look_at` is when one may begin to count, None if none waits.
    """

    since: Mapping[Finding, Instant]
    told_at: Mapping[Finding, Instant]
    valid: frozenset[Finding] = frozenset()
    look_at: Instant | None = None


NOTHING_FOUND = Standing(since={}, told_at={})


def stand(before: Standing, found: Collection[Finding], now: Instant) -> Standing:
    """Return what stands after another look that found these.

    The faults of a configuration, and what the wire says, count at once, those of a host if they
    last.
    """
    since = {one: before.since.get(one, now) for one in found}
    begins = {one: at if one.lasts else at + SETTLE for one, at in since.items()}
    valid = frozenset(one for one, at in begins.items() if at <= now)
    kept = {one: at for one, at in before.told_at.items() if one in valid or now < at + AGAIN}
    return Standing(
        since=since,
        told_at={**dict.fromkeys(valid, now), **kept},
        valid=valid,
        look_at=min((at for at in begins.values() if at > now), default=None),
    )


def news(before: Standing, after: Standing) -> tuple[Finding, ...]:
    """Return what is to be told: each finding once, and again only if it was away for long."""
    fresh = (one for one in after.valid if one not in before.told_at)
    return tuple(sorted(fresh, key=lambda one: (one.check, one.subject, one.message)))
