"""`evacuate`: what a node announces, and who gets it, by the node agents' own formula."""

from collections.abc import Iterator

from plugin.core.document import Document
from plugin.core.election import NO_CANDIDATES, electorate
from plugin.core.placing import Placing
from plugin.core.problem import PluginError
from plugin.core.snapshot import Snapshot
from plugin.core.verdicts import served, slots_of
from purelb.api.addresses import IPAddress, sort_key
from purelb.api.identifiers import NodeName
from purelb.api.views import ServiceView


class Leaving(Document, frozen=True):
    """One address that a node announces, and its heir; empty for nobody."""

    service: str
    ip: str
    heir: str
    warning: str = ""


class EvacuationReport(Document, frozen=True):
    """Addresses by Service and text; of `stranded` ones no other node is a candidate."""

    node: str
    addresses: tuple[Leaving, ...]
    stranded: int = 0


def evacuation_of(snapshot: Snapshot, node: str) -> EvacuationReport:
    """Return what would leave a node; PluginError if there is no such Node."""
    assert_known(snapshot, node)
    healthy = (one for one in snapshot.leases if one.is_healthy(snapshot.now))
    members = electorate(healthy).without({NodeName(node)})
    rows, placing = [], Placing(snapshot)
    for service, address in announced_by(snapshot, node):
        heir, _ = placing.winner(members, address)
        row = Leaving(
            service=service.key,
            ip=str(address),
            heir=heir.node if heir is not None else "",
            warning="" if heir is not None else NO_CANDIDATES,
        )
        rows.append(row)
    stranded = len({row.ip for row in rows if row.warning})
    return EvacuationReport(node=node, addresses=tuple(rows), stranded=stranded)


def assert_known(snapshot: Snapshot, node: str) -> None:
    """Raise PluginError if there is no such Node."""
    if all(one.metadata.name != node for one in snapshot.nodes):
        raise PluginError(f'there is no Node "{node}"; see kubectl get nodes')


def announced_by(snapshot: Snapshot, node: str) -> Iterator[tuple[ServiceView, IPAddress]]:
    """Yield what a node announces, as the Services' annotations say."""
    for service in sorted(served(snapshot.services), key=lambda view: view.key):
        slots = slots_of(service)
        for address in sorted(slots.keys() & set(service.ingress), key=sort_key):
            if slots[address].node == node:
                yield service, address
