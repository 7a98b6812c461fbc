"""What external providers may hold for Services, and what is to be done about it. Pure.

An account is opened before a provider is asked for the first time, and closed when it has taken
everything back: between the two it may hold something, whatever we know. Belongs here: the rule
that says what comes next. Does not: durability (`allocator.shell.journal`), calls. What a Service
owns is the ledger's to say; nothing is given back that a Service still owns.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from allocator.core.asks import Ask
from allocator.core.holdings import Holding
from allocator.core.pool import PoolSet
from purelb.api import annotations
from purelb.api.addresses import IPAddress, parse_ip, sort_key
from purelb.api.identifiers import PoolName, ServiceKey, Uid
from purelb.api.views import ServiceView


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the provider of a pool may hold for one Service, as far as it has told.

    No addresses means that they are not known, as after a lost answer.
    """

    pool: PoolName
    key: ServiceKey
    uid: Uid
    addresses: frozenset[IPAddress] = frozenset()

    @property
    def text(self) -> str:
        """What the journal keeps of it besides pool and Service."""
        return " ".join([self.uid, *map(str, sorted(self.addresses, key=sort_key))])

    def having(self, addresses: Collection[IPAddress]) -> "Account":
        """Return the account with addresses that the provider has told of."""
        return replace(self, addresses=self.addresses.union(addresses))


@dataclass(frozen=True, slots=True)
class GiveBack:
    """One address must go back; None for everything, which closes the account."""

    address: IPAddress | None


Step: TypeAlias = Ask | GiveBack


def read_account(pool: PoolName, key: ServiceKey, text: str) -> Account:
    """Read what the journal has; what is no address is dropped, because nobody can release it."""
    uid, *texts = text.split() or [""]
    addresses = set()
    for entry in texts:
        try:
            addresses.add(parse_ip(entry))
        except ValueError:
            continue
    return Account(pool=pool, key=key, uid=Uid(uid), addresses=frozenset(addresses))


def owned(account: Account, holding: Holding | None, pools: PoolSet) -> frozenset[IPAddress]:
    """Return what the Service owns of the account.

    Where the account's addresses are not known, all that lie in no range of ours may be of it.
    """
    if holding is None:
        return frozenset()
    if account.addresses:
        return account.addresses.intersection(holding.addresses)
    return frozenset(a for a in holding.addresses if pools.locate(a) is None)


def next_step(
    account: Account | None, ask: Ask | None, holding: Holding | None, pools: PoolSet
) -> Step | None:
    """Return what to do next about one pool and Service; None for nothing.

    `ask` is what the Service asks of this pool. While it stands nothing is given back piecemeal:
    what the provider has set aside for the Service may be taken any moment. What an earlier Service
    of the same name had goes back before the new one asks.
    """
    if account is None:
        return ask
    has_some = bool(owned(account, holding, pools))
    if ask is not None:
        return ask if has_some or ask.uid == account.uid else GiveBack(None)
    if not has_some:
        return GiveBack(None)
    spare = account.addresses.difference(holding.addresses if holding else ())
    return GiveBack(min(spare, key=sort_key)) if spare else None


def opened(account: Account | None, ask: Ask) -> Account:
    """Return the account that must be on record before the question is sent."""
    if account is None:
        return Account(pool=ask.pool, key=ask.key, uid=ask.uid)
    return replace(account, uid=ask.uid)


def opened_by(
    pool: PoolName, services: Mapping[ServiceKey, ServiceView], pools: PoolSet
) -> Iterable[Account]:
    """Return the accounts that Services speak of which say that they have something of this pool.

    Those of an allocator that kept no record, such as PureLB.
    """
    for service in services.values():
        source = service.annotations.get(annotations.ALLOCATED_FROM, "")
        if not service.is_branded or pool not in source.split(", "):
            continue
        addresses = frozenset(a for a in service.ingress if pools.locate(a) is None)
        if addresses:
            yield Account(pool=pool, key=service.key, uid=service.uid, addresses=addresses)


def without(account: Account, address: IPAddress) -> Account:
    """Return the account after one address went back."""
    return replace(account, addresses=account.addresses - {address})
