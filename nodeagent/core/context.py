"""What is the same for all addresses of one pass, and what is asked of it for each.

Belongs here: look-ups whose answers many addresses share. Does not: decisions (`judgement`). Built
by `desired`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nodeagent.core.election import Electorate
from nodeagent.core.facts import Facts
from nodeagent.core.fence import Neighbors
from nodeagent.core.gate import CLEAR, Blocked, Gate, WaitUntil, gate
from nodeagent.core.inputs import Common
from nodeagent.core.links import Home, Observed, Selection
from nodeagent.core.peers import NOTHING_HEARD, Reach
from nodeagent.core.settling import settled_at
from nodeagent.core.verdicts import (
    Here,
    Joined,
    Terms,
)
from purelb.api.addresses import IPAddress, IPNetwork
from purelb.api.groups import Fencing
from purelb.api.identifiers import Instant
from purelb.api.links import (
    Link,
    LinkAddress,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is the same for all addresses of one pass.

    `observed` is the kernel, `entries` what it has of each address in question. `joined` tells
    since when this node has been a candidate.
    """

    facts: Facts
    common: Common
    observed: Observed
    electorate: Electorate
    terms: Terms
    remote_terms: Terms
    lasting_terms: Terms
    selection: Selection
    joined: Joined
    entries: Mapping[IPAddress, Sequence[LinkAddress]]
    now: Instant
    gates: dict[tuple[int, IPNetwork, bool], Gate] = field(
        default_factory=dict
    )  # those asked for already
    present: dict[tuple[int, bool], Electorate] = field(default_factory=dict)  # likewise, by link

    def gate_of(self, home: Home, address: IPAddress) -> Gate:
        """Return the gate of an address, which is mostly that of its link."""
        link = home.nic.link
        if (obstacle := self.obstacle(link, address, address.max_prefixlen)) is not None:
            return obstacle
        if home.misfit:
            return CLEAR if self.common.dummy.link is not None else WaitUntil(math.inf)
        key = (link.index, home.network, home.is_steady)
        if key not in self.gates:
            self.gates[key] = gate(home, self.facts.unrest, self.now)
        return self.gates[key]

    def neighbors(self, home: Home) -> Neighbors:
        """Return the nodes behind slots, as they are heard on the link of a home."""
        facts = self.facts
        return Neighbors(
            live=self.electorate.live,
            expired=facts.expired,
            renewed=facts.renewed,
            reach=self._reach(home),
            has_api=self.common.has_api,
        )

    def candidates(self, home: Home, fencing: Fencing) -> Electorate:
        """Return the members without those that are known to be away from the link of a home."""
        key = home.nic.link.index, fencing is Fencing.STRICT
        if key not in self.present:
            reach = self._reach(home) or NOTHING_HEARD
            away = reach.yielding if fencing is Fencing.STRICT else reach.excluded
            self.present[key] = self.electorate.without(away) if away else self.electorate
        return self.present[key]

    def settled_at(self, home: Home, address: IPAddress, *, is_handed_over: bool) -> Instant:
        """Return from when the winner may add an address that others may just have taken."""
        fencing = self.common.pools.fencing_of(address)
        if len(self.candidates(home, fencing).candidates(address)) <= 1:
            return -math.inf
        joined_at = self.joined.get((home.nic.link.index, home.network), self.now)
        return settled_at(joined_at, self._reach(home), is_handed_over=is_handed_over)

    def _reach(self, home: Home) -> Reach | None:
        return self.common.reach.get(home.nic.link.index)

    def terms_of(self, here: Here) -> Terms:
        """Return the terms of an address that belongs here."""
        if here.outlasts:
            return self.lasting_terms
        return self.remote_terms if here.is_remote else self.terms

    def entry(self, link: Link, address: IPAddress, prefix: int) -> LinkAddress | None:
        """Return the address as it stands on a link with this prefix length, or None."""
        for entry in self.entries.get(address, ()):
            if entry.index == link.index and entry.prefix == prefix:
                return entry
        return None

    def stands_on(self, link: Link, address: IPAddress) -> bool:
        """Tell whether a link has the address as one of ours."""
        return any(
            entry.index == link.index and self.observed.is_ours(entry)
            for entry in self.entries.get(address, ())
        )

    def obstacle(self, link: Link, address: IPAddress, prefix: int) -> Blocked | None:
        """Return what forbids an IPv6 address whose link has it with another prefix length."""
        is_occupied = address.version == 6 and any(
            entry.index == link.index
            and entry.prefix != prefix
            and not self.observed.is_ours(entry)
            for entry in self.entries.get(address, ())
        )
        if not is_occupied:
            return None
        return Blocked(f"somebody else put {address} on {link.name}, with another prefix length")
