"""Run the server as a program: prints `ready URL` once it serves, ends on SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
from pathlib import Path

from playground.apiserver.server import ApiServer


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m playground.apiserver", description=__doc__)
    parser.add_argument("--host", action="append", help="address to listen on; may be repeated")
    parser.add_argument("--port", type=int, default=0, help="0 means any")
    parser.add_argument("--control", type=Path, help="unix socket of the control endpoint")
    parser.add_argument("--crds", type=Path, help="folder of YAML files to load")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    hosts = arguments.host or ["127.0.0.1"]
    server = ApiServer(arguments.crds, hosts, arguments.port, arguments.control)
    async with server:
        # Objects live long and hold no cycles: looking through all of them often only costs time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 1000)
        print(f"ready {server.url}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve(_arguments()))
