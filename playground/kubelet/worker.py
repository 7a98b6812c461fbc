"""The life of one Pod on its node: credentials, network, containers, status, and the end of it."""

import asyncio
import logging
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import aiohttp

from playground.api import path_of
from playground.kubelet import commands, runs, volumes
from playground.kubelet.commands import Place
from playground.kubelet.containers import ContainerLoop, Plan
from playground.kubelet.credentials import Issuer
from playground.kubelet.runs import RunError
from playground.kubelet.sandbox import Sandbox, SandboxError, Sandboxes
from playground.kubelet.status import pod_status
from playground.kubelet.wire import Container, ContainerStatus, Pod, grace_seconds
from purelb.runtime.errors import ConflictError, NotFoundError, PurelbError
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.2  # the API server learns a moment late that a Pod is on this node
GATHER_SECONDS = 0.01  # what changes together is written together
FINAL = ("Succeeded", "Failed")
INHERITED = ("PATH", "PYTHONPATH", "LANG", "TMPDIR")
SANDBOX = ".sandbox"  # no container can be called so


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What all Pods of a node share."""

    kube: Kube
    http: aiohttp.ClientSession  # for probes
    issuer: Issuer
    sandboxes: Sandboxes
    ips: tuple[str, ...]
    folder: Path  # one folder for each Pod, by uid
    logs: Path


class PodWorker:
    """Runs one Pod until it is deleted and its containers have ended."""

    def __init__(self, pod: Pod, host: Host) -> None:
        self._pod, self._host = pod, host
        self._folder = host.folder / pod.metadata.uid
        self._place = Place(pod_ips=host.ips, host_ips=host.ips)
        self._loops: list[ContainerLoop] = []
        self._sandbox: Sandbox | None = None
        self._written: Mapping[str, Any] = {}
        self._changed, self._leaving = asyncio.Event(), asyncio.Event()
        self._deadline_moved = asyncio.Event()
        self._is_removed = False
        self._kill_at = float("inf")  # on the loop's clock
        self.update(pod)

    def update(self, pod: Pod) -> None:
        """Take over a newer version of the Pod."""
        self._pod = pod
        if pod.metadata.deletion_timestamp is not None:
            self._leave(grace_seconds(pod))

    def remove(self) -> None:
        """Take note that the API server has no such Pod any more."""
        self._is_removed = True
        is_forced = self._leaving.is_set()  # deleted while it had time left
        self._leave(0 if is_forced else grace_seconds(self._pod))

    async def run(self) -> None:
        """Work until nothing of the Pod is left."""
        async with asyncio.TaskGroup() as tasks:
            living = tasks.create_task(self._live())
            writing = tasks.create_task(self._keep_written())
            await self._leaving.wait()
            await self._end(living)
            writing.cancel()
        # What is not in a loop: the sandbox, and what an earlier kubelet left to a Pod that ends.
        await runs.end_all(self._folder, max(0.0, self._remaining()))
        await self._report_end()
        if self._sandbox is not None:
            self._sandbox.run.close()
        self._host.sandboxes.close(self._pod.metadata.uid)
        shutil.rmtree(self._folder, ignore_errors=True)

    def log(self, container: str, attempt: int) -> Path:
        """Return the log of a container's run."""
        return self._log_folder(container) / f"{attempt}.log"

    def attempt(self, container: str) -> int | None:
        """Return the latest run of a container; None if there is none of that name."""
        for loop in self._loops:
            if loop.facts.name == container:
                return loop.facts.restarts
        return None

    @property
    def name(self) -> tuple[str, str]:
        """Namespace and name of the Pod."""
        return self._pod.metadata.namespace, self._pod.metadata.name

    def _leave(self, grace: float) -> None:
        now = asyncio.get_running_loop().time()
        self._kill_at = min(self._kill_at, now + grace)
        self._leaving.set()
        self._deadline_moved.set()

    async def _live(self) -> None:
        """Prepare the Pod, then run its containers."""
        if self._pod.status.phase in FINAL or self._leaving.is_set():
            return
        kubeconfig = await self._prepare()
        self._loops = [
            ContainerLoop(self._plan(container, kubeconfig), self._host.http, self._changed.set)
            for container in self._pod.spec.containers
        ]
        self._changed.set()
        if self._leaving.is_set():
            return
        known = {one.name: one for one in self._pod.status.container_statuses or ()}
        async with asyncio.TaskGroup() as tasks:
            fresh = tasks.create_task(self._keep_fresh(kubeconfig))
            async with asyncio.TaskGroup() as running:
                for loop in self._loops:
                    before = known.get(loop.facts.name, ContainerStatus())
                    states = {"was_started": bool(before.started), "was_ready": before.ready}
                    running.create_task(loop.run(**states))
            fresh.cancel()

    async def _keep_fresh(self, kubeconfig: Path | None) -> None:
        if kubeconfig is not None:
            await self._host.issuer.keep_fresh(self._pod, kubeconfig.parent)

    async def _prepare(self) -> Path | None:
        """Make network and credentials, however often it takes; returns the kubeconfig."""
        while True:
            try:
                if not self._pod.spec.host_network:
                    uid = self._pod.metadata.uid
                    self._sandbox = await self._host.sandboxes.open(uid, self._folder / SANDBOX)
                    self._place = Place(pod_ips=self._sandbox.ips, host_ips=self._host.ips)
                await volumes.fill(self._host.kube, self._pod, self._folder)
                if self._pod.spec.automount_service_account_token is False:
                    return None
                folder = self._folder / ".credentials"
                return await self._host.issuer.write(self._pod, folder)
            except (PurelbError, SandboxError, RunError) as error:
                logger.warning("%s cannot start: %s", "/".join(self.name), error)
                await asyncio.sleep(RETRY_SECONDS)

    def _plan(self, container: Container, kubeconfig: Path | None) -> Plan:
        base = {name: os.environ[name] for name in INHERITED if name in os.environ}
        # As an image of ours has it: its own Python first, output at once.
        base["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), base.get("PATH", "")))
        base |= {"PYTHONUNBUFFERED": "1", "HOSTNAME": self._pod.metadata.name}
        if kubeconfig is not None:
            base["KUBECONFIG"] = str(kubeconfig)
        pod, place = self._pod, self._place
        prefix = self._sandbox.prefix if self._sandbox is not None else ()
        return Plan(
            container=container,
            folder=self._folder / container.name,
            log=partial(self.log, container.name),
            restart_policy=pod.spec.restart_policy,
            grace_seconds=grace_seconds(pod),
            host=place.pod_ips[0],
            command=lambda: (
                *prefix,
                *volumes.prefix(pod, container, self._folder),
                *commands.command_line(pod, container, place, sys.executable),
            ),
            environment=lambda: commands.environment(pod, container, place, base),
        )

    async def _end(self, living: asyncio.Task[None]) -> None:
        """Ask all containers to end, and kill those that have not by the deadline."""
        if not self._loops:
            living.cancel()
        if self._remaining() > 0:  # without time left nobody is asked
            for loop in self._loops:
                loop.stop()
        while not living.done() and self._remaining() > 0:
            self._deadline_moved.clear()
            moved = asyncio.create_task(self._deadline_moved.wait())
            ends = asyncio.FIRST_COMPLETED
            await asyncio.wait([living, moved], timeout=self._remaining(), return_when=ends)
            moved.cancel()
        for loop in self._loops:
            loop.kill()
        await asyncio.wait([living])

    def _remaining(self) -> float:
        return self._kill_at - asyncio.get_running_loop().time()

    async def _report_end(self) -> None:
        """Write the last status, then let the API server forget the Pod."""
        meta = self._pod.metadata
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": meta.uid},
        }
        while not self._is_removed:
            try:
                await self._write()
                await self._host.kube.delete(self._path, options)
                return
            except (NotFoundError, ConflictError):
                return
            except PurelbError as error:
                logger.warning("end of %s: %s", "/".join(self.name), error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _keep_written(self) -> NoReturn:
        """Write the status whenever it differs from what was written."""
        self._changed.set()
        while True:
            await self._changed.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._changed.clear()
            try:
                await self._write()
            except (NotFoundError, ConflictError):
                continue  # the watch will tell
            except PurelbError as error:
                logger.warning("status of %s: %s", "/".join(self.name), error)
                await asyncio.sleep(RETRY_SECONDS)
                self._changed.set()

    async def _write(self) -> None:
        facts = [loop.facts for loop in self._loops]
        if not facts or self._pod.status.phase in FINAL:
            return
        status = pod_status(self._pod, self._place, facts, self._written, time.time())
        if status != self._written:
            body = {"metadata": {"uid": self._pod.metadata.uid}, "status": status}
            await self._host.kube.patch(f"{self._path}/status", body)
            self._written = status

    @property
    def _path(self) -> str:
        return path_of("Pod", *self.name)

    def _log_folder(self, container: str) -> Path:
        meta = self._pod.metadata
        return self._host.logs / f"{meta.namespace}_{meta.name}_{meta.uid}" / container
