"""External IPAM: what Services ask of providers, and what providers hold for them.

Between the worker, which decides, and the queues of the pools (`provider`), which call. Belongs
here: questions that stand, accounts and their record, answers for the world. Does not: any rule
about them (`allocator.core`). One writer of all of it: this object, on the loop.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NoReturn, TypeAlias

from allocator.core.accounts import (
    Account,
    GiveBack,
    Step,
    next_step,
    opened,
    opened_by,
    without,
)
from allocator.core.answers import parsed, read_answer, refused_answer, unrecorded_answer
from allocator.core.asks import Ask
from allocator.core.decisions import Decision
from allocator.core.ledger import Ledger
from allocator.shell.journal import Journal
from allocator.shell.provider import Provider
from allocator.shell.world import WorldStore
from purelb.api.identifiers import PoolName, ServiceKey
from purelb.api.ipam import PoolStats
from purelb.runtime.clock import Clock
from purelb.runtime.errors import PurelbError
from purelb.runtime.ipam import IpamClient
from purelb.runtime.rpc import RpcError

logger = logging.getLogger(__name__)

CountCall: TypeAlias = Callable[[str, str, str, float], None]  # socket, method, status, seconds

LOAD_SECONDS = 2.0  # before reading the record is tried again


class Providers:
    """All external pools of one term. Nothing runs before `run`."""

    def __init__(
        self,
        store: WorldStore,
        ledger: Ledger,
        journal: Journal,
        clock: Clock,
        right: Callable[[], float],
    ) -> None:
        self._store, self._ledger, self._journal = store, ledger, journal
        self._clock, self._right = clock, right
        self._news = store.providers
        self._news.reset()
        self._unsent: set[ServiceKey] = set()  # with an account for a question that was never sent
        self._providers: dict[PoolName, Provider] = {}
        self._fresh: asyncio.Queue[Provider] = asyncio.Queue()  # not running yet
        self._clients: dict[str, IpamClient] = {}  # by socket
        self._mark: Callable[[Iterable[ServiceKey]], None] = lambda _: None
        self._wake_groups: Callable[[], None] = lambda: None
        self._count_call: CountCall = lambda _socket, _method, _status, _seconds: None

    def connect(
        self,
        mark: Callable[[Iterable[ServiceKey]], None],
        wake_groups: Callable[[], None],
        count_call: CountCall,
    ) -> None:
        """Say who looks at Services, writes groups and counts calls; before anything else."""
        self._mark, self._wake_groups, self._count_call = mark, wake_groups, count_call

    def adopt(self) -> None:
        """Open an account for every Service that shows what a provider gave it."""
        self.pools_changed()
        for pool in self._store.pools.pools.values():
            if pool.is_external:
                self._take_in(opened_by(pool.name, self._store.services, self._store.pools))

    async def run(self) -> NoReturn:
        """Work until cancelled: nobody is called before it is known what is on record."""
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._load()
                tasks.create_task(self._journal.run(self._take_in, self._note_record))
                while True:
                    provider = await self._fresh.get()
                    tasks.create_task(provider.run(), name=f"provider {provider.pool}")
        finally:
            for client in self._clients.values():
                client.close()

    async def _load(self) -> None:
        while True:
            try:
                self._take_in(await self._journal.load())
            except PurelbError as error:
                logger.warning("cannot read the ipam journal", extra={"error": str(error)})
                await asyncio.sleep(LOAD_SECONDS)
            else:
                return

    def heed(self, decision: Decision) -> None:
        """Take in what a Service asks after a decision, and see what must go back."""
        key, ask = decision.key, decision.report.ask
        before = self._news.asks.get(key)
        touched = {pool for pool, accounts in self._news.accounts.items() if key in accounts}
        touched.update(asked.pool for asked in (before, ask) if asked is not None)
        if ask != before:
            self._set_ask(key, ask)
        for name in touched:
            self._provider(name).mark(key)

    def pools_changed(self) -> None:
        """Take in new groups: sockets may be others, providers may be new or gone."""
        for pool in self._store.pools.pools.values():
            if pool.is_external:
                known = self._journal.sockets.get(pool.name)
                self._journal.sockets[pool.name] = pool.group.socket
                if known not in (None, pool.group.socket):
                    self._provider(pool.name).hurry()
                self._provider(pool.name)
        for provider in self._providers.values():
            provider.look()
        self._news.keep(self._store.pools)
        self._mark(tuple(self._news.asks))

    def client(self, pool: PoolName) -> IpamClient:
        """Return the connection to a pool's provider; that of a group that is gone still works."""
        socket = self._journal.sockets.get(pool, "")
        if socket not in self._clients:
            on_call = partial(self._count_call, socket)
            self._clients[socket] = IpamClient(socket, self._right, on_call)
        return self._clients[socket]

    def is_in_use(self, pool: PoolName) -> bool:
        """Tell whether there is a group of this provider, whose status shows how full it is."""
        found = self._store.pools.pools.get(pool)
        return found is not None and found.is_external

    def next_step(self, pool: PoolName, key: ServiceKey) -> Step | None:
        """Return what is to be done about a Service."""
        account, ask = self._news.accounts.get(pool, {}).get(key), self._news.asks.get(key)
        ask = ask if ask is not None and ask.pool == pool else None
        return next_step(account, ask, self._ledger.holding(key), self._store.pools)

    async def wait_on_record(self, ask: Ask) -> None:
        """Put on record that a question is about to be sent."""
        self._set_account(opened(self._news.accounts.get(ask.pool, {}).get(ask.key), ask))
        await self._journal.wait_kept(ask.pool, ask.key)
        self._unsent.discard(ask.key)

    def answered(self, ask: Ask, texts: Sequence[str]) -> None:
        """Take in a reply."""
        account = opened(self._news.accounts.get(ask.pool, {}).get(ask.key), ask)
        self._set_account(account.having(parsed(texts)))
        pool = self._store.pools.pools.get(ask.pool)
        if pool is not None and self._news.asks.get(ask.key) == ask:
            self._news.answers[ask.key] = read_answer(ask, texts, pool)
            self._mark([ask.key])

    def refused(self, ask: Ask, error: RpcError) -> None:
        """Take in that there was no reply."""
        pool = self._store.pools.pools.get(ask.pool)
        if pool is not None and self._news.asks.get(ask.key) == ask:
            answer = refused_answer(ask, error.status, error.message, pool)
            self._news.answers[ask.key] = answer
            self._mark([ask.key])

    def gave_back(self, pool: PoolName, key: ServiceKey, step: GiveBack) -> None:
        """Take in that something went back."""
        account = self._news.accounts[pool][key]
        if step.address is not None:
            self._set_account(without(account, step.address))
            return
        logger.info("released", extra={"op": "released", "service": key, "pool": pool})
        self._close(pool, key)

    def counted(self, pool: PoolName, stats: PoolStats) -> None:
        """Take in how full the pool is."""
        if self._news.stats.get(pool) != stats:
            self._news.stats[pool] = stats
            self._wake_groups()

    def called(self, pool: PoolName, *, is_up: bool) -> None:
        """Take in whether the provider is there."""
        if self._news.up.get(pool) is is_up:
            return
        self._news.up[pool] = is_up
        self._wake_groups()
        if not is_up:
            self._tell_unanswered(pool)

    def _set_ask(self, key: ServiceKey, ask: Ask | None) -> None:
        self._news.answers.pop(key, None)
        before = self._news.asks.pop(key, None)
        if before is not None and key in self._unsent:
            self._close(before.pool, key)
        if ask is None:
            return
        self._news.asks[key] = ask
        if key not in self._news.accounts.get(ask.pool, {}):
            # Now rather than when its turn has come: a burst then shares its writes.
            self._unsent.add(key)
            self._set_account(opened(None, ask))
        self._tell_ailment(ask)

    def _note_record(self, pool: PoolName, error: str) -> None:
        """Take in whether accounts of a pool can be put on record; `error` says why not."""
        if error:
            logger.warning("ipam journal not written", extra={"pool": pool, "error": error})
            self._news.unrecorded[pool] = error
            self._tell_unanswered(pool)
        else:
            logger.info("ipam journal written again", extra={"pool": pool})
            self._news.unrecorded.pop(pool, None)
        self._wake_groups()

    def _tell_unanswered(self, pool: PoolName) -> None:
        for ask in self._news.asks.values():
            if ask.pool == pool and ask.key not in self._news.answers:
                self._tell_ailment(ask)

    def _tell_ailment(self, ask: Ask) -> None:
        """Let a Service say at once what its provider ails from; its turn may be far away."""
        pool, error = self._store.pools.pools.get(ask.pool), self._news.unrecorded.get(ask.pool)
        if error is not None and pool is not None:
            self._news.answers[ask.key] = unrecorded_answer(ask, error, pool)
            self._mark([ask.key])
        elif self._news.up.get(ask.pool) is False:
            self.refused(ask, RpcError("UNAVAILABLE", "no answer so far"))

    def _take_in(self, accounts: Iterable[Account]) -> None:
        """Take in accounts that were opened before, or by somebody else."""
        for account in accounts:
            known = self._news.accounts.get(account.pool, {}).get(account.key)
            if known is not None and known.uid == account.uid:
                account = known.having(account.addresses)
            elif known is not None and account.key not in self._unsent:
                account = known  # of a younger namesake, which has taken over what it shows
            self._unsent.discard(account.key)
            self._set_account(account)
            self._provider(account.pool).mark(account.key)

    def _close(self, pool: PoolName, key: ServiceKey) -> None:
        self._unsent.discard(key)
        del self._news.accounts[pool][key]
        self._journal.drop(pool, key)

    def _set_account(self, account: Account) -> None:
        accounts = self._news.accounts.setdefault(account.pool, {})
        if accounts.get(account.key) != account:
            accounts[account.key] = account
        self._journal.put(account)

    def _provider(self, pool: PoolName) -> Provider:
        if pool not in self._providers:
            self._providers[pool] = Provider(pool, self, self._clock)
            self._fresh.put_nowait(self._providers[pool])
        return self._providers[pool]
