"""A stage for the allocator: users, an API server that fails, and a shell with writes in flight.

The rules are naive on purpose: they look at all Services and all addresses each time. Whoever plays
calls the actions in any order; `check` must hold after each, `settle` brings everything to rest and
looks at the whole.
"""

import random
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from allocator.core.affected import affected
from allocator.core.conditions import PENDING
from allocator.core.decide import Assign, Consult, Decision, Ignore, Keep, Refuse
from allocator.core.holdings import Holding
from allocator.core.ledger import Ledger
from purelb.api.addresses import Family, IPAddress, family_of
from purelb.api.groups import GroupView
from purelb.api.identifiers import ServiceKey, service_key
from purelb.api.views import ServiceView
from tests.invariants import starving
from tests.unit.allocator.builders import V4, V6, Cluster, ConflictError, group, pools

NAMES = ("a", "b", "c", "d", "e", "f")
FAMILIES: tuple[tuple[Family, ...], ...] = ((V4,), (V6,), (V4, V6), (V6, V4), ())
GROUPS: tuple[tuple[GroupView, ...], ...] = (
    (group("default", "10.0.0.0/31", "2001:db8::/127"),),
    (group("default", "10.0.0.0/32", "10.0.0.1/32", "2001:db8::/127", balance=True),),
    (group("default", "10.0.0.0/31"), group("other", "10.0.1.0/32", "2001:db8::/128")),
    (group("default", "10.0.1.0/31"), group("other", "10.0.0.1/32", namespaces=("shop",))),
    (group("default", "10.0.0.0/30", "2001:db8::/64", multi_pool=True),),
    (group("default", "10.0.0.0/30", reservations=(("10.0.0.1", service_key("shop", "b")),)),),
    (group("default", "10.0.0.0/30", "2001:db8::/127", cool_down="60s"),),
    (group("default", "10.0.0.0/31", multi_pool=True, cool_down="60s"),),
    (
        group("other", "10.0.0.0/31"),
        group("strict", "10.0.1.0/31", namespaces=("shop",), enforces=True),
    ),
    (),
)
ANNOTATIONS = (
    {"purelb.io/allow-shared-ip": "k"},
    {"purelb.io/allow-shared-ip": "l"},
    {"purelb.io/allow-shared-ip": None},
    {"purelb.io/addresses": "10.0.0.1"},
    {"purelb.io/addresses": "10.0.1.0,2001:db8::"},
    {"purelb.io/addresses": None},
    {"purelb.io/service-group": "other"},
    {"purelb.io/service-group": None},
    {"purelb.io/fallback-groups": "other, default"},
    {"purelb.io/fallback-groups": None},
    {"purelb.io/multi-pool": "true"},
    {"purelb.io/multi-pool": None},
    {"purelb.io/re-evaluate": "true"},
)
POLICIES = ("", "PreferDualStack", "RequireDualStack")
PORTS = (("TCP/80",), ("TCP/443",), ("TCP/80", "UDP/53"))
FATES = ("done", "done", "done", "lost", "unknown", "refused", "half")
COOL_DOWN = 60.0  # seconds, of the groups that have one
SUBNETS = ("10.0.0.0/31", "10.0.0.0/30", "10.0.1.0/31", "2001:db8::/64", "10.0.0.0/32")


