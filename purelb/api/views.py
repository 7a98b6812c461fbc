"""What the cores see of API objects: frozen, parsed, and free of what nobody decides by.

Built once per change, at the edge, from `purelb.api.resources`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from purelb.api import annotations
from purelb.api.addresses import (
    Family,
    IPAddress,
    IPNetwork,
    parse_ip,
    parse_network,
)
from purelb.api.annotations import Slot, parse_slots
from purelb.api.identifiers import NodeName, ServiceKey, Uid, service_key
from purelb.api.resources import Condition, Lease, Node, Service

LEASE_PREFIX = "purelb-node-"
FAMILY = {family.value: family for family in Family}
NO_UID = Uid("")
MOST_MACS, MAC_BYTES = 64, 6  # entries read of a Lease's MACs
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"  # of the Kubernetes API
MOST_GATEWAYS = 32  # entries read of a Lease's gateways
MOST_SUBNETS = 256  # entries read of a Lease's subnets


@dataclass(frozen=True, slots=True)
class Port:
    """One port of a Service."""

    protocol: str  # TCP, UDP, SCTP
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """One Service.

    `ingress` holds the addresses of status.loadBalancer.ingress in their order; entries without a
    valid one are left out; `conditions` are anybody's. `annotations` has only the keys that start
    with `purelb.io/`. `created` is metadata.creationTimestamp, which sorts by age.
    """

    key: ServiceKey
    uid: Uid = NO_UID
    version: str = ""
    created: str = ""
    type: str = "ClusterIP"
    lb_class: str | None = None
    families: tuple[Family, ...] = ()
    family_policy: str = ""
    cluster_ip: str = ""
    external_policy: str = ""
    load_balancer_ip: str = ""
    ports: tuple[Port, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    ingress: tuple[IPAddress, ...] = ()
    conditions: tuple[Condition, ...] = ()
    is_deleting: bool = False

    @property
    def is_branded(self) -> bool:
        """Whether the suite gave this Service its addresses."""
        return self.annotations.get(annotations.ALLOCATED_BY) == annotations.BRAND

    @property
    def is_load_balancer(self) -> bool:
        """Whether the Service is of type LoadBalancer."""
        return self.type == "LoadBalancer"

    def without_slots(self) -> "ServiceView":
        """Return the view without its version and announcing slots: equal ones differ in no more.

        Node agents write slots all the time; that concerns nobody who gives out addresses.
        """
        kept = {
            key: value
            for key, value in self.annotations.items()
            if not key.startswith(annotations.ANNOUNCING_PREFIX)
        }
        return replace(self, version="", annotations=kept)

    def slots(self, family: Family) -> tuple[Slot, ...]:
        """Return the announcing slots of one family."""
        return parse_slots(self.annotations.get(annotations.ANNOUNCING[family], ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseView:
    """One node agent's Lease.

    `duration` in seconds and `renewed` as the holder's own wall-clock text: the text only tells
    whether something changed, never how long ago. `is_announcing` is False where the node shows its
    subnets but wants no address. `macs` are six bytes each. `has_heartbeats`: it sends them.
    `gateways` are those of its default routes. `heeds_wishes`: its agent knows that Services may
    name a node and holders may stay, as PureLB's do not. `is_non_revertive`: what the node has
    stays there. `is_released`: its holder has withdrawn everything and is about to delete it.
    `conditions` is the text of what is wrong there (`purelb.api.conditions`).
    """

    node: NodeName
    version: str = ""
    uid: Uid = NO_UID
    duration: float = 0.0
    renewed: str = ""
    subnets: tuple[IPNetwork, ...] = ()
    instance: str = ""
    is_announcing: bool = True
    macs: frozenset[bytes] = frozenset()
    gateways: tuple[IPAddress, ...] = ()
    has_heartbeats: bool = False
    heeds_wishes: bool = True
    is_non_revertive: bool = False
    is_released: bool = False
    conditions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderView:
    """The Lease that says which replica leads; `holder` is empty once it was given back.

    `duration` and `renewed` as in `LeaseView`; `transitions` counts the changes of holder.
    """

    holder: str = ""
    version: str = ""
    uid: Uid = NO_UID
    duration: float = 0.0
    renewed: str = ""
    transitions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """The own Node: what it is called, its labels and the addresses Kubernetes knows it by.

    `is_evacuated`: somebody wants that it announces no local address, by annotation or by taint.
    """

    name: NodeName
    uid: Uid = NO_UID
    labels: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[IPAddress, ...] = ()
    is_evacuated: bool = False


def view_service(service: Service) -> ServiceView:
    """Build the view of a Service."""
    meta, spec = service.metadata, service.spec
    keys = meta.annotations or {}
    return ServiceView(
        key=service_key(meta.namespace, meta.name),
        uid=Uid(meta.uid),
        version=meta.resource_version,
        created=meta.creation_timestamp or "",
        type=spec.type,
        lb_class=spec.load_balancer_class,
        families=tuple(FAMILY[text] for text in spec.ip_families or () if text in FAMILY),
        family_policy=spec.ip_family_policy or "",
        cluster_ip=spec.cluster_ip,
        external_policy=spec.external_traffic_policy,
        load_balancer_ip=spec.load_balancer_ip,
        ports=tuple(Port(port.protocol, port.port) for port in spec.ports or ()),
        annotations={k: v for k, v in keys.items() if k.startswith(annotations.PREFIX)},
        ingress=_ingress(service),
        conditions=service.status.conditions or (),
        is_deleting=meta.deletion_timestamp is not None,
    )


def view_lease(lease: Lease) -> LeaseView | None:
    """Build the view of a node agent's Lease; None for every other Lease."""
    meta, spec = lease.metadata, lease.spec
    if not meta.name.startswith(LEASE_PREFIX):
        return None
    keys = meta.annotations or {}
    return LeaseView(
        node=NodeName(meta.name.removeprefix(LEASE_PREFIX)),
        version=meta.resource_version,
        uid=Uid(meta.uid),
        duration=float(spec.lease_duration_seconds or 0),
        renewed=spec.renew_time or "",
        subnets=parse_subnets(keys.get(annotations.LEASE_SUBNETS, "")),
        instance=keys.get(annotations.LEASE_INSTANCE, ""),
        is_announcing=keys.get(annotations.LEASE_ANNOUNCES) != "false",
        macs=parse_macs(keys.get(annotations.LEASE_MACS, "")),
        gateways=parse_gateways(keys.get(annotations.LEASE_GATEWAYS, "")),
        has_heartbeats=keys.get(annotations.LEASE_HEARTBEATS) == "true",
        heeds_wishes=annotations.LEASE_ANNOUNCES in keys,
        is_non_revertive=keys.get(annotations.LEASE_NON_REVERTIVE) == "true",
        is_released=spec.holder_identity == "",
        conditions=keys.get(annotations.LEASE_CONDITIONS, ""),
    )


