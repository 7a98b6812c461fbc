"""Requests to the API server: connections that are kept, and one error tree.

The standard library's client: the one that the daemons use costs more to import than a whole
command may take.
"""

import base64
import contextlib
import http.client
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, unquote, urlencode, urlsplit

from plugin.core.problem import PluginError
from plugin.shell.kubeconfig import Target
from plugin.shell.login import Login, log_in
from plugin.shell.proxy import proxy_of
from purelb.api.durations import parse_duration
from purelb.api.resources import DecodeError, decode_status

HTTP_UNAUTHORIZED = 401
CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 30.0


class AnswerError(PluginError):
    """The API server refused; `code` is the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ExpiredError(AnswerError):
    """A list took longer than the server keeps what it has begun with."""


@dataclass(frozen=True, slots=True)
class _Request:
    path: str
    method: str = "GET"
    body: bytes = b""


class Client:
    """Requests to one API server, from any thread."""

    def __init__(self, target: Target, request_timeout: str = "") -> None:
        self._target, self._url = target, _url_of(target.server)
        self._login: Login = log_in(target)
        self._renewing = threading.Lock()
        self._proxy = proxy_of(target, os.environ)
        self._seconds = _timeout(request_timeout)
        self._idle: list[http.client.HTTPConnection] = []  # append and pop are atomic
        self._clock: tuple[float, float] | None = None  # the server's time, and when it said so

    def now(self) -> float:
        """Return the API server's time in seconds since 1970; ours until it has answered."""
        if self._clock is None:
            return time.time()
        told, heard = self._clock
        return told + time.monotonic() - heard

    def get(self, path: str, params: Mapping[str, str] | None = None) -> bytes:
        """Return a body; AnswerError if the server refuses, PluginError if there is no answer."""
        return self._send(_Request(f"{path}?{urlencode(params)}" if params else path))

    def patch(self, path: str, change: object) -> None:
        """Merge a change into an object (RFC 7396); raises as `get` does.

        It may be sent twice, which comes to the same.
        """
        self._send(_Request(path, "PATCH", json.dumps(change).encode()))

    def lines(
        self, path: str, params: Mapping[str, str], longest_silence: float
    ) -> Iterator[bytes]:
        """Yield the lines of an answer that goes on; ends with it, or after so long a silence.

        The first is empty, and tells that the server has begun to answer. Raises as `get` does,
        but not for what happens to the connection after that: who asks again learns of it.
        """
        request, login = _Request(f"{path}?{urlencode(params)}"), self._login
        try:
            yield from self._lines(request, longest_silence)
        except AnswerError as error:
            if error.code != HTTP_UNAUTHORIZED or not self._is_renewed(login):
                raise
            yield from self._lines(request, longest_silence)

    def _lines(self, request: _Request, longest_silence: float) -> Iterator[bytes]:
        try:
            with contextlib.closing(self._connect()) as connection:
                wire = connection.sock  # which the answer takes over if it ends with it
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                self._ask(connection, request)
                with contextlib.closing(connection.getresponse()) as answer:
                    self._note_time(answer.getheader("Date"))
                    if answer.status >= 300:
                        raise self._refusal(answer.status, answer.read())
                    wire.settimeout(longest_silence)
                    yield b""
                    with contextlib.suppress(OSError, http.client.HTTPException):
                        while line := answer.readline():
                            yield line
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def close(self) -> None:
        """Close the connections that are kept for the next request."""
        while self._idle:
            self._idle.pop().close()

    def _send(self, request: _Request) -> bytes:
        login = self._login
        try:
            return self._sent(request)
        except AnswerError as error:
            if error.code != HTTP_UNAUTHORIZED or not self._is_renewed(login):
                raise
            return self._sent(request)

    def _is_renewed(self, login: Login) -> bool:
        """Log in again, unless another thread has; tell whether that may help.

        The tokens of programs and files end after minutes; what goes on outlives them.
        """
        if {"exec", "tokenFile"}.isdisjoint(self._target.user):
            return False
        with self._renewing:
            if self._login is login:
                self._login = log_in(self._target)
                self.close()
        return True

    def _sent(self, request: _Request) -> bytes:
        while True:
            try:
                connection, is_reused = self._idle.pop(), True
            except IndexError:
                is_reused = False
            try:
                if not is_reused:
                    connection = self._connect()
                return self._exchange(connection, request)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
                if is_reused:
                    continue  # a kept connection may have been closed meanwhile
                raise self._unreachable(error) from error
            except (OSError, http.client.HTTPException) as error:
                raise self._unreachable(error) from error

    def _exchange(self, connection: http.client.HTTPConnection, request: _Request) -> bytes:
        try:
            self._ask(connection, request)
            answer = connection.getresponse()
            content = answer.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        self._note_time(answer.getheader("Date"))
        if answer.status >= 300:
            raise self._refusal(answer.status, content)
        return content

    def _ask(self, connection: http.client.HTTPConnection, request: _Request) -> None:
        path = self._url.path + request.path
        connection.putrequest(request.method, path, skip_accept_encoding=True)
        for name, value in self._login.headers.items():
            connection.putheader(name, value.encode())
        for group in self._login.groups:
            connection.putheader("Impersonate-Group", group.encode())
        connection.putheader("Accept", "application/json")
        connection.putheader("User-Agent", "kubectl-purelb")
        if request.body:
            connection.putheader("Content-Type", "application/merge-patch+json")
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body or None)

    def _connect(self) -> http.client.HTTPConnection:
        tls = self._login.tls
        host, port = self._url.hostname or "", self._url.port or (443 if tls else 80)
        proxy = self._proxy
        to = (proxy.hostname, proxy.port or 80) if proxy is not None else (host, port)
        name = str(self._target.cluster.get("tls-server-name") or host)
        connection = (
            http.client.HTTPConnection(to[0] or "", to[1], timeout=CONNECT_SECONDS)
            if tls is None
            else _NamedConnection(to[0], to[1], tls, name)
        )
        if proxy is not None:
            connection.set_tunnel(host, port, _proxy_headers(proxy))
        connection.connect()
        connection.sock.settimeout(self._seconds)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _note_time(self, text: str | None) -> None:
        if text is None:
            return
        try:
            self._clock = parsedate_to_datetime(text).timestamp(), time.monotonic()
        except ValueError:
            return

    def _unreachable(self, error: Exception) -> PluginError:
        server = self._target.server
        if isinstance(error, ssl.SSLCertVerificationError):
            return PluginError(
                f"the certificate of {server} is not trusted ({error.verify_message}):"
                " correct certificate-authority in the kubeconfig"
            )
        if isinstance(error, TimeoutError):
            return PluginError(
                f"{server} does not answer in time; check the network, or raise --request-timeout"
            )
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return PluginError(
            f"cannot reach the API server {server} ({why}); is the cluster up, and is"
            f' "{self._target.context or "this"}" the right context?'
        )

    def _refusal(self, code: int, body: bytes) -> AnswerError:
        try:
            message = decode_status(body).message
        except DecodeError:
            message = ""
        if code == HTTP_UNAUTHORIZED:
            return AnswerError(
                code,
                f"{self._target.server} does not accept the credentials of context"
                f' "{self._target.context}"; log in again',
            )
        if code == 410:
            return ExpiredError(code, "the list expired while it was read; try again")
        return AnswerError(code, message or f"the API server answers with HTTP {code}")


def _url_of(server: str) -> SplitResult:
    """Return an API server's URL; PluginError if it is none."""
    with contextlib.suppress(ValueError):  # of its port, or of an IPv6 address
        url = urlsplit(server)
        if url.scheme in ("http", "https") and url.hostname and url.port != 0:
            return url
    raise PluginError(
        f'the server "{server}" is not an http(s) URL; correct the kubeconfig, or --server'
    )


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode()}"}


class _NamedConnection(http.client.HTTPSConnection):
    """HTTPS to a server whose certificate has another name than its address."""

    def __init__(self, host: str | None, port: int | None, tls: ssl.SSLContext, name: str) -> None:
        super().__init__(host or "", port, timeout=CONNECT_SECONDS, context=tls)
        self._tls, self._name = tls, name

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


def _timeout(text: str) -> float | None:
    """Return seconds for `--request-timeout`: a Go duration or a number of seconds, 0 for ever."""
    if not text:
        return ANSWER_SECONDS
    try:
        seconds = float(text) if text.isdigit() else parse_duration(text)
    except ValueError as error:
        raise PluginError(f"--request-timeout: {error}") from error
    return seconds or None
