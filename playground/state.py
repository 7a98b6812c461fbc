"""Where a playground keeps its files: a private tmpfs that ends with it.

The same layout is seen from inside (root `/`) and, through /proc, from outside.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

INSIDE = Path("/")
CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Paths:
    """The layout below a root directory."""

    root: Path

    @property
    def folder(self) -> Path:
        """Everything of the playground's own."""
        return self.root / "run/playground"

    @property
    def scratch(self) -> Path:
        """Temporary files of processes."""
        return self.folder / "tmp"

    @property
    def logs(self) -> Path:
        """One log for each process."""
        return self.folder / "log"

    @property
    def kubeconfigs(self) -> Path:
        """One kubeconfig for each client of the API."""
        return self.folder / "kubeconfig"

    @property
    def certificates(self) -> Path:
        """The keys and certificates of a real control plane."""
        return self.folder / "certificates"

    @property
    def tokens(self) -> Path:
        """One file for each ServiceAccount of the daemons."""
        return self.folder / "token"

    @property
    def heartbeat_key(self) -> Path:
        """The key with which node agents sign their heartbeats."""
        return self.folder / "heartbeat-key"

    @property
    def etcd(self) -> Path:
        """The database of a real control plane."""
        return self.folder / "etcd"

    @property
    def supervisor(self) -> Path:
        """The supervisor's socket."""
        return self.folder / "supervisor.sock"

    @property
    def dial(self) -> Path:
        """The socket that opens connections from any machine."""
        return self.folder / "dial.sock"

    @property
    def api(self) -> Path:
        """The socket that leads to the API server."""
        return self.folder / "api.sock"

    @property
    def faults(self) -> Path:
        """The embedded API server's socket for faults."""
        return self.folder / "control.sock"

    def log(self, process: str) -> Path:
        """Return the log of a process."""
        return self.logs / f"{process}.log"

    def create(self) -> None:
        """Make the directories."""
        folders = (self.logs, self.kubeconfigs, self.scratch, self.certificates, self.tokens)
        for folder in folders:
            folder.mkdir(parents=True)

    def write_kubeconfig(
        self, client: str, cluster: Mapping[str, str], user: Mapping[str, str]
    ) -> Path:
        """Write the kubeconfig of a client, and return its path inside.

        `cluster` and `user` are the sections of these names.
        """
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "playground",
            "contexts": [{"name": "playground", "context": {"cluster": "api", "user": client}}],
            "clusters": [{"name": "api", "cluster": dict(cluster)}],
            "users": [{"name": client, "user": dict(user)}],
        }
        (self.kubeconfigs / client).write_text(json.dumps(config))
        return Paths(INSIDE).kubeconfigs / client
