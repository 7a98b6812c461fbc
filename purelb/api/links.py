"""Network interfaces, their addresses and routes, as the kernel reports them.

Read by the network programs' cores; built by `purelb.runtime.netlink` only.
"""

from dataclasses import dataclass
from ipaddress import ip_network

from purelb.api.addresses import Family, IPAddress, IPNetwork, family_of
from purelb.api.identifiers import LinkName

OUR_MARK = 167  # IFA_PROTO of every address we add (0xA7); see linux/if_addr.h, kernel >= 5.18
OUR_ALIAS = "purelb"  # IFLA_IFALIAS of a link we made; it stays as long as the link
FOREVER = 0xFFFFFFFF  # a lifetime without end (linux/if_addr.h: INFINITY_LIFE_TIME)
LONGEST_LIFETIME = FOREVER - 1  # seconds
LONGEST_NAME = 15  # bytes of a link's name (linux/if.h: IFNAMSIZ, less the final zero)

# Address flags, linux/if_addr.h.
IFA_F_SECONDARY = 0x01  # IPv4: another address of the same network and mask came first
IFA_F_NODAD = 0x02
IFA_F_DADFAILED = 0x08
IFA_F_DEPRECATED = 0x20
IFA_F_TENTATIVE = 0x40
IFA_F_PERMANENT = 0x80
IFA_F_NOPREFIXROUTE = 0x200


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One interface. `mac` is six bytes, or empty where the link has none."""

    index: int
    name: LinkName
    mac: bytes
    is_up: bool  # IFF_UP: switched on by somebody
    has_carrier: bool  # IFF_LOWER_UP, and no dormant or lower link forbids it (IFF_RUNNING)
    is_loopback: bool = False
    kind: str = ""  # IFLA_INFO_KIND: "veth", "dummy", ...; empty for hardware
    alias: str = ""  # IFLA_IFALIAS
    table: int = 0  # IFLA_VRF_TABLE: the routes of a VRF; 0 for all other links


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAddress:
    """One address on a link, in the order in which the kernel lists them.

    `address` is the local one on point-to-point links. Lifetimes are whole seconds left when it was
    read, FOREVER without end. `mark` is IFA_PROTO, 0 where nobody set it or the kernel has none.
    """

    index: int
    address: IPAddress
    prefix: int
    flags: int = 0
    valid_seconds: int = FOREVER
    preferred_seconds: int = FOREVER
    mark: int = 0

    @property
    def family(self) -> Family:
        """The family of the address."""
        return family_of(self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultRoute:
    """One next hop of a default route of the main table; a multipath route gives one for each."""

    family: Family
    metric: int
    index: int  # of the link it leaves by
    gateway: IPAddress | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAddress:
    """An address to put on a link, always with our mark.

    Lifetimes in whole seconds; `valid_seconds` is at least 1 or FOREVER.
    """

    index: int
    address: IPAddress
    prefix: int
    flags: int
    valid_seconds: int
    preferred_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteQuery:
    """Which way would a packet of this host go? `source` None: the kernel chooses one.

    `link` is the index of the one it must leave by, 0 for any; with a VRF's, its table counts.
    """

    to: IPAddress
    source: IPAddress | None = None
    link: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAnswer:
    """The link it leaves by, the source it has, and the router; None for `gateway`: on the link.

    `table` is where its route is; 0 where no link was asked for.
    """

    index: int
    source: IPAddress | None
    gateway: IPAddress | None
    table: int = 0


def is_link_name(text: str) -> bool:
    """Tell whether the kernel takes a text as the name of a link (`dev_valid_name`)."""
    if not 0 < len(text.encode()) <= LONGEST_NAME or text in (".", ".."):
        return False
    return not any(letter in "/:\0" or letter.isspace() for letter in text)


def network_of(address: IPAddress, prefix: int) -> IPNetwork:
    """Return the network of an address with a prefix length, host bits dropped."""
    return ip_network((address, prefix), strict=False)
