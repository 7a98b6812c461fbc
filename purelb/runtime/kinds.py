"""The kinds that Kopf watches for the daemons."""

from purelb.api.identifiers import NodeName
from purelb.api.resources import (
    Node,
    NodeAgent,
    ServiceGroup,
    decode_node,
    decode_node_agent,
    decode_service_group,
)
from purelb.runtime.kopf_host import RareKind

GROUP, VERSION = "purelb.io", "v2"

SERVICE_GROUPS = RareKind(
    group=GROUP,
    version=VERSION,
    plural="servicegroups",
    struct=ServiceGroup,
    decode=decode_service_group,
)
NODE_AGENTS = RareKind(
    group=GROUP,
    version=VERSION,
    plural="lbnodeagents",
    struct=NodeAgent,
    decode=decode_node_agent,
)


def own_node(name: NodeName) -> RareKind[Node]:
    """Return the kind that holds nothing but this one Node."""
    return RareKind(
        group="", version="v1", plural="nodes", struct=Node, decode=decode_node, only=name
    )
