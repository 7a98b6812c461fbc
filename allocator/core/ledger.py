"""Who owns which address: the one record of all owners. No I/O.

Belongs here: owners, sharing, and whom a change concerns. Does not: choosing an address (`place`),
reading Services (`decide`). One writer: whoever runs `decide` and `commit` in one synchronous
stretch. Nothing here depends on pools, so that an edit of a group neither loses an owner nor costs
anything.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from allocator.core.decisions import Decision, Release
from allocator.core.holdings import Allocation, Holding, Objection, Waiting, holding_of
from allocator.core.index import AddressIndex
from allocator.core.rests import Rest, Rests
from allocator.core.tenancy import Tenancy
from allocator.core.waiters import Waiters
from purelb.api.addresses import FAMILIES, AddressRange, Family, IPAddress, family_of
from purelb.api.identifiers import Instant, ServiceKey, SharingKey
from purelb.api.problems import Problem
from purelb.api.views import Port, ServiceView

__all__ = ["Allocation", "Holding", "Ledger"]


class Ledger:
    """All holdings, indexed by Service, address, range, sharing key and port.

    A Service may own an address that another owns too, with or without the right to: the cluster is
    the truth, and `objection` tells the difference. `commit` and `revert` return the Services that
    should be looked at again, those that have waited longest first.
    """

    def __init__(self) -> None:
        self._holdings: dict[ServiceKey, Holding] = {}
        self._owners: dict[IPAddress, dict[ServiceKey, None]] = {}
        self._used: Mapping[Family, AddressIndex] = {f: AddressIndex(f) for f in FAMILIES}
        # Those with an owner, and those that rest.
        self._taken: Mapping[Family, AddressIndex] = {f: AddressIndex(f) for f in FAMILIES}
        self._rests = Rests()
        self._tenancy = Tenancy()
        self._waiters = Waiters()

    def holding(self, key: ServiceKey) -> Holding | None:
        """Return what a Service owns."""
        return self._holdings.get(key)

    def holdings(self) -> Iterable[Holding]:
        """Return all holdings, in no particular order."""
        return self._holdings.values()

    def owners(self, address: IPAddress) -> tuple[ServiceKey, ...]:
        """Return who owns an address, sorted; empty if it is free."""
        return tuple(sorted(self._owners.get(address, ())))

    def owners_in(self, span: AddressRange) -> frozenset[ServiceKey]:
        """Return who owns an address of a range."""
        addresses = self._used[span.family].within(span)
        return frozenset(owner for address in addresses for owner in self._owners[address])

    def used(self, span: AddressRange) -> int:
        """Return how many distinct addresses of a range have an owner."""
        return self._used[span.family].count(span)

    def taken(self, span: AddressRange) -> int:
        """Return how many distinct addresses of a range have an owner or rest."""
        return self._taken[span.family].count(span)

    def lowest_free(self, span: AddressRange) -> IPAddress | None:
        """Return the lowest address of a range that has no owner and does not rest."""
        return self._taken[span.family].lowest_free(span)

    def lowest_used(self, span: AddressRange) -> IPAddress | None:
        """Return the lowest address of a range with an owner."""
        return self._used[span.family].lowest_used(span)

    def lowest_bound(self, sharing: SharingKey, span: AddressRange) -> IPAddress | None:
        """Return the lowest address of a range that somebody owns under a sharing key."""
        return self._tenancy.lowest_bound(sharing, span)

    def objection(
        self, address: IPAddress, key: ServiceKey, sharing: SharingKey, ports: Iterable[Port]
    ) -> Objection | None:
        """Return why a Service may not own an address beside its other owners; None if it may.

        Free costs nothing, sharing one look-up for each port. The holder named is the first by
        name, of those that are in the way.
        """
        owners = self._owners.get(address)
        if not owners or (len(owners) == 1 and key in owners):
            return None
        if not self._agree(address, key, sharing):
            return Objection(address=address, holder=self._stranger(address, key, sharing))
        for port in sorted(ports, key=lambda port: (port.number, port.protocol)):
            holders = self._tenancy.holders(address, port) - {key}
            if holders:
                return Objection(address=address, holder=min(holders), port=port)
        return None

    def resting(self, address: IPAddress) -> Rest | None:
        """Return for whom an address without an owner rests; None if it does not."""
        return None if address in self._owners else self._rests.get(address)

    def own_rests(self, key: ServiceKey) -> Iterable[IPAddress]:
        """Return the addresses without an owner that rest for a Service."""
        return (address for address in self._rests.of(key) if address not in self._owners)

    def next_rest_end(self) -> Instant | None:
        """Return when the next rest ends; None if nothing rests."""
        return self._rests.next_end()

    def all_waiting(self) -> tuple[ServiceKey, ...]:
        """Return all Services with a problem, oldest first."""
        return self._waiters.keys()

    def problem(self, key: ServiceKey) -> Problem | None:
        """Return what a Service was told last, if that still stands."""
        waiting = self._waiters.get(key)
        return waiting.problem if waiting else None

    def adopt(self, service: ServiceView) -> None:
        """Enter the addresses that a Service shows, before any is handed out.

        Without the brand they are foreign: kept out of the free ones, shared with nobody. Whether
        they are ours to change is for `decide` to find.
        """
        self._put(
            service.key,
            holding_of(service, service.ingress, is_foreign=not service.is_branded),
        )

    def commit(self, decision: Decision) -> tuple[ServiceKey, ...]:
        """Make a decision the record; call it before anything else is decided."""
        touched = self._put(decision.key, decision.after)
        problem, wants = decision.report.problem, decision.report.wants
        waiting = Waiting(problem=problem, wants=wants) if problem else None
        stopped = self._waiters.put(decision.key, waiting)
        woken = self._woken(decision.key, touched)
        for want in stopped:
            # Whoever stops waiting for a range may have left room: the next one gets its chance.
            if isinstance(want, AddressRange) and self.lowest_free(want) is not None:
                woken.update(filter(None, [self._waiters.oldest(want)]))
        if isinstance(decision, Release) and decision.is_renewed:
            woken.add(decision.key)
        return self._waiters.by_age(woken)

    def revert(self, decision: Decision) -> tuple[ServiceKey, ...]:
        """Undo a committed decision after the API has definitely refused its write.

        Not after a timeout: then the write may have happened. Nothing happens if the record has
        moved on. What was given up meanwhile is not taken back.
        """
        if self._holdings.get(decision.key) != decision.after:
            return ()
        before, after, kept = decision.before, decision.after, None
        if before is not None and after is not None:
            addresses = tuple(a for a in before.addresses if a in after.addresses)
            kept = replace(before, addresses=addresses) if addresses else None
        changed = self._put(decision.key, kept)
        return self._waiters.by_age(self._woken(decision.key, changed))

    def rest(self, rest: Rest) -> None:
        """Let an address rest, from now on or from when its last owner leaves."""
        if rest.address not in self._owners and rest.address not in self._rests:
            self._taken[family_of(rest.address)].add(rest.address)
        self._rests.add(rest)

    def end_rests(self, now: Instant) -> tuple[ServiceKey, ...]:
        """Free what has rested for long enough; returns whom that concerns, as `commit` does."""
        woken: set[ServiceKey] = set()
        for address in self._rests.end(now):
            if address not in self._owners:
                self._taken[family_of(address)].remove(address)
                woken.update(self._waiting_for(address))
        return self._waiters.by_age(woken)

    def forget(self, key: ServiceKey) -> None:
        """Drop everything about a Service without telling anybody."""
        self._put(key, None)
        self._waiters.put(key, None)

    def _agree(self, address: IPAddress, key: ServiceKey, sharing: SharingKey) -> bool:
        """Tell whether all other owners have this sharing key."""
        if not sharing:
            return False
        owners, mine = self._owners[address], self._holdings.get(key)
        others = len(owners) - (key in owners)
        agreeing = self._tenancy.sharers(sharing, address)
        if key in owners and mine is not None and mine.sharing == sharing:
            agreeing -= 1
        return agreeing == others

    def _stranger(self, address: IPAddress, key: ServiceKey, sharing: SharingKey) -> ServiceKey:
        """Return the first other owner without this sharing key, or any if there is no key."""
        return min(
            owner
            for owner in self._owners[address]
            if owner != key and (not sharing or self._holdings[owner].sharing != sharing)
        )

    def _put(self, key: ServiceKey, after: Holding | None) -> frozenset[IPAddress]:
        """Replace a Service's holding; return the addresses whose owners or terms it changed."""
        before = self._holdings.get(key)
        if before == after:
            return frozenset()
        old = frozenset(before.addresses) if before else frozenset()
        new = frozenset(after.addresses) if after else frozenset()
        same_terms = before and after and _terms(before) == _terms(after)
        changed = old ^ new if same_terms else old | new
        if before:
            del self._holdings[key]
            for address in changed & old:
                self._leave(address, before)
        if after:
            self._holdings[key] = after
            for address in changed & new:
                self._join(address, after)
        return changed

    def _join(self, address: IPAddress, holding: Holding) -> None:
        owners = self._owners.setdefault(address, {})
        if not owners:
            self._used[family_of(address)].add(address)
            if address not in self._rests:
                self._taken[family_of(address)].add(address)
        owners[holding.key] = None
        self._tenancy.join(address, holding)

    def _leave(self, address: IPAddress, holding: Holding) -> None:
        self._tenancy.leave(address, holding)
        owners = self._owners[address]
        del owners[holding.key]
        if not owners:
            del self._owners[address]
            self._used[family_of(address)].remove(address)
            if address not in self._rests:
                self._taken[family_of(address)].remove(address)

    def _woken(self, key: ServiceKey, changed: frozenset[IPAddress]) -> set[ServiceKey]:
        """Return the other Services that a Service's change on some addresses concerns."""
        woken: set[ServiceKey] = set()
        holding = self._holdings.get(key)
        if holding and holding.sharing and changed:
            woken.update(self._waiters.all_for(holding.sharing))
        for address in changed:
            owners = self._owners.get(address)
            if not owners:
                woken.update(self._waiting_for(address))
                continue
            woken.update(self._waiters.all_for(address))
            if holding and key in owners and len(owners) > 1:
                woken.update(self._clashing(address, holding))
        return woken - {key}

    def _waiting_for(self, address: IPAddress) -> Iterable[ServiceKey]:
        """Return who waits for an address that has no owner, of each range the oldest."""
        yield from self._waiters.all_for(address)
        for span in self._waiters.ranges_with(address):
            yield from filter(None, [self._waiters.oldest(span)])

    def _clashing(self, address: IPAddress, holding: Holding) -> Iterable[ServiceKey]:
        """Return the owners of an address that may not share it with this one.

        Foreign ones are told nothing, whatever others do.
        """
        if self._agree(address, holding.key, holding.sharing):
            return self._tenancy.clashing(address, holding.key, holding.ports)
        owners = self._owners[address]
        return (owner for owner in owners if not self._holdings[owner].is_foreign)


def _terms(holding: Holding) -> tuple[SharingKey, frozenset[Port]]:
    """Return what an owner's neighbours depend on."""
    return holding.sharing, holding.ports if holding.sharing else frozenset()
