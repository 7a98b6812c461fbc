"""What the agent does on bonds, VLANs and others is what it does on hardware."""

from dataclasses import replace

import pytest

from nodeagent.core.config import choose
from nodeagent.core.identity import shown_macs
from purelb.api.identifiers import LinkName
from purelb.api.resources import LocalSpec, NodeAgent, NodeAgentSpec
from purelb.api.views import NodeView
from tests.agent import Agent
from tests.kernel import Kernel
from tests.unit.nodeagent.builders import (
    MAC,
    NOW,
    OWN,
    OWN6,
    VIP,
    A,
    agent,
    facts,
    kernel,
    link,
    renewed,
    route,
)

KINDS = {
    "eth0": "",
    "bond0": "bond",
    "bond0.100": "vlan",
    "eth0.100": "vlan",
    "team0": "team",
    "br0": "bridge",
    "macvlan0": "macvlan",
}
PORT_MAC = bytes.fromhex("020000000009")


def host(name: str) -> Kernel:
    """Build a node whose own address is on a link with this name and kind, with two ports."""
    made = kernel()
    ports = [
        link(index, f"port{index}", kind="", mac=PORT_MAC[:5] + bytes([index])) for index in (8, 9)
    ]
    made.links = (link(name=name, kind=KINDS[name]), *ports)
    return made


def settled(name: str, interfaces: str) -> Agent:
    """Run an agent there until nothing is left to do; `interfaces` selects links."""
    body = NodeAgent(spec=NodeAgentSpec(local=LocalSpec(local_interface=interfaces)))
    config = choose((body,), NodeView(name=A))
    one = agent(replace(facts(), config=config), host(name))
    one.settle(NOW + 1)
    return one


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("how", ["default", "by name"])
def test_the_address_goes_where_the_nodes_own_is(name: str, how: str) -> None:
    """Whether the default route or a name leads there; never on a port."""
    pattern = "default" if how == "default" else name.replace(".", r"\.")
    one = settled(name, pattern)
    (nic,) = one.desired.selection.nics
    assert nic.link.name == LinkName(name)
    assert one.kernel.listing(2) == settled("eth0", "default").kernel.listing(2)
    assert one.kernel.listing(8) == one.kernel.listing(9) == ()


def test_a_bond_may_speak_by_each_of_its_ports() -> None:
    """So others know the MACs of all: its own is that of the first port mostly."""
    one = settled("bond0", "default")
    shown = shown_macs(one.kernel.links, one.desired.selection)
    assert set(shown) == {MAC, PORT_MAC[:5] + b"\x08", PORT_MAC[:5] + b"\x09"}


def test_addresses_follow_the_nodes_own_from_hardware_into_a_bond() -> None:
    """As when somebody builds the bond under a running agent."""
    one = settled("eth0", "default")
    one.kernel.links = (*one.kernel.links, replace(link(5, "bond0"), kind="bond"))
    for text in (OWN, OWN6):
        one.kernel.take(2, text)
        one.kernel.put(5, text)
    one.kernel.routes = (route(index=5),)
    for second in range(1, 20):
        one.settle(NOW + 1 + second)
        renewed(one)
    assert f"{VIP}/32" in one.kernel.listing(5)
    assert f"{VIP}/32" not in one.kernel.listing(2)
