"""The sidecar process: flags, the three methods, and the socket.

Belongs here: translation between messages and the book, and statuses that tell the allocator what
to do: RESOURCE_EXHAUSTED is asked again when something is released, UNAVAILABLE soon, the others
late.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ipam.book import Book, ExhaustedError, TakenError, UnknownPoolError
from purelb.api.addresses import AddressRange, Family, parse_ip, parse_range
from purelb.runtime import ipam_pb2 as wire
from purelb.runtime.ipam import ALLOCATE, RELEASE, STATS
from purelb.runtime.rpc import Answering, RpcError, serving

SOCKET = "/var/run/purelb/ipam.sock"
STATE = "/var/lib/purelb-ipam/book.sqlite"


class Sidecar:
    """The three methods over one book."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def methods(self) -> tuple[Answering[Any, Any], ...]:
        """Return what to serve."""
        return (
            Answering(ALLOCATE, self.allocate),
            Answering(RELEASE, self.release),
            Answering(STATS, self.stats),
        )

    async def allocate(self, request: wire.AllocateRequest) -> wire.AllocateResponse:
        """Give addresses; asked again, the same ones."""
        with _statuses():
            if request.WhichOneof("selector") == "explicit":
                pins = [parse_ip(text) for text in request.explicit.ips]
                found = self._book.claim(request.pool, request.service, request.sharing_key, pins)
            else:
                wanted = {
                    Family.IPV4: request.families.want_ipv4,
                    Family.IPV6: request.families.want_ipv6,
                }
                families = [family for family, is_wanted in wanted.items() if is_wanted]
                found = self._book.allocate(
                    request.pool, request.service, request.sharing_key, families
                )
        return wire.AllocateResponse(ips=[wire.AllocatedIP(ip=str(ip)) for ip in found])

    async def release(self, request: wire.ReleaseRequest) -> wire.ReleaseResponse:
        """Take addresses back."""
        with _statuses():
            is_one = request.WhichOneof("target") == "ip"
            address = parse_ip(request.ip) if is_one else None
            self._book.release(request.pool, request.service, address)
        return wire.ReleaseResponse()

    async def stats(self, request: wire.StatsRequest) -> wire.StatsResponse:
        """Count."""
        with _statuses():
            v4 = self._book.usage(request.pool, Family.IPV4)
            v6 = self._book.usage(request.pool, Family.IPV6)
        return wire.StatsResponse(
            in_use_v4=v4.in_use,
            in_use_v6=v6.in_use,
            size_v4=min(v4.size, 2**64 - 1),
            size_v6=min(v6.size, 2**64 - 1),
            has_known_capacity=True,
            display_addresses=map(str, self._book.pools[request.pool]),
        )


async def serve(book: Book, socket: Path) -> None:
    """Answer until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(socket, *Sidecar(book).methods()):
        print(f"serving {', '.join(book.pools)} on {socket}", flush=True)
        await stop.wait()


def main() -> int:
    """Read the flags and serve; returns the exit status."""
    try:
        given = _flags(sys.argv[1:])
        pools = dict(_pool(text) for text in given.pool)
    except ValueError as error:
        print(f"ipam: {error}", file=sys.stderr)
        return 1
    book = Book(given.state, pools)
    try:
        asyncio.run(serve(book, Path(given.socket)))
    finally:
        book.close()
    return 0


def _flags(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ipam", description="reference external IPAM sidecar")
    parser.add_argument("--socket", default=SOCKET, help="unix socket to serve on")
    parser.add_argument("--state", default=STATE, help="SQLite file with the records")
    parser.add_argument(
        "--pool", action="append", required=True, metavar="NAME=RANGE[,RANGE...]",
        help="a pool, by the name of its ServiceGroup; CIDRs or from-to; may be given repeatedly",
    )  # fmt: skip
    return parser.parse_args(arguments)


def _pool(text: str) -> tuple[str, tuple[AddressRange, ...]]:
    name, _, ranges = text.partition("=")
    return name, tuple(parse_range(part) for part in ranges.split(","))


@contextmanager
def _statuses() -> Iterator[None]:
    """Turn the book's refusals into gRPC statuses."""
    try:
        yield
    except UnknownPoolError as error:
        raise RpcError("NOT_FOUND", str(error)) from error
    except ExhaustedError as error:
        raise RpcError("RESOURCE_EXHAUSTED", str(error)) from error
    except TakenError as error:
        raise RpcError("FAILED_PRECONDITION", str(error)) from error
    except ValueError as error:
        raise RpcError("INVALID_ARGUMENT", str(error)) from error
