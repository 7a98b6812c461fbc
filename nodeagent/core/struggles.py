"""Addresses of ours that somebody removes again and again: when to put them back, whom to name.

Pure. What is removed now and then is put back at once, however often: it serves meanwhile.
Only what is removed as soon as it is back is waited with, longer each time up to a limit: two
programs that answer each other's changes at once would keep a core busy, and serve nobody. The
limit is short, because nobody can see that the other has stopped but by putting the address back.

Belongs here: the record of losses and what follows from it. Does not: how a lost address is put
back (`gate`, `plan`), the names of processes (`nodeagent.shell`).
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from nodeagent.core.findings import Check, Finding
from nodeagent.core.gate import LONG_AGO
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import Instant, LinkName

MANY: Final = 5  # losses within MINUTE that make a struggle
MINUTE: Final = 60.0  # seconds
QUICK: Final = 10  # losses in a row, each SOON after the return, before there are pauses
SOON: Final = 1.0  # seconds after which an address that is back counts as having stayed
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 0.4  # seconds
DOUBLINGS: Final = 2  # until the longest pause
TOGETHER: Final = 0.25  # seconds between instants at which pauses end, so that many end at once

REMEDIES: Final = {
    "systemd-network": "put KeepConfiguration=yes into the [Network] section of the .network file "
    "of {link}",
    "NetworkManager": "make {link} unmanaged, or stop reapplying its connection",
    "dhclient": "keep its script from flushing {link}",
    "dhcpcd": "keep it from flushing {link}",
}
REMEDY: Final = "let it leave addresses alone that it has not added"


@dataclass(frozen=True, slots=True, kw_only=True)
class Struggle:
    """The losses of one address within the last minute, oldest first, at most MANY.

    `quick` is how often in a row it was removed as soon as it was back. `by` is the netlink port of
    whoever removed it last, which is mostly its process id; 0 if the kernel does not say, as for
    IPv6. `put_at` is when we put it back, `told_at` the last such time of which people heard.
    """

    index: int
    losses: tuple[Instant, ...] = ()
    put_at: Instant = LONG_AGO
    quick: int = 0
    by: int = 0
    told_at: Instant = LONG_AGO

    @property
    def is_silent(self) -> bool:
        """Whether nobody needs to hear of the last return: there is one after the other."""
        return self.told_at != self.put_at

    @property
    def is_on(self) -> bool:
        """Whether somebody should hear of it."""
        return len(self.losses) >= MANY

    @property
    def open_at(self) -> Instant:
        """When the address may be put back."""
        if self.quick < QUICK:
            return LONG_AGO
        doublings = min(self.quick - QUICK, DOUBLINGS)
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * (1 << doublings))
        return math.ceil((self.losses[-1] + pause) / TOGETHER) * TOGETHER


Struggles = Mapping[IPAddress, Struggle]


def lost(before: Struggle | None, index: int, by: int, now: Instant) -> Struggle:
    """Return the record of an address after somebody else removed it from a link."""
    known = before if before is not None else Struggle(index=index)
    return Struggle(
        index=index,
        losses=(*_recent(known.losses, now), now)[-MANY:],
        put_at=known.put_at,
        quick=known.quick + 1 if now - known.put_at < SOON else 0,
        by=by or known.by,
        told_at=known.told_at,
    )


def put_back(before: Struggle, now: Instant) -> Struggle:
    """Return the record of an address after it was put back; a struggle is told once a minute."""
    is_told = not before.is_on or now >= before.told_at + MINUTE
    return replace(before, put_at=now, told_at=now if is_told else before.told_at)


def is_over(struggle: Struggle, now: Instant) -> bool:
    """Tell whether nothing needs to be remembered any more."""
    return not _recent(struggle.losses, now)


def culprits(struggles: Struggles, now: Instant) -> frozenset[tuple[int, int]]:
    """Return the links, by index, on which a struggle goes on, each with the port of the other."""
    found = (one for one in struggles.values() if one.is_on and now < one.losses[0] + MINUTE)
    ports: dict[int, int] = {}
    for struggle in found:
        ports[struggle.index] = max(struggle.by, ports.get(struggle.index, 0))
    return frozenset(ports.items())


def complaints(
    found: Iterable[tuple[LinkName, int]], names: Mapping[int, str], key: str
) -> Iterator[Finding]:
    """Yield what to tell of culprits on links, whose ports may have names.

    `key` is the LBNodeAgent that selects the links.
    """
    for link, port in sorted(found):
        name = names.get(port, "")
        remedy = REMEDIES.get(name, REMEDY).format(link=link)
        message = (
            f"{_who(port, name)} removes addresses of Services again and again; they are put back "
            f"each time: {remedy}"
        )
        yield Finding(check=Check.STRUGGLE, subject=link, message=message, key=key)


def _recent(losses: tuple[Instant, ...], now: Instant) -> tuple[Instant, ...]:
    return tuple(at for at in losses if now < at + MINUTE)


def _who(port: int, name: str) -> str:
    if name:
        return f"{name} (process {port})"
    return f"the process with id {port} on the host" if port else "another program"
