"""A small kubelet: runs the Pods of one node as processes in the node's network namespace.

Belongs here: what a kubelet does between the API server and processes. Does not: images (a table
says which program an image is), volumes that outlive a Pod, cgroups, other users than our own. A
process survives the kubelet that started it, and dies with its node.

`spec` is how a playground starts one.
"""

import sys
from pathlib import Path

from playground.processes import ProcessSpec
from playground.topology import Machine

TOKEN_SECONDS = 3600
LEASE_SECONDS = 4.0


def spec(
    machine: Machine,
    kubeconfig: Path,
    *,
    lease_seconds: float = LEASE_SECONDS,
    token_seconds: float = TOKEN_SECONDS,
) -> ProcessSpec:
    """Return the kubelet of a node.

    `kubeconfig` is a path inside, of the node's own identity or an administrator's. The Node's
    Lease lasts `lease_seconds` and is renewed four times in it. Pods' tokens are replaced when
    80 % of `token_seconds` are over.
    """
    addresses = (str(machine.main.v4.ip), str(machine.main.v6.ip))
    argv = (
        *(sys.executable, "-m", "playground.kubelet", "--node", machine.name),
        *(option for address in addresses for option in ("--address", address)),
        *("--lease-seconds", f"{lease_seconds:g}", "--token-seconds", f"{token_seconds:g}"),
    )
    return ProcessSpec(
        name=f"kubelet-{machine.name}",
        machine=machine.name,
        argv=argv,
        environment={"KUBECONFIG": str(kubeconfig)},
    )
