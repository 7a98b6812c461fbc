"""`inspect`: one Service from its addresses to the nodes that announce them, or why it has none."""

from collections.abc import Iterator

from nodeagent.core.endpoints import nodes_of
from plugin.core.allocation import Allocator
from plugin.core.bgpstate import BgpState, bgp_of
from plugin.core.coverage import network_with
from plugin.core.diagnosis import Diagnosis, diagnose
from plugin.core.document import Document
from plugin.core.election import electorate, renewed_ago
from plugin.core.nodeconfig import dummies
from plugin.core.placing import Ground, Placing
from plugin.core.routes import is_advertised, is_in_table
from plugin.core.snapshot import Snapshot
from plugin.core.verdicts import is_remote, ports_of, slots_of
from purelb.api import annotations
from purelb.api.addresses import IPAddress, sort_key
from purelb.api.views import ServiceView

HASH = "SHA256 hash"
GROUNDS = {
    Ground.WISH: f"{HASH}, but the Service names the node",
    Ground.STAYS: f"{HASH}, but the address stays where it is",
}


class AllocationRow(Document, frozen=True):
    """One address, and the range it is of."""

    ip: str
    pool: str
    pool_type: str
    range: str = ""
    subnet: str = ""


class ElectionRow(Document, frozen=True):
    """The election for one address; `winner` is empty where nobody can win."""

    ip: str
    candidates: tuple[str, ...]
    subnet: str
    winner: str
    method: str
    matches_announcer: bool
    preferred_nodes: tuple[str, ...] = ()


class AnnouncementRow(Document, frozen=True):
    """Who announces an address; `node` is empty for every node."""

    ip: str
    node: str
    interface: str
    lease_healthy: bool
    renewed_ago: str = ""


class Sharing(Document, frozen=True):
    """The sharing key, and the other Services that have it, as `namespace/name (TCP/80)`."""

    key: str
    co_tenants: tuple[str, ...]


class Endpoints(Document, frozen=True):
    """How many endpoints take traffic, and on which nodes."""

    ready: int
    nodes: tuple[str, ...]


class BgpRow(Document, frozen=True):
    """One node's table, as far as one address goes."""

    ip: str
    node: str
    in_rib: bool
    advertised: bool


class InspectReport(Document, frozen=True):
    """Everything about one Service; `diagnosis` only where it has no address."""

    service: str
    type: str
    ip_families: str
    external_traffic_policy: str
    status: str
    endpoints: Endpoints
    allocations: tuple[AllocationRow, ...] = ()
    elections: tuple[ElectionRow, ...] = ()
    announcements: tuple[AnnouncementRow, ...] = ()
    sharing: Sharing | None = None
    bgp: tuple[BgpRow, ...] = ()
    bgp_note: str = ""
    diagnosis: Diagnosis | None = None


def report_service(snapshot: Snapshot, allocator: Allocator, service: ServiceView) -> InspectReport:
    """Return the report; the snapshot's slices are those of this Service."""
    families = ", ".join(service.families)
    policy = f" ({service.family_policy})" if service.family_policy else ""
    has_address = service.is_branded and bool(service.ingress)
    bgp = bgp_of(snapshot)
    uses_bgp = has_address and is_remote(service)
    return InspectReport(
        service=service.key,
        type=service.type,
        ip_families=f"{families}{policy}" if families else "",
        external_traffic_policy=service.external_policy,
        status="Allocated" if has_address else "PENDING",
        endpoints=_endpoints(snapshot),
        allocations=tuple(_allocations(allocator, service)) if has_address else (),
        elections=tuple(elections(snapshot, service)) if has_address else (),
        announcements=tuple(_announcements(snapshot, service)) if has_address else (),
        sharing=_sharing(snapshot, service) if has_address else None,
        bgp=tuple(_routes(snapshot, service)) if uses_bgp and bgp.state is BgpState.ACTIVE else (),
        bgp_note=bgp.state.value if uses_bgp else "",
        diagnosis=None if has_address else diagnose(snapshot, allocator, service),
    )


