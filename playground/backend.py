"""The echo pod: answers each HTTP request with who answered and who asked, as JSON.

    python -m playground.backend --node node-a --pod echo-node-a --port 80 --host 192.0.2.11 ...

Like a pod with hostNetwork it listens on its node's addresses.
"""

import argparse
import asyncio
import json
from collections.abc import Sequence

MOST_HEAD = 16384  # bytes of a request's head


class Echo:
    """The handler of one pod's connections."""

    def __init__(self, node: str, pod: str) -> None:
        self._node, self._pod = node, pod

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until the client or HTTP/1.0 ends it."""
        client = writer.get_extra_info("peername")[0]
        facts = {"node": self._node, "pod": self._pod, "client": client}
        body = json.dumps(facts).encode() + b"\n"
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                writer.write(_answer(body))
                await writer.drain()
                if b"connection: close" in head or b" http/1.0\r\n" in head:
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        finally:
            writer.close()


async def run(echo: Echo, hosts: Sequence[str], port: int) -> None:
    """Serve until cancelled."""
    server = await asyncio.start_server(
        echo.serve, list(hosts), port, limit=MOST_HEAD, reuse_address=True
    )
    await server.serve_forever()


def _answer(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m playground.backend")
    parser.add_argument("--node", required=True)
    parser.add_argument("--pod", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", action="append", required=True)
    arguments = parser.parse_args()
    echo = Echo(arguments.node, arguments.pod)
    asyncio.run(run(echo, arguments.host, arguments.port))


if __name__ == "__main__":
    main()
