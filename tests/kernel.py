"""A model of the kernel's address lists, and the node agent's loop on top of it.

The model keeps what the order gate is about: the order of IPv4 addresses, primary and secondary,
promotion, newest first for IPv6, lifetimes in whole seconds, duplicate address detection. Its rules
were compared with Linux 6.18 (`__inet_insert_ifa`, `__inet_del_ifa`, `ipv6_link_dev_addr`).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from nodeagent.core.desired import desire
from nodeagent.core.facts import Facts
from nodeagent.core.gate import Record, compare, note_change, note_loss
from nodeagent.core.installed import Outcome, announced_after, failure_after, record_after
from nodeagent.core.links import Announced, Observed, Placed
from nodeagent.core.ops import (
    AddAddress,
    Announce,
    DeleteLink,
    LinkOp,
    MakeLink,
    Op,
    Probe,
    RaiseLink,
    RefreshAddress,
    RemoveAddress,
    ReorderAddress,
)
from nodeagent.core.plan import plan
from nodeagent.core.report import Report, Told, report
from nodeagent.core.verdicts import DesiredState, Memory
from purelb.api.addresses import Family, IPAddress, parse_ip
from purelb.api.identifiers import Instant, LinkName
from purelb.api.links import (
    FOREVER,
    IFA_F_DADFAILED,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFA_F_SECONDARY,
    IFA_F_TENTATIVE,
    OUR_ALIAS,
    OUR_MARK,
    DefaultRoute,
    Link,
    LinkAddress,
    NewAddress,
    network_of,
)

DAD_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Entry:
    """One address; `ends_at` is infinite without a lifetime, `usable_at` the end of detection."""

    address: LinkAddress
    ends_at: Instant = math.inf
    usable_at: Instant = -math.inf
    is_duplicate: bool = False


@dataclass(slots=True)
class Kernel:
    """The addresses of one host. Time moves only by `advance`."""

    links: tuple[Link, ...] = ()
    routes: tuple[DefaultRoute, ...] = ()
    has_marks: bool = True
    promotes: bool = True
    lacks_dummy: bool = False
    loses_dummy: bool = False  # somebody deletes it while it is made
    lateness: float = 0.0  # seconds by which addresses outlive their lifetime
    now: Instant = 0.0
    entries: list[Entry] = field(default_factory=list)
    taken: set[IPAddress] = field(default_factory=set)  # IPv6 addresses that other hosts have

    def advance(self, now: Instant) -> None:
        """Let time pass."""
        self.now = now
        # The end of one may take others with it, or promote them.
        while ended := [one for one in self.entries if one.ends_at + self.lateness <= now]:
            self._delete(ended[0])

    def put(self, index: int, text: str, *, mark: int = 0, valid: int = FOREVER) -> None:
        """Add an address as others would, `address/length`; with a mark as we do on a NIC."""
        address, _, prefix = text.partition("/")
        new = NewAddress(
            index=index,
            address=parse_ip(address),
            prefix=int(prefix),
            flags=IFA_F_NODAD | (IFA_F_NOPREFIXROUTE if mark else 0),
            valid_seconds=valid,
            preferred_seconds=valid,
        )
        assert self._insert(new, mark) == ""

    def take(self, index: int, text: str) -> None:
        """Remove an address as others would."""
        address, _, prefix = text.partition("/")
        assert self._remove(Placed(index, parse_ip(address), int(prefix))) == ""

    def listing(self, index: int) -> tuple[str, ...]:
        """Return the addresses of a link in order, as `address/length`."""
        found = (entry.address for entry in self.entries if entry.address.index == index)
        return tuple(f"{address.address}/{address.prefix}" for address in found)

    def observe(
        self,
        record: frozenset[Placed] = frozenset(),
        announced: frozenset[Announced] = frozenset(),
    ) -> Observed:
        """Return what a dump would show now."""
        return Observed(
            links=self.links,
            addresses=tuple(self._shown(entry) for entry in self.entries),
            routes=self.routes,
            read_at=self.now,
            record=record,
            announced=announced,
            has_marks=self.has_marks,
        )

    def run(self, ops: Iterable[Op]) -> tuple[Outcome, ...]:
        """Try every operation, in order."""
        return tuple(
            Outcome(op, self._apply(op), is_lasting=self.lacks_dummy and isinstance(op, MakeLink))
            for op in ops
        )

    def _apply(self, op: Op) -> str:
        match op:
            case AddAddress(entry=entry):
                return self._insert(entry, OUR_MARK)
            case RefreshAddress(entry=entry):
                return self._refresh(entry)
            case ReorderAddress(entry=entry):
                self._remove(Placed(entry.index, entry.address, entry.prefix))
                return self._insert(entry, OUR_MARK)
            case RemoveAddress(index=index, address=address, prefix=prefix):
                self.promotes = self.promotes or op.needs_promotion
                return self._remove(Placed(index, address, prefix))
            case Announce() | Probe():
                return ""
            case MakeLink() | RaiseLink() | DeleteLink():
                return self._change_link(op)
            case _:
                assert_never(op)

    def _change_link(self, op: LinkOp) -> str:
        match op:
            case MakeLink(link=name):
                if self.lacks_dummy:
                    return "this kernel has no such kind"
                if self.loses_dummy:
                    return "somebody deleted it"
                index = max((link.index for link in self.links), default=0) + 1
                made = Link(
                    index=index,
                    name=name,
                    mac=b"",
                    is_up=False,
                    has_carrier=False,
                    kind="dummy",
                    alias=OUR_ALIAS,
                )
                self.links = (*self.links, made)
            case RaiseLink(index=index):
                if all(link.index != index for link in self.links):
                    return "no such device"
                self.links = tuple(
                    replace(link, is_up=True, has_carrier=True) if link.index == index else link
                    for link in self.links
                )
            case DeleteLink(link=name):
                self.drop(name)
            case _:
                assert_never(op)
        return ""

    def drop(self, name: LinkName) -> None:
        """Delete a link as anybody may, its addresses with it."""
        gone = {link.index for link in self.links if link.name == name}
        self.links = tuple(link for link in self.links if link.index not in gone)
        self.entries = [e for e in self.entries if e.address.index not in gone]

    def _shown(self, entry: Entry) -> LinkAddress:
        flags = entry.address.flags
        if entry.is_duplicate and self.now >= entry.usable_at:
            flags |= IFA_F_DADFAILED | IFA_F_TENTATIVE
        elif self.now < entry.usable_at:
            flags |= IFA_F_TENTATIVE
        if math.isinf(entry.ends_at):
            return replace(entry.address, flags=flags)
        left = max(0, math.ceil(entry.ends_at - self.now))  # seconds that have not fully passed
        return replace(entry.address, flags=flags, valid_seconds=left)

    def _insert(self, new: NewAddress, mark: int) -> str:
        if any(_excludes(entry.address, new) for entry in self.entries):
            return "exists"
        if all(link.index != new.index for link in self.links):
            return "no such device"
        address = LinkAddress(
            index=new.index,
            address=new.address,
            prefix=new.prefix,
            flags=new.flags,
            valid_seconds=new.valid_seconds,
            preferred_seconds=new.preferred_seconds,
            mark=mark if self.has_marks else 0,
        )
        if new.address.version == 6:
            checks = not new.flags & IFA_F_NODAD
            entry = Entry(
                address,
                self._end(new),
                self.now + DAD_SECONDS if checks else -math.inf,
                is_duplicate=checks and new.address in self.taken,
            )
            self.entries.insert(0, entry)
            return ""
        same = [entry for entry in self.entries if _is_same_network(entry.address, address)]
        if same:
            address = replace(address, flags=address.flags | IFA_F_SECONDARY)
            self.entries.append(Entry(address, self._end(new)))
        else:
            self.entries.insert(self._after_primaries(new.index), Entry(address, self._end(new)))
        return ""

    def _refresh(self, new: NewAddress) -> str:
        place = Placed(new.index, new.address, new.prefix)
        for number, entry in enumerate(self.entries):
            if _place(entry) == place:
                address = replace(
                    entry.address,
                    valid_seconds=new.valid_seconds,
                    preferred_seconds=new.preferred_seconds,
                    mark=OUR_MARK if self.has_marks else 0,
                )
                self.entries[number] = replace(entry, address=address, ends_at=self._end(new))
                return ""
        return self._insert(new, OUR_MARK)  # NLM_F_REPLACE | NLM_F_CREATE

    def _remove(self, place: Placed) -> str:
        found = [entry for entry in self.entries if _place(entry) == place]
        if not found:
            is_linked = any(link.index == place.index for link in self.links)
            return "no such address" if is_linked else ""
        self._delete(found[0])
        return ""

    def _delete(self, entry: Entry) -> None:
        self.entries.remove(entry)
        address = entry.address
        if address.address.version == 6 or address.flags & IFA_F_SECONDARY:
            return
        heirs = [other for other in self.entries if _is_same_network(other.address, address)]
        for heir in heirs:
            self.entries.remove(heir)
        if not (heirs and self.promotes):
            return
        first = replace(heirs[0].address, flags=heirs[0].address.flags & ~IFA_F_SECONDARY)
        place = self._after_primaries(address.index)
        self.entries.insert(place, replace(heirs[0], address=first))
        self.entries.extend(heirs[1:])

    def _after_primaries(self, index: int) -> int:
        primaries = [
            number
            for number, entry in enumerate(self.entries)
            if entry.address.index == index
            and entry.address.address.version == 4
            and not entry.address.flags & IFA_F_SECONDARY
        ]
        if primaries:
            return primaries[-1] + 1
        secondaries = (
            number for number, entry in enumerate(self.entries) if entry.address.index == index
        )
        return next(secondaries, len(self.entries))

    def _end(self, new: NewAddress) -> Instant:
        return math.inf if new.valid_seconds == FOREVER else self.now + new.valid_seconds


@dataclass(slots=True)
class Agent:
    """The loop observe → desire → plan → execute → report, without its I/O."""

    kernel: Kernel
    facts: Facts
    told: Told = field(default_factory=Told)
    memory: Memory = field(default_factory=Memory)
    record: frozenset[Placed] = frozenset()
    announced: frozenset[Announced] = frozenset()
    unrest: Record = field(default_factory=dict)
    desired: DesiredState = field(default_factory=lambda: DesiredState(is_whole=False))
    ops: tuple[Op, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    reports: list[Report] = field(default_factory=list)
    seen: Observed | None = None
    asked: Facts | None = None  # what the last decision was made by

    def look(self) -> Observed:
        """Observe, and note what has changed since the last time."""
        observed = self.kernel.observe(self.record, self.announced)
        if self.seen is not None:
            self.unrest = compare(self.unrest, self.seen, observed)
        self.seen = observed
        return observed

    def decide(self) -> tuple[Op, ...]:
        """Do the first half of a pass and return the plan."""
        observed = self.look()
        facts = replace(
            self.facts,
            observed=observed,
            unrest=self.unrest,
            installed=self.told.installed,
            memory=self.memory,
        )
        self.asked = facts
        self.desired = desire(facts, self.kernel.now)
        self.memory = self.desired.memory
        self.ops = plan(self.desired, observed, self.kernel.now)
        return self.ops

    def execute(self, ops: Sequence[Op]) -> Report:
        """Do the second half with these operations."""
        assert self.seen is not None
        self.outcomes = self.kernel.run(ops)
        now = self.kernel.now
        failure = failure_after(self.facts.failure, self.outcomes, now)
        self.facts = replace(self.facts, failure=failure)
        self.record = record_after(self.seen, self.outcomes)
        changed = self.desired.changed if self.desired.before is not None else None
        self.announced = announced_after(self.seen, self.outcomes, changed)
        members = len(self.facts.electorate.members) if self.facts.electorate is not None else 0
        result = report(self.facts.me, self.told, self.desired, self.outcomes, members)
        self.told = result.told
        self.reports.append(result)
        return result

    def run(self) -> Report:
        """Do one pass."""
        return self.execute(self.decide())

    def settle(self, until: Instant) -> None:
        """Do passes at every wake-up, and one at `until`; time moves on.

        Operations wake by the events that they cause, everything else at the core's wish.
        """
        for _ in range(1000):
            self.run()
            wake = self.kernel.now if self.ops else self.desired.next_change
            if wake is None or wake > until:
                break
            self.kernel.advance(wake)
        else:
            raise AssertionError("the loop never comes to rest")
        self.kernel.advance(until)
        self.run()

    def lose(self, index: int, text: str) -> None:
        """Let somebody remove one of our addresses, with the event that tells so."""
        self.kernel.take(index, text)
        self.unrest = note_loss(self.unrest, index, _family(text), self.kernel.now)

    def change_own(self, index: int, *, gone: str = "", back: str = "") -> None:
        """Let a network manager remove and add the node's own addresses, with the events."""
        if gone:
            self.kernel.take(index, gone)
        if back:
            self.kernel.put(index, back)
        family = _family(gone or back)
        self.unrest = note_change(self.unrest, index, family, self.kernel.now)


def _family(text: str) -> Family:
    return Family.IPV6 if ":" in text else Family.IPV4


def _place(entry: Entry) -> Placed:
    return Placed(entry.address.index, entry.address.address, entry.address.prefix)


def _excludes(known: LinkAddress, new: NewAddress) -> bool:
    """Tell whether the kernel refuses an address; IPv6 knows each only once per link."""
    is_same = known.index == new.index and known.address == new.address
    return is_same and (known.prefix == new.prefix or known.address.version == 6)


def _is_same_network(one: LinkAddress, other: LinkAddress) -> bool:
    return (
        one.index == other.index
        and one.prefix == other.prefix
        and one.family is other.family
        and network_of(one.address, one.prefix) == network_of(other.address, other.prefix)
    )
