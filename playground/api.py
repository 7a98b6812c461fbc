"""A client of the Kubernetes API for the playground, its demo and its tests: JSON in, JSON out.

It speaks through the playground's Unix socket, so it works where the playground's networks cannot
be reached. Daemons have `purelb.runtime.kube`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

import aiohttp
import yaml

Object: TypeAlias = dict[str, Any]

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
READY_SECONDS = 30.0
READY_POLL = 0.01  # seconds; the server is a Python process that needs some 0.5 s to start

# Where a kind lives: prefix of its API and plural.
KINDS: Mapping[str, tuple[str, str]] = {
    "Namespace": ("/api/v1", "namespaces"),
    "Node": ("/api/v1", "nodes"),
    "Pod": ("/api/v1", "pods"),
    "Secret": ("/api/v1", "secrets"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "Service": ("/api/v1", "services"),
    "Event": ("/api/v1", "events"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles"),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
    "EndpointSlice": ("/apis/discovery.k8s.io/v1", "endpointslices"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "ServiceGroup": ("/apis/purelb.io/v2", "servicegroups"),
    "LBNodeAgent": ("/apis/purelb.io/v2", "lbnodeagents"),
    "BGPConfiguration": ("/apis/bgp.purelb.io/v1", "configs"),
    "BGPNodeStatus": ("/apis/bgp.purelb.io/v1", "bgpnodestatuses"),
}
CLUSTER_SCOPED = frozenset(
    {
        "Namespace",
        "Node",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "BGPNodeStatus",
    }
)


class ApiError(Exception):
    """The server refused; `status` is the HTTP status, the text the server's message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status


def path_of(kind: str, namespace: str | None = None, name: str | None = None) -> str:
    """Return the path of an object, or of a collection without `name`.

    Without `namespace` it is the collection of all namespaces.
    """
    prefix, plural = KINDS[kind]
    scope = f"/namespaces/{namespace}" if namespace and kind not in CLUSTER_SCOPED else ""
    return f"{prefix}{scope}/{plural}" + (f"/{name}" if name else "")


def path_of_object(body: Mapping[str, Any], *, is_new: bool = False) -> str:
    """Return where an object is, or where it is created."""
    meta = body["metadata"]
    namespace = meta.get("namespace", "default")
    return path_of(body["kind"], namespace, None if is_new else meta["name"])


class Api:
    """The API through a Unix socket. Use it as an async context manager.

    `token` names the client to the server, which may cut off single clients.
    """

    def __init__(self, socket: Path, token: str = "playground", *, seconds: float = 10.0) -> None:
        self._socket, self._token, self._seconds = socket, token, seconds
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._http = aiohttp.ClientSession(
            base_url="http://api",
            connector=aiohttp.UnixConnector(str(self._socket), limit=100),
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=aiohttp.ClientTimeout(total=self._seconds),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the session."""
        await self._session.close()

    async def get(self, path: str, **query: str) -> Object:
        """Read an object or a list."""
        return await self._request("GET", path, query=query)

    async def items(self, kind: str, namespace: str | None = None) -> list[Object]:
        """Read every object of a kind."""
        found: list[Object] = (await self.get(path_of(kind, namespace)))["items"]
        return found

    async def create(self, body: Mapping[str, Any]) -> Object:
        """Create an object."""
        return await self._request("POST", path_of_object(body, is_new=True), body)

    async def post(self, path: str, body: Mapping[str, Any]) -> Object:
        """Send to a path that makes something of it, such as an object's `token` or `eviction`."""
        return await self._request("POST", path, body)

    async def put(self, path: str, body: Mapping[str, Any]) -> Object:
        """Put to a path that is no object's, such as a switch of the embedded server's faults."""
        return await self._request("PUT", path, body)

    async def replace(self, body: Mapping[str, Any], subresource: str = "") -> Object:
        """Replace an object, or one of its subresources such as "status"."""
        return await self._request("PUT", _below(path_of_object(body), subresource), body)

    async def patch(self, path: str, body: Mapping[str, Any]) -> Object:
        """Merge into an object (RFC 7386)."""
        return await self._request("PATCH", path, body, kind=MERGE)

    async def apply(self, body: Mapping[str, Any], subresource: str = "") -> Object:
        """Create or update an object by server-side apply."""
        query = {"fieldManager": self._token, "force": "true"}
        path = _below(path_of_object(body), subresource)
        return await self._request("PATCH", path, body, kind=APPLY, query=query)

    async def apply_file(self, path: Path) -> None:
        """Apply every document of a YAML file in turn."""
        for document in _documents(path):
            await self.apply(document)

    async def delete(self, path: str) -> None:
        """Delete an object; one that is gone already is fine."""
        try:
            await self._request("DELETE", path)
        except ApiError as error:
            if error.status != 404:
                raise

    async def watch(self, path: str, **query: str) -> AsyncIterator[tuple[str, Object]]:
        """Yield (type, object) for everything there is and everything that changes, until the end.

        Ends only when the server closes the connection.
        """
        first = await self.get(path, **query)
        for item in first["items"]:
            yield "ADDED", item
        version = {"watch": "true", "resourceVersion": first["metadata"]["resourceVersion"]}
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(path, params=query | version, timeout=timeout) as reply:
            async for line in reply.content:
                event = json.loads(line)
                yield event["type"], event["object"]

    async def wait_ready(self, check: Callable[[], None] = lambda: None) -> None:
        """Wait until the server serves; raises TimeoutError, or what `check` raises meanwhile."""
        async with asyncio.timeout(READY_SECONDS):
            while True:
                check()
                try:
                    await self.get(path_of("Namespace"))
                except (aiohttp.ClientError, ApiError):
                    await asyncio.sleep(READY_POLL)
                else:
                    return

    async def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        kind: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Object:
        headers = {} if body is None else {"Content-Type": kind}
        data = None if body is None else json.dumps(body)
        async with self._session.request(
            method, path, params=query, data=data, headers=headers
        ) as reply:
            answer: Object = await reply.json(content_type=None)
            if reply.status >= 400:
                raise ApiError(reply.status, answer.get("message", ""))
            return answer

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("the client is not open")
        return self._http


def _documents(path: Path) -> list[Object]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def _below(path: str, subresource: str) -> str:
    return f"{path}/{subresource}" if subresource else path
