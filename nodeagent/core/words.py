"""The words of the node agent: counters, log lines and Events, as dashboards and scripts know them.

Belongs here: names and texts. Does not: when they are used (`report`).
"""

from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from nodeagent.core.notices import Kind, Level, Line, Notice
from nodeagent.core.slots import SlotWrite
from nodeagent.core.verdicts import Away, Here, Reason, Verdict
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import LinkName, NodeName, ServiceKey
from purelb.api.links import Link
from purelb.api.problems import NoticeType

WINS: Final = "purelb_lbnodeagent_election_wins_total"
LOSSES: Final = "purelb_lbnodeagent_election_losses_total"
ADDITIONS: Final = "purelb_lbnodeagent_address_additions_total"
WITHDRAWALS: Final = "purelb_lbnodeagent_address_withdrawals_total"
RENEWALS: Final = "purelb_lbnodeagent_address_renewals_total"
RENEWAL_ERRORS: Final = "purelb_lbnodeagent_address_renewal_errors_total"
SLOT_STEALS: Final = "purelb_lbnodeagent_announce_slot_steal_total"  # from, to
DRIFT_REPAIRED: Final = "purelb_lbnodeagent_drift_repaired_total"  # reason
ORDER_FIXED: Final = "purelb_lbnodeagent_order_fixed_total"
FOREIGN_CONFLICTS: Final = "purelb_lbnodeagent_foreign_conflicts_total"
DAD_FAILURES: Final = "purelb_lbnodeagent_dad_failures_total"
WINNER_CHANGES: Final = "purelb_election_winner_changes_total"  # service
AFFINITY_FALLBACKS: Final = "purelb_election_affinity_fallback_total"  # service: the address

DAD_FAILED: Final = "dadFailed"  # why an IPv6 address is removed that another host has

OTHER_NODES: Final = "<other>"
MOST_STRANGERS: Final = 20  # names of nodes without a Lease that get a label of their own
LONGEST_NAME: Final = 253  # of a Node (RFC 1123 subdomain)


@dataclass(frozen=True, slots=True)
class Count:
    """An increment of a counter; `labels` are pairs of name and value."""

    metric: str
    labels: tuple[tuple[str, str], ...] = ()
    amount: int = 1


def winner_of(verdict: Verdict | None, me: NodeName) -> NodeName | None:
    """Return who has an address according to a verdict, or None if it does not say."""
    match verdict:
        case None:
            return None
        case Away():
            return verdict.winner
        case _:
            return me


def cause(verdict: Away) -> tuple[Reason, str]:
    """Return what must differ for the absence to be worth telling again."""
    return verdict.reason, verdict.detail


def election_won(
    service: ServiceKey, me: NodeName, address: IPAddress, link: Link, members: int
) -> Line:
    """The address is in place, for the first time or again."""
    return Line(
        op="electionWon",
        fields={
            "node": me,
            "service": service,
            "ip": _text(address),
            "interface": link.name,
            "memberCount": members,
        },
    )


def withdrawn(address: IPAddress, service: ServiceKey, reason: Reason, *, removed: bool) -> Line:
    """The address is not, or no longer, on this node."""
    return Line(
        op="withdrawAddress",
        fields={"ip": _text(address), "service": service, "reason": reason, "removed": removed},
    )


def not_winner(address: IPAddress, winner: NodeName | None) -> Line:
    """Another node has been elected."""
    fields = {"ip": _text(address), "winner": winner or ""}
    return Line(op="notWinner", level=Level.DEBUG, fields=fields)


def blocked(address: IPAddress, link: LinkName, reason: str) -> Line:
    """The address is missing and cannot be added."""
    fields = {"ip": _text(address), "interface": link, "reason": reason}
    return Line(op="gateBlocked", level=Level.WARNING, fields=fields)


def misconfigured(address: IPAddress, service: ServiceKey, detail: str) -> Line:
    """The address cannot be on this node until somebody changes something."""
    fields = {"ip": _text(address), "service": service, "error": detail}
    return Line(op="announcementFailed", level=Level.ERROR, fields=fields)


def announcing(service: ServiceKey, me: NodeName, address: IPAddress, link: Link) -> Notice:
    """The address is in place on a local link."""
    text = f"node {me} announces {_text(address)} on interface {link.name}"
    return _notice(service, "AnnouncingLocal", text)


def sheltered(service: ServiceKey, me: NodeName, here: Here) -> Notice:
    """The address is in place on the dummy link, because it could belong on several others."""
    text = f"node {me} has {_text(here.address)} on interface {here.link.name} only: {here.misfit}"
    return _notice(service, "AnnouncementFailed", text, NoticeType.WARNING)


def failed(service: ServiceKey, me: NodeName, address: IPAddress, link: str, cause: str) -> Notice:
    """The address could not be configured; `link` is empty if none is to blame."""
    where = f" on interface {link}" if link else ""
    text = f"node {me} cannot announce {address}{where}: {cause}"
    return _notice(service, "AnnouncementFailed", text, NoticeType.WARNING)


def placed_remotely(service: ServiceKey, me: NodeName, here: Here) -> Line:
    """The address is in place on the dummy link, for the first time or again."""
    return Line(
        op="announcingNonLocal",
        fields={
            "node": me,
            "service": service,
            "ip": _text(here.address),
            "interface": here.link.name,
            "group": here.group,
        },
    )


def announcing_remotely(service: ServiceKey, me: NodeName, here: Here) -> Notice:
    """The address is in place on the dummy link."""
    text = f"node {me} announces {_text(here.address)} on interface {here.link.name}"
    return _notice(service, "AnnouncingNonLocal", text)


def policy_kept(service: ServiceKey, address: IPAddress) -> Notice:
    """externalTrafficPolicy stays Local on a local address."""
    text = f"externalTrafficPolicy stays Local for the local address {address}: allow-local is set"
    return _notice(service, "LocalOverride", text)


def policy_overridden(service: ServiceKey, address: IPAddress) -> Notice:
    """externalTrafficPolicy has been changed."""
    text = f"externalTrafficPolicy changed to Cluster: {address} is announced by one node only"
    return _notice(service, "LocalOverride", text)


class NodeLabels:
    """The values of the label `from`: whoever may edit a Service writes slots, so they are bounded.

    One writer: whoever counts.
    """

    def __init__(self) -> None:
        self._strangers: set[NodeName] = set()

    def of(self, node: NodeName, known: Container[NodeName]) -> str:
        """Return the label of a node; of names that none of the `known` has the first few."""
        if node in known or node in self._strangers:
            return node
        if len(self._strangers) == MOST_STRANGERS or len(node) > LONGEST_NAME:
            return OTHER_NODES
        self._strangers.add(node)
        return node


def stolen(
    write: SlotWrite, me: NodeName, label: Callable[[NodeName], str]
) -> tuple[tuple[Notice, Count], ...]:
    """Return what to tell once a slot has been written over another node's, for each address."""
    return tuple(
        (
            _notice(
                write.service,
                "AnnounceSlotSteal",
                f"node {me} announces {steal.address},"
                f" as node {steal.loser[:LONGEST_NAME]} did before",
            ),
            Count(SLOT_STEALS, (("from", label(steal.loser)), ("to", me))),
        )
        for steal in write.steals
    )


@lru_cache(maxsize=1024)
def _text(address: IPAddress) -> str:
    """Format an address once: it costs more than the line it stands in, and several name it."""
    return str(address)


def _notice(
    service: ServiceKey, reason: str, message: str, severity: NoticeType = NoticeType.NORMAL
) -> Notice:
    return Notice(kind=Kind.SERVICE, key=service, severity=severity, reason=reason, message=message)
