"""One life of Kopf, in an event loop of its own: what it watches, and how it logs in.

Kopf is made to write nothing. What it sees leaves by the sinks of its watches; who starts a guest,
and again after it ended, is the host's business (`kopf_host`).
"""

import asyncio
import datetime
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import kopf

from purelb.runtime.credentials import Access
from purelb.runtime.kinds import RareKind
from purelb.runtime.kube import Session, open_session

logger = logging.getLogger(__name__)

TOKEN_LIFE = datetime.timedelta(minutes=10)  # then Kopf asks for credentials again
LOGIN_SECONDS = 1.0  # between two logins, at least
CONNECTIONS = 0  # as many as there are watches

# Called in the guest's thread with the type of an event (None for what was listed) and the object.
Sink: TypeAlias = Callable[[str | None, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A kind to watch, and where its events go."""

    kind: RareKind[Any]
    sink: Sink


class Logins:
    """Opens sessions for all the lives of one program's Kopf, and paces them."""

    def __init__(self, program: str, access: Access) -> None:
        self.access = access
        self._program = program
        self._last = -LOGIN_SECONDS

    async def open(self) -> Session:
        """Return a session with the credentials of now."""
        now = time.monotonic()
        if now - self._last < LOGIN_SECONDS:
            await asyncio.sleep(LOGIN_SECONDS)  # refused credentials must not spin
        self._last = now
        session = open_session(self.access, self._program, CONNECTIONS)
        if (token := self.access.token()) is not None:
            session.headers["Authorization"] = f"Bearer {token}"
        return session


class Guest:
    """One life of Kopf, and the HTTP sessions it was given.

    Ended by cancellation, not by Kopf's stop flag: after that Kopf closes its session and waits
    five seconds for requests that only ask for a new one. For the same reason the sessions are
    ours to close.
    """

    def __init__(self, program: str, logins: Logins, watches: Sequence[Watch]) -> None:
        self._program, self._logins, self._watches = program, logins, tuple(watches)
        self._lock = threading.Lock()
        self._is_stopped = False
        self._cancel: Callable[[], object] | None = None
        self._sessions: list[Session] = []

    async def live(self) -> None:
        """Run Kopf until it ends or is stopped; to be run by a thread other than the main one."""
        loop = asyncio.get_running_loop()
        # Else each start warns that signals are ignored, as they should be.
        logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
        operator = loop.create_task(
            kopf.operator(
                registry=self._registry(),
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

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        for watch in self._watches:
            _register(registry, watch)

        @kopf.on.startup(registry=registry)
        async def start(settings: kopf.OperatorSettings, **_: object) -> None:
            _tune(settings, self._program)
            for kind in (watch.kind for watch in self._watches):
                if kind.only is not None:
                    selected = (kind.group, kind.version, kind.plural)
                    settings.watching.field_selectors[selected] = f"metadata.name={kind.only}"
            logger.info("kopf started")

        @kopf.on.cleanup(registry=registry)
        async def stop(**_: object) -> None:
            logger.info("kopf stops")

        @kopf.on.login(registry=registry)
        async def login(**_: object) -> kopf.AiohttpSession:
            session = await self._logins.open()
            self._sessions = [old for old in self._sessions if not old.closed] + [session]
            return kopf.AiohttpSession(
                server=self._logins.access.server,
                aiohttp_session=session,
                expiration=datetime.datetime.now(datetime.UTC) + TOKEN_LIFE,
            )

        return registry


def _register(registry: kopf.OperatorRegistry, watch: Watch) -> None:
    kind = watch.kind

    @kopf.on.event(kind.group, kind.version, kind.plural, registry=registry)
    async def note(event: Mapping[str, Any], **_: object) -> None:
        # Async, or Kopf would run it in a thread pool. Returns None and never touches `patch`:
        # anything else would be written on the object.
        watch.sink(event["type"], dict(event["object"]))


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


def _tune(settings: kopf.OperatorSettings, program: str) -> None:
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
