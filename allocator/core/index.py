"""A sorted set of addresses of one family: lowest free and counts in a range. Pure.

Belongs here: the search. Does not: who owns an address (`ledger`).
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
