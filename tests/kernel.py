"""A model of the kernel's address lists.

The model keeps what the order gate is about: the order of IPv4 addresses, primary and secondary,
promotion, newest first for IPv6, lifetimes in whole seconds, duplicate address detection. Its rules
were compared with Linux 6.18 (`__inet_insert_ifa`, `__inet_del_ifa`, `ipv6_link_dev_addr`).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import assert_never

from nodeagent.core.installed import Outcome
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
from purelb.api.addresses import IPAddress, parse_ip
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
