"""A small kube-proxy: keeps a node's nftables as Services and EndpointSlices say.

    python -m playground.serviceproxy --node node-a

Runs in its node's network namespace. The rules are made in `proxyrules`.
"""

import argparse
import asyncio
import logging
import os
from typing import NoReturn, TypeVar

from playground.api import path_of
from playground.proxyrules import script
from playground.wire import EndpointSlice, Service, decode_service, decode_slice
from purelb.api.resources import Object
from purelb.runtime.clock import BootClock
from purelb.runtime.credentials import find_access
from purelb.runtime.informer import Informer, Source
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

SERVICES = Source(path=path_of("Service"), view=decode_service)
SLICES = Source(path=path_of("EndpointSlice"), view=decode_slice)
GATHER_SECONDS = 0.002  # a burst of changes becomes one transaction

Key = tuple[str, str]
Kind = TypeVar("Kind", bound=Object)


class ServiceProxy:
    """One node's proxy."""

    def __init__(self, kube: Kube, node: str) -> None:
        self._node = node
        self._services: dict[Key, Service] = {}
        self._slices: dict[Key, EndpointSlice] = {}
        self._wake = asyncio.Event()
        clock = BootClock()
        self._informers = (
            Informer(kube, SERVICES, self._on_service, clock),
            Informer(kube, SLICES, self._on_slice, clock),
        )

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self._informers:
                tasks.create_task(informer.run())
            for informer in self._informers:
                await informer.synced.wait()
            await self._follow()
        raise AssertionError("following has no end")

    async def _follow(self) -> NoReturn:
        installed = ""
        while True:
            self._wake.clear()
            wanted = script(self._services.values(), self._slices.values(), self._node)
            if wanted != installed:
                await _install(wanted)
                installed = wanted
                logger.info("rules replaced, %d lines", wanted.count("\n"))
            await self._wake.wait()
            await asyncio.sleep(GATHER_SECONDS)

    def _on_service(self, old: Service | None, new: Service | None) -> None:
        _record(self._services, old, new)
        self._wake.set()

    def _on_slice(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        _record(self._slices, old, new)
        self._wake.set()


def _record(cache: dict[Key, Kind], old: Kind | None, new: Kind | None) -> None:
    if old is not None:
        del cache[old.metadata.namespace, old.metadata.name]
    if new is not None:
        cache[new.metadata.namespace, new.metadata.name] = new


async def _install(rules: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "nft", "-f", "-", stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, complaint = await process.communicate(rules.encode())
    if process.returncode != 0:
        raise RuntimeError(f"nft: {complaint.decode(errors='replace')}")


async def run(node: str) -> None:
    """Connect and work until cancelled."""
    access = find_access(os.environ.get("KUBECONFIG", ""), os.environ)
    async with Kube(access, "playground-serviceproxy") as kube:
        await ServiceProxy(kube, node).run()


def main() -> None:
    """Parse the command line and work."""
    parser = argparse.ArgumentParser(prog="python -m playground.serviceproxy")
    parser.add_argument("--node", required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    asyncio.run(run(arguments.node))


if __name__ == "__main__":
    main()
