"""When an address may be put on a link without harm to the node, and whether it stands right. Pure.

Network managers take the node's own address away and put it back. A VIP that is added in between
comes before the node's own address in the kernel's list, and tools that take the first one adopt
it. So the gate waits until the node's own address is back and the link is quiet. Without it a VIP
would become the source of the node's own traffic, so it must not even stay.

Belongs here: the record of unrest on a link, the gate, the order watch. Does not: operations
(`plan`). Called by `desired`, `plan` and, to keep the record, by the shell.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeAlias

from nodeagent.core.links import Home, Nic, Observed, Placed, placed
from purelb.api.addresses import FAMILIES, Family, IPAddress
from purelb.api.identifiers import Instant
from purelb.api.links import IFA_F_PERMANENT, OUR_MARK, LinkAddress, network_of

QUIET: Final = 0.1  # seconds without a change of own addresses
LONGEST: Final = 5.0  # seconds after which a link that never gets quiet is used all the same
ALONE: Final = 0.003  # seconds to see whether the loss of one of ours comes alone
TOGETHER: Final = 1.0  # seconds between changes that have one cause
LONG_AGO: Final = float("-inf")
HOST_PREFIX: Final = 32  # all of our IPv4 addresses on NICs


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrest:
    """What happened to a link's addresses of a family: own ones changed from `began` to `changed`.

    `lost` is when somebody last removed one of ours.
    """

    began: Instant = LONG_AGO
    changed: Instant = LONG_AGO
    lost: Instant = LONG_AGO


CALM = Unrest()


class Cause(StrEnum):
    """Why an address had to be put back: label `reason` of the repairs."""

    REMOVED = "removed"  # it alone
    RECONFIGURED = "reconfigured"  # the link's own addresses or its carrier changed, too
    UNSEEN = "unseen"  # no event told of it: a look at everything found it missing


Record: TypeAlias = Mapping[tuple[int, Family], Unrest]  # by link index and family


@dataclass(frozen=True, slots=True)
class Clear:
    """Addresses may be added now."""


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Look again at this instant."""

    at: Instant


@dataclass(frozen=True, slots=True)
class Blocked:
    """Nothing may be added until something changes; `reason` is for people.

    `withdraws`: what is in place must go, too.
    """

    reason: str
    withdraws: bool = False


Gate: TypeAlias = Clear | WaitUntil | Blocked
CLEAR = Clear()


def note_change(record: Record, index: int, family: Family, now: Instant) -> Record:
    """Return the record after a change of a link's own addresses, carrier or existence."""
    key = index, family
    known = record.get(key, CALM)
    began = known.began if now < known.changed + QUIET else now
    return {**record, key: replace(known, began=began, changed=now)}


def note_loss(record: Record, index: int, family: Family, now: Instant) -> Record:
    """Return the record after somebody else removed an address of ours from a link."""
    key = index, family
    return {**record, key: replace(record.get(key, CALM), lost=now)}


def compare(record: Record, before: Observed, after: Observed) -> Record:
    """Return the record after two successive observations: what no event told us still counts.

    Links that are gone are forgotten: each Pod has one, and an index is not used again.
    """
    old, new = _own_by_link(before), _own_by_link(after)
    if old.keys() - new.keys():
        record = {key: unrest for key, unrest in record.items() if key in new}
    for key, own in new.items():
        if old.get(key) != own:
            record = note_change(record, *key, after.read_at)
    return record


def is_news(observed: Observed, entry: LinkAddress) -> bool:
    """Tell whether an address that the kernel reports is more than a refresh of lifetimes."""
    return _flags(observed).get(placed(entry)) != entry.flags | IFA_F_PERMANENT


def is_known(observed: Observed, entry: LinkAddress) -> bool:
    """Tell whether an address was there before: then its flags have changed, as after DAD."""
    return placed(entry) in _flags(observed)


def gate(home: Home, record: Record, now: Instant) -> Gate:
    """Tell when an address may be added on the link of its home."""
    if not home.is_steady:
        if home.has_own:
            return Blocked(f"{home.nic.link.name} has no carrier")
        reason = f"{home.nic.link.name} has no usable address of its own in {home.network}"
        return Blocked(reason, withdraws=True)
    unrest = _unrest(home, record)
    quiet_at = min(unrest.changed + QUIET, unrest.began + LONGEST)
    at = max(quiet_at, unrest.lost + ALONE)
    return WaitUntil(at) if now < at else CLEAR


def cause(home: Home, record: Record) -> Cause:
    """Return why an address is missing on the link of its home."""
    unrest = _unrest(home, record)
    if unrest.changed == unrest.lost == LONG_AGO:
        return Cause.UNSEEN
    is_alone = unrest.changed < unrest.lost - TOGETHER
    return Cause.REMOVED if is_alone else Cause.RECONFIGURED


def misplaced(
    nic: Nic, entries: Iterable[LinkAddress], ours: Container[IPAddress]
) -> frozenset[IPAddress]:
    """Return our IPv4 addresses that stand before the node's own in the kernel's list.

    `entries` are the link's addresses in that order. One stands right behind the first own address
    of its network. IPv6 has no such order: the kernel puts the newest first (measured, Linux 6.18),
    and a preferred lifetime of 0 keeps ours from being chosen.
    """
    own = [entry for entry in nic.own if entry.family is Family.IPV4]
    addresses = {entry.address for entry in own}
    ahead = {network_of(entry.address, entry.prefix) for entry in own}
    wrong: set[IPAddress] = set()
    for entry in entries:
        if not ahead:
            break
        if entry.address in addresses:
            ahead.discard(network_of(entry.address, entry.prefix))
            continue
        is_ours = entry.prefix == HOST_PREFIX and entry.address in ours
        if is_ours and any(entry.address in network for network in ahead):
            wrong.add(entry.address)
    return frozenset(wrong)


@lru_cache(maxsize=1)
def _flags(observed: Observed) -> dict[Placed, int]:
    """Index the flags once per observation: a burst of events asks for each of its addresses."""
    return {placed(entry): entry.flags | IFA_F_PERMANENT for entry in observed.addresses}


def _unrest(home: Home, record: Record) -> Unrest:
    family = Family.IPV4 if home.network.version == 4 else Family.IPV6
    return record.get((home.nic.link.index, family), CALM)


@lru_cache(maxsize=2)
def _own_by_link(observed: Observed) -> dict[tuple[int, Family], tuple[object, ...]]:
    found: dict[tuple[int, Family], list[object]] = {
        (link.index, family): [link.is_up and link.has_carrier]
        for link in observed.links
        for family in FAMILIES
    }
    for entry in observed.addresses:
        if entry.mark == OUR_MARK or observed.is_ours(entry):  # the first is true of most
            continue
        if (key := (entry.index, entry.family)) in found:
            found[key].append((entry.address, entry.prefix))
    return {key: tuple(facts) for key, facts in found.items()}
