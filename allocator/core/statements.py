"""What nodes say of who answers for Services' addresses on the wire, by their Leases. Pure.

The witness of an address writes on its Lease what is wrong (`nodeagent.core.witness`). Belongs
here: reading it, and for how long it counts. Does not: what is written on a Service (`conditions`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from purelb.api.addresses import IPAddress, parse_ip
from purelb.api.conditions import ABOUT_ADDRESSES, parse_conditions
from purelb.api.identifiers import Instant, NodeName
from purelb.api.views import LeaseView


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is wrong with an address; `reason` is a CamelCase word, `message` a sentence."""

    address: IPAddress
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    lease: LeaseView
    renewed_at: Instant  # when its Lease was last seen to be renewed
    statements: tuple[Statement, ...]


class Statements:
    """What the nodes with a live Lease say; `by_address` has one statement for each address."""

    def __init__(self) -> None:
        self.by_address: Mapping[IPAddress, Statement] = {}
        self._words: dict[NodeName, _Word] = {}

    def note(self, lease: LeaseView, now: Instant) -> frozenset[IPAddress]:
        """Take in a Lease; returns the addresses of which something else is said now."""
        known = self._words.get(lease.node)
        if known is None and not lease.conditions:
            return frozenset()
        if known is not None and known.lease.conditions == lease.conditions:
            is_renewed = known.lease.renewed != lease.renewed
            renewed_at = now if is_renewed else known.renewed_at
            word = _Word(lease=lease, renewed_at=renewed_at, statements=known.statements)
        else:
            word = _Word(lease=lease, renewed_at=now, statements=tuple(_read(lease.conditions)))
        self._words[lease.node] = word
        if known is not None and known.statements == word.statements:
            return frozenset()
        return self._sum_up()

    def forget(self, node: NodeName) -> frozenset[IPAddress]:
        """Take in that a Lease is gone; returns as `note` does."""
        return self._sum_up() if self._words.pop(node, None) is not None else frozenset()

    def expire(self, now: Instant, whole_since: Instant | None) -> frozenset[IPAddress]:
        """Drop what the dead have said; returns as `note` does.

        A Lease ends when it was not seen to be renewed for its duration, while no renewal could be
        missed: since `whole_since`, None if one may be missed now.
        """
        if whole_since is None:
            return frozenset()
        over = [
            node
            for node, word in self._words.items()
            if now >= max(word.renewed_at, whole_since) + word.lease.duration
        ]
        for node in over:
            del self._words[node]
        return self._sum_up() if over else frozenset()

    def _sum_up(self) -> frozenset[IPAddress]:
        before = self.by_address
        found: dict[IPAddress, Statement] = {}
        for _, word in sorted(self._words.items()):
            for one in word.statements:
                found.setdefault(one.address, one)
        self.by_address = found
        return frozenset(a for a in found.keys() | before.keys() if found.get(a) != before.get(a))


def about(
    statements: Mapping[IPAddress, Statement] | None, addresses: Iterable[IPAddress]
) -> tuple[Statement, ...] | None:
    """Return what is said of these addresses, in their order; None if nobody knows what is."""
    if statements is None:
        return None
    return tuple(statements[address] for address in addresses if address in statements)


def _read(text: str) -> Iterator[Statement]:
    for one in parse_conditions(text):
        if one.type not in ABOUT_ADDRESSES:
            continue
        try:
            address = parse_ip(one.subject)
        except ValueError:
            continue
        yield Statement(address=address, reason=one.type, message=one.message)
