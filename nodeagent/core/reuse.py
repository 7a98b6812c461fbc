"""What of the last pass still holds, so that a pass costs what has changed and not what there is.

The rule: **the judgement of an address holds if nothing common has changed, and nothing of its own
has.**

- Common is everything in `Common`, whether the right bounds the lifetimes, and what the selection
  of links follows from besides: the entries that are not ours on selected links, and which of them
  are addresses of Services. If any of that differs or a network lingers, all is judged anew.
- Its own are: its Services and their endpoints; the kernel's entries with this address, lifetimes
  aside; whether it is `installed` and announced; its conflict with another host; who claims it, and
  whether it is silent; the unrest on the link where it belongs; and the time, if the judgement is a
  `Wait` or one of its `changes` has come. An address with any difference there is *touched*, and
  judged anew.

What depends on the right to hold is not part of a judgement: each pass has its own `Terms`.
Belongs here: finding the touched addresses. Does not: judging them (`desired`, the caller).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from nodeagent.core.inputs import Inputs
from nodeagent.core.verdicts import Here, Memory, Past
from nodeagent.core.vips import Change, Vip, gather, regather
from purelb.api.addresses import IPAddress, family_of
from purelb.api.identifiers import Instant, ServiceKey
from purelb.api.links import LinkAddress
from purelb.api.views import ServiceView

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a pass has to do: `past` holds but for the `touched` addresses, None: nothing holds.

    `vips` are all addresses of now; `entries` the kernel's entries of the touched ones. Touched
    addresses that are not among the `vips` are nobody's.
    """

    past: Past | None
    vips: Mapping[IPAddress, Vip]
    touched: frozenset[IPAddress]
    entries: Mapping[IPAddress, list[LinkAddress]]


def remaining(memory: Memory, inputs: Inputs, now: Instant) -> Work:
    """Return the work that the last pass leaves to this one."""
    return _remaining(memory, inputs, now) or _everything(inputs)


def patched(
    before: Mapping[Key, Value], values: Mapping[Key, Value], touched: Collection[Key]
) -> Mapping[Key, Value]:
    """Return what was before with the values of touched keys; those without one leave it.

    The same object if nothing is touched. Every value is of a touched key.
    """
    if not touched:
        return before
    after = {**before, **values}
    if before and len(values) < len(touched):
        for key in touched:
            if key not in values:
                after.pop(key, None)
    return after


def _remaining(memory: Memory, inputs: Inputs, now: Instant) -> Work | None:
    """Return the work if something of the last pass holds, else None."""
    past = memory.past
    if past is None or past.inputs.common != inputs.common:
        return None
    if past.inputs.is_bounded != inputs.is_bounded:
        return None
    selection = past.state.selection
    if selection.expires_at is not None or memory.presence.keys() != selection.presence.keys():
        return None  # each lingering network has its own time
    links = {nic.link.index for nic in selection.nics}
    moved = inputs.listing.difference(past.inputs.listing, links)
    if moved is None:
        return None
    vips = past.state.vips
    fresh = regather(vips, _changes(past.inputs.services, inputs.services))
    came_or_gone = [address for address, vip in fresh.items() if (vip is None) is (address in vips)]
    if came_or_gone and inputs.listing.has_stranger(came_or_gone, links):
        return None  # it proves a network, unless it is an address of a Service
    touched = frozenset(chain(moved, fresh, _touched_otherwise(past, inputs, now)))
    return Work(
        past=past,
        vips=patched(vips, {a: vip for a, vip in fresh.items() if vip is not None}, fresh),
        touched=touched,
        entries=inputs.listing.entries_of(touched) if touched else {},
    )


def _everything(inputs: Inputs) -> Work:
    vips = gather(inputs.services)
    touched = frozenset(chain(vips, (entry.address for entry in inputs.listing.entries)))
    entries = inputs.listing.entries_of(touched)
    return Work(past=None, vips=vips, touched=touched, entries=entries)


def _changes(
    before: Mapping[ServiceKey, ServiceView], after: Mapping[ServiceKey, ServiceView]
) -> Iterator[Change]:
    """Yield the Services that are other objects than before."""
    if after is before:
        return
    for key, new in after.items():
        if (old := before.get(key)) is not new:
            yield old, new
    for key in before.keys() - after.keys():
        yield before[key], None


def _touched_otherwise(past: Past, inputs: Inputs, now: Instant) -> Iterator[IPAddress]:
    """Yield the addresses with any other difference of their own, and those due."""
    before = past.inputs
    if inputs.endpoints != before.endpoints:
        for key in inputs.endpoints.keys() | before.endpoints.keys():
            if inputs.endpoints.get(key) != before.endpoints.get(key) and key in inputs.services:
                yield from inputs.services[key].ingress
    if inputs.claims != before.claims:
        for address in inputs.claims.keys() | before.claims.keys():
            if inputs.claims.get(address) != before.claims.get(address):
                yield address
    yield from inputs.silent ^ before.silent
    yield from inputs.installed ^ before.installed
    if inputs.conflicts is not before.conflicts:
        changed = inputs.conflicts.items() ^ before.conflicts.items()
        yield from (address for address, _ in changed)
    yield from _disturbed(past, inputs)
    yield from (one.address for one in inputs.announced ^ before.announced)
    yield from (address for address, one in past.timed.items() if one.is_due(now))


def _disturbed(past: Past, inputs: Inputs) -> Iterator[IPAddress]:
    """Yield the addresses of links with another unrest than before."""
    old, new = past.inputs.unrest, inputs.unrest
    if new is old:
        return
    links = {key for key in new.keys() | old.keys() if new.get(key) != old.get(key)}
    for address, verdict in past.state.verdicts.items() if links else ():
        if isinstance(verdict, Here) and (verdict.link.index, family_of(address)) in links:
            yield address
