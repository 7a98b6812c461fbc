"""What the end-to-end tests run in: one world with a real control plane, for all of them."""

import os
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from playground.cluster import Cluster
from playground.controlplane.binaries import BUILD, missing
from playground.preflight import complaints

NODES = 2
NODE_GRACE_SECONDS = 10.0  # a node's kubelet reports four times in four seconds
SECONDS = 60.0  # far longer than anything here takes

Scenario: TypeAlias = Callable[[Cluster], Awaitable[None]]
World: TypeAlias = Callable[[Scenario], None]


def obstacles() -> str:
    """Return why there can be no such world here, in sentences; empty if there can.

    With PURELB_E2E set there is no excuse: the tests then fail for the same reasons.
    """
    if os.environ.get("PURELB_E2E"):
        return ""
    names = missing(os.environ)
    lacking = (f"{', '.join(names)} not found: `{BUILD}` builds what is missing",)
    return "; ".join((*complaints(), *(lacking if names else ())))
