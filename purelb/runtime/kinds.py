"""The kinds that Kopf watches for the daemons."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from purelb.api import bgp
from purelb.api.bgp import BgpConfiguration, decode_configuration
from purelb.api.identifiers import NodeName
from purelb.api.resources import (
    Node,
    NodeAgent,
    Object,
    ServiceGroup,
    decode_node,
    decode_node_agent,
    decode_service_group,
)

Kind = TypeVar("Kind", bound=Object)

GROUP, VERSION = "purelb.io", "v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class RareKind(Generic[Kind]):
    """A kind of which there are few objects that seldom change.

    `group` is empty for the core API. `only` restricts the watch to one object's name.
    """

    group: str
    version: str
    plural: str
    struct: type[Kind]
    decode: Callable[[bytes], Kind]
    only: str | None = None

    @property
    def path(self) -> str:
        """The collection over all namespaces."""
        base = f"/apis/{self.group}" if self.group else "/api"
        return f"{base}/{self.version}/{self.plural}"

    @property
    def selector(self) -> dict[str, str]:
        """The query parameters that restrict LIST and WATCH."""
        return {"fieldSelector": f"metadata.name={self.only}"} if self.only else {}


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
BGP_CONFIGURATIONS = RareKind(
    group=bgp.GROUP,
    version=bgp.VERSION,
    plural="configs",
    struct=BgpConfiguration,
    decode=decode_configuration,
)


def own_node(name: NodeName) -> RareKind[Node]:
    """Return the kind that holds nothing but this one Node."""
    return RareKind(
        group="", version="v1", plural="nodes", struct=Node, decode=decode_node, only=name
    )