class Stage:
    """One allocator and its cluster. A Service has at most one write in flight.

    `steps` counts the checks of all stages of this process: one follows every act.
    """

    steps: ClassVar[int] = 0

    def __init__(self, groups: Collection[GroupView]) -> None:
        self.groups = groups
        self.cluster = Cluster(*groups, active_subnets=SUBNETS)
        self.in_flight: dict[ServiceKey, Decision] = {}
        self.seen: dict[ServiceKey, ServiceView] = {}
        # Who showed an address last, and until when it rests.
        self.rests: dict[IPAddress, tuple[ServiceKey, float]] = {}

    def create(
        self,
        name: str,
        families: tuple[Family, ...],
        policy: str,
        keys: Mapping[str, str | None],
        ports: tuple[str, ...],
    ) -> None:
        """Create a Service, or a namesake of one whose deletion the allocator never saw."""
        found = {key: value for key, value in keys.items() if value is not None}
        self.cluster.create(
            name, families=families, annotations=found, ports=ports, ipFamilyPolicy=policy
        )

    def delete(self, name: str) -> None:
        """Delete a Service if there is one."""
        if service_key("shop", name) in self.cluster.objects:
            self.cluster.delete(service_key("shop", name))

    def edit(
        self,
        name: str,
        *,
        annotations: Mapping[str, str | None] | None = None,
        spec: Mapping[str, object] | None = None,
        ports: tuple[str, ...] | None = None,
    ) -> None:
        """Edit a Service if there is one."""
        key = service_key("shop", name)
        if key in self.cluster.objects:
            self.cluster.edit(key, annotations=annotations, spec=spec, ports=ports)

    def change_groups(self, groups: Collection[GroupView]) -> None:
        """Deliver another set of groups."""
        old, self.cluster.pools = self.cluster.pools, pools(*groups)
        self.groups = groups
        marked = affected(old, self.cluster.pools, self.cluster.ledger)
        self.cluster.dirty = dict.fromkeys([*self.cluster.dirty, *marked])

    def decide_next(self) -> None:
        """Decide about the first dirty Service without a write in flight; leave its write there."""
        key = next((key for key in self.cluster.dirty if key not in self.in_flight), None)
        if key is None:
            return
        del self.cluster.dirty[key]
        before = {holding.key: holding for holding in self.cluster.ledger.holdings()}
        decision = self.cluster.commit(key)
        check_commit(decision, before)
        self.check_rests(decision)
        if not isinstance(decision, Keep | Ignore | Consult) and decision.change is not None:
            self.in_flight[key] = decision

    def end_write(self, fate: str) -> None:
        """End the oldest write: done, never sent, done without an answer, refused, or half done."""
        if not self.in_flight:
            return
        key = next(iter(self.in_flight))
        decision = self.in_flight.pop(key)
        if fate == "refused":
            woken = self.cluster.ledger.revert(decision)
            self.cluster.dirty = dict.fromkeys([*woken, *self.cluster.dirty, key])
            return
        if fate in ("lost", "unknown"):
            self.cluster.dirty.setdefault(key)
        if fate != "lost":
            self.apply(decision, keeps_annotations=fate != "half")

    def crash(self, applied: Collection[bool]) -> None:
        """Kill the allocator; each write in flight has reached the API server or has not."""
        for decision, is_applied in zip(self.in_flight.values(), applied, strict=False):
            if is_applied:
                self.apply(decision, keeps_annotations=True)
        self.in_flight = {}
        self.cluster.restart()

    def reorder(self, dice: random.Random) -> None:
        """Shuffle what waits to be decided: a shell may serve woken Services late."""
        keys = list(self.cluster.dirty)
        dice.shuffle(keys)
        self.cluster.dirty = dict.fromkeys(keys)

    def settle(self) -> None:
        """Let everything come to an end, rests too, and look at the whole."""
        self.work_off()
        self.cluster.pass_time(COOL_DOWN)
        self.work_off()
        self.check_rest()

    def work_off(self) -> None:
        """Decide and write until nothing is left to do."""
        for _ in range(500):
            self.decide_next()
            self.check()
            self.end_write("done")
            self.check()
            if not self.cluster.dirty and not self.in_flight:
                return
        raise AssertionError("no end after 500 decisions")

    def apply(self, decision: Decision, *, keeps_annotations: bool) -> None:
        """Let the API server take a write; nothing that the Service goes on to ask for may go."""
        key = decision.key
        before = self.cluster.services.get(key)
        annotations = self.cluster.annotations(key) if before else {}
        try:
            self.cluster.write(decision)
        except ConflictError:
            self.cluster.dirty.setdefault(key)
            return
        assert before is not None
        if not keeps_annotations:
            self.cluster.objects[key]["metadata"]["annotations"] = annotations
            self.cluster.edit(key)
        lost = set(before.ingress) - set(self.cluster.services[key].ingress)
        if before.is_load_balancer and before.families:
            moved = [address for address in lost if family_of(address) in before.families]
            assert not moved, "an address moved"

    def check(self) -> None:
        """No address is free while a Service shows it: it cannot be given to two."""
        Stage.steps += 1
        for key, service in self.cluster.services.items():
            for address in service.ingress:
                assert key in self.cluster.ledger.owners(address), f"{address} is shown and free"
        self._note_released()

    def check_rests(self, decision: Decision) -> None:
        """Nobody gets an address that rests for another name and that nobody else owns."""
        if not isinstance(decision, Assign):
            return
        for address in decision.added:
            key, until = self.rests.get(address, (decision.key, 0.0))
            is_shared = len(self.cluster.ledger.owners(address)) > 1
            had = decision.before is not None and address in decision.before.addresses
            if not had and not is_shared and key != decision.key:
                assert self.cluster.now >= until, f"{address} rests for {key}"

    def _note_released(self) -> None:
        """Take in which addresses are shown no more since the last look."""
        for key, old in self.seen.items():
            new = self.cluster.services.get(key)
            is_same = new is not None and new.uid == old.uid
            for address in old.ingress if old.is_branded else ():
                if not is_same or address not in self.cluster.services[key].ingress:
                    self._let_rest(address, key)
        self.seen = dict(self.cluster.services)

    def _let_rest(self, address: IPAddress, key: ServiceKey) -> None:
        pool = self.cluster.pools.locate(address)
        if pool is not None and pool.group.cool_down:
            self.rests[address] = key, self.cluster.now + COOL_DOWN

    def check_rest(self) -> None:
        """Check what must hold when nothing is left to do."""
        cluster, ledger = self.cluster, self.cluster.ledger
        for holding in ledger.holdings():
            assert cluster.services[holding.key].ingress == holding.addresses, "a leak"
        waiting = ledger.all_waiting()
        for key, service in cluster.services.items():
            decision = cluster.decide(key)
            assert isinstance(decision, Keep | Refuse | Ignore) or only_tells(decision), (
                "somebody starves"
            )
            is_pending = any(one.type == PENDING for one in service.conditions)
            if only_tells(decision):
                assert is_pending, "nobody is told why"
                assert key in waiting
            if isinstance(decision, Refuse):
                assert decision.change is None or not decision.change.annotations
                assert is_pending, "nobody is told why"
                assert key in waiting
                assert not service.ingress
            if isinstance(decision, Keep):
                assert service.is_branded
                assert not is_pending or decision.report.problem is not None
        for key in clashing(ledger):
            assert key in waiting, "a clash that nobody is told of"
        assert len(set(waiting)) == len(waiting)
        assert set(waiting) <= cluster.services.keys()
        groups = [document(group) for group in self.groups]
        assert starving(list(cluster.objects.values()), groups) == []
        assert rebuilt(cluster, shuffled=False) == owned(ledger)
        assert rebuilt(cluster, shuffled=True) == owned(ledger)


