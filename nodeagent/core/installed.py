"""What this process knows about its addresses beyond what the kernel tells.

The kernel does not say which addresses were announced, and kernels before 5.18 do not say which
are ours. Belongs here: how that knowledge follows from operations and observations. Does not: the
operations (`plan`). Called by the shell before and after each pass.
"""

from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass

from nodeagent.core.dummy import Dummy, Failure, failed
from nodeagent.core.links import Announced, Observed, Placed, placed
from nodeagent.core.ops import (
    AddAddress,
    Announce,
    MakeLink,
    Op,
    RaiseLink,
    RefreshAddress,
    RemoveAddress,
    ReorderAddress,
)
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import Instant, LinkName


@dataclass(frozen=True, slots=True)
class Outcome:
    """One operation that was tried; `error` says why it failed, empty if it did not.

    `is_lasting`: it will fail again until somebody installs or grants something. `is_silent`: it
    was done again and again, and people have heard of that.
    """

    op: Op
    error: str = ""
    is_lasting: bool = False
    is_silent: bool = False


def adopt(
    observed: Observed,
    links: Container[LinkName],
    vips: Container[IPAddress],
    own: Container[IPAddress],
) -> frozenset[Placed]:
    """Return the unmarked entries that a predecessor left: to be taken over once, at start.

    Those are addresses of our Services on selected links or the dummy that are not the node's own.
    Later nothing is adopted: what somebody else adds is somebody else's.
    """
    indices = {link.index for link in observed.links if link.name in links}
    return frozenset(
        placed(entry)
        for entry in observed.addresses
        if entry.index in indices and entry.address in vips and entry.address not in own
    )


def is_empty(observed: Observed, besides: Dummy | None = None) -> bool:
    """Tell whether nothing of ours is on any link, the dummy aside if it is given."""
    index = besides.index if besides is not None else 0
    return not any(e.index != index and observed.is_ours(e) for e in observed.addresses)


def failure_after(
    failure: Failure | None, outcomes: Iterable[Outcome], now: Instant
) -> Failure | None:
    """Return what is known of the dummy link's last failure after a pass; success ends it."""
    for outcome in outcomes:
        if isinstance(outcome.op, MakeLink | RaiseLink):
            link, detail, is_lasting = outcome.op.link, outcome.error, outcome.is_lasting
            failure = failed(failure, link, detail, now, is_lasting=is_lasting) if detail else None
    return failure


def record_after(observed: Observed, outcomes: Iterable[Outcome]) -> frozenset[Placed]:
    """Return the record after a pass: what is gone is forgotten, lest a stranger's be taken for it.

    Where the kernel keeps our mark, only what was adopted and is still unmarked stays in it.
    """
    record = set(observed.record)
    if record:
        record &= {placed(entry) for entry in observed.addresses}
    elif observed.has_marks:
        return observed.record
    for outcome in outcomes:
        if outcome.error:
            continue
        match outcome.op:
            case RemoveAddress(index=index, address=address, prefix=prefix):
                record.discard(Placed(index, address, prefix))
            case (
                AddAddress(entry=entry) | RefreshAddress(entry=entry) | ReorderAddress(entry=entry)
            ):
                added = Placed(entry.index, entry.address, entry.prefix)
                if observed.has_marks:
                    record.discard(added)
                else:
                    record.add(added)
            case _:
                pass
    return frozenset(record)


def unannounced(
    announced: frozenset[Announced], interrupted: Collection[int]
) -> frozenset[Announced]:
    """Return the announcements that stand although these links went down for however short a time.

    A switch forgets what it learned from a port that goes down.
    """
    if not interrupted:
        return announced
    return frozenset(known for known in announced if known.index not in interrupted)


def announced_after(
    observed: Observed, outcomes: Iterable[Outcome], changed: Collection[IPAddress] | None = None
) -> frozenset[Announced]:
    """Return the announcements that stand after a pass, the same object if they all do.

    One falls when its address or its link's carrier is gone, or when the address is put there anew.
    `changed` are the addresses that the kernel may list otherwise than before, with the same links;
    None: anything may be otherwise.
    """
    fallen, begun = set[tuple[int, IPAddress]](), set[Announced]()
    for outcome in outcomes:
        match outcome.op:
            case RemoveAddress(index=index, address=address, is_copy=False):
                fallen.add((index, address))
            case Announce(link=link, address=address, epoch=epoch) if not outcome.error:
                begun.add(Announced(link.index, address, link.mac, epoch))
            case _:
                pass
    before = observed.announced
    gone = _silenced(observed, changed)
    if fallen:
        gone |= {known for known in before if (known.index, known.address) in fallen}
    return (before - gone) | begun if gone or begun else before


def _silenced(observed: Observed, changed: Collection[IPAddress] | None) -> set[Announced]:
    """Return the announcements whose address or carrier is gone, of those that may be."""
    suspects: Collection[Announced] = observed.announced
    if changed is not None:
        suspects = [known for known in suspects if known.address in changed] if changed else ()
    if not suspects:
        return set()
    works = {link.index: link.mac for link in observed.links if link.is_up and link.has_carrier}
    present = {(entry.index, entry.address) for entry in observed.addresses}
    return {
        one
        for one in suspects
        if works.get(one.index) != one.mac or (one.index, one.address) not in present
    }
