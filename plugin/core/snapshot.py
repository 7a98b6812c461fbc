"""The cluster at one moment, as far as a command needs it.

Belongs here: kinds, how each is read, and the value they add up to. Does not: requests (`shell`).
Times are seconds of the API server's clock, because an operator's own may be wrong.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any

from plugin.core.spans import parse_time
from plugin.core.wire import Event, Pod, decode_event, decode_pod
from purelb.api import annotations
from purelb.api.bgp import BgpConfiguration, decode_configuration
from purelb.api.bgpstatus import BgpNodeStatus, decode_bgp_node_status
from purelb.api.conditions import NodeCondition, parse_conditions
from purelb.api.endpoints import SERVICE_LABEL, SliceView, view_slice
from purelb.api.identifiers import ServiceKey
from purelb.api.resources import (
    Node,
    NodeAgent,
    ServiceCidr,
    ServiceGroup,
    decode_endpoint_slice,
    decode_lease,
    decode_node,
    decode_node_agent,
    decode_service,
    decode_service_cidr,
    decode_service_group,
)
from purelb.api.views import LeaseView, ServiceView, view_lease, view_service


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLease:
    """A node agent's Lease.

    `subnets` are the networks as its annotation has them. `renewed_at` is None where it was never
    renewed, `expires_at` where it protects nothing. `conditions` is what the agent found wrong.
    """

    view: LeaseView
    subnets: tuple[str, ...]
    renewed_at: float | None
    expires_at: float | None
    conditions: tuple[NodeCondition, ...] = ()

    def is_healthy(self, now: float) -> bool:
        """Tell whether the Lease is not over."""
        return self.expires_at is not None and now < self.expires_at


class Scope(Enum):
    """Where objects of a kind are looked for."""

    ALL = "all"
    INSTALL = "install"  # the install namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of object. `name` is the field of the snapshot that has them.

    `view` turns the JSON of one object into what the snapshot keeps, None for nothing. `is_news`
    tells whether somebody who looks on should see at once that one has become the other.
    """

    name: str
    path: str
    plural: str
    view: Callable[[bytes], object | None]
    scope: Scope = Scope.ALL
    selector: str = ""  # a field selector
    labels: str = ""  # a label selector
    is_news: Callable[[Any, Any], bool] = operator.ne
    may_lack: bool = False  # an API server without such a kind has none of them, and that is well

    @property
    def resource(self) -> str:
        """The word that RBAC and kubectl know it by."""
        return self.plural.rsplit("/", 1)[-1]


def _service(body: bytes) -> ServiceView:
    return view_service(decode_service(body))


def _lease(body: bytes) -> NodeLease | None:
    lease = decode_lease(body)
    view = view_lease(lease)
    if view is None:
        return None
    keys = lease.metadata.annotations or {}
    renewed = parse_time(view.renewed)
    texts = keys.get(annotations.LEASE_SUBNETS, "").split(",")
    return NodeLease(
        view=view,
        subnets=tuple(text for text in texts if text),
        renewed_at=renewed,
        expires_at=renewed + view.duration if renewed is not None and view.duration else None,
        conditions=parse_conditions(keys.get(annotations.LEASE_CONDITIONS, "")),
    )


def _is_lease_news(old: NodeLease | None, new: NodeLease | None) -> bool:
    """Tell whether more has changed than the time of a renewal that came in time."""
    if old is None or new is None:
        return old is not new
    if old.expires_at is None or new.renewed_at is None or new.renewed_at > old.expires_at:
        return old != new
    view = replace(old.view, version=new.view.version, renewed=new.view.renewed)
    return replace(old, view=view, renewed_at=new.renewed_at, expires_at=new.expires_at) != new


def _slice(body: bytes) -> SliceView | None:
    return view_slice(decode_endpoint_slice(body))


