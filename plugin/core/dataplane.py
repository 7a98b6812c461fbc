"""`bgp dataplane`: from addresses to routes, from routes to neighbors, and back into the kernel."""

from collections.abc import Iterator
from dataclasses import dataclass

from bgp.core.health import VRFS
from nodeagent.core.endpoints import LOCAL
from plugin.core.document import Document
from plugin.core.nodeconfig import dummies
from plugin.core.routes import bare, is_advertised, routes_to
from plugin.core.snapshot import Snapshot
from plugin.core.verdicts import is_remote, served
from purelb.api.addresses import IPAddress, sort_key
from purelb.api.bgpstatus import NodeStatus
from purelb.api.views import ServiceView


class ImportLink(Document, frozen=True):
    """A link whose addresses become routes."""

    node: str
    interface: str
    exists: bool
    oper_state: str


class ImportAddress(Document, frozen=True):
    """One address on such a link."""

    node: str
    interface: str
    address: str
    in_rib: bool


class RibRoute(Document, frozen=True):
    """A node's own route, and the Service whose address it leads to."""

    node: str
    prefix: str
    next_hop: str
    advertised_to: tuple[str, ...] = ()
    service: str = ""


class ExportRuleRow(Document, frozen=True):
    """One rule of the export."""

    name: str
    metric: int
    table_id: int


class ExportRoute(Document, frozen=True):
    """A received route on its way into a node's kernel."""

    node: str
    prefix: str
    table: str
    metric: int
    installed: bool
    from_peer: str = ""
    reason: str = ""


class VrfRow(Document, frozen=True):
    """One VRF of a node."""

    name: str
    rd: str
    imported_routes: int
    exported_routes: int


class CrossReference(Document, frozen=True):
    """One remote address of a Service, and how far it gets."""

    ip: str
    service: str
    status: str
    node: str = ""


