"""Sorted sets of addresses and of ranges of one family: lowest free, counts, what has what. Pure.

Belongs here: the search. Does not: who owns an address (`ledger`), who waits (`waiters`).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from purelb.api.addresses import AddressRange, Family, IPAddress


class AddressIndex:
    """Addresses of one family, kept sorted and without duplicates.

    Every question is O(log n) in the number of addresses held, whatever the size of the range: the
    i-th address behind the start of a range has a number of at least start + i, and the first one
    whose number is larger leaves the lowest gap, which a binary search finds. A change moves a part
    of an array of pointers: 10 µs in 100,000 addresses.
    """

    def __init__(self, family: Family) -> None:
        self._make = IPv4Address if family is Family.IPV4 else IPv6Address
        self._numbers: list[int] = []

    def __len__(self) -> int:
        """Return how many addresses it has."""
        return len(self._numbers)

    def add(self, address: IPAddress) -> None:
        """Put an address in; it must not be in yet."""
        number = int(address)
        self._numbers.insert(bisect_left(self._numbers, number), number)

    def remove(self, address: IPAddress) -> None:
        """Take an address out; it must be in."""
        del self._numbers[bisect_left(self._numbers, int(address))]

    def count(self, span: AddressRange) -> int:
        """Return how many of its addresses lie in the range."""
        first, last = int(span.first), int(span.last)
        return bisect_right(self._numbers, last) - bisect_left(self._numbers, first)

    def lowest_free(self, span: AddressRange) -> IPAddress | None:
        """Return the lowest address of the range that is not in; None if all are."""
        numbers, first = self._numbers, int(span.first)
        start = bisect_left(numbers, first)
        rest = range(start, len(numbers))
        gap = bisect_left(rest, True, key=lambda i: numbers[i] - first > i - start)
        free = first + gap
        return self._make(free) if free <= int(span.last) else None

    def lowest_used(self, span: AddressRange) -> IPAddress | None:
        """Return the lowest address of the range that is in; None if none is."""
        index = bisect_left(self._numbers, int(span.first))
        if index == len(self._numbers) or self._numbers[index] > int(span.last):
            return None
        return self._make(self._numbers[index])

    def within(self, span: AddressRange) -> Iterator[IPAddress]:
        """Return its addresses that lie in the range, in order."""
        first = bisect_left(self._numbers, int(span.first))
        last = bisect_right(self._numbers, int(span.last))
        return map(self._make, self._numbers[first:last])


class SpanIndex:
    """Ranges of one family, without duplicates, that may overlap.

    A question is O(log n), and one step for each range that has the address; where ranges are
    nested, for each that begins before it inside the same outermost range. A change is O(log n) and
    moves a part of two arrays; where ranges are nested it may look at all that follow.
    """

    def __init__(self) -> None:
        self._spans: list[tuple[int, int, AddressRange]] = []  # with first and last, by these
        self._reach: list[int] = []  # the highest last of each and all before it

    def add(self, span: AddressRange) -> None:
        """Put a range in; it must not be in yet."""
        entry = int(span.first), int(span.last), span
        index = bisect_left(self._spans, entry[:2], key=_bounds)
        self._spans.insert(index, entry)
        self._reach.insert(index, -1)
        self._renew(index)

    def remove(self, span: AddressRange) -> None:
        """Take a range out; it must be in."""
        index = bisect_left(self._spans, (int(span.first), int(span.last)), key=_bounds)
        del self._spans[index], self._reach[index]
        self._renew(index)

    def having(self, address: IPAddress) -> Iterator[AddressRange]:
        """Yield the ranges that have an address, those that begin last first."""
        number = int(address)
        index = bisect_right(self._spans, number, key=_first) - 1
        while index >= 0 and self._reach[index] >= number:
            _, last, span = self._spans[index]
            if last >= number:
                yield span
            index -= 1

    def _renew(self, index: int) -> None:
        """Bring the reach of a range and those behind it up to date."""
        reach = self._reach[index - 1] if index else -1
        for i in range(index, len(self._spans)):
            reach = max(reach, self._spans[i][1])
            if self._reach[i] == reach:
                return  # and so are all that follow
            self._reach[i] = reach


def _bounds(entry: tuple[int, int, AddressRange]) -> tuple[int, int]:
    return entry[:2]


def _first(entry: tuple[int, int, AddressRange]) -> int:
    return entry[0]