def check_commit(decision: Decision, before: dict[ServiceKey, Holding]) -> None:
    """Check an assignment against all holdings, one by one."""
    if not isinstance(decision, Assign):
        return
    mine = before.get(decision.key)
    new = set(decision.after.addresses) - set(mine.addresses if mine else ())
    for other in before.values():
        if other.key == decision.key:
            continue
        for address in new & set(other.addresses):
            assert decision.after.sharing, f"{address} given twice"
            assert decision.after.sharing == other.sharing
            assert not decision.after.ports & other.ports


def only_tells(decision: Decision) -> bool:
    """Tell whether a decision changes nothing but what a Service is told it lacks.

    Of several reasons another may be the first by now; the one told is still true.
    """
    if not isinstance(decision, Assign) or decision.before != decision.after:
        return False
    change = decision.change
    return not (change.annotations or change.resets_policy) and change.ingress is None


def clashing(ledger: Ledger) -> set[ServiceKey]:
    """Return our Services that own an address beside somebody they may not share it with."""
    found = set()
    for one in ledger.holdings():
        for other in ledger.holdings():
            if one.key == other.key or not set(one.addresses) & set(other.addresses):
                continue
            may_share = one.sharing and one.sharing == other.sharing and not one.ports & other.ports
            if not may_share and not one.is_foreign:
                found.add(one.key)
    return found


def document(group: GroupView) -> dict[str, Any]:
    """Return the ServiceGroup that a view of this module's kind was made of."""
    pools: dict[str, Any] = {
        f"{family.lower().removeprefix('ip')}pools": [
            {"pool": entry.text, "subnet": entry.subnet}
            for entry in group.entries
            if entry.family is family
        ]
        for family in (V4, V6)
    }
    return {
        "metadata": {"namespace": group.namespace, "name": group.name},
        "spec": {
            "local": {**pools, "multiPool": group.multi_pool, "balancePools": group.balance},
            "namespaces": list(group.namespaces),
            "enforceNamespaces": group.enforces,
            "namespaceDefault": group.is_default,
            "reservations": [
                {"address": address, "service": service} for address, service in group.reservations
            ],
        },
    }


def owned(ledger: Ledger) -> set[tuple[object, ...]]:
    """Return what a ledger knows, without the order of anything but a Service's addresses."""
    return {
        (h.key, h.uid, h.addresses, h.sharing, h.ports, h.is_foreign) for h in ledger.holdings()
    }


def rebuilt(cluster: Cluster, *, shuffled: bool) -> set[tuple[object, ...]]:
    """Return what a new ledger knows after all Services were replayed."""
    ledger, services = Ledger(), list(cluster.services.values())
    if shuffled:
        random.Random(len(services)).shuffle(services)
    for service in services:
        ledger.adopt(service)
    return owned(ledger)
