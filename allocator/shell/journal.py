"""What providers may hold for us, on record in ConfigMaps of the install namespace.

An entry is on record before a provider is first asked for a Service, and goes when the provider has
taken everything back: whatever dies between, the next allocator knows whom to ask. The entries of a
pool are spread over a few objects, because an object has a limit; all changes of an object that are
due go out in one write. Belongs here: the objects. Does not: what an entry means
(`allocator.core.accounts`).
"""

import asyncio
import hashlib
import logging
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from allocator.core.accounts import Account, read_account
from purelb.api.identifiers import PoolName, ServiceKey, service_key, split_key
from purelb.api.resources import ConfigMap, decode_config_map, decode_page
from purelb.runtime.clock import Clock
from purelb.runtime.errors import ConflictError, ForbiddenError, NotFoundError, PurelbError
from purelb.runtime.kube import Kube
from purelb.runtime.reconciler import Reconciler

logger = logging.getLogger(__name__)

TOLD_AFTER = 5  # failures in a row, a second or two apart by then
SHARDS = 4  # of 1 MiB each: some 40,000 Services a pool
LABEL = "purelb.io/journal"
POOL = "purelb.io/pool"
SOCKET = "purelb.io/socket"


@dataclass(slots=True)
class _Shard:
    """One ConfigMap: what it should have, what it has as far as we know, and its version.

    `kept` is replaced by a new one after each write; `failures` are those in a row.
    """

    name: str
    pool: PoolName
    wanted: dict[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    version: str = ""  # empty: it does not exist as far as we know
    kept: asyncio.Event = field(default_factory=asyncio.Event)
    failures: int = 0

    def changes(self) -> dict[str, str | None]:
        """Return what differs, None for what must go."""
        gone = {key: None for key in self.written if key not in self.wanted}
        new = {k: text for k, text in self.wanted.items() if self.written.get(k) != text}
        return {**gone, **new}


class Journal:
    """The accounts on record. One writer; entries of another are found when ours collide with them.

    Where ConfigMaps are forbidden (PureLB's own RBAC) nothing is kept, and nothing waits for it.
    """

    def __init__(self, kube: Kube, namespace: str, clock: Clock) -> None:
        self.sockets: dict[PoolName, str] = {}
        self._kube, self._path = kube, f"/api/v1/namespaces/{namespace}/configmaps"
        self._is_allowed = bool(namespace)
        self._shards: dict[str, _Shard] = {}
        self._on_found: Callable[[Iterable[Account]], None] = lambda _: None
        self._on_trouble: Callable[[PoolName, str], None] = lambda _pool, _error: None
        self._writes: Reconciler[str] = Reconciler("ipam journal", self._write, clock, room=8)

    async def run(
        self,
        found: Callable[[Iterable[Account]], None],
        trouble: Callable[[PoolName, str], None],
    ) -> None:
        """Write until cancelled; entries that somebody else wrote go to `found`.

        `trouble` is told why nothing of a pool can be kept, once that has lasted; empty: it can.
        """
        self._on_found, self._on_trouble = found, trouble
        await self._writes.run()

    async def load(self) -> tuple[Account, ...]:
        """Read everything on record; raises the runtime's errors but ForbiddenError."""
        if not self._is_allowed:
            return ()
        try:
            return await self._read()
        except ForbiddenError:
            self._forbidden()
            return ()

    def put(self, account: Account) -> None:
        """Have an account on record, soon."""
        shard = self._shard_of(account.pool, account.key)
        shard.wanted[_entry(account.key)] = account.text
        self._changed(shard)

    def drop(self, pool: PoolName, key: ServiceKey) -> None:
        """Strike an account off the record, soon."""
        shard = self._shard_of(pool, key)
        shard.wanted.pop(_entry(key), None)
        self._changed(shard)

    async def wait_kept(self, pool: PoolName, key: ServiceKey) -> None:
        """Wait until an account is on record as it was put last."""
        shard, entry = self._shard_of(pool, key), _entry(key)
        while self._is_allowed and shard.written.get(entry) != shard.wanted.get(entry):
            await shard.kept.wait()

    def _changed(self, shard: _Shard) -> None:
        if self._is_allowed:
            self._writes.mark(shard.name)

    async def _write(self, name: str) -> None:
        shard = self._shards[name]
        changes = shard.changes()
        if not changes:
            return
        try:
            await self._write_changes(shard, changes)
        except PurelbError as error:
            shard.failures += 1
            if shard.failures == TOLD_AFTER:  # a passing failure is nobody's business
                self._on_trouble(shard.pool, str(error))
            raise
        was_told, shard.failures = shard.failures >= TOLD_AFTER, 0
        others = (one for one in self._shards.values() if one.pool == shard.pool)
        if was_told and all(one.failures < TOLD_AFTER for one in others):
            self._on_trouble(shard.pool, "")

    async def _write_changes(self, shard: _Shard, changes: Mapping[str, str | None]) -> None:
        try:
            answer = await self._send(shard, changes)
        except ForbiddenError:
            self._forbidden()
        except NotFoundError:  # somebody deleted it: all of it is to be written again
            shard.version, shard.written = "", {}
            raise
        except ConflictError:
            self._on_found(await self._read(only=shard.name))
            raise
        else:
            # Only on top of what we knew: whatever is there is ours, even what is unwanted by now.
            self._note(shard, decode_config_map(answer))

    async def _send(self, shard: _Shard, changes: Mapping[str, str | None]) -> bytes:
        metadata = {
            "name": shard.name,
            "labels": {"app": "purelb", "component": "allocator", LABEL: "ipam"},
            "annotations": {POOL: shard.pool, SOCKET: self.sockets.get(shard.pool, "")},
        }
        if not shard.version:
            kind = {"apiVersion": "v1", "kind": "ConfigMap"}
            return await self._kube.post(
                self._path, {**kind, "metadata": metadata, "data": shard.wanted}
            )
        body = {"metadata": {**metadata, "resourceVersion": shard.version}, "data": changes}
        return await self._kube.patch(f"{self._path}/{shard.name}", body)

    async def _read(self, only: str = "") -> tuple[Account, ...]:
        """Read all objects, or one; return the entries that somebody else wrote."""
        answer = await self._kube.get(self._path, {"labelSelector": f"{LABEL}=ipam"})
        found: list[Account] = []
        for item in decode_page(answer).items:
            body = decode_config_map(item)
            if only and body.metadata.name != only:
                continue  # a write of ours may be under way there
            keys = body.metadata.annotations or {}
            shard = self._shard(body.metadata.name, PoolName(keys.get(POOL, "")))
            self.sockets.setdefault(shard.pool, keys.get(SOCKET, ""))
            found += self._taken_in(shard, body)
        return tuple(found)

    def _taken_in(self, shard: _Shard, body: ConfigMap) -> list[Account]:
        """Take note of what the object has; return what somebody else put there."""
        has, known = body.data or {}, shard.written
        foreign = {
            entry: text
            for entry, text in has.items()
            if known.get(entry) != text and shard.wanted.get(entry) != text
        }
        for entry, text in foreign.items():
            shard.wanted.setdefault(entry, text)
        self._note(shard, body)
        return [read_account(shard.pool, _key(entry), text) for entry, text in foreign.items()]

    def _note(self, shard: _Shard, body: ConfigMap) -> None:
        shard.written, shard.version = body.data or {}, body.metadata.resource_version
        self._wake(shard)

    def _forbidden(self) -> None:
        if self._is_allowed:
            self._is_allowed = False
            logger.warning(
                "ConfigMaps are forbidden: what external providers hold is not on record, and is"
                " not released if a Service goes while no allocator runs"
            )
        for shard in self._shards.values():
            self._wake(shard)

    def _wake(self, shard: _Shard) -> None:
        shard.kept.set()
        shard.kept = asyncio.Event()

    def _shard_of(self, pool: PoolName, key: ServiceKey) -> _Shard:
        number = zlib.crc32(key.encode()) % SHARDS
        digest = hashlib.sha256(pool.encode()).hexdigest()[:12]
        return self._shard(f"purelb-ipam-{digest}-{number}", pool)

    def _shard(self, name: str, pool: PoolName) -> _Shard:
        return self._shards.setdefault(name, _Shard(name, pool))


def _entry(key: ServiceKey) -> str:
    # Neither part may have a dot, and a key of `data` may have no slash.
    namespace, name = split_key(key)
    return f"{namespace}.{name}"


def _key(entry: str) -> ServiceKey:
    namespace, _, name = entry.partition(".")
    return service_key(namespace, name)
