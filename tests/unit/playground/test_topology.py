"""The playground's network as text: names, addresses and what they must never collide with."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from playground.topology import MOST_NODES, Segment, boot_script, node_name, sysctls, topology

LONGEST_LINK_NAME = 15  # IFNAMSIZ - 1, linux/if.h


@pytest.mark.parametrize(
    ("index", "name"), [(0, "node-a"), (25, "node-z"), (26, "node-aa"), (53, "node-bb")]
)
def test_nodes_are_lettered(index: int, name: str) -> None:
    """One letter, then two."""
    assert node_name(index) == name


@pytest.mark.parametrize("nodes", [1, 3, MOST_NODES])
def test_names_and_addresses_are_unique_and_short_enough(nodes: int) -> None:
    """Also with the largest number of nodes."""
    world = topology(nodes)
    nics = [(machine, nic) for machine in world.machines for nic in machine.interfaces]
    for unique in (
        [machine.port(nic) for machine, nic in nics],
        [nic.mac for _, nic in nics],
        [nic.v4.ip for _, nic in nics],
        [nic.v6.ip for _, nic in nics],
    ):
        assert len(set(unique)) == len(nics)
    assert max(len(machine.port(nic)) for machine, nic in nics) <= LONGEST_LINK_NAME


def test_node_addresses_stay_below_the_pool_of_the_demo() -> None:
    """The pool begins at host number 200, in both families."""
    nics = [machine.main for machine in topology(MOST_NODES).nodes]
    assert max(nic.v4.ip for nic in nics) < IPv4Address("192.0.2.200")
    assert max(nic.v6.ip for nic in nics) < IPv6Address("2001:db8:0:1::200")


def test_the_documented_addresses() -> None:
    """People type them."""
    world = topology(3)
    assert [str(machine.main.v4) for machine in world.nodes] == [
        "192.0.2.11/24",
        "192.0.2.12/24",
        "192.0.2.13/24",
    ]
    assert [str(machine.main.v6.ip) for machine in world.nodes] == [
        "2001:db8:0:1::11",
        "2001:db8:0:1::12",
        "2001:db8:0:1::13",
    ]
    assert (str(world.client.main.v4.ip), str(world.client.main.v6.ip)) == (
        "198.51.100.10",
        "2001:db8:0:2::10",
    )
    assert (str(world.gateway(4)), str(world.gateway(6))) == ("192.0.2.1", "2001:db8:0:1::1")
    assert world.api_url == "http://192.0.2.2:6443"


def test_the_link_local_address_comes_from_the_mac_address() -> None:
    """The universal bit is flipped and ff:fe put in the middle."""
    nic = topology(1).nodes[0].main
    assert (nic.mac, str(nic.link_local)) == ("02:00:00:00:01:0b", "fe80::ff:fe00:10b/64")


def test_only_the_router_is_on_both_segments() -> None:
    """What goes to the client passes it."""
    world = topology(2)
    both = [machine.name for machine in world.machines if len(machine.interfaces) == len(Segment)]
    assert both == ["router"]


@pytest.mark.parametrize("nodes", [0, MOST_NODES + 1])
def test_a_number_of_nodes_that_does_not_fit_is_refused(nodes: int) -> None:
    """With the limits in the message."""
    with pytest.raises(ValueError, match=f"1 to {MOST_NODES}, not {nodes}"):
        topology(nodes)


def test_an_unknown_machine_is_refused_with_the_known_names() -> None:
    """So that a typo is found at once."""
    with pytest.raises(KeyError, match="no machine is called 'node-x'; there are control, router"):
        topology(1).machine("node-x")


def test_faults_for_nodes_are_refused_for_other_machines() -> None:
    """The router has no power switch."""
    with pytest.raises(KeyError, match="'router' is not a node"):
        topology(1).node("router")


def test_only_own_addresses_skip_duplicate_address_detection() -> None:
    """No sysctl turns it off for addresses that are added later."""
    machine = topology(1).nodes[0]
    assert boot_script(machine).count("nodad") == 2
    assert not [key for key in sysctls(machine) if "dad" in key]


def test_nodes_and_the_router_forward_and_hosts_do_not() -> None:
    """A node forwards to pods on other nodes."""
    world = topology(1)
    forwarding = {m.name for m in world.machines if sysctls(m).get("ipv4/ip_forward") == "1"}
    assert forwarding == {"node-a", "router"}
