"""The record of conflicts: what a host costs that claims thousands of addresses."""

import tracemalloc
from ipaddress import IPv4Address

from nodeagent.core.conflicts import MEMORY, Conflict
from nodeagent.shell.conflicts import Conflicts

VIP, OTHER = IPv4Address("192.0.2.10"), IPv4Address("192.0.2.11")
CLAIM = Conflict(owner=bytes.fromhex("020000000099"), noted_at=100.0)
LATER = Conflict(owner=bytes.fromhex("020000000099"), noted_at=101.0)


def record_of(addresses: int) -> Conflicts:
    """Return a record with so many addresses, of which a view has been handed out."""
    record = Conflicts()
    for number in range(addresses):
        record.note(VIP + number, CLAIM)
    record.view()
    return record


def test_a_claim_costs_the_same_however_many_there_are() -> None:
    """A copy of ten thousand entries takes more than 300 kB, and so would each of these."""
    record = record_of(10_000)
    claimed = [VIP + number for number in range(100)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for address in claimed:
            record.note(address, LATER)
        most = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert most < 10_000  # bytes


def test_what_was_handed_out_stays_as_it_was_and_is_new_only_after_a_claim() -> None:
    """Passes compare it by identity, and look for the differences only if it is another."""
    record = record_of(2)
    before = record.view()
    record.forget(CLAIM.noted_at)
    record.keep({VIP, OTHER})
    assert record.view() is before
    record.note(VIP, LATER)
    after = record.view()
    assert (before[VIP], after[VIP], after[OTHER]) == (CLAIM, LATER, CLAIM)
    assert record.view() is after


def test_a_conflict_is_forgotten_when_it_is_old() -> None:
    """Long after its last claim, and not before."""
    record = record_of(2)
    record.note(OTHER, LATER)
    record.forget(CLAIM.noted_at + MEMORY)
    assert record.view() == {OTHER: LATER}
    assert record.get(VIP) is None


def test_a_conflict_about_an_address_that_no_service_has_is_forgotten() -> None:
    """Services come and go with other addresses each time: their conflicts must not pile up."""
    record = record_of(10)
    record.keep({OTHER})
    assert record.view() == {OTHER: CLAIM}