def view_leader(lease: Lease) -> LeaderView:
    """Build the view of a leader Lease."""
    meta, spec = lease.metadata, lease.spec
    return LeaderView(
        holder=spec.holder_identity or "",
        version=meta.resource_version,
        uid=Uid(meta.uid),
        duration=float(spec.lease_duration_seconds or 0),
        renewed=spec.renew_time or "",
        transitions=spec.lease_transitions or 0,
    )


def view_node(node: Node) -> NodeView:
    """Build the view of a Node."""
    found = []
    for entry in node.status.addresses or ():
        try:
            found.append(parse_ip(entry.address))
        except ValueError:
            continue  # a host name
    return NodeView(
        name=NodeName(node.metadata.name),
        uid=Uid(node.metadata.uid),
        labels=node.metadata.labels or {},
        addresses=tuple(found),
        is_evacuated=is_evacuated(node) or is_out_of_service(node),
    )


def is_evacuated(node: Node) -> bool:
    """Tell whether somebody wants that a Node announces no local address."""
    return (node.metadata.annotations or {}).get(annotations.EVACUATE) == "true"


def is_out_of_service(node: Node) -> bool:
    """Tell whether a Node has the taint by which its operator says that it is shut down."""
    return any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints or ())


def parse_subnets(text: str) -> tuple[IPNetwork, ...]:
    """Parse a Lease's comma-separated networks; what does not parse is dropped."""
    found = []
    for entry in text.split(",")[:MOST_SUBNETS]:
        try:
            found.append(parse_network(entry))
        except ValueError:
            continue
    return tuple(found)


def parse_macs(text: str) -> frozenset[bytes]:
    """Parse a Lease's comma-separated MACs; what does not parse is dropped."""
    found = set()
    for entry in text.split(",")[:MOST_MACS]:
        try:
            mac = bytes.fromhex(entry.replace(":", " "))
        except ValueError:
            continue
        if len(mac) == MAC_BYTES:
            found.add(mac)
    return frozenset(found)


def parse_gateways(text: str) -> tuple[IPAddress, ...]:
    """Parse a Lease's comma-separated addresses; what does not parse is dropped."""
    found = []
    for entry in text.split(",")[:MOST_GATEWAYS] if text else ():
        try:
            found.append(parse_ip(entry))
        except ValueError:
            continue
    return tuple(found)


def _ingress(service: Service) -> tuple[IPAddress, ...]:
    found = []
    for entry in service.status.load_balancer.ingress or ():
        try:
            found.append(parse_ip(entry.ip))
        except ValueError:
            continue  # a host name: not ours to judge
    return tuple(found)