PURELB = "/apis/purelb.io/v2"
SERVICES = Kind(
    name="services",
    path="/api/v1",
    plural="services",
    view=_service,
    selector="spec.type=LoadBalancer",
)
GROUPS = Kind(name="groups", path=PURELB, plural="servicegroups", view=decode_service_group)
AGENTS = Kind(name="agents", path=PURELB, plural="lbnodeagents", view=decode_node_agent)
LEASES = Kind(
    name="leases",
    path="/apis/coordination.k8s.io/v1",
    plural="leases",
    view=_lease,
    scope=Scope.INSTALL,
    is_news=_is_lease_news,
)
NODES = Kind(name="nodes", path="/api/v1", plural="nodes", view=decode_node)
PODS = Kind(name="pods", path="/api/v1", plural="pods", view=decode_pod, scope=Scope.INSTALL)
SLICES = Kind(name="slices", path="/apis/discovery.k8s.io/v1", plural="endpointslices", view=_slice)
CIDRS = Kind(
    name="cidrs",
    path="/apis/networking.k8s.io/v1",
    plural="servicecidrs",
    view=decode_service_cidr,
    may_lack=True,
)
BGP = "/apis/bgp.purelb.io/v1"
BGP_NODES = Kind(
    name="bgp_nodes",
    path=BGP,
    plural="bgpnodestatuses",
    view=decode_bgp_node_status,
    may_lack=True,
)
BGP_CONFIGS = Kind(
    name="bgp_configs",
    path=BGP,
    plural="configs",
    view=decode_configuration,
    scope=Scope.INSTALL,
    may_lack=True,
)
EVENTS = Kind(name="events", path="/api/v1", plural="events", view=decode_event)
# What pages about everything need, and what they wish for.
OVERVIEW = (
    (SERVICES, GROUPS, LEASES, AGENTS),
    (PODS, NODES, CIDRS, BGP_NODES),
)


def events_of(key: str) -> Kind:
    """Return the kind that has the Events about one Service."""
    namespace, _, name = key.partition("/")
    selector = f"involvedObject.kind=Service,involvedObject.name={name}"
    return replace(EVENTS, plural=f"namespaces/{namespace}/events", selector=selector)


def service_of(key: str) -> Kind:
    """Return the kind that has one Service, of whatever type it is."""
    namespace, _, name = key.partition("/")
    plural = f"namespaces/{namespace}/{SERVICES.plural}"
    return replace(SERVICES, name="asked", plural=plural, selector=f"metadata.name={name}")


def slices_of(key: str) -> Kind:
    """Return the kind that has the EndpointSlices of one Service."""
    namespace, _, name = key.partition("/")
    plural = f"namespaces/{namespace}/{SLICES.plural}"
    return replace(SLICES, plural=plural, labels=f"{SERVICE_LABEL}={name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something that could not be read, in one line; the answer goes without it."""

    what: str
    why: str
    kind: str = ""  # field of the snapshot, if a whole kind is missing


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What was read. Every field is sorted by namespace and name; empty where nobody asked for it.

    `namespace` is the install namespace, `now` in seconds since 1970. `asked` is the Service that a
    command is about.
    """

    now: float
    namespace: str
    services: tuple[ServiceView, ...] = ()
    asked: tuple[ServiceView, ...] = ()
    groups: tuple[ServiceGroup, ...] = ()
    agents: tuple[NodeAgent, ...] = ()
    leases: tuple[NodeLease, ...] = ()
    nodes: tuple[Node, ...] = ()
    pods: tuple[Pod, ...] = ()
    slices: tuple[SliceView, ...] = ()
    cidrs: tuple[ServiceCidr, ...] = ()
    bgp_nodes: tuple[BgpNodeStatus, ...] = ()
    bgp_configs: tuple[BgpConfiguration, ...] = ()
    events: tuple[Event, ...] = ()
    gaps: tuple[Gap, ...] = ()

    def has(self, name: str) -> bool:
        """Tell whether a kind could be read; `name` is its field."""
        return all(gap.kind != name for gap in self.gaps)

    @cached_property
    def by_key(self) -> dict[ServiceKey, ServiceView]:
        """The Services by namespace/name."""
        return {service.key: service for service in self.services}

    @cached_property
    def healthy(self) -> frozenset[str]:
        """The nodes whose Lease is not over."""
        return frozenset(lease.view.node for lease in self.leases if lease.is_healthy(self.now))
