"""What a control plane is to the playground: processes to start, and how to reach its API.

The one seam between the embedded API server and a real control plane. The supervisor starts it from
inside, `Cluster` and the command line write kubeconfigs from outside; `Paths` says which side.
"""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from playground.api import Api
from playground.daemons import Kubeconfig
from playground.processes import ProcessSpec
from playground.state import Paths


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A process and the URL that answers 200 once it serves, as seen from its machine.

    `seconds` is how long that may take.
    """

    spec: ProcessSpec
    url: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a cluster has beside PureLB and its control plane: processes, and objects to apply."""

    processes: Sequence[ProcessSpec] = ()
    objects: Sequence[Mapping[str, Any]] = ()


class ControlPlane(Protocol):
    """One kind of control plane, for one topology."""

    @property
    def url(self) -> str:
        """Where the API is, as every machine reaches it."""

    def complaints(self) -> tuple[str, ...]:
        """Return what it lacks on this system, a sentence each; asked before anything happens."""

    def prepare(self, paths: Paths) -> None:
        """Write what the processes read."""

    def servers(self) -> Sequence[Step]:
        """Return what makes the API serve, to be started one after the other."""

    def clients(self) -> Sequence[Step]:
        """Return what needs the API and the Nodes, to be started together."""

    def tls(self, paths: Paths) -> ssl.SSLContext | None:
        """Return what connects to its servers as an administrator; None for plain HTTP."""

    async def install(self, api: Api, paths: Paths) -> None:
        """Create the objects that it has beside Nodes and the namespace of the daemons."""

    def kubeconfig(self, paths: Paths, client: str) -> Path:
        """Write the kubeconfig of a client of the API and return its path inside."""

    def kubectl(self) -> str:
        """Return the kubectl to use with it."""

    def workload(
        self, kubeconfig: Kubeconfig, *, pods_per_node: int, grace_seconds: float
    ) -> Workload:
        """Return the echo pods, and what makes Services reach them beyond `clients`.

        A pod that does not answer for `grace_seconds` is not ready.
        """
