"""The part of a control plane that knows which pods serve: probes them, writes EndpointSlices.

    python -m playground.endpoints --nodes 3

Runs on the control machine. A pod that does not accept connections for a while is not ready, be its
process or its node the reason.
"""

import argparse
import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from playground.api import path_of
from playground.pods import NAMESPACE, Pod, pod_object, pods, slices
from playground.topology import topology
from playground.wire import Service, decode_service
from purelb.runtime.clock import BootClock
from purelb.runtime.credentials import find_access
from purelb.runtime.errors import NotFoundError, PurelbError
from purelb.runtime.informer import Informer, Source
from purelb.runtime.kube import Kube, PatchType

logger = logging.getLogger(__name__)

MANAGER = {"fieldManager": "playground-endpoints", "force": "true"}
RETRY_SECONDS = 0.5
SERVICES = Source(path=path_of("Service"), view=decode_service)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line says; times in seconds.

    A pod is probed every `interval` and loses readiness after failing for `grace`.
    """

    pods: tuple[Pod, ...]
    interval: float
    grace: float


class Endpoints:
    """Keeps Pods and EndpointSlices true."""

    def __init__(self, kube: Kube, settings: Settings) -> None:
        self._kube, self._settings, self._clock = kube, settings, BootClock()
        self._services: dict[tuple[str, str], Service] = {}
        self._ready: set[str] = set()
        self._written: dict[str, Mapping[str, Any]] = {}
        self._wake = asyncio.Event()
        self._informer = Informer(kube, SERVICES, self._on_service, self._clock)

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._informer.run())
            for pod in self._settings.pods:
                tasks.create_task(self._probe(pod))
            await self._informer.synced.wait()
            while True:
                self._wake.clear()
                try:
                    await self._write()
                except PurelbError as error:
                    logger.warning("cannot write: %s", error)
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                await self._wake.wait()
        raise AssertionError("the loop above has no end")

    def _on_service(self, old: Service | None, new: Service | None) -> None:
        if old is not None:
            del self._services[_key(old)]
        if new is not None:
            self._services[_key(new)] = new
        self._wake.set()

    async def _probe(self, pod: Pod) -> NoReturn:
        """Connect again and again; one success is readiness."""
        good_at = self._clock.now() - self._settings.grace
        while True:
            if await self._accepts(pod):
                good_at = self._clock.now()
            is_ready = self._clock.now() - good_at < self._settings.grace
            if is_ready != (pod.name in self._ready):
                logger.info("%s is %s", pod.name, "ready" if is_ready else "not ready")
                self._ready ^= {pod.name}
                self._wake.set()
            await asyncio.sleep(self._settings.interval)

    async def _accepts(self, pod: Pod) -> bool:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(self._settings.grace):
                _, writer = await asyncio.open_connection(pod.addresses["IPv4"], pod.port)
            writer.close()
            return True
        return False

    async def _write(self) -> None:
        wanted: dict[str, Mapping[str, Any]] = {}
        for pod in self._settings.pods:
            path = path_of("Pod", NAMESPACE, pod.name)
            wanted[path] = pod_object(pod, is_ready=pod.name in self._ready)
        for service in self._services.values():
            for body in slices(service, self._settings.pods, self._ready):
                meta = body["metadata"]
                wanted[path_of("EndpointSlice", meta["namespace"], meta["name"])] = body
        for path in self._written.keys() - wanted.keys():
            with contextlib.suppress(NotFoundError):
                await self._kube.delete(path)
            del self._written[path]
        for path, desired in wanted.items():
            if self._written.get(path) != desired:
                await self._apply(path, desired)
                self._written[path] = desired

    async def _apply(self, path: str, body: Mapping[str, Any]) -> None:
        await self._kube.patch(path, body, patch_type=PatchType.APPLY, params=MANAGER)
        if "status" in body:
            await self._kube.patch(
                f"{path}/status", body, patch_type=PatchType.APPLY, params=MANAGER
            )


def _key(service: Service) -> tuple[str, str]:
    return service.metadata.namespace, service.metadata.name


async def run(settings: Settings) -> None:
    """Connect and work until cancelled."""
    access = find_access(os.environ.get("KUBECONFIG", ""), os.environ)
    async with Kube(access, "playground-endpoints") as kube:
        await Endpoints(kube, settings).run()


def main() -> None:
    """Parse the command line and work."""
    parser = argparse.ArgumentParser(prog="python -m playground.endpoints")
    parser.add_argument("--nodes", type=int, required=True)
    parser.add_argument("--pods-per-node", type=int, default=1)
    parser.add_argument("--interval", type=float, default=0.2)
    parser.add_argument("--grace", type=float, default=1.0)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = Settings(
        pods=pods(topology(arguments.nodes), arguments.pods_per_node),
        interval=arguments.interval,
        grace=arguments.grace,
    )
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
