"""Messages about bonds, VLANs and VRFs, byte for byte as the kernel lays them out.

Written from the kernel's own sources, as many kernels lack the modules: rtnl_fill_ifinfo
(net/core/rtnetlink.c) with bond_fill_info, bond_fill_slave_info (drivers/net/bonding),
vlan_fill_info (net/8021q) and vrf_fillinfo (drivers/net/vrf.c). Attributes that nobody reads are
there on purpose.
"""

import struct

import pytest

from purelb.api.identifiers import LinkName
from purelb.api.links import Link
from purelb.runtime.netlink import wire

MAC, PORT_MAC = bytes.fromhex("525400aabb01"), bytes.fromhex("525400aabb02")
UP, LOWER_UP, RUNNING, MULTICAST, BROADCAST = 0x1, 0x10000, 0x40, 0x1000, 0x2
MASTER, SLAVE = 0x400, 0x800  # linux/if.h
WORKS = UP | LOWER_UP | RUNNING | MULTICAST | BROADCAST

# linux/if_link.h
MASTER_INDEX, LINK_INDEX, OPERSTATE, LINKINFO = 10, 5, 16, 18
KIND, DATA, SLAVE_KIND, SLAVE_DATA = 1, 2, 4, 5
BOND_MODE, BOND_ACTIVE_SLAVE, BOND_SLAVE_STATE, VLAN_ID, VLAN_FLAGS = 1, 2, 1, 1, 2
VRF_TABLE = 1
ACTIVE_BACKUP = 1
NESTED = 0x8000  # NLA_F_NESTED, which the kernel sets or not


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded to four bytes."""
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + bytes(-length % 4)


def number(value: int) -> bytes:
    """Return 32 bits."""
    return struct.pack("=I", value)


def message(index: int, name: str, flags: int, *attributes: bytes) -> bytes:
    """Return the body of a RTM_NEWLINK about an Ethernet link."""
    head = struct.pack("=BxHiII", 0, wire.ARPHRD_ETHER, index, flags, 0)
    return head + attribute(3, name.encode() + b"\0") + b"".join(attributes)


BOND = message(
    5,
    "bond0",
    WORKS | MASTER,
    attribute(OPERSTATE, b"\x06"),
    attribute(1, MAC),
    attribute(
        LINKINFO,
        attribute(KIND, b"bond\0")
        + attribute(
            DATA | NESTED,
            attribute(BOND_MODE, bytes([ACTIVE_BACKUP])) + attribute(BOND_ACTIVE_SLAVE, number(3)),
        ),
    ),
)
PORT = message(
    3,
    "eth0",
    WORKS | SLAVE,
    attribute(MASTER_INDEX, number(5)),
    attribute(1, PORT_MAC),
    attribute(
        LINKINFO | NESTED,
        attribute(SLAVE_KIND, b"bond\0")
        + attribute(SLAVE_DATA, attribute(BOND_SLAVE_STATE, b"\x00")),
    ),
)
VLAN = message(
    6,
    "bond0.100",
    WORKS,
    attribute(LINK_INDEX, number(5)),
    attribute(1, MAC),
    attribute(
        LINKINFO,
        attribute(KIND, b"vlan\0")
        + attribute(
            DATA, attribute(VLAN_ID, b"\x64\x00") + attribute(VLAN_FLAGS, number(1) + number(1))
        ),
    ),
)


VRF = message(
    7,
    "red",
    WORKS | MASTER,
    attribute(1, MAC),
    attribute(
        LINKINFO,
        attribute(KIND, b"vrf\0") + attribute(DATA | NESTED, attribute(VRF_TABLE, number(70_000))),
    ),
)


@pytest.mark.parametrize(
    ("body", "index", "name", "mac", "kind"),
    [
        pytest.param(BOND, 5, "bond0", MAC, "bond", id="bond"),
        pytest.param(PORT, 3, "eth0", PORT_MAC, "", id="port of a bond"),
        pytest.param(VLAN, 6, "bond0.100", MAC, "vlan", id="vlan"),
    ],
)
def test_bonds_their_ports_and_vlans_are_links_like_any_other(
    body: bytes, index: int, name: str, mac: bytes, kind: str
) -> None:
    """A port is hardware; what it belongs to does not matter."""
    assert wire.parse_link_state(body) == Link(
        index=index, name=LinkName(name), mac=mac, is_up=True, has_carrier=True, kind=kind
    )
    assert wire.parse_link(body) == (0, index, name)
    assert wire.link_works(body)


@pytest.mark.parametrize("body", [BOND, VLAN], ids=["bond", "vlan"])
@pytest.mark.parametrize("missing", [LOWER_UP, RUNNING])
def test_a_bond_without_a_port_and_a_vlan_without_its_link_have_no_carrier(
    body: bytes, missing: int
) -> None:
    """The kernel takes these flags away (bond_set_carrier, vlan_transfer_operstate)."""
    flags = struct.unpack_from("=I", body, 8)[0] & ~missing
    changed = body[:8] + number(flags) + body[12:]
    state = wire.parse_link_state(changed)
    assert (state.is_up, state.has_carrier) == (True, False)
    assert not wire.link_works(changed)


def test_a_vrf_tells_its_table() -> None:
    """All 32 bits of it; the same attribute of other kinds means something else."""
    state = wire.parse_link_state(VRF)
    assert (state.kind, state.table) == ("vrf", 70_000)
    assert wire.parse_link_state(BOND).table == 0
