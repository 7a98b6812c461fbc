"""On which nodes a Service has endpoints, as far as announcements depend on it. Pure.

Belongs here: which Services ask for it, which endpoints count, and how slices add up. Does not:
watching EndpointSlices (`nodeagent.shell`).
"""

from collections.abc import Collection, Iterable
from typing import Final

from purelb.api import annotations
from purelb.api.endpoints import SliceView
from purelb.api.identifiers import NodeName
from purelb.api.views import ServiceView

LOCAL: Final = "Local"  # externalTrafficPolicy
WITH_ENDPOINTS: Final = "service-endpoints"  # value of the node-affinity annotation
ANYWHERE: Final = NodeName("")  # stands for endpoints that say no node: they are on every one


def matters(service: ServiceView) -> bool:
    """Tell whether it matters on which nodes a Service has endpoints."""
    if not (service.is_branded and service.is_load_balancer and service.ingress):
        return False
    return service.external_policy == LOCAL or has_affinity(service)


def has_affinity(service: ServiceView) -> bool:
    """Tell whether nodes with endpoints are preferred; a sharing key, even empty, prevents that."""
    keys = service.annotations
    is_asked = keys.get(annotations.NODE_AFFINITY) == WITH_ENDPOINTS
    return is_asked and annotations.SHARING_KEY not in keys


def nodes_of(slices: Iterable[SliceView]) -> frozenset[NodeName]:
    """Return the nodes of the healthy endpoints of one Service.

    An address that appears in several slices is healthy only if it is in each of them.
    """
    known = tuple(slices)
    ill = {address for one in known for address in one.ill}
    return frozenset(node for one in known for address, node in one.healthy if address not in ill)


def may_announce(service: ServiceView, me: NodeName, nodes: Collection[NodeName]) -> bool:
    """Tell whether a node may carry a Service's remote address."""
    return service.external_policy != LOCAL or me in nodes or ANYWHERE in nodes
