"""Every group and every node, and why it serves a Service or not."""

from collections.abc import Iterable, Iterator

from allocator.core.explain import explain
from nodeagent.core.election import Winner
from nodeagent.core.endpoints import may_announce, nodes_of
from plugin.core.allocation import Allocator
from plugin.core.document import Document
from plugin.core.election import electorate
from plugin.core.nodeconfig import State, governed, in_order
from plugin.core.placing import Ground, Placing
from plugin.core.snapshot import NodeLease, Snapshot
from plugin.core.spans import span_text
from plugin.core.verdicts import is_remote
from purelb.api.addresses import IPAddress, sort_key
from purelb.api.identifiers import NodeName
from purelb.api.views import OUT_OF_SERVICE, ServiceView, is_evacuated, is_out_of_service


class GroupChoice(Document, frozen=True):
    """One ServiceGroup."""

    group: str
    chosen: bool
    serves: bool
    why: str


class NodeChoice(Document, frozen=True):
    """One node and one address."""

    ip: str
    node: str
    winner: bool
    candidate: bool
    why: str


def group_choices(allocator: Allocator, service: ServiceView) -> Iterator[GroupChoice]:
    """Yield all groups by name, with the allocator's own words."""
    for one in explain(allocator.world, allocator.ledger, service.key).candidates:
        yield GroupChoice(group=one.name, chosen=one.is_chosen, serves=one.may_serve, why=one.why)


def node_choices(snapshot: Snapshot, service: ServiceView) -> Iterator[NodeChoice]:
    """Yield all nodes by address and name; a remote address is on every node that may have it."""
    members = electorate(one for one in snapshot.leases if one.is_healthy(snapshot.now))
    leases, placing = {one.view.node: one for one in snapshot.leases}, Placing(snapshot)
    names = sorted({*leases, *(NodeName(node.metadata.name) for node in snapshot.nodes)})
    for address in sorted(service.ingress, key=sort_key):
        candidates = frozenset(members.candidates(address))
        if is_remote(service) and not candidates:
            yield from _everywhere(snapshot, service, address, names)
            continue
        found, ground = placing.winner(members, address)
        preferred = placing.preferred(address)
        for name in names:
            why = (
                _standing(name, found, preferred, ground)
                if found is not None and name in candidates
                else absence(snapshot, leases.get(name), name, address)
            )
            yield NodeChoice(
                ip=str(address),
                node=name,
                winner=found is not None and found.node == name,
                candidate=name in candidates,
                why=why,
            )


def _everywhere(
    snapshot: Snapshot, service: ServiceView, address: IPAddress, names: Iterable[NodeName]
) -> Iterator[NodeChoice]:
    leases = {one.view.node: one for one in snapshot.leases}
    nodes = nodes_of(snapshot.slices)
    for name in names:
        why = _silence(snapshot, leases.get(name), name)
        if not why and not may_announce(service, name, nodes):
            why = "has no endpoint, and externalTrafficPolicy is Local"
        has_it = not why
        if has_it:
            why = "has it on its dummy interface"
            if _is_evacuated(snapshot, name):
                why += "; it is evacuated, so the BGP sidecar there tells nobody"
        ip = str(address)
        yield NodeChoice(ip=ip, node=name, winner=has_it, candidate=has_it, why=why)


def _standing(name: NodeName, found: Winner, preferred: frozenset[NodeName], ground: Ground) -> str:
    is_winner = found.node == name
    if ground is Ground.WISH:
        return "wins: its Service names it" if is_winner else f"its Service names {found.node}"
    if ground is Ground.STAYS:
        return "keeps it: it is nonRevertive" if is_winner else f"{found.node} has it, and keeps it"
    if found.node == name:
        if name in preferred:
            return "wins among the nodes with endpoints"
        return "wins: its hash is the smallest" + (
            "; no node with endpoints is a candidate" if found.fell_back else ""
        )
    if preferred and not found.fell_back and name not in preferred:
        return f"has no endpoint, so {found.node} is preferred"
    return f"loses to {found.node}, whose hash is smaller"


def _is_evacuated(snapshot: Snapshot, name: NodeName) -> bool:
    return any(node.metadata.name == name and is_evacuated(node) for node in snapshot.nodes)


def _silence(snapshot: Snapshot, lease: NodeLease | None, name: NodeName) -> str:
    """Return why a node announces nothing at all, empty if it does."""
    if lease is None:
        return "has no Lease: no node agent runs there"
    if lease.expires_at is None:
        return "its Lease was never renewed: its node agent has just started, or cannot write"
    if not lease.is_healthy(snapshot.now):
        return f"its Lease is over for {span_text(snapshot.now - lease.expires_at)}: it is down"
    labels = {node.metadata.name: node.metadata.labels or {} for node in snapshot.nodes}
    config = governed(in_order(snapshot.agents), labels.get(name))
    if config.state in (State.DESELECTED, State.INVALID, State.REMOTE, State.NO_CONFIG):
        return f"announces nothing: {config.reason}"
    return ""


def absence(snapshot: Snapshot, lease: NodeLease | None, name: NodeName, address: IPAddress) -> str:
    """Return why a node is no candidate for an address, as the end of a sentence."""
    silence = _silence(snapshot, lease, name)
    if silence or lease is None:
        return silence
    if _is_evacuated(snapshot, name):
        return f"is evacuated; kubectl purelb uncordon {name} ends that"
    if any(n.metadata.name == name and is_out_of_service(n) for n in snapshot.nodes):
        return f"has the taint {OUT_OF_SERVICE}"
    if not lease.view.is_announcing:
        return "only shows its networks: it is about to leave, or has no configuration"
    shown = ", ".join(lease.subnets) or "none"
    return f"none of its networks has {address}: {shown}"
