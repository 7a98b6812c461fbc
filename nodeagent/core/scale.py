"""What an agent does otherwise in a large cluster, by the number of nodes. Pure.

Belongs here: limits and what follows from them. Does not: counting (`nodeagent.shell.census`).
Decided once, when an agent starts: how long its Lease lasts does not change while it lives.
"""

import math
from typing import Final

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
