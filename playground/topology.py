"""Who is where in the playground's network: machines, segments, addresses. Pure.

Belongs here: names and numbers, and the `ip -batch` scripts that build them. Does not: running
anything (`network`). A machine is a network namespace of its name; every interface of a machine is
one end of a veth pair whose other end, the port, is in the bridge of its segment.

    client ── wan ── router ── lan ── control, node-a, node-b, ...
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from string import ascii_lowercase

API_PORT = 6443
FIRST_NODE = 11  # host number of node-a; the last has at most 199, below the demo's pool
MOST_NODES = 100


class Segment(StrEnum):
    """An Ethernet segment, and the name of its bridge."""

    LAN = "lan"
    WAN = "wan"


class Role(StrEnum):
    """What a machine is for, which decides its sysctls."""

    NODE = "node"
    ROUTER = "router"
    HOST = "host"


PREFIXES: Mapping[Segment, tuple[str, str, int]] = {
    # The documentation networks of RFC 5737 and RFC 3849; the number goes into MAC addresses.
    Segment.LAN: ("192.0.2.", "2001:db8:0:1::", 1),
    Segment.WAN: ("198.51.100.", "2001:db8:0:2::", 2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One NIC of a machine. IPv6 host numbers are the decimal digits of the IPv4 ones."""

    name: str
    segment: Segment
    host: int

    @property
    def mac(self) -> str:
        """The MAC address: always the same, as of a real machine, so that a reboot keeps it."""
        return f"02:00:00:00:{PREFIXES[self.segment][2]:02x}:{self.host:02x}"

    @property
    def v4(self) -> IPv4Interface:
        """The IPv4 address with its network."""
        return IPv4Interface(f"{PREFIXES[self.segment][0]}{self.host}/24")

    @property
    def v6(self) -> IPv6Interface:
        """The IPv6 address with its network."""
        return IPv6Interface(f"{PREFIXES[self.segment][1]}{self.host}/64")

    @property
    def link_local(self) -> IPv6Interface:
        """The link-local address, from the MAC address as RFC 4291 appendix A makes it."""
        return IPv6Interface(f"fe80::ff:fe00:{PREFIXES[self.segment][2]:x}{self.host:02x}/64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One network namespace. `gateway` is the host number of the router in the first segment."""

    name: str
    role: Role
    interfaces: tuple[Interface, ...]
    gateway: int | None = 1

    @property
    def main(self) -> Interface:
        """The first NIC."""
        return self.interfaces[0]

    def port(self, interface: Interface) -> str:
        """Return the name of the other end of a NIC's veth pair."""
        return f"{interface.segment}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """The whole network."""

    nodes: tuple[Machine, ...]
    control: Machine
    router: Machine
    client: Machine

    @property
    def machines(self) -> tuple[Machine, ...]:
        """All machines."""
        return (self.control, self.router, self.client, *self.nodes)

    def machine(self, name: str) -> Machine:
        """Return a machine by its name; raises KeyError with a sentence."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        known = ", ".join(machine.name for machine in self.machines)
        raise KeyError(f"no machine is called {name!r}; there are {known}")

    def node(self, name: str) -> Machine:
        """Return a node by its name; raises KeyError with a sentence."""
        if (machine := self.machine(name)).role is not Role.NODE:
            raise KeyError(f"{name!r} is not a node")
        return machine

    def gateway(self, version: int) -> IPv4Address | IPv6Address:
        """Return the nodes' gateway, for IP version 4 or 6."""
        return self.router.main.v4.ip if version == 4 else self.router.main.v6.ip

    @property
    def api_url(self) -> str:
        """Where the API server listens, as every machine can reach it."""
        return f"http://{self.control.main.v4.ip}:{API_PORT}"


def topology(nodes: int) -> Topology:
    """Return the network with so many nodes; raises ValueError with a sentence."""
    if not 1 <= nodes <= MOST_NODES:
        raise ValueError(f"the number of nodes must be 1 to {MOST_NODES}, not {nodes}")
    return Topology(
        nodes=tuple(
            Machine(name=node_name(index), role=Role.NODE, interfaces=(_nic(FIRST_NODE + index),))
            for index in range(nodes)
        ),
        control=Machine(name="control", role=Role.HOST, interfaces=(_nic(2),)),
        router=Machine(
            name="router",
            role=Role.ROUTER,
            interfaces=(_nic(1), Interface(name="eth1", segment=Segment.WAN, host=1)),
            gateway=None,
        ),
        client=Machine(
            name="client",
            role=Role.HOST,
            interfaces=(Interface(name="eth0", segment=Segment.WAN, host=10),),
        ),
    )


def _nic(host: int) -> Interface:
    return Interface(name="eth0", segment=Segment.LAN, host=host)


def node_name(index: int) -> str:
    """Return node-a for 0, node-z for 25, node-aa for 26."""
    high, low = divmod(index, len(ascii_lowercase))
    return f"node-{ascii_lowercase[high - 1] if high else ''}{ascii_lowercase[low]}"


def bridges_script() -> str:
    """Return what builds the segments in the supervisor's own namespace.

    Without snooping, so that multicast reaches all as on a plain switch.
    """
    lines = ["link set lo up"]
    for segment in Segment:
        lines += [
            f"link add {segment} type bridge stp_state 0 mcast_snooping 0",
            f"link set {segment} addrgenmode none",
            f"link set {segment} up",
        ]
    return "\n".join(lines)


def plug_script(machine: Machine) -> str:
    """Return what creates a machine's namespace and its cables; runs beside the bridges."""
    lines = [f"netns add {machine.name}"]
    for nic in machine.interfaces:
        port = machine.port(nic)
        lines += [
            f"link add {port} type veth peer name {nic.name} address {nic.mac} "
            f"netns {machine.name}",
            f"link set {port} master {nic.segment} addrgenmode none",
            f"link set {port} up",
        ]
    return "\n".join(lines)


def unplug_script(machine: Machine) -> str:
    """Return what removes a machine's cables and namespace."""
    ports = [f"link del {machine.port(nic)}" for nic in machine.interfaces]
    return "\n".join([*ports, f"netns del {machine.name}"])


def boot_script(machine: Machine, *, dummy: str | None = None) -> str:
    """Return what a machine does at boot, inside its namespace.

    All addresses are without duplicate address detection, so that they serve at once; what is added
    later has it, as by default. `dummy` names a link to create for kernels that lack the type.
    """
    lines = ["link set lo up"]
    for nic in machine.interfaces:
        lines += [
            f"link set {nic.name} addrgenmode none",
            f"link set {nic.name} up",
            f"addr add {nic.link_local} dev {nic.name} nodad",
            f"addr add {nic.v4} dev {nic.name}",
            f"addr add {nic.v6} dev {nic.name} nodad",
        ]
    if machine.gateway is not None:
        v4, v6, _ = PREFIXES[machine.main.segment]
        lines += [
            f"route add default via {v4}{machine.gateway}",
            f"route add default via {v6}{machine.gateway}",
        ]
    if machine.role is Role.ROUTER:
        # To the Pods of every node there may be (`kubelet.sandbox`), as a fabric would have them.
        v4, v6, _ = PREFIXES[Segment.LAN]
        for host in range(FIRST_NODE, FIRST_NODE + MOST_NODES):
            lines += [
                f"route add 10.244.{host}.0/24 via {v4}{host}",
                f"route add fd00:10:244:{host:x}::/64 via {v6}{host}",
            ]
    if dummy is not None:
        lines += [f"link add {dummy} type ifb", f"link set {dummy} up"]
    return "\n".join(lines)


def sysctls(machine: Machine) -> Mapping[str, str]:
    """Return what to write below /proc/sys/net of a machine, before its links are up.

    Nodes are set up as kubelets, systemd and PureLB's installation guide leave them.
    """
    scopes = ("all", "default", *(nic.name for nic in machine.interfaces))
    settings = {f"ipv4/conf/{scope}/rp_filter": "0" for scope in scopes}
    settings |= {f"ipv6/conf/{scope}/disable_ipv6": "0" for scope in scopes}
    if machine.role in (Role.NODE, Role.ROUTER):
        settings |= {"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"}
    if machine.role is Role.NODE:
        settings |= {"ipv4/conf/all/arp_ignore": "1", "ipv4/conf/all/arp_announce": "2"}
        settings |= {f"ipv4/conf/{scope}/send_redirects": "0" for scope in scopes}
        settings |= {f"ipv4/conf/{scope}/promote_secondaries": "1" for scope in scopes}
    return settings
