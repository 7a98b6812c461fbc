"""The control plane that starts in half a second: the playground's own API server."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playground import daemons
from playground.api import Api
from playground.daemons import Kubeconfig
from playground.plane import Step, Workload
from playground.processes import ProcessSpec
from playground.state import CHECKOUT, INSIDE, Paths
from playground.topology import API_PORT, Topology

START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Embedded:
    """An API server without controllers, schedulers and TLS; any token will do."""

    topology: Topology

    @property
    def url(self) -> str:
        """Where the API is."""
        return self.topology.api_url

    def complaints(self) -> tuple[str, ...]:
        """Return nothing: it is part of this package."""
        return ()

    def prepare(self, paths: Paths) -> None:
        """Do nothing."""

    def servers(self) -> Sequence[Step]:
        """Return the API server."""
        nic = self.topology.control.main
        listen = [option for ip in (nic.v4.ip, nic.v6.ip) for option in ("--host", str(ip))]
        listen += ["--port", str(API_PORT), "--control", str(Paths(INSIDE).faults)]
        argv = (sys.executable, "-m", "playground.apiserver", *listen)
        crds = ("--crds", str(CHECKOUT / "crds"))
        spec = ProcessSpec(name="apiserver", machine="control", argv=(*argv, *crds))
        return (Step(spec=spec, url=f"{self.url}/readyz", seconds=START_SECONDS),)

    def clients(self) -> Sequence[Step]:
        """Return nothing."""
        return ()

    def tls(self, paths: Paths) -> None:
        """Return nothing: it speaks plain HTTP."""

    async def install(self, api: Api, paths: Paths) -> None:
        """Do nothing: it has loaded the custom resources itself."""

    def kubeconfig(self, paths: Paths, client: str) -> Path:
        """Write a kubeconfig in which the client's name is its token."""
        return paths.write_kubeconfig(client, {"server": self.url}, {"token": client})

    def kubectl(self) -> str:
        """Return whichever is installed."""
        return "kubectl"

    def workload(
        self, kubeconfig: Kubeconfig, *, pods_per_node: int, grace_seconds: float
    ) -> Workload:
        """Return pods, the stand-in for the controllers, and each node's stand-in for a proxy."""
        processes = daemons.workload(
            self.topology, kubeconfig, pods_per_node=pods_per_node, grace_seconds=grace_seconds
        )
        return Workload(processes=processes)
