"""TCP connections from machines inside the playground, and one HTTP GET over a new one.

`fetch` is deliberately without keep-alive, retries and redirects: it asks whether an address serves
now.
"""

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playground.relay import Target


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and the seconds from the first SYN to its last byte."""

    status: int
    body: bytes
    seconds: float

    def json(self) -> Any:  # noqa: ANN401  # whatever the server said
        """Return the body as JSON."""
        return json.loads(self.body)


async def dial(relay: Path, target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect from a machine through the supervisor's relay; raises OSError if it fails."""
    reader, writer = await asyncio.open_unix_connection(relay)
    try:
        writer.write(json.dumps(asdict(target)).encode() + b"\n")
        answer = json.loads(await reader.readline() or b'{"error": "the playground ended"}')
        if "error" in answer:
            where = f"{target.host} port {target.port} from {target.machine}"
            raise ConnectionError(f"{where}: {answer['error']}")
    except BaseException:
        writer.close()
        raise
    return reader, writer


async def fetch(relay: Path, url: str, *, machine: str, seconds: float) -> Reply:
    """GET a URL; raises OSError, TimeoutError among them, if there is no complete answer."""
    begun = time.monotonic()
    parts = urlsplit(url)
    target = Target(
        machine=machine, host=parts.hostname or "", port=parts.port or 80, seconds=seconds
    )
    async with asyncio.timeout(seconds):
        reader, writer = await dial(relay, target)
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            head = f"GET {path} HTTP/1.0\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            answer = await reader.read()
        finally:
            writer.close()
    status, body = _parse(answer, url)
    return Reply(status, body, time.monotonic() - begun)


def _parse(answer: bytes, url: str) -> tuple[int, bytes]:
    head, separator, body = answer.partition(b"\r\n\r\n")
    words = head.split(maxsplit=2)
    if not separator or len(words) < 2 or not words[0].startswith(b"HTTP/"):
        raise ConnectionError(f"{url}: the connection ended without an answer")
    return int(words[1]), body
