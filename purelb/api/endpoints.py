"""What programs see of an EndpointSlice: whose it is, and which endpoints are where.

Built once per change, at the edge; a cluster has as many as it has Services, so a view keeps no
more than somebody decides by.
"""

import sys
from dataclasses import dataclass

from purelb.api.identifiers import NodeName, ServiceKey, service_key
from purelb.api.resources import EndpointSlice

SERVICE_LABEL = "kubernetes.io/service-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"  # on slices of Services that get no address


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceView:
    """One EndpointSlice.

    `healthy` has each endpoint that is ready or serving, as its first address and its node, which
    is empty if the slice does not say it; `ill` the addresses of all others. `name` tells the
    Service's slices apart.
    """

    name: str
    service: ServiceKey
    healthy: tuple[tuple[str, NodeName], ...] = ()
    ill: tuple[str, ...] = ()


def view_slice(one: EndpointSlice) -> SliceView | None:
    """Build the view of an EndpointSlice; None if it belongs to no Service."""
    owner = (one.metadata.labels or {}).get(SERVICE_LABEL)
    if not owner:
        return None
    healthy: list[tuple[str, NodeName]] = []
    ill: list[str] = []
    for endpoint in one.endpoints or ():
        # All addresses of an endpoint are fungible (discovery.k8s.io/v1).
        address = endpoint.addresses[0] if endpoint.addresses else ""
        conditions = endpoint.conditions
        if conditions.ready or conditions.serving:
            healthy.append((address, NodeName(sys.intern(endpoint.node_name or ""))))
        else:
            ill.append(address)
    return SliceView(
        name=one.metadata.name,
        service=service_key(one.metadata.namespace, owner),
        healthy=tuple(healthy),
        ill=tuple(ill),
    )
