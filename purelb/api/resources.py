"""The JSON of the Kubernetes API, as far as somebody reads it: only this module knows its shape.

Every field has a default, because a bookmark has nothing but `metadata.resourceVersion`; maps and
lists may be null. A wrong type is an error that names its path; nothing is coerced. Past
`purelb.api.views` Services, Leases and Nodes are seen as views only.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

DecodeError = msgspec.MsgspecError
T = TypeVar("T")


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of every struct of this module: camelCase on the wire, unknown fields skipped."""


class OwnerReference(Wire, frozen=True):
    """metav1.OwnerReference."""

    api_version: str = "v1"
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class Meta(Wire, frozen=True):
    """Metadata of an object or of a list.

    `continue_` is the token of the next page, if any, `remaining_item_count` how many objects
    follow, which servers tell of lists without a selector only.
    """

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: tuple[OwnerReference, ...] | None = None
    finalizers: tuple[str, ...] | None = None
    continue_: str = msgspec.field(name="continue", default="")
    remaining_item_count: int | None = None


class Object(Wire, frozen=True):
    """What every kind has."""

    metadata: Meta = Meta()


class ServicePort(Wire, frozen=True):
    """One port of a Service."""

    port: int = 0
    protocol: str = "TCP"


class ServiceSpec(Wire, frozen=True):
    """What the suite reads of a Service's spec."""

    type: str = ""
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    load_balancer_class: str | None = None
    load_balancer_ip: str = msgspec.field(name="loadBalancerIP", default="")
    ip_families: tuple[str, ...] | None = None
    ip_family_policy: str | None = None
    external_traffic_policy: str = ""
    selector: dict[str, str] | None = None
    ports: tuple[ServicePort, ...] | None = None


class Ingress(Wire, frozen=True):
    """One entry of status.loadBalancer.ingress; the port list is somebody else's."""

    ip: str = ""
    ip_mode: str | None = None
    hostname: str = ""


class LoadBalancerStatus(Wire, frozen=True):
    """status.loadBalancer."""

    ingress: tuple[Ingress, ...] | None = None


class Condition(Wire, frozen=True):
    """metav1.Condition; times are RFC 3339 texts."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    observed_generation: int = 0
    last_transition_time: str = ""


class ServiceStatus(Wire, frozen=True):
    """Status of a Service."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()
    conditions: tuple[Condition, ...] | None = None


class Service(Object, frozen=True):
    """v1 Service."""

    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class LeaseSpec(Wire, frozen=True):
    """Spec of a Lease; times are RFC 3339 texts of somebody's wall clock."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(Object, frozen=True):
    """coordination.k8s.io/v1 Lease."""

    spec: LeaseSpec = LeaseSpec()


class NodeAddress(Wire, frozen=True):
    """One entry of a Node's status.addresses."""

    type: str = ""
    address: str = ""


class NodeStatus(Wire, frozen=True):
    """Status of a Node."""

    addresses: tuple[NodeAddress, ...] | None = None


class Taint(Wire, frozen=True):
    """What keeps Pods off a Node."""

    key: str = ""


class NodeSpec(Wire, frozen=True):
    """Spec of a Node."""

    taints: tuple[Taint, ...] | None = None
    pod_cidrs: tuple[str, ...] | None = msgspec.field(name="podCIDRs", default=None)


class Node(Object, frozen=True):
    """v1 Node."""

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class ServiceCidrSpec(Wire, frozen=True):
    """Spec of a ServiceCIDR."""

    cidrs: tuple[str, ...] | None = None


class ServiceCidr(Object, frozen=True):
    """networking.k8s.io/v1 ServiceCIDR: networks that clusterIPs are taken from."""

    spec: ServiceCidrSpec = ServiceCidrSpec()


class EndpointConditions(Wire, frozen=True):
    """Conditions of an endpoint; null is unknown."""

    ready: bool | None = None
    serving: bool | None = None


class Endpoint(Wire, frozen=True):
    """One endpoint of an EndpointSlice."""

    addresses: tuple[str, ...] | None = None
    conditions: EndpointConditions = EndpointConditions()
    node_name: str | None = None


class EndpointSlice(Object, frozen=True):
    """discovery.k8s.io/v1 EndpointSlice."""

    endpoints: tuple[Endpoint, ...] | None = None


class AddressPool(Wire, frozen=True):
    """One range of a ServiceGroup, as typed by the user."""

    pool: str = ""
    subnet: str = ""
    aggregation: str | None = None


class PoolSpec(Wire, frozen=True):
    """spec.local or spec.remote of a ServiceGroup."""

    v4pool: AddressPool | None = None
    v6pool: AddressPool | None = None
    v4pools: tuple[AddressPool, ...] | None = None
    v6pools: tuple[AddressPool, ...] | None = None
    skip_ipv6_dad: bool = msgspec.field(name="skipIPv6DAD", default=False)
    multi_pool: bool = False
    balance_pools: bool = False
    fencing: str = ""
    non_revertive: bool = False


