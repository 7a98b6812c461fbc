"""Keeps Kopf running as a guest for the kinds that seldom change, and mirrors their objects.

Kopf lives in a thread with a loop of its own, because at its end it cancels every younger task of
its loop, and because its per-event work must not delay ours. What it watches arrives here as facts;
nothing is decided in the guest. When a guest ends (a CRD was removed, credentials expired, the API
server answered what Kopf takes for fatal), the host counts, backs off and starts a fresh one;
nothing that a node holds depends on it.
"""

import asyncio
import contextlib
import logging
import random
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, Generic, NoReturn

from purelb.api.resources import DecodeError, convert, decode_page
from purelb.core.backoff import Backoff
from purelb.runtime.credentials import Access
from purelb.runtime.errors import NotFoundError, PurelbError, TransientError
from purelb.runtime.kinds import Kind, RareKind
from purelb.runtime.kopf_guest import Guest, Logins, Sink, Watch
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

RELIST_SECONDS = 300.0  # Kopf does not tell what vanished while it was not watching
SERVED_SECONDS = 2.0  # between looks for a CRD that is not there yet
STOP_SECONDS = 1.0  # a guest that is slower ends in its own time
BACKOFF = Backoff(first=0.5, longest=30.0)


class Mirror(Generic[Kind]):
    """The objects of one rare kind by uid; written on the main loop only.

    `on_change` is called after each change; `synced` is set by the first complete LIST.
    """

    def __init__(self, kind: RareKind[Kind], on_change: Callable[[], None]) -> None:
        self.kind = kind
        self.objects: dict[str, Kind] = {}
        self.synced = asyncio.Event()
        self.is_suspect = asyncio.Event()  # something may have vanished unseen: list again
        self._on_change = on_change
        self._noted: set[str] = set()  # uids noted since the last LIST began

    async def relist(self, kube: Kube) -> None:
        """Replace the content by a fresh LIST; raises NotFoundError if the kind is not served."""
        self._noted.clear()
        answer = await kube.get(self.kind.path, self.kind.selector)
        try:
            page = decode_page(answer)
        except DecodeError as error:
            raise TransientError(f"the list of {self.kind.plural} is no list: {error}") from error
        fresh: dict[str, Kind] = {}
        for item in page.items:
            try:
                body = self.kind.decode(bytes(item))
            except DecodeError as error:
                logger.warning(
                    "object is not understood",
                    extra={"kind": self.kind.plural, "error": str(error)},
                )
                continue
            fresh[body.metadata.uid] = body
        for uid in self._noted:  # what Kopf told while the LIST was on its way is newer
            fresh.pop(uid, None)
            if uid in self.objects:
                fresh[uid] = self.objects[uid]
        is_changed = fresh != self.objects or not self.synced.is_set()
        self.objects = fresh
        self.is_suspect.clear()
        self.synced.set()
        if is_changed:
            self._on_change()

    def note(self, type_: str | None, raw: Mapping[str, Any]) -> None:
        """Take in one event of Kopf's; `type_` is None for what it listed."""
        try:
            body = convert(raw, self.kind.struct)
        except DecodeError as error:
            logger.warning(
                "object is not understood, the last good state stays",
                extra={"kind": self.kind.plural, "error": str(error)},
            )
            return
        uid = body.metadata.uid
        old = self.objects.get(uid)
        self._noted.add(uid)
        if type_ == "DELETED":
            if self.objects.pop(uid, None) is not None:
                self._on_change()
            return
        if type_ is None and old is not None:
            self.is_suspect.set()  # Kopf has listed again: it may have missed a removal
        if old is None or old.metadata.resource_version != body.metadata.resource_version:
            self.objects[uid] = body
            self._on_change()


class KopfHost:
    """Starts Kopf for some kinds, feeds their mirrors, and starts it again whenever it ends."""

    def __init__(
        self, program: str, kube: Kube, access: Access, mirrors: Collection[Mirror[Any]]
    ) -> None:
        self.guests = 0  # how many guests were started
        self._program, self._kube = program, kube
        self._mirrors = tuple(mirrors)
        self._logins = Logins(program, access)

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        failures = 0
        async with asyncio.TaskGroup() as tasks:
            for mirror in self._mirrors:
                tasks.create_task(self._keep_true(mirror))
            while True:
                await self._wait_served()
                begun = asyncio.get_running_loop().time()
                await self._host_guest()
                lived = asyncio.get_running_loop().time() - begun
                failures = 1 if lived > BACKOFF.longest else failures + 1
                delay = BACKOFF.delay(failures) * random.uniform(0.5, 1.5)
                logger.warning("kopf ended, a fresh one follows", extra={"seconds": delay})
                await asyncio.sleep(delay)

    async def _wait_served(self) -> None:
        """List every kind; waits until the API server knows them all, however long that takes."""
        waited: set[str] = set()
        for mirror in self._mirrors:
            while True:
                try:
                    await mirror.relist(self._kube)
                    break
                except NotFoundError:
                    note = "kind is not installed, waiting for its CRD"
                except PurelbError as error:
                    note = f"cannot list: {error}"
                if mirror.kind.plural not in waited:
                    waited.add(mirror.kind.plural)
                    logger.warning(note, extra={"kind": mirror.kind.plural})
                await asyncio.sleep(SERVED_SECONDS * random.uniform(0.5, 1.0))

    async def _keep_true(self, mirror: Mirror[Any]) -> NoReturn:
        """List again now and then, and whenever something may have vanished unseen."""
        while True:
            try:
                async with asyncio.timeout(RELIST_SECONDS * random.uniform(0.8, 1.2)):
                    await mirror.is_suspect.wait()
            except TimeoutError:
                pass
            if not mirror.synced.is_set():
                await mirror.synced.wait()
            try:
                await mirror.relist(self._kube)
            except PurelbError as error:
                logger.info(
                    "cannot list again, the last known state stays",
                    extra={"kind": mirror.kind.plural, "error": str(error)},
                )
                await asyncio.sleep(SERVED_SECONDS)

    async def _host_guest(self) -> None:
        """Run one guest to its end; on cancellation stop it and wait for its thread."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        watches = [Watch(kind=m.kind, sink=_sink(m, loop)) for m in self._mirrors]
        guest = Guest(self._program, self._logins, watches)

        def live() -> None:
            try:
                asyncio.run(guest.live())
            except Exception:  # whatever ends a guest, the host goes on
                logger.warning("kopf failed", exc_info=True)
            finally:
                with contextlib.suppress(RuntimeError):  # our loop may be gone by now
                    loop.call_soon_threadsafe(ended.set)

        thread = threading.Thread(target=live, name="kopf", daemon=True)
        self.guests += 1
        thread.start()
        try:
            await ended.wait()
        finally:
            guest.stop()
            await asyncio.shield(asyncio.to_thread(thread.join, STOP_SECONDS))


def _sink(mirror: Mirror[Any], loop: asyncio.AbstractEventLoop) -> Sink:
    def deliver(type_: str | None, raw: Mapping[str, Any]) -> None:
        loop.call_soon_threadsafe(mirror.note, type_, raw)

    return deliver
