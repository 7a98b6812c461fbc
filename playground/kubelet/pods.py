"""All Pods of a node: one worker for each, from the API server's watch or from what is left."""

import asyncio
import logging
import shutil
from pathlib import Path
from typing import NoReturn

from playground.api import path_of
from playground.kubelet import runs
from playground.kubelet.wire import Pod, decode_pod
from playground.kubelet.worker import SANDBOX, Host, PodWorker
from purelb.runtime.clock import BootClock
from purelb.runtime.informer import Informer, Source
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

ORPHAN_SECONDS = 5.0  # for containers whose Pod vanished while no kubelet was there


class Pods:
    """Starts and tells the workers."""

    def __init__(self, kube: Kube, host: Host, node: str) -> None:
        self._host = host
        self._workers: dict[str, PodWorker] = {}  # by uid
        self._tasks: asyncio.TaskGroup | None = None
        source = Source(
            path=path_of("Pod"),
            view=decode_pod,
            selector=(("fieldSelector", f"spec.nodeName={node}"),),
        )
        self._informer = Informer(kube, source, self._on_change, BootClock())

    async def run(self) -> NoReturn:
        """Work until cancelled; containers go on without us."""
        folders = list(self._host.folder.glob("*"))
        self._host.sandboxes.adopt(folder / SANDBOX for folder in folders)
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._informer.run())
            await self._informer.synced.wait()
            for folder in folders:
                if folder.name not in self._workers:
                    tasks.create_task(_end_orphan(folder))
        raise AssertionError("watching has no end")

    def find(self, namespace: str, name: str) -> PodWorker | None:
        """Return a Pod by its name; the newest if one is still ending."""
        for worker in reversed(self._workers.values()):
            if worker.name == (namespace, name):
                return worker
        return None

    def _on_change(self, old: Pod | None, new: Pod | None) -> None:
        if new is None:
            if old is not None and (gone := self._workers.pop(old.metadata.uid, None)) is not None:
                gone.remove()
            return
        worker = self._workers.get(new.metadata.uid)
        if worker is not None:
            worker.update(new)
        elif self._tasks is not None:
            worker = self._workers[new.metadata.uid] = PodWorker(new, self._host)
            self._tasks.create_task(_guarded(worker))


async def _guarded(worker: PodWorker) -> None:
    """Run a worker; a bug ends one Pod, not the node."""
    try:
        await worker.run()
    except Exception:
        logger.exception("the worker of %s failed", "/".join(worker.name))


async def _end_orphan(folder: Path) -> None:
    """End the containers of a Pod that nobody knows any more."""
    logger.info("%s is an orphan", folder.name)
    await runs.end_all(folder, ORPHAN_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
