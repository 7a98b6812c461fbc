"""`move`: where an address may go, by the node agents' own election, and what is to be written."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from nodeagent.core.vips import Vip, gather
from plugin.core.candidates import absence
from plugin.core.document import Document
from plugin.core.election import electorate
from plugin.core.placing import Placing
from plugin.core.problem import PluginError
from plugin.core.snapshot import NodeLease, Snapshot
from plugin.core.verdicts import is_remote, slots_of
from purelb.api import annotations
from purelb.api.addresses import IPAddress, sort_key
from purelb.api.identifiers import NodeName
from purelb.api.views import ServiceView


class Moving(Document, frozen=True):
    """One address, who announces it, and its next announcer; empty for nobody."""

    ip: str
    holder: str
    heir: str


class MoveReport(Document, frozen=True):
    """Addresses by text; the Service's others go with the one. `node` is empty for the way back.

    `services` are those whose annotation changes.
    """

    node: str
    services: tuple[str, ...]
    addresses: tuple[Moving, ...]


def move_of(snapshot: Snapshot, address: IPAddress, node: str) -> MoveReport:
    """Return what a move to a node writes and does; PluginError if the node cannot have it."""
    vip, name = _vip(snapshot, address), NodeName(node)
    leases = [one for one in snapshot.leases if one.is_healthy(snapshot.now)]
    members = electorate(leases)
    candidates = members.candidates(address)
    if all(is_remote(service) for service in vip.services) and not candidates:
        raise PluginError(f"{address} is remote: every node has it, so it is not moved")
    if name not in candidates:
        lease = next((one for one in snapshot.leases if one.view.node == name), None)
        why = absence(snapshot, lease, name, address)
        others = ", ".join(candidates) or "none"
        raise PluginError(f"{node} cannot announce {address} ({why}); candidates: {others}")
    if members.wished(address, name) is None:
        raise PluginError(
            f"{_unheeding(leases, candidates)} may announce {address}, too, and runs an agent that"
            " knows no moves: two nodes would announce it; replace that agent first"
        )
    service = vip.services[0]  # the first that names a node counts
    going = [one for one in service.ingress if members.wished(one, name) is not None]
    rows = tuple(_moving(service, one, node) for one in sorted(set(going), key=sort_key))
    return MoveReport(node=node, services=(service.key,), addresses=rows)


def way_back_of(snapshot: Snapshot, address: IPAddress) -> MoveReport:
    """Return what ends all moves of an address."""
    named = named_by(snapshot, address)
    placing = Placing(replace(snapshot, services=tuple(map(_nameless, snapshot.services))))
    members = electorate(one for one in snapshot.leases if one.is_healthy(snapshot.now))
    rows: dict[IPAddress, Moving] = {}
    for service in named:
        for one in service.ingress:
            winner, _ = placing.winner(members, one)
            if winner is not None:
                rows.setdefault(one, _moving(service, one, winner.node))
    return MoveReport(
        node="",
        services=tuple(service.key for service in named),
        addresses=tuple(rows[one] for one in sorted(rows, key=sort_key)),
    )


def named_by(snapshot: Snapshot, address: IPAddress) -> list[ServiceView]:
    """Return the Services that name a node for an address; PluginError if nobody has it."""
    return [one for one in _vip(snapshot, address).services if _names(one)]


def _vip(snapshot: Snapshot, address: IPAddress) -> Vip:
    vip = gather(snapshot.by_key).get(address)
    if vip is None:
        raise PluginError(f"no Service has {address} from us; see kubectl purelb services")
    return vip


def _moving(service: ServiceView, address: IPAddress, heir: str) -> Moving:
    slot = slots_of(service).get(address)
    return Moving(ip=str(address), holder=slot.node if slot is not None else "", heir=heir)


def _nameless(service: ServiceView) -> ServiceView:
    keys = {k: v for k, v in service.annotations.items() if k != annotations.ANNOUNCE_NODE}
    return replace(service, annotations=keys)


def _names(service: ServiceView) -> bool:
    return annotations.ANNOUNCE_NODE in service.annotations


def _unheeding(leases: Sequence[NodeLease], candidates: Sequence[NodeName]) -> str:
    def found() -> Iterator[str]:
        for one in leases:
            if one.view.node in candidates and not one.view.heeds_wishes:
                yield one.view.node

    return min(found(), default="")
