"""Runs Kopf as a guest for the kinds that seldom change, and mirrors their objects.

Kopf lives in a thread with a loop of its own, because at its end it cancels every younger task of
its loop, and because its per-event work must not delay ours. What it watches arrives here as facts;
nothing is decided in the guest. When a guest ends (a CRD was removed, credentials expired, the API
server answered what Kopf takes for fatal), the host counts, backs off and starts a fresh one;
nothing that a node holds depends on it.
"""

import asyncio
import contextlib
import datetime
import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar

import aiohttp
import kopf

from purelb.api.resources import DecodeError, Object, convert, decode_page
from purelb.core.backoff import Backoff
from purelb.runtime.credentials import Access
from purelb.runtime.errors import NotFoundError, PurelbError, TransientError
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

Kind = TypeVar("Kind", bound=Object)

RELIST_SECONDS = 300.0  # Kopf does not tell what vanished while it was not watching
SERVED_SECONDS = 2.0  # between looks for a CRD that is not there yet
TOKEN_LIFE = datetime.timedelta(minutes=10)  # then Kopf asks for credentials again
STOP_SECONDS = 1.0  # a guest that is slower ends in its own time
LOGIN_SECONDS = 1.0  # between two logins, at least
BACKOFF = Backoff(first=0.5, longest=30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RareKind(Generic[Kind]):
    """A kind of which there are few objects that seldom change.

    `group` is empty for the core API. `only` restricts the watch to one object's name.
    """

    group: str
    version: str
    plural: str
    struct: type[Kind]
    decode: Callable[[bytes], Kind]
    only: str | None = None

    @property
    def path(self) -> str:
        """The collection over all namespaces."""
        base = f"/apis/{self.group}" if self.group else "/api"
        return f"{base}/{self.version}/{self.plural}"

    @property
    def selector(self) -> dict[str, str]:
        """The query parameters that restrict LIST and WATCH."""
        return {"fieldSelector": f"metadata.name={self.only}"} if self.only else {}


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
        self._program, self._kube, self._access = program, kube, access
        self._mirrors = tuple(mirrors)
        self._logged_in_at = -LOGIN_SECONDS

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
        guest = _Guest(self._access)
        self._fill(guest, loop)

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

    def _fill(self, guest: "_Guest", loop: asyncio.AbstractEventLoop) -> None:
        registry = guest.registry

        for mirror in self._mirrors:
            _watch_kind(registry, mirror, loop)

        @kopf.on.startup(registry=registry)
        async def start(settings: kopf.OperatorSettings, **_: object) -> None:
            tune(settings, self._program)
            for mirror in self._mirrors:
                kind = mirror.kind
                if kind.only is not None:
                    selected = (kind.group, kind.version, kind.plural)
                    settings.watching.field_selectors[selected] = f"metadata.name={kind.only}"
            logger.info("kopf started")

        @kopf.on.cleanup(registry=registry)
        async def stop(**_: object) -> None:
            logger.info("kopf stops")

        @kopf.on.login(registry=registry)
        async def login(**_: object) -> kopf.AiohttpSession:
            now = time.monotonic()
            if now - self._logged_in_at < LOGIN_SECONDS:
                await asyncio.sleep(LOGIN_SECONDS)  # refused credentials must not spin
            self._logged_in_at = now
            return guest.log_in()


class _Guest:
    """One life of Kopf in a loop of its own, and the HTTP sessions it was given.

    Ended by cancellation, not by Kopf's stop flag: after that Kopf closes its session and waits
    five seconds for requests that only ask for a new one. For the same reason the sessions are
    ours to close.
    """

    def __init__(self, access: Access) -> None:
        self.registry = kopf.OperatorRegistry()
        self._access = access
        self._lock = threading.Lock()
        self._is_stopped = False
        self._cancel: Callable[[], object] | None = None
        self._sessions: list[aiohttp.ClientSession] = []

    async def live(self) -> None:
        """Run Kopf until it ends or is stopped."""
        loop = asyncio.get_running_loop()
        # Else each start warns that signals are ignored outside the main thread, as they should be.
        logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
        operator = loop.create_task(
            kopf.operator(
                registry=self.registry,
                clusterwide=True,
                standalone=True,  # leadership is our own Lease
            )
        )
        with self._lock:
            if self._is_stopped:
                operator.cancel()
            self._cancel = lambda: loop.call_soon_threadsafe(operator.cancel)
        try:
            await asyncio.wait([operator])
        finally:
            with self._lock:
                self._cancel = None
            for session in self._sessions:
                await session.close()
        if not operator.cancelled():
            operator.result()

    def stop(self) -> None:
        """End Kopf; to be called from any thread, at any time."""
        with self._lock:
            self._is_stopped = True
            if self._cancel is not None:
                self._cancel()

    def log_in(self) -> kopf.AiohttpSession:
        """Return a session with the credentials of now; Kopf asks again when they expire."""
        tls, token = self._access.ssl_context(), self._access.token()
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=True if tls is None else tls),
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )
        self._sessions = [old for old in self._sessions if not old.closed] + [session]
        return kopf.AiohttpSession(
            server=self._access.server,
            aiohttp_session=session,
            expiration=datetime.datetime.now(datetime.UTC) + TOKEN_LIFE,
        )


