"""Connections from any machine to any address, for programs outside the playground.

A Unix socket is reached through /proc from outside, where the playground's networks are not. The
supervisor creates the TCP socket inside the machine and pumps bytes between the two.

`dial.sock`: the first line is a JSON request {"machine", "host", "port", "seconds"}, the first line
of the answer {} or {"error"}; then bytes flow. `api.sock`: bytes flow at once.
"""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from playground.namespaces import inside

CHUNK = 65536
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A TCP address as seen from a machine; `seconds` to connect in."""

    machine: str
    host: str
    port: int
    seconds: float = 5.0


async def dial(
    target: Target, tls: ssl.SSLContext | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect from inside the machine; raises OSError, TimeoutError among them."""
    family = socket.AF_INET6 if ":" in target.host else socket.AF_INET
    with inside(target.machine):
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        async with asyncio.timeout(target.seconds):
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, (target.host, target.port))
            name = None if tls is None else target.host
            return await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=name)
    except BaseException:
        sock.close()
        raise


async def serve(path: Path, handler: Handler) -> asyncio.Server:
    """Listen on a Unix socket; a connection that breaks ends quietly."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await handler(reader, writer)
        finally:
            writer.close()

    return await asyncio.start_unix_server(handle, path)


def to(target: Target, tls: ssl.SSLContext | None = None) -> Handler:
    """Return what connects each client to one target; a client whose target refuses is closed.

    With `tls` the target sees TLS, and whoever that names; the client speaks plainly.
    """

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await _join(reader, writer, target, tls)

    return handler


async def on_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Connect a client to where its first line says."""
    target = Target(**json.loads(await reader.readline()))
    try:
        await _join(reader, writer, target, None, greeting=b"{}\n")
    except OSError as error:
        reason = str(error) or f"no answer in {target.seconds} s"
        writer.write(json.dumps({"error": reason}).encode() + b"\n")
        await writer.drain()


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    target: Target,
    tls: ssl.SSLContext | None,
    *,
    greeting: bytes = b"",
) -> None:
    far_reader, far_writer = await dial(target, tls)
    writer.write(greeting)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_pump(reader, far_writer))
        tasks.create_task(_pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()  # which ends the other direction too: HTTP closes as a whole
