"""The record of what providers hold: two writers, lost objects, many entries."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace

from allocator.core.accounts import Account
from allocator.shell.journal import SHARDS, Journal
from playground.apiserver import Action, Fault
from purelb.api.identifiers import PoolName, ServiceKey, Uid
from purelb.runtime.clock import BootClock
from purelb.runtime.credentials import Access
from purelb.runtime.kube import Kube
from tests.component.harness import NAMESPACE, Api, scenario

RECORDS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
POOL = PoolName("prod")


def account(name: str, uid: str = "u") -> Account:
    """Build an account without addresses."""
    return Account(pool=POOL, key=ServiceKey(f"shop/{name}"), uid=Uid(uid))


@dataclass
class Writer:
    """A journal that runs, and what it found of others."""

    journal: Journal
    found: list[Account] = field(default_factory=list)
    is_news: asyncio.Event = field(default_factory=asyncio.Event)
    troubles: list[tuple[PoolName, str]] = field(default_factory=list)

    async def keep(self, one: Account) -> None:
        """Put an account on record and wait for it."""
        self.journal.put(one)
        async with asyncio.timeout(30):
            await self.journal.wait_kept(one.pool, one.key)


@contextlib.asynccontextmanager
async def writer(api: Api) -> AsyncIterator[Writer]:
    """Run a journal that has read what is there."""
    async with Kube(Access(server=api.server.url, token_text="x"), "x") as kube:
        one = Writer(Journal(kube, NAMESPACE, BootClock()))
        one.found += await one.journal.load()

        def found(accounts: Iterable[Account]) -> None:
            one.found += accounts
            one.is_news.set()

        def trouble(pool: PoolName, error: str) -> None:
            one.troubles.append((pool, error))

        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(one.journal.run(found, trouble))
            try:
                yield one
            finally:
                task.cancel()


async def recorded(api: Api) -> tuple[Account, ...]:
    """Return what a new allocator would read, by name."""
    async with writer(api) as one:
        return tuple(sorted(one.found, key=lambda found: found.key))


def test_what_was_kept_is_read_by_the_next_one() -> None:
    """Many Services in few objects, and in few writes."""

    async def work(api: Api) -> None:
        many = tuple(account(f"s-{number:03}") for number in range(200))
        async with writer(api) as one:
            await asyncio.gather(*(one.keep(each) for each in many))
        assert await recorded(api) == many
        writes = [e for e in api.server.audit.entries if e.resource == "configmaps"]
        assert len([e for e in writes if e.verb in ("create", "patch")]) <= 20

    scenario(work)


def test_two_writers_find_each_others_entries_and_lose_none() -> None:
    """As when a leader that was deposed finishes late."""

    async def work(api: Api) -> None:
        names = [f"s-{number}" for number in range(12)]
        async with writer(api) as one, writer(api) as other:
            await one.keep(account("first"))
            for name in names:
                await one.keep(account(f"a-{name}"))
                await other.keep(account(f"b-{name}"))
            assert account("a-s-0") in other.found
        wanted = {account("first"), *(account(f"{x}-{name}") for x in "ab" for name in names)}
        assert set(await recorded(api)) == wanted

    scenario(work)


def test_an_entry_that_another_writer_has_renewed_is_not_struck_off() -> None:
    """The namesake's entry is the other writer's by now."""

    async def work(api: Api) -> None:
        async with writer(api) as one, writer(api) as other:
            await one.keep(account("web"))
            await other.keep(account("web", uid="new"))
            one.journal.drop(POOL, ServiceKey("shop/web"))
            async with asyncio.timeout(30):
                await one.is_news.wait()
        assert await recorded(api) == (account("web", uid="new"),)

    scenario(work)


def test_a_record_that_somebody_deletes_is_written_again() -> None:
    """With the next change."""

    async def work(api: Api) -> None:
        async with writer(api) as one:
            await one.keep(account("web"))
            (item,) = [i for i in await api.items(RECORDS) if "ipam" in i["metadata"]["name"]]
            await api.send("DELETE", f"{RECORDS}/{item['metadata']['name']}")
            await one.keep(replace(account("web"), addresses=frozenset()))
            await one.keep(account("web", uid="other"))
        assert await recorded(api) == (account("web", uid="other"),)

    scenario(work)


def test_a_record_that_fails_again_and_again_is_told_of_until_all_of_it_is_written() -> None:
    """One object of a pool may work before another does."""
    full = Fault(action=Action.FAIL, code=413, resources=frozenset({"configmaps"}))

    async def work(api: Api) -> None:
        async with writer(api) as one:
            api.server.faults.add(full, "full")
            for number in range(40):  # enough to be in each object
                one.journal.put(account(f"s-{number}"))

            async def is_told() -> bool:
                return len(one.troubles) == SHARDS

            await api.until(is_told, "the trouble of each object")
            assert all(pool == POOL and "413" in error for pool, error in one.troubles)
            api.server.faults.remove("full")
            async with asyncio.timeout(30):
                for number in range(40):
                    await one.journal.wait_kept(POOL, ServiceKey(f"shop/s-{number}"))
            assert one.troubles[SHARDS:] == [(POOL, "")]

    scenario(work)