def _watch_kind(
    registry: kopf.OperatorRegistry, mirror: Mirror[Any], loop: asyncio.AbstractEventLoop
) -> None:
    kind = mirror.kind

    @kopf.on.event(kind.group, kind.version, kind.plural, registry=registry)
    async def note(event: Mapping[str, Any], **_: object) -> None:
        # Async, or Kopf would run it in a thread pool. Returns None and never touches `patch`:
        # anything else would be written on the object.
        loop.call_soon_threadsafe(mirror.note, event["type"], dict(event["object"]))


class _NullDiffBase(kopf.DiffBaseStorage):
    """Keeps no copy of an object's spec in its annotations: the objects are the users'."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:  # noqa: ANN401  # kopf's types
        return {}

    def fetch(self, *, body: Any) -> None:  # noqa: ANN401  # kopf's types
        return None

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:  # noqa: ANN401  # kopf's types
        return None


class _NullProgress(kopf.ProgressStorage):
    """Keeps no handler progress on objects: handlers only record, they never retry."""

    def fetch(self, *, key: Any, body: Any) -> None:  # noqa: ANN401  # kopf's types
        return None

    def store(self, *, key: Any, record: Any, body: Any, patch: Any) -> None:  # noqa: ANN401
        return None

    def purge(self, *, key: Any, body: Any, patch: Any) -> None:  # noqa: ANN401  # kopf's types
        return None

    def touch(self, *, body: Any, patch: Any, value: Any) -> None:  # noqa: ANN401  # kopf's types
        return None

    def clear(self, *, essence: Any) -> Any:  # noqa: ANN401  # kopf's types
        return essence


class Endless:
    """Delays without end; iterable again and again, unlike a generator."""

    def __init__(self, *head: float, tail: float) -> None:
        self._head, self._tail = head, tail

    def __iter__(self) -> Iterator[float]:
        """Yield the head once, then the tail for ever."""
        yield from self._head
        while True:
            yield self._tail


def tune(settings: kopf.OperatorSettings, program: str) -> None:
    """Make Kopf write nothing, wait endlessly, and end when told to."""
    # Never written; a private name, because Kopf removes its finalizer wherever it meets it.
    settings.persistence.finalizer = f"purelb.io/kopf-unused-{program}"
    settings.persistence.diffbase_storage = _NullDiffBase()
    settings.persistence.progress_storage = _NullProgress()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.process.ultimate_exiting_timeout = None  # else it kills the process after ten minutes
    settings.queueing.worker_limit = None
    settings.queueing.idle_timeout = 0.2
    settings.watching.chunk_size = 500
    settings.watching.inactivity_timeout = 75
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = Endless(0.5, 1, 2, 5, tail=10)
    logging.getLogger("kopf").setLevel(logging.WARNING)  # else one INFO line for each event