def _endpoints(snapshot: Snapshot) -> Endpoints:
    ill = {address for one in snapshot.slices for address in one.ill}
    healthy = {a for one in snapshot.slices for a, _ in one.healthy if a not in ill}
    nodes = nodes_of(snapshot.slices)
    return Endpoints(ready=len(healthy), nodes=tuple(sorted(node for node in nodes if node)))


def _allocations(allocator: Allocator, service: ServiceView) -> Iterator[AllocationRow]:
    keys = service.annotations
    for address in sorted(service.ingress, key=sort_key):
        text, subnet = _range_of(allocator, address)
        yield AllocationRow(
            ip=str(address),
            pool=keys.get(annotations.ALLOCATED_FROM, ""),
            pool_type=keys.get(annotations.POOL_TYPE, ""),
            range=text,
            subnet=subnet,
        )


def _range_of(allocator: Allocator, address: IPAddress) -> tuple[str, str]:
    pool = allocator.pools.locate(address)
    for ranges in pool.ranges.values() if pool else ():
        for one in ranges:
            if address in one.addresses:
                return one.text, str(one.subnet)
    return "", ""


def elections(snapshot: Snapshot, service: ServiceView) -> Iterator[ElectionRow]:
    """Yield the elections for addresses that lie in the network of some node."""
    leases = {one.view.node: one for one in snapshot.leases if one.is_healthy(snapshot.now)}
    members = electorate(leases.values())
    slots, placing = slots_of(service), Placing(snapshot)
    for address in sorted(service.ingress, key=sort_key):
        candidates = members.candidates(address)
        if is_remote(service) and not candidates:
            continue
        found, ground = placing.winner(members, address)
        preferred = placing.preferred(address)
        winner = found.node if found else ""
        slot = slots.get(address)
        yield ElectionRow(
            ip=str(address),
            candidates=candidates,
            subnet=network_with(leases.get(found.node) if found else None, address),
            winner=winner,
            method=GROUNDS.get(ground)
            or _method(is_biased=bool(preferred), fell_back=bool(found and found.fell_back)),
            matches_announcer=slot is None or slot.node == winner,
            preferred_nodes=tuple(sorted(preferred)),
        )


def _method(*, is_biased: bool, fell_back: bool) -> str:
    if fell_back:
        return f"{HASH}, affinity fell back: no node with endpoints is a candidate"
    return f"{HASH}, affinity to nodes with endpoints" if is_biased else HASH


def _announcements(snapshot: Snapshot, service: ServiceView) -> Iterator[AnnouncementRow]:
    leases = {one.view.node: one for one in snapshot.leases}
    slots = slots_of(service)
    for address in sorted(service.ingress, key=sort_key):
        slot = slots.get(address)
        if slot is not None:
            lease = leases.get(slot.node)
            yield AnnouncementRow(
                ip=str(address),
                node=slot.node,
                interface=slot.link,
                lease_healthy=lease is not None and lease.is_healthy(snapshot.now),
                renewed_ago=renewed_ago(lease, snapshot.now) if lease is not None else "",
            )
        elif is_remote(service):
            link = ",".join(dummies(snapshot.agents))
            yield AnnouncementRow(ip=str(address), node="", interface=link, lease_healthy=True)


def _sharing(snapshot: Snapshot, service: ServiceView) -> Sharing | None:
    key = service.annotations.get(annotations.SHARING_KEY)
    if not key:
        return None
    others = sorted(
        f"{other.key} ({ports_of(other)})"
        for other in snapshot.services
        if other.key != service.key and other.annotations.get(annotations.SHARING_KEY) == key
    )
    return Sharing(key=key, co_tenants=tuple(others)) if others else None


def _routes(snapshot: Snapshot, service: ServiceView) -> Iterator[BgpRow]:
    for address in sorted(service.ingress, key=sort_key):
        found = [
            BgpRow(
                ip=str(address),
                node=node.status.node_name,
                in_rib=is_in_table(node.status, address),
                advertised=is_advertised(node.status, address),
            )
            for node in snapshot.bgp_nodes
        ]
        known = [row for row in found if row.in_rib or row.advertised]
        nobody = BgpRow(ip=str(address), node="(none)", in_rib=False, advertised=False)
        yield from known or [nobody]
