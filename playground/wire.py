"""The JSON that the playground's stand-ins read: what kube-proxy and the controllers need of it.

The daemons read less, in `purelb.api.resources`.
"""

import msgspec

from purelb.api.resources import LoadBalancerStatus, Object, Wire

SERVICE_LABEL = "kubernetes.io/service-name"


class Port(Wire, frozen=True):
    """One port of a Service or of an EndpointSlice; they meet by name and protocol."""

    name: str = ""
    port: int | None = None
    protocol: str = "TCP"
    target_port: int | str | None = None


class ServiceSpec(Wire, frozen=True):
    """Spec of a Service."""

    selector: dict[str, str] | None = None
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    cluster_ips: tuple[str, ...] | None = msgspec.field(name="clusterIPs", default=None)
    ip_families: tuple[str, ...] | None = None
    external_traffic_policy: str = ""
    ports: tuple[Port, ...] | None = None


class ServiceStatus(Wire, frozen=True):
    """Status of a Service."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class Service(Object, frozen=True):
    """v1 Service."""

    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class Conditions(Wire, frozen=True):
    """Conditions of an endpoint; unknown readiness counts as ready."""

    ready: bool | None = None


class Endpoint(Wire, frozen=True):
    """One endpoint; only the first address is to be used."""

    addresses: tuple[str, ...] = ()
    conditions: Conditions = Conditions()
    node_name: str | None = None


class EndpointSlice(Object, frozen=True):
    """discovery.k8s.io/v1 EndpointSlice."""

    address_type: str = ""
    ports: tuple[Port, ...] | None = None
    endpoints: tuple[Endpoint, ...] | None = None


decode_service = msgspec.json.Decoder(Service).decode
decode_slice = msgspec.json.Decoder(EndpointSlice).decode