class DataplaneReport(Document, frozen=True):
    """Everything that the nodes tell of their tables."""

    import_enabled: bool
    export_enabled: bool
    import_interfaces: tuple[ImportLink, ...] = ()
    import_addresses: tuple[ImportAddress, ...] = ()
    rib_routes: tuple[RibRoute, ...] = ()
    export_rules: tuple[ExportRuleRow, ...] = ()
    export_routes: tuple[ExportRoute, ...] = ()
    vrfs: tuple[VrfRow, ...] = ()
    cross_reference: tuple[CrossReference, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which part is wanted; empty names mean all."""

    node: str = ""
    vrf: str = ""
    imports: bool = True
    exports: bool = True

    @property
    def is_whole(self) -> bool:
        """Whether the way in between is wanted, too."""
        return self.imports and self.exports


def report_dataplane(snapshot: Snapshot, part: Part) -> DataplaneReport:
    """Return what is wanted; the problems are those of what is shown."""
    nodes = [one.status for one in snapshot.bgp_nodes if part.node in ("", one.status.node_name)]
    imports = nodes if part.imports else []
    exports = [one for one in nodes if part.exports and one.netlink_export.enabled]
    crossed = tuple(_crossed(snapshot, nodes)) if part.is_whole else ()
    links = tuple(link for one in imports for link in _links(one))
    addresses = tuple(address for one in imports for address in _addresses(one))
    routes = tuple(route for one in exports for route in _exports(one))
    return DataplaneReport(
        import_enabled=any(one.netlink_import.enabled for one in imports),
        export_enabled=bool(exports),
        import_interfaces=links,
        import_addresses=addresses,
        rib_routes=tuple(_rib(snapshot, nodes)) if part.is_whole else (),
        export_rules=tuple(dict.fromkeys(rule for one in exports for rule in _rules(one))),
        export_routes=routes,
        vrfs=tuple(vrf for one in nodes for vrf in _vrfs(one, part.vrf)),
        cross_reference=crossed,
        problems=(
            *_link_problems(links),
            *_address_problems(addresses),
            *_route_problems(routes),
            *(problem for one in exports for problem in _vrf_problems(one)),
            *_cross_problems(crossed),
        ),
    )


def _links(status: NodeStatus) -> Iterator[ImportLink]:
    for one in status.netlink_import.interfaces or ():
        yield ImportLink(
            node=status.node_name,
            interface=one.name,
            exists=one.exists,
            oper_state=one.oper_state,
        )


def _addresses(status: NodeStatus) -> Iterator[ImportAddress]:
    for one in status.netlink_import.imported_addresses or ():
        yield ImportAddress(
            node=status.node_name,
            interface=one.interface,
            address=one.address,
            in_rib=one.in_rib,
        )


def _rib(snapshot: Snapshot, nodes: list[NodeStatus]) -> Iterator[RibRoute]:
    holders = {ip: service.key for service in served(snapshot.services) for ip in service.ingress}
    for status in nodes:
        for route in status.rib.local_routes or ():
            address = bare(route.prefix)
            yield RibRoute(
                node=status.node_name,
                prefix=route.prefix,
                next_hop=route.next_hop,
                advertised_to=route.advertised_to or (),
                service=holders.get(address, "") if address is not None else "",
            )


def _rules(status: NodeStatus) -> Iterator[ExportRuleRow]:
    for one in status.netlink_export.rules or ():
        yield ExportRuleRow(name=one.name, metric=one.metric, table_id=one.table_id)


def _exports(status: NodeStatus) -> Iterator[ExportRoute]:
    for one in status.netlink_export.exported_routes or ():
        yield ExportRoute(
            node=status.node_name,
            prefix=one.prefix,
            table=one.table,
            metric=one.metric,
            installed=one.installed,
            from_peer=_peer(status, one.prefix),
            reason=one.reason,
        )


def _peer(status: NodeStatus, prefix: str) -> str:
    received = status.rib.received_routes or ()
    return next((one.from_peer or "" for one in received if one.prefix == prefix), "")


def _vrfs(status: NodeStatus, name: str) -> Iterator[VrfRow]:
    for one in status.vrfs or ():
        if name in ("", one.name):
            yield VrfRow(
                name=one.name,
                rd=one.rd,
                imported_routes=one.imported_route_count,
                exported_routes=one.exported_route_count,
            )


def _crossed(snapshot: Snapshot, nodes: list[NodeStatus]) -> Iterator[CrossReference]:
    link = ",".join(dummies(snapshot.agents))
    for service in sorted(served(snapshot.services), key=lambda view: view.key):
        if is_remote(service):
            for address in sorted(service.ingress, key=sort_key):
                status, node = _standing(service, address, nodes, link)
                yield CrossReference(ip=str(address), service=service.key, status=status, node=node)


def _standing(
    service: ServiceView, address: IPAddress, nodes: list[NodeStatus], link: str
) -> tuple[str, str]:
    carrying = [one for one in nodes if _carries(one, address)]
    told = [one for one in carrying if is_advertised(one, address)]
    if told:
        return "OK", told[0].node_name
    if carrying:
        return "IN RIB BUT NOT ADVERTISED", carrying[0].node_name
    if service.external_policy == LOCAL:
        return "ETP Local (endpoint-only)", ""
    return f"NOT ON {link}", ""


def _carries(status: NodeStatus, address: IPAddress) -> bool:
    """Tell whether a node has the address; of a list that is cut short the routes tell."""
    pipeline = status.netlink_import
    if any(bare(one.address) == address for one in pipeline.imported_addresses or ()):
        return True
    return pipeline.truncated and any(True for _ in routes_to(status, address))


def _link_problems(links: tuple[ImportLink, ...]) -> Iterator[str]:
    for one in links:
        if not one.exists:
            yield f"{one.node}: interface {one.interface} does not exist"


def _address_problems(addresses: tuple[ImportAddress, ...]) -> Iterator[str]:
    for one in addresses:
        if not one.in_rib:
            yield (
                f"{one.node}: {one.address} is on {one.interface}, but not in the RIB"
                " (import failure)"
            )


def _route_problems(routes: tuple[ExportRoute, ...]) -> Iterator[str]:
    for one in routes:
        if not one.installed:
            why = one.reason or "no reason given"
            yield f"{one.node}: {one.prefix} was received, but is not in the kernel ({why})"


def _vrf_problems(status: NodeStatus) -> Iterator[str]:
    for one in status.conditions or ():
        if (one.type, one.status) == (VRFS, "False"):
            yield f"{status.node_name}: {one.message}"


def _cross_problems(crossed: tuple[CrossReference, ...]) -> Iterator[str]:
    for one in crossed:
        if one.status.startswith("NOT ON"):
            yield f"{one.ip} ({one.service}): {one.status.lower()} of any node"
        elif one.status.startswith("IN RIB"):
            yield f"{one.ip} ({one.service}): in the RIB of {one.node}, but not advertised"
