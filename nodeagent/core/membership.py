"""How this node takes part in elections, as it knows itself. Pure.

Belongs here: what it is in its own view. Does not: what its Lease says of it (`nodeagent.shell`).
"""

from nodeagent.core.config import NodeConfig, Unconfigured, is_eligible
from nodeagent.core.election import Member
from purelb.api.addresses import IPNetwork
from purelb.api.identifiers import NodeName
from purelb.api.views import NodeView
from purelb.core.lease import Lease, LeaseState


def own_member(
    me: NodeName,
    lease: Lease,
    config: NodeConfig | Unconfigured | None,
    node: NodeView | None,
    subnets: tuple[IPNetwork, ...],
) -> Member:
    """Return this node with the networks that it has, for as long as its Lease protects it."""
    return Member(
        node=me,
        subnets=subnets,
        is_announcing=is_eligible(config, node) and lease.state is LeaseState.HELD,
        is_non_revertive=isinstance(config, NodeConfig) and config.is_non_revertive,
    )
