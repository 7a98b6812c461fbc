"""What an agent does otherwise in a large cluster, by the number of nodes. Pure.

Belongs here: limits and what follows from them. Does not: counting (`nodeagent.shell.census`).
Decided once, when an agent starts: how long its Lease lasts does not change while it lives.
"""

import math
from collections.abc import Iterator
from typing import Final

from nodeagent.core.findings import Check, Finding

# Renewals per second of all nodes together: less than what their kubelets cost, of which each
# renews a Lease of its own every ten seconds.
MOST_RENEWALS: Final = 80.0
RENEWALS: Final = 3  # in the time that a Lease lasts
# Nodes up to which every agent watches all Leases: at most 3,000 events a second altogether.
WATCHED_WHOLE: Final = 100


def lease_seconds(wanted: float, nodes: int) -> float:
    """Return how long a Lease lasts: as long as is wanted, or longer for the API server's sake."""
    longest_wait = nodes / MOST_RENEWALS
    if wanted >= RENEWALS * longest_wait:
        return wanted
    return math.ceil(RENEWALS * longest_wait)


def watches_by_network(nodes: int) -> bool:
    """Tell whether an agent watches only the Leases of nodes with which it shares a network."""
    return nodes > WATCHED_WHOLE


def complaints(refusal: str) -> Iterator[Finding]:
    """Yield what to tell on the node if the API server did not let this agent count: why not."""
    if refusal:
        message = (
            f"the number of nodes is not known ({refusal}), so the cluster counts as a small one: "
            "in a large one Leases are renewed and watched more than the API server may bear; let "
            "the agent's ServiceAccount list nodes, then restart the agent"
        )
        yield Finding(check=Check.NODE_COUNT, subject="nodes", message=message)
