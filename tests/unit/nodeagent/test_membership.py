"""What this node is to itself in elections."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from nodeagent.core.config import choose
from nodeagent.core.membership import own_member
from purelb.api.identifiers import NodeName
from purelb.api.resources import LocalSpec, NodeAgent, NodeAgentSpec
from purelb.api.views import NodeView
from purelb.core.lease import Lease, LeaseState

ME, NETWORKS = NodeName("node-a"), (ip_network("192.0.2.0/24"),)
NODE = NodeView(name=ME)
CONFIG = choose((NodeAgent(spec=NodeAgentSpec(local=LocalSpec())),), NODE)
LEASE = Lease(duration=10.0, state=LeaseState.HELD, until=108.5)


@pytest.mark.parametrize(
    ("lease", "node", "announces"),
    [
        (LEASE, NODE, True),
        (replace(LEASE, state=LeaseState.DRAINING), NODE, False),
        (LEASE, replace(NODE, is_evacuated=True), False),
    ],
)
def test_a_node_that_leaves_is_a_member_and_no_candidate(
    lease: Lease, node: NodeView, announces: bool
) -> None:
    """Others must go on to wait for what it holds."""
    found = own_member(ME, lease, CONFIG, node, NETWORKS)
    assert (found.subnets, found.is_announcing) == (NETWORKS, announces)
