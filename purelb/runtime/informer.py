"""One watched kind as a cache and a change call; survives every way a LIST or WATCH can fail.

For the kinds that change often. No policy lives here: `on_change` marks something dirty.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeAlias, TypeVar

from purelb.api.identifiers import Instant
from purelb.api.resources import (
    DecodeError,
    decode_object,
    decode_page,
    decode_status,
    decode_watch_line,
)
from purelb.core.backoff import Backoff
from purelb.runtime.clock import Clock
from purelb.runtime.errors import GoneError, PurelbError
from purelb.runtime.kube import SILENCE_SECONDS, Kube, refusal

logger = logging.getLogger(__name__)

Key: TypeAlias = tuple[str, str]  # (namespace, name)
View = TypeVar("View")
OnChange: TypeAlias = Callable[[View | None, View | None], None]
Pause: TypeAlias = Callable[[float], Awaitable[None]]

PAGE = "500"  # objects per page of a LIST
CHUNK = 200  # objects or lines between two yields to the loop
STEADY = 10.0  # seconds: a watch that lasted this long was no failure, even if it was silent
BACKOFF = Backoff(first=0.1, longest=30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Generic[View]):
    """What to watch: the collection's path, and how an object becomes a view.

    `view` returns None for objects that are none of our business. `selector` holds the query
    parameters `labelSelector` and `fieldSelector`. After `longest_silence` seconds without a word
    from the server what we have counts as broken, although the connection may live.
    """

    path: str
    view: Callable[[bytes], View | None]
    selector: tuple[tuple[str, str], ...] = ()
    longest_silence: float = SILENCE_SECONDS


@dataclass(frozen=True, slots=True)
class _Entry(Generic[View]):
    uid: str
    version: str
    view: View | None


class Informer(Generic[View]):
    """Keeps a cache true and calls `on_change(old, new)`; `new` is None once an object is gone.

    An object that was created again under the same name is a removal and a creation. A view that
    cannot be built leaves the old one in place.
    """

    def __init__(
        self,
        kube: Kube,
        source: Source[View],
        on_change: OnChange[View],
        clock: Clock,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self.synced = asyncio.Event()  # set by the first complete LIST, never cleared
        self.heard_at: Instant = clock.now()  # when the server last said anything
        self.whole_since: Instant | None = None  # since when no change can have been missed
        self._kube, self._source, self._on_change = kube, source, on_change
        self._clock, self._pause = clock, pause
        self._entries: dict[Key, _Entry[View]] = {}
        self._version = ""  # where to go on; empty means list first
        self._failures = 0  # since the last sign of life
        self._expired = 0  # versions in a row that were not kept
        self._asked: list[asyncio.Event] = []  # who waits for a LIST that has not begun
        self._turn_ends: asyncio.Timeout | None = None

    async def wait_listed(self) -> None:
        """List again at once, and return when a LIST that began after this call is complete.

        A LIST shows every write that was answered before it; a watch may lag behind.
        """
        done = asyncio.Event()
        self._asked.append(done)
        if self._turn_ends is not None and not self._turn_ends.expired():
            self._turn_ends.reschedule(asyncio.get_running_loop().time())
        await done.wait()

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        while True:
            try:
                async with asyncio.timeout(None) as ends:
                    self._turn_ends = ends
                    await self._turn()
            except TimeoutError:
                if not ends.expired():
                    raise

    async def _turn(self) -> None:
        begun = self._clock.now()
        try:
            if self._asked or not self._version:
                await self._list()
            await self._watch()
        except GoneError:
            self._version, self.whole_since = "", None
            # The server has answered: what failed before is over. Only expiring again and
            # again, with no line of a watch between, is a failure of its own.
            self._failures, self._expired = self._expired, self._expired + 1
            logger.info("version expired, listing again", extra={"path": self._source.path})
        except (PurelbError, DecodeError) as error:
            self.whole_since = None
            logger.info("watch broke", extra={"path": self._source.path, "error": str(error)})
        steady = self._clock.now() - begun > STEADY
        self._failures = 0 if steady else self._failures + 1
        await self._pause(BACKOFF.delay(self._failures) * random.uniform(0.5, 1.5))

    async def _list(self) -> None:
        asked = tuple(self._asked)
        params = {"limit": PAGE, **dict(self._source.selector)}
        seen: set[Key] = set()
        while True:
            page = decode_page(await self._kube.get(self._source.path, params))
            for number, item in enumerate(page.items, start=1):
                seen.add(self._set(bytes(item)))
                if number % CHUNK == 0:
                    await asyncio.sleep(0)  # a long list must not starve the Lease renewal
            if not page.metadata.continue_:
                break
            params["continue"] = page.metadata.continue_
        for key in self._entries.keys() - seen:
            self._drop(key)  # vanished while nobody watched: no DELETED will ever come
        self._version = page.metadata.resource_version
        self._heard()
        self.synced.set()
        self._asked = [one for one in self._asked if one not in asked]
        for one in asked:
            one.set()

    async def _watch(self) -> None:
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            # A random end spreads the reconnects of many nodes.
            "timeoutSeconds": str(random.randint(240, 480)),
            **dict(self._source.selector),
        }
        async with self._kube.stream(self._source.path, params) as chunks:
            self._heard()
            async for number, line in _lines(chunks):
                self._apply(line)
                if number % CHUNK == 0:
                    await asyncio.sleep(0)

    def _apply(self, line: bytes) -> None:
        event = decode_watch_line(line)
        body = bytes(event.object)
        self._heard()
        if event.type == "ERROR":
            status = decode_status(body)
            raise refusal(status.code or 500, f"watch {self._source.path}: {status.message}")
        meta = decode_object(body).metadata
        if event.type == "DELETED":
            self._drop((meta.namespace, meta.name))
        elif event.type != "BOOKMARK":
            self._set(body)
        self._version, self._failures, self._expired = meta.resource_version, 0, 0

    def _set(self, body: bytes) -> Key:
        meta = decode_object(body).metadata
        key = (meta.namespace, meta.name)
        old = self._entries.get(key)
        if old is not None and old.version == meta.resource_version:
            return key
        if old is not None and old.uid != meta.uid:
            self._drop(key)
            old = None
        was = old.view if old is not None else None
        view = self._view(body, key, was)
        self._entries[key] = _Entry(meta.uid, meta.resource_version, view)
        if was is not None or view is not None:
            self._on_change(was, view)
        return key

    def _view(self, body: bytes, key: Key, old: View | None) -> View | None:
        try:
            return self._source.view(body)
        except (DecodeError, ValueError) as error:
            logger.warning(
                "object is not understood, the last good state stays",
                extra={"path": self._source.path, "object": "/".join(key), "error": str(error)},
            )
            return old

    def _drop(self, key: Key) -> None:
        old = self._entries.pop(key, None)
        if old is not None and old.view is not None:
            self._on_change(old.view, None)

    def _heard(self) -> None:
        now = self._clock.now()
        if self.whole_since is None or now - self.heard_at > self._source.longest_silence:
            self.whole_since = now
        self.heard_at = now


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    rest, number = b"", 0
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            number += 1
            yield number, line
