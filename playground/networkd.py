"""A real systemd-networkd that configures a node's NIC, as on Debian, with its own D-Bus.

Belongs here: how it is started so that it takes the node for a host, and how it is spoken to. Does
not: what it does to addresses, which is what tests want to see.

Without a writable /sys and the udev database networkd believes to be in a container: it configures
links before it has read their addresses, and then it removes none (measured, systemd 252).
"""

from collections.abc import Sequence
from pathlib import Path

from playground.processes import ProcessSpec
from playground.topology import Machine, Topology

PROGRAM = Path("/lib/systemd/systemd-networkd")
OTHERS = ("/usr/bin/dbus-daemon", "/usr/bin/networkctl")
CONFIGURED = "State changed: configuring -> configured"  # in its log, once for each time

# Runs in a mount namespace of its own. What networkd remembers in /run outlives a restart.
SCRIPT = """
set -e
mkdir -p "$STATE"
mount --bind "$STATE" /run
cd /run
mkdir -p systemd/netif/links systemd/netif/leases systemd/netif/lldp systemd/network dbus udev/data
chown -R systemd-network:systemd-network systemd/netif 2>/dev/null || true
for index in 1 2 3 4 5 6 7 8 9; do
  printf 'I:1\\nE:ID_NET_DRIVER=veth\\nG:systemd\\nQ:systemd\\nV:1\\n' > udev/data/n$index
done
[ -e systemd/network/10-nic.network ] || printf '%s' "$NETWORK" > systemd/network/10-nic.network
printf '%s' "$BUS" > bus.conf
rm -f dbus/system_bus_socket
dbus-daemon --config-file=/run/bus.conf --nofork --nopidfile &
until [ -S dbus/system_bus_socket ]; do sleep 0.02; done
exec "$PROGRAM"
"""

BUS = """<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
"""


def complaint() -> str:
    """Return why networkd cannot run here, in one sentence; empty if it can."""
    missing = [str(path) for path in (PROGRAM, *map(Path, OTHERS)) if not path.exists()]
    return f"{', '.join(missing)} missing: install systemd and dbus" if missing else ""


def static_network(world: Topology, machine: Machine, *lines: str) -> str:
    """Return a .network file with the addresses and gateways that the machine has from boot on.

    `lines` are added to its section [Network].
    """
    nic = machine.main
    own = (nic.v4, nic.v6, nic.link_local)
    return _network(
        machine,
        "LinkLocalAddressing=no",
        *(f"Address={address}" for address in own),
        *(f"Gateway={world.gateway(version)}" for version in (4, 6)),
        *lines,
    )


def dhcp_network(world: Topology, machine: Machine, *lines: str) -> str:
    """Return a .network file that leaves IPv4 to DHCP; IPv6 is as in `static_network`."""
    nic = machine.main
    text = _network(
        machine,
        "LinkLocalAddressing=no",
        "DHCP=ipv4",
        *(f"Address={address}" for address in (nic.v6, nic.link_local)),
        f"Gateway={world.gateway(6)}",
        *lines,
    )
    return f"{text}[DHCPv4]\nClientIdentifier=mac\nSendRelease=no\n"


def spec(machine: Machine, network: str) -> ProcessSpec:
    """Return the process; `network` is the .network file of its first start."""
    environment = {
        "STATE": state(machine),
        "NETWORK": network,
        "BUS": BUS,
        "PROGRAM": str(PROGRAM),
        "SYSTEMD_LOG_LEVEL": "debug",
    }
    return ProcessSpec(
        name=f"networkd-{machine.name}",
        machine=machine.name,
        argv=("sh", "-c", SCRIPT),
        environment=environment,
    )


def state(machine: Machine) -> str:
    """Return the folder, inside the world, that networkd sees as /run."""
    return f"/run/playground/networkd-{machine.name}"


def control(pid: int, *arguments: str) -> Sequence[str]:
    """Return a command line of `networkctl` for the networkd that has this process id inside."""
    return ("nsenter", "--target", str(pid), "--mount", "networkctl", *arguments)


def _network(machine: Machine, *lines: str) -> str:
    head = f"[Match]\nName={machine.main.name}\n[Network]\nIPv6AcceptRA=no\n"
    return head + "".join(f"{line}\n" for line in lines)
