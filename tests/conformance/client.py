"""A small HTTP client for the conformance tests: JSON in, status and JSON out."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

JsonObject = dict[str, Any]
JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
SECONDS = 20.0  # generous; for answers and watch lines alike
WIDGETS = "widgets.conformance.example"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    code: int
    body: Any
    headers: http.client.HTTPMessage

    def ok(self) -> JsonObject:
        """Return the body of a success."""
        assert self.code < 300, (self.code, self.body)
        assert isinstance(self.body, dict)
        return self.body

    def failed(self, code: int, reason: str) -> JsonObject:
        """Return the Status of a failure with this code and reason."""
        assert (self.code, self.body.get("reason")) == (code, reason), self.body
        assert self.body["kind"] == "Status"
        assert self.body["status"] == "Failure"
        assert self.body["code"] == code
        return dict(self.body)

    def causes(self) -> list[tuple[str, str]]:
        """Return (field, reason) of each cause of a 422."""
        status = self.failed(422, "Invalid")
        return [(cause["field"], cause["reason"]) for cause in status["details"]["causes"]]


class Watch:
    """An open watch, iterable over its events; a context manager."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self._response = connection.getresponse()
        self.code = self._response.status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def __iter__(self) -> Iterator[JsonObject]:
        while line := self._response.readline():
            yield json.loads(line)

    def next(self) -> JsonObject:
        """Return the next event."""
        return next(iter(self))

    def take(self, count: int) -> list[tuple[str, str]]:
        """Return type and name of the next events."""
        events = [self.next() for _ in range(count)]
        return [(event["type"], event["object"]["metadata"]["name"]) for event in events]

    def read(self) -> JsonObject:
        """Return the body of a watch that was refused."""
        body = json.loads(self._response.read())
        assert isinstance(body, dict)
        return body


class UnixConnection(http.client.HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self._path)


@dataclass(slots=True)
class Client:
    """Speaks to one server, at a URL of HTTP or of a Unix socket (`unix:/path`).

    Paths may have a query; `query` is added to it.
    """

    url: str
    namespace: str = "default"
    _connection: http.client.HTTPConnection | None = field(default=None, init=False)

    def connection(self) -> http.client.HTTPConnection:
        """Return a new connection."""
        parts = urlsplit(self.url)
        if parts.scheme == "unix":
            return UnixConnection(parts.path)
        assert parts.hostname is not None
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=SECONDS)

    def headers(self) -> dict[str, str]:
        """Return the headers every request has."""
        return {"User-Agent": "conformance/1"}

    def close(self) -> None:
        """Close the kept connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(
        self, method: str, path: str, body: object = None, media_type: str = JSON, **query: object
    ) -> Reply:
        """Send one request; `body` is JSON unless it is bytes."""
        return self._send(method, path, (body, media_type), query)

    def _send(
        self, method: str, path: str, content: tuple[object, str], query: dict[str, object]
    ) -> Reply:
        body, media_type = content
        if self._connection is None:
            self._connection = self.connection()
        headers = self.headers()
        if body is not None:
            headers["Content-Type"] = media_type
        accept = query.pop("accept", None)
        if accept:
            headers["Accept"] = str(accept)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self._connection.request(method, with_query(path, query), data, headers)
        response = self._connection.getresponse()
        raw = response.read()
        decoded = json.loads(raw) if raw.startswith(b"{") else raw.decode()
        return Reply(response.status, decoded, response.headers)

    def get(self, path: str, **query: object) -> Reply:
        """GET."""
        return self._send("GET", path, (None, JSON), query)

    def post(self, path: str, body: object, **query: object) -> Reply:
        """POST."""
        return self._send("POST", path, (body, JSON), query)

    def put(self, path: str, body: object, **query: object) -> Reply:
        """PUT."""
        return self._send("PUT", path, (body, JSON), query)

    def patch(self, path: str, body: object, media_type: str = MERGE, **query: object) -> Reply:
        """PATCH, a merge patch by default."""
        return self._send("PATCH", path, (body, media_type), query)

    def apply(self, path: str, body: object, manager: str, **query: object) -> Reply:
        """Server-side apply."""
        return self._send("PATCH", path, (body, APPLY), {"fieldManager": manager} | query)

    def delete(self, path: str, body: object = None, **query: object) -> Reply:
        """DELETE."""
        return self._send("DELETE", path, (body, JSON), query)

    def watch(self, path: str, **query: object) -> Watch:
        """Open a watch on a connection of its own."""
        connection = self.connection()
        headers = self.headers()
        accept = query.pop("accept", None)
        if accept:
            headers["Accept"] = str(accept)
        connection.request("GET", with_query(path, {"watch": "true"} | query), headers=headers)
        return Watch(connection)

    def services(self, name: str = "", sub: str = "") -> str:
        """Return the path of Services in the test's namespace."""
        return self._path("/api/v1", "services", name, sub)

    def config_maps(self, name: str = "") -> str:
        """Return the path of ConfigMaps in the test's namespace."""
        return self._path("/api/v1", "configmaps", name, "")

    def leases(self, name: str = "") -> str:
        """Return the path of Leases in the test's namespace."""
        return self._path("/apis/coordination.k8s.io/v1", "leases", name, "")

    def widgets(self, name: str = "", sub: str = "") -> str:
        """Return the path of the test's custom resource in its namespace."""
        return self._path("/apis/conformance.example/v1", "widgets", name, sub)

    def _path(self, prefix: str, plural: str, name: str, sub: str) -> str:
        parts = [prefix, "namespaces", self.namespace, plural, name, sub]
        return "/".join(part for part in parts if part)


def with_query(path: str, query: dict[str, object]) -> str:
    """Add query parameters to a path."""
    texts = {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in query.items()
    }
    return f"{path}?{urlencode(texts, quote_via=quote)}" if texts else path


def config_map(name: str, **more: Any) -> JsonObject:  # noqa: ANN401  # JSON
    """Build a ConfigMap; `labels` and the like go into metadata."""
    metadata = {"name": name} | {
        key: more.pop(key) for key in ("labels", "annotations", "finalizers") if key in more
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **more}


def service(name: str, kind: str = "LoadBalancer", **spec: object) -> JsonObject:
    """Build a Service with one port."""
    body = {"type": kind, "selector": {"app": name}, "ports": [{"port": 80}]} | spec
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body}


def widget(name: str, **spec: object) -> JsonObject:
    """Build the test's custom resource."""
    return {
        "apiVersion": "conformance.example/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 1} | spec,
    }