class ExternalSpec(Wire, frozen=True):
    """spec.external of a ServiceGroup."""

    provider: str = ""
    socket: str = "/var/run/purelb/ipam.sock"
    announce: str = ""


class Reservation(Wire, frozen=True):
    """One address kept for one Service; `service` is `namespace/name`."""

    address: str = ""
    service: str = ""


class ServiceGroupSpec(Wire, frozen=True):
    """Spec of a ServiceGroup; exactly one of the three pool kinds is set."""

    local: PoolSpec | None = None
    remote: PoolSpec | None = None
    external: ExternalSpec | None = None
    namespaces: tuple[str, ...] | None = None
    enforce_namespaces: bool = False
    namespace_default: bool = False
    reservations: tuple[Reservation, ...] | None = None
    cool_down: str = ""


class ServiceGroup(Object, frozen=True):
    """purelb.io/v2 ServiceGroup; its status is read only to see whether it is up to date."""

    spec: ServiceGroupSpec = ServiceGroupSpec()
    status: dict[str, Any] | None = None


class SelectorRequirement(Wire, frozen=True):
    """One entry of a label selector's matchExpressions."""

    key: str = ""
    operator: str = ""
    values: tuple[str, ...] | None = None


class LabelSelector(Wire, frozen=True):
    """metav1.LabelSelector."""

    match_labels: dict[str, str] | None = None
    match_expressions: tuple[SelectorRequirement, ...] | None = None


class GarpConfig(Wire, frozen=True):
    """spec.local.garpConfig; durations are Go texts."""

    enabled: bool = True
    initial_delay: str = "100ms"
    interval: str = "500ms"
    count: int = 3
    verify_before_send: bool = True
    refresh_interval: str = "100s"


class AddressConfig(Wire, frozen=True):
    """Lifetimes and flags of one kind of interface; None where the user said nothing."""

    valid_lifetime: int | None = None
    preferred_lifetime: int | None = None
    no_prefix_route: bool | None = None


class AddressConfigs(Wire, frozen=True):
    """spec.local.addressConfig."""

    local_interface: AddressConfig | None = None
    dummy_interface: AddressConfig | None = None


class LocalSpec(Wire, frozen=True):
    """spec.local of an LBNodeAgent."""

    local_interface: str = "default"
    dummy_interface: str = "kube-lb0"
    interfaces: tuple[str, ...] | None = None
    garp_config: GarpConfig | None = None
    address_config: AddressConfigs | None = None
    non_revertive: bool = False


class NodeAgentSpec(Wire, frozen=True):
    """Spec of an LBNodeAgent."""

    node_selector: LabelSelector | None = None
    local: LocalSpec | None = None


class NodeAgent(Object, frozen=True):
    """purelb.io/v2 LBNodeAgent."""

    spec: NodeAgentSpec = NodeAgentSpec()


class ConfigMap(Object, frozen=True):
    """core/v1 ConfigMap."""

    data: dict[str, str] | None = None


class Status(Wire, frozen=True):
    """metav1.Status: the body of every refusal, and of an ERROR line in a watch."""

    code: int = 0
    reason: str = ""
    message: str = ""


class Page(msgspec.Struct, frozen=True):
    """One page of a LIST; items are decoded one by one: a broken one spoils nothing else."""

    metadata: Meta = Meta()
    items: tuple[msgspec.Raw, ...] = ()


class WatchLine(msgspec.Struct, frozen=True):
    """One line of a WATCH: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR."""

    type: str
    object: msgspec.Raw


decode_page = msgspec.json.Decoder(Page).decode
decode_watch_line = msgspec.json.Decoder(WatchLine).decode
decode_object = msgspec.json.Decoder(Object).decode
decode_status = msgspec.json.Decoder(Status).decode
decode_service = msgspec.json.Decoder(Service).decode
decode_lease = msgspec.json.Decoder(Lease).decode
decode_service_cidr = msgspec.json.Decoder(ServiceCidr).decode
decode_endpoint_slice = msgspec.json.Decoder(EndpointSlice).decode
decode_config_map = msgspec.json.Decoder(ConfigMap).decode
decode_node = msgspec.json.Decoder(Node).decode
decode_service_group = msgspec.json.Decoder(ServiceGroup).decode
decode_node_agent = msgspec.json.Decoder(NodeAgent).decode
decode_json = msgspec.json.decode  # for objects that are written back as a whole
encode = msgspec.json.encode


def convert(body: Mapping[str, Any], kind: type[T]) -> T:
    """Turn a decoded JSON object, as Kopf hands it out, into a struct of this module."""
    return msgspec.convert(dict(body), kind)


def to_json(value: Wire) -> dict[str, Any]:
    """Turn a struct of this module into a JSON object, without the fields that have no value."""
    body: dict[str, Any] = msgspec.to_builtins(value)
    return body
