"""An external pool under every interleaving: edits, crashes, lost calls and a provider that gives
too much. At rest the provider holds what Services show, to the address.

The provider is honest in one thing: what it gave to one Service it gives to no other. The journal
survives everything, as the API server does; all else is memory.
"""

import random
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import pytest

from allocator.core.accounts import (
    Account,
    GiveBack,
    next_step,
    opened,
    opened_by,
    without,
)
from allocator.core.answers import parsed, read_answer, refused_answer
from allocator.core.asks import Ask
from allocator.core.decide import Assign, Refuse, Release
from purelb.api.addresses import Family, IPAddress, family_of
from purelb.api.identifiers import PoolName, ServiceKey, service_key
from tests.unit.allocator.builders import V4, V6, Cluster, external, group

POOL = PoolName("default")
NAMES = ("a", "b", "c", "d")
FAMILIES: tuple[tuple[Family, ...], ...] = ((V4,), (V6,), (V4, V6), (V6, V4))
POLICIES = ("", "PreferDualStack", "RequireDualStack")
STEPS = 400


class Book:
    """The provider's records."""

    def __init__(self) -> None:
        self.held: dict[ServiceKey, set[IPAddress]] = {}
        self._next = 1

    def allocate(self, ask: Ask, *, is_generous: bool) -> tuple[str, ...]:
        """Give what is missing, and sometimes more."""
        mine = self.held.setdefault(ask.key, set())
        have = {family_of(address) for address in mine}
        for family in [f for f in ask.families if f not in have] + [V6] * is_generous:
            self._next += 1
            number = self._next
            mine.add(
                IPv4Address(0xC6336400 + number)
                if family is V4
                else IPv6Address((0x20010DB8 << 96) + number)
            )
        return tuple(map(str, sorted(mine, key=int)))

    def release(self, key: ServiceKey, address: IPAddress | None) -> None:
        """Take back; what is not known, too."""
        if address is None:
            self.held.pop(key, None)
        else:
            self.held.get(key, set()).discard(address)


class Play:
    """One allocator, its cluster, the journal and the provider."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.book = dice, Book()
        self.cluster = Cluster(external("default"), group("local", "192.0.2.0/24"))
        self.journal: dict[ServiceKey, Account] = {}
        self.asks: dict[ServiceKey, Ask] = {}

    def edit(self) -> None:
        """Create, delete or change a Service."""
        name, families = self.dice.choice(NAMES), self.dice.choice(FAMILIES)
        key, policy = service_key("shop", name), self.dice.choice(POLICIES)
        if key not in self.cluster.objects:
            source = self.dice.choice(("default", "default", "local"))
            self.cluster.create(
                name,
                families=families if source == "default" else (V4,),
                annotations={"purelb.io/service-group": source},
                ipFamilyPolicy=policy,
            )
        elif self.dice.random() < 0.5:
            self.cluster.delete(key)
        elif self.cluster.annotations(key).get("purelb.io/service-group") == "default":
            self.cluster.edit(key, spec={"ipFamilies": list(families)})

    def retype(self) -> None:
        """Let a Service leave the type, or come back."""
        key = service_key("shop", self.dice.choice(NAMES))
        if key in self.cluster.objects:
            kind = self.dice.choice(("ClusterIP", "LoadBalancer"))
            self.cluster.edit(key, spec={"type": kind})

    def decide(self, *, is_written: bool = True) -> None:
        """Decide about the first dirty Service; its write may never be sent."""
        if not self.cluster.dirty:
            return
        key = next(iter(self.cluster.dirty))
        del self.cluster.dirty[key]
        decision = self.cluster.commit(key)
        ask = decision.report.ask
        if ask != self.asks.get(key):
            self.cluster.answers.pop(key, None)
            self.asks.pop(key, None)
            if ask is not None:
                self.asks[key] = ask
        if is_written:
            self.cluster.write(decision)
        elif isinstance(decision, Assign | Release | Refuse) and decision.change is not None:
            self.cluster.dirty.setdefault(key)

    def call(self, key: ServiceKey, fate: str) -> None:
        """Take the next step with the provider; its answer may be lost, or it may be down."""
        account, ask = self.journal.get(key), self.asks.get(key)
        holding = self.cluster.ledger.holding(key)
        step = next_step(account, ask, holding, self.cluster.pools)
        if isinstance(step, Ask):
            self._ask(opened(account, step), step, fate)
        elif isinstance(step, GiveBack) and account is not None:
            self._give_back(account, step, fate)

    def _ask(self, account: Account, ask: Ask, fate: str) -> None:
        self.journal[ask.key] = account
        pool = self.cluster.pools.pools[POOL]
        if fate == "down":
            self.cluster.answers[ask.key] = refused_answer(ask, "UNAVAILABLE", "", pool)
            self.cluster.dirty.setdefault(ask.key)
            return
        texts = self.book.allocate(ask, is_generous=fate == "generous")
        if fate == "lost":
            return
        self.journal[ask.key] = account.having(parsed(texts))
        self.cluster.answers[ask.key] = read_answer(ask, texts, pool)
        self.cluster.dirty.setdefault(ask.key)

    def _give_back(self, account: Account, step: GiveBack, fate: str) -> None:
        shown = self.cluster.ingress(account.key) if account.key in self.cluster.objects else ()
        taken = self.book.held.get(account.key, set()) if step.address is None else {step.address}
        assert not taken & set(map(_address, shown)), "given back while a Service shows it"
        if fate == "down":
            return
        self.book.release(account.key, step.address)
        if fate == "lost":
            return
        if step.address is None:
            del self.journal[account.key]
        else:
            self.journal[account.key] = without(account, step.address)

    def crash(self) -> None:
        """Lose all memory but the journal."""
        self.asks.clear()
        self.cluster.answers.clear()
        self.cluster.restart()
        for found in opened_by(POOL, self.cluster.services, self.cluster.pools):
            known = self.journal.get(found.key)
            if known is not None and known.uid == found.uid:
                found = found.having(known.addresses)
            self.journal[found.key] = found

    def settle(self) -> None:
        """Come to rest, and compare."""
        for _ in range(60):
            while self.cluster.dirty:
                self.decide()
            for key in [service_key("shop", name) for name in NAMES]:
                self.call(key, "done")
        assert not self.cluster.dirty
        shown = {
            key: {ip for ip in service.ingress if self.cluster.pools.locate(ip) is None}
            for key, service in self.cluster.services.items()
        }
        held = {key: addresses for key, addresses in self.book.held.items() if addresses}
        assert held == {key: addresses for key, addresses in shown.items() if addresses}
        assert self.journal.keys() == held.keys()
        for key, service in self.cluster.services.items():
            if service.is_load_balancer:
                assert {family_of(ip) for ip in service.ingress} == set(service.families), key


def _address(text: str) -> IPAddress:
    return next(iter(parsed([text])))


@pytest.mark.parametrize("seed", range(60))
def test_at_rest_the_provider_holds_what_services_show(seed: int) -> None:
    """Each seed is one long play."""
    dice = random.Random(seed)
    play = Play(dice)
    acts: list[tuple[int, Callable[[], None]]] = [
        (6, play.edit),
        (1, play.retype),
        (8, play.decide),
        (2, lambda: play.decide(is_written=False)),
        (10, lambda: play.call(service_key("shop", dice.choice(NAMES)), dice.choice(FATES))),
        (1, play.crash),
        (1, play.settle),
    ]
    weights, choices = zip(*acts, strict=True)
    for _ in range(STEPS):
        dice.choices(choices, weights)[0]()
    play.settle()


FATES = ("done", "done", "done", "lost", "down", "generous")
