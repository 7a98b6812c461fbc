"""A real API server that ends, starts and forgets; for the end-to-end and conformance tests."""

import asyncio
import json
import time
from dataclasses import dataclass

from playground.cluster import Cluster

SERVER = "kube-apiserver"
SECONDS = 60.0  # far longer than anything here takes
ETCD = ("127.0.0.1", 2379)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """When a server began to start and when it said that it was ready, in seconds of the clock."""

    begun: float
    ready: float


async def serve_again(cluster: Cluster) -> Start:
    """Start the API server again and wait until it says that it is ready."""
    begun = time.time()
    await cluster.restart(SERVER)
    async with asyncio.timeout(SECONDS):
        while (await cluster.kubectl("get", "--raw=/readyz", check=False)).returncode != 0:
            pass  # kubectl itself takes its time
    return Start(begun=begun, ready=time.time())


async def compact(cluster: Cluster) -> int:
    """Let etcd forget all history; returns the revision from which on it remembers.

    The API server remembers on its own until it is started anew.
    """
    # Its own API as JSON: a range of one key tells the present revision.
    answer = await _ask_etcd(cluster, "/v3/kv/range", {"key": "AA==", "limit": "1"})
    revision = answer["header"]["revision"]
    await _ask_etcd(cluster, "/v3/kv/compaction", {"revision": revision, "physical": True})
    return int(revision)


async def _ask_etcd(cluster: Cluster, path: str, body: object) -> dict[str, dict[str, str]]:
    """Send one request to etcd on the control machine."""
    reader, writer = await cluster.dial(*ETCD, machine="control")
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.0\r\nContent-Length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)
    async with asyncio.timeout(SECONDS):
        status, _, content = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert b" 200 " in status.splitlines()[0], content
    answer: dict[str, dict[str, str]] = json.loads(content)
    return answer
