"""Whether BGP is in use, and how it is on the whole."""

from dataclasses import dataclass
from enum import StrEnum

from plugin.core.components import SIDECAR, component
from plugin.core.snapshot import Snapshot

ESTABLISHED = "Established"


class BgpState(StrEnum):
    """What a user is told instead of tables; both others are legitimate ways to run."""

    ACTIVE = ""
    NOT_CONFIGURED = "BGP not configured."
    NOT_ENABLED = "BGP not enabled."


@dataclass(frozen=True, slots=True)
class Bgp:
    """BGP of all nodes together."""

    state: BgpState
    peers: int
    established: int
    import_failures: int

    @property
    def summary(self) -> str:
        """The line of `status`."""
        if self.state is not BgpState.ACTIVE:
            return self.state.value.removeprefix("BGP ").removesuffix(".")
        failures = self.import_failures
        pipeline = f"{failures} import failure(s)" if failures else "netlinkImport OK"
        return f"{self.established}/{self.peers} peers established | {pipeline}"


def bgp_of(snapshot: Snapshot) -> Bgp:
    """Return the state that the nodes' BGPNodeStatus and Pods show."""
    statuses = [node.status for node in snapshot.bgp_nodes]
    neighbors = [neighbor for status in statuses for neighbor in status.neighbors or ()]
    failures = sum(
        not address.in_rib
        for status in statuses
        for address in status.netlink_import.imported_addresses or ()
    )
    if neighbors:
        state = BgpState.ACTIVE
    elif statuses or component(snapshot.pods, SIDECAR).pods:
        state = BgpState.NOT_CONFIGURED
    else:
        state = BgpState.NOT_ENABLED
    return Bgp(
        state=state,
        peers=len(neighbors),
        established=sum(neighbor.state == ESTABLISHED for neighbor in neighbors),
        import_failures=failures,
    )
