"""In which Pods a command of the BGP sidecar can be run."""

from plugin.core.components import RUNNING, SIDECAR
from plugin.core.problem import PluginError
from plugin.core.snapshot import Snapshot
from plugin.core.wire import Pod


def sidecars(snapshot: Snapshot, node: str = "") -> tuple[Pod, ...]:
    """Return the running Pods with the sidecar, by node; all, or that of one node.

    Raises PluginError if there is none.
    """
    found = [
        pod
        for pod in snapshot.pods
        if any(one.name == SIDECAR for one in pod.spec.containers or ())
        and pod.status.phase == RUNNING
        and node in ("", pod.spec.node_name)
    ]
    if not found:
        where = f" on node {node}" if node else ""
        raise PluginError(f"no Pod with container {SIDECAR} runs{where}; see kubectl purelb status")
    return tuple(sorted(found, key=lambda pod: (pod.spec.node_name, pod.metadata.name)))
