"""Other hosts that have an address of ours, and when it is tried again. Pure.

The rules are those of RFC 5227: ask before an address is used (2.1), with the shorter times that it
allows where the medium permits (2.2); defend a held address once, and give it up if the claim is
repeated (2.4 b).

Belongs here: what follows from a claim, and the times. Does not: who is a stranger (`identity`),
the sockets (`nodeagent.shell.prober`), frames (`claims`, `packets`).
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from nodeagent.core.claims import Claim
from nodeagent.core.findings import Check, Finding
from purelb.api.addresses import IPAddress, sort_key
from purelb.api.identifiers import Instant
from purelb.core.backoff import Backoff

# Seconds after the first question at which it is repeated. The last ones are for hosts that answer
# late, and find the address in use.
REPEATS: Final = (0.003, 0.006, 0.1, 1.0)
# Seconds after the first question until silence counts as a no. A host on a wired network answers
# within one millisecond; each one more delays every new address.
WINDOW: Final = 0.01
SEARCH: Final = 0.2  # the same, where somebody is known to have the address
DEFEND_INTERVAL: Final = 10.0  # seconds, RFC 5227, 1.1
SAME_CLAIM: Final = 0.5  # seconds within which frames belong to one claim
BACKOFF: Final = Backoff(first=5.0, longest=60.0)  # RATE_LIMIT_INTERVAL is 60 s (RFC 5227, 1.1)
PEER_RETRY: Final = 1.0  # seconds; another node of ours lets go at once, or has won
# Who only asks for an address has not got it: it may ask on behalf of nobody, as some switches do.
WISH_RETRY: Final = 1.0  # seconds at least, two at most
MAX_CONFLICTS: Final = 10  # before the rate is limited (RFC 5227, 1.1)
MEMORY: Final = 600.0  # seconds for which failures are counted on
MOST_TOLD: Final = 20  # conflicts that are told of on the node; each Service has its own Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A claim of another host to one address.

    `owner` is its MAC, empty if that is not known. `noted_at` is when its last claim was answered,
    or made us give the address up. `failures` counts how often in a row the address could not be
    used; it must not be before `retry_at`. `is_open` until another host has been asked for in vain.
    `is_foreign`: the host is no node of ours. `wishes` counts how often in a row it did not say to
    have the address, but asked for it as we did.
    """

    owner: bytes
    noted_at: Instant
    failures: int = 0
    retry_at: Instant = -math.inf
    is_open: bool = False
    is_foreign: bool = True
    wishes: int = 0

    @property
    def is_told(self) -> bool:
        """Whether people are told of it: not of other nodes, nor of a wish that may pass."""
        return self.is_foreign and (self.wishes == 0 or self.wishes > MAX_CONFLICTS)

    @property
    def text(self) -> str:
        """What the owner does, as people are told of it, without the address."""
        whose = "another host" if self.is_foreign else "another node"
        who = f"{whose}, {self.owner.hex(':')}," if self.owner else whose
        return f"{who} wants" if self.wishes else f"{who} has"


def is_conflict(claim: Claim, *, is_asked: bool, is_held: bool) -> bool:
    """Tell whether a stranger's claim to an address counts.

    While it is asked for everything does (RFC 5227, 2.1.1). While it is held, questions of others
    do not (2.4): the kernel answers them, and whoever asks learns that the address is taken.
    """
    return is_asked or (is_held and not claim.is_probe)


def claimed(
    known: Conflict | None, owner: bytes, now: Instant, *, is_held: bool, is_probe: bool = False
) -> tuple[Conflict, bool]:
    """Return the conflict after a stranger's claim, and whether to defend the address now.

    `known` is the conflict so far. An address that is held is defended by one announcement; a
    second claim within the interval ends that. One that is not held has just been asked for: with
    `is_probe` by the stranger, too, which is a conflict as well (RFC 5227, 2.1.1).
    """
    if known is None or now >= known.noted_at + MEMORY:
        known = Conflict(owner=owner, noted_at=-math.inf)
    if known.is_open and now < known.retry_at:
        return known, False
    if is_held and not known.is_open:
        if now < known.noted_at + SAME_CLAIM:
            return known, False
        if now >= known.noted_at + DEFEND_INTERVAL:
            return replace(known, owner=owner, noted_at=now), True
    if is_probe:
        return _wished(known, owner, now), False
    failures = known.failures + 1
    given_up = Conflict(
        owner=owner,
        noted_at=now,
        failures=failures,
        retry_at=now + BACKOFF.delay(failures),
        is_open=True,
    )
    return given_up, False


def _wished(known: Conflict, owner: bytes, now: Instant) -> Conflict:
    wishes = known.wishes + 1
    # If both ask in step, they must not do so for ever. Each sees the MAC of the other.
    lot = hashlib.sha256(owner + wishes.to_bytes(4)).digest()
    soon = WISH_RETRY + int.from_bytes(lot[:2]) / 2**16
    at = now + (soon if wishes <= MAX_CONFLICTS else BACKOFF.longest)
    return Conflict(
        owner=owner,
        noted_at=now,
        failures=known.failures,
        retry_at=at,
        is_open=True,
        wishes=wishes,
    )


def met_peer(known: Conflict | None, mac: bytes, now: Instant) -> Conflict:
    """Return the conflict where the kernel found a duplicate on another node of ours."""
    failures = known.failures if known is not None else 0
    at = now + PEER_RETRY
    return Conflict(
        owner=mac, noted_at=now, failures=failures, retry_at=at, is_open=True, is_foreign=False
    )


def complaints(conflicts: Mapping[IPAddress, Conflict]) -> Iterator[Finding]:
    """Yield what to tell on the node, as long as a stranger has an address."""
    taken = [a for a, conflict in conflicts.items() if conflict.is_open and conflict.is_told]
    for address in sorted(taken, key=sort_key)[:MOST_TOLD]:
        message = (
            f"{conflicts[address].text} this address of a Service, so it is not announced: "
            "take it from that host, or out of the ServiceGroup; if that host is a node without an "
            "agent, set strictARP of kube-proxy's IPVS mode; it is tried again by itself"
        )
        yield Finding(check=Check.CONFLICT, subject=str(address), message=message)
