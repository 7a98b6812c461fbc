"""A small client of the Kubernetes API: one session, deadlines everywhere, errors in four kinds.

Bodies go in as JSON values and come out as bytes; `purelb.api.resources` knows their shape.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from enum import StrEnum
from types import TracebackType
from typing import NoReturn, Self, TypeAlias

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from purelb import VERSION
from purelb.api.resources import DecodeError, decode_status, encode
from purelb.runtime.credentials import Access, TokenSource
from purelb.runtime.errors import (
    ConflictError,
    FencedError,
    ForbiddenError,
    GoneError,
    NotFoundError,
    PermanentError,
    TransientError,
)

Params: TypeAlias = Mapping[str, str]
Session: TypeAlias = aiohttp.ClientSession

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 30.0
SILENCE_SECONDS = 75.0  # bookmarks come about once a minute: longer silence is a dead connection
SHORTEST_SECONDS = 0.2  # of a right to write that is worth a request
# A server that is overloaded asks for a second or a few; nobody's queue waits for an hour because a
# proxy on the way says so.
LONGEST_SPARED_SECONDS = 10.0
SHOWN = 300  # characters of a refusal that go into messages: bodies may hold secrets


class PatchType(StrEnum):
    """The media types of PATCH that the suite uses."""

    MERGE = "application/merge-patch+json"  # RFC 7386
    APPLY = "application/apply-patch+yaml"  # server-side apply; JSON is YAML


class Kube:
    """The API as one client sees it. Use it as an async context manager.

    `seconds` is the deadline of each request but a WATCH. A session of its own keeps one user of
    the API, such as the Lease, from waiting behind another.
    """

    def __init__(
        self,
        access: Access,
        program: str,
        *,
        connections: int = 40,
        seconds: float = REQUEST_SECONDS,
    ) -> None:
        self._access, self._program = access, program
        self._connections, self._seconds = connections, seconds
        self._tokens = TokenSource(access)
        self._http: aiohttp.ClientSession | None = None
        self._right: Callable[[], float] | None = None

    def guard(self, right: Callable[[], float]) -> None:
        """Send no more writes but those whose deadline ends within the right to write.

        `right` returns for how many seconds from now it lasts. It is asked before a request, and
        again with the bytes in hand: a process may be stopped for any time between the two. A write
        without it raises FencedError, or TransientError if it was on its way.
        """
        self._right = right

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._http = open_session(self._access, self._program, self._connections)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the session."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def get(self, path: str, params: Params | None = None) -> bytes:
        """GET; raises NotFoundError and its relatives."""
        return await self._request("GET", path, params=params)

    async def post(self, path: str, body: object) -> bytes:
        """Create an object in a collection."""
        return await self._request("POST", path, body=body)

    async def put(self, path: str, body: object) -> bytes:
        """Replace an object."""
        return await self._request("PUT", path, body=body)

    async def patch(
        self,
        path: str,
        body: object,
        *,
        patch_type: PatchType = PatchType.MERGE,
        params: Params | None = None,
    ) -> bytes:
        """Patch an object; a `metadata.resourceVersion` in the body makes it conditional."""
        return await self._request("PATCH", path, body=body, params=params, kind=patch_type)

    async def delete(self, path: str, body: object = None) -> bytes:
        """Delete an object; `body` holds DeleteOptions such as preconditions."""
        return await self._request("DELETE", path, body=body)

    @contextlib.asynccontextmanager
    async def stream(self, path: str, params: Params) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a WATCH; yields its chunks. Silence ends in a TransientError."""
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
        )
        with _mapped(f"watch {path}"):
            async with self._session.get(
                self._access.server + path,
                params=params,
                headers=self._headers(),
                timeout=timeout,
            ) as reply:
                if reply.status >= 400:
                    self._refuse(reply, await reply.read(), f"watch {path}")
                yield reply.content.iter_any()

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Params | None = None,
        kind: str = "application/json",
    ) -> bytes:
        right = None if method == "GET" else self._right
        timeout = aiohttp.ClientTimeout(
            total=min(self._seconds, _lasting(right)), sock_connect=CONNECT_SECONDS
        )
        with _mapped(f"{method} {path}"):
            headers = self._headers()
            if body is not None:
                headers["Content-Type"] = kind
            async with self._session.request(
                method,
                self._access.server + path,
                params=params,
                data=None if body is None else _Body(encode(body), right),
                headers=headers,
                timeout=timeout,
            ) as reply:
                answer = await reply.read()
                if reply.status >= 400:
                    self._refuse(reply, answer, f"{method} {path}")
                return answer

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("the client is not open")
        return self._http

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if (token := self._tokens.token()) is not None:
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _refuse(self, reply: aiohttp.ClientResponse, answer: bytes, what: str) -> NoReturn:
        if reply.status == 401:
            self._tokens.forget()
        raise refusal(reply.status, f"{what}: {_shown(reply.status, answer)}", _retry_after(reply))


class _Body(aiohttp.BytesPayload):
    """The bytes of a request, and the right to send them, asked at the last moment."""

    def __init__(self, value: bytes, right: Callable[[], float] | None) -> None:
        super().__init__(value)
        self._may_send = right

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        # aiohttp holds the headers back until the body comes, so nothing has left us yet.
        _lasting(self._may_send)
        await super().write_with_length(writer, content_length)


def _lasting(right: Callable[[], float] | None) -> float:
    """Return for how long a write may take, in seconds; raises FencedError if too short."""
    seconds = math.inf if right is None else right()
    if seconds < SHORTEST_SECONDS:
        raise FencedError("not sent: this replica does not lead, or not for long enough")
    return seconds


def open_session(access: Access, program: str, connections: int) -> Session:
    """Return an HTTP session that trusts what `access` trusts; it sends no token by itself."""
    tls = access.ssl_context()
    return Session(
        connector=aiohttp.TCPConnector(
            limit=connections, ssl=True if tls is None else tls, keepalive_timeout=60
        ),
        headers={"User-Agent": f"{program}/{VERSION}"},
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def refusal(status: int, message: str, retry_after: float | None = None) -> Exception:
    """Return the error of an HTTP status, also of one inside a WATCH."""
    match status:
        case 403:
            return ForbiddenError(message)
        case 404:
            return NotFoundError(message)
        case 409:
            return ConflictError(message)
        case 410:
            return GoneError(message)
        case 401 | 408 | 429:
            return TransientError(message, retry_after)
        case _ if status >= 500:
            return TransientError(message, retry_after)
        case _:
            return PermanentError(message)


@contextlib.contextmanager
def _mapped(what: str) -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
        raise TransientError(f"{what}: {error!r}"[:SHOWN]) from error


def _shown(status: int, answer: bytes) -> str:
    try:
        parsed = decode_status(answer)
    except DecodeError:
        return f"{status} {answer[:SHOWN].decode(errors='replace')}"
    return f"{status} {parsed.reason} {parsed.message}"[:SHOWN]


def _retry_after(reply: aiohttp.ClientResponse) -> float | None:
    text = reply.headers.get("Retry-After", "")
    if not (text.isascii() and text.isdigit()):
        return None
    return min(float(text), LONGEST_SPARED_SECONDS)
