"""By what the nodes of a cluster know each other, MACs most of all. Pure.

Belongs here: what the own Lease shows, and what the Leases of others have shown, so that a node's
word about an address is not taken for a stranger's. Does not: what strangers say (`conflicts`).
"""

from collections.abc import Iterable, Iterator

from nodeagent.core.links import Selection
from nodeagent.core.rest import MAC_LENGTH
from purelb.api.addresses import IPAddress, sort_key
from purelb.api.identifiers import NodeName
from purelb.api.links import DefaultRoute, Link
from purelb.api.views import MOST_GATEWAYS, MOST_MACS


def shown_macs(links: Iterable[Link], selection: Selection) -> tuple[bytes, ...]:
    """Return the MACs under which this node may speak of addresses, sorted, each once.

    Those of the links on which it announces come first, hardware follows: the kernel answers for
    every address on each link unless told otherwise, and a bond may speak by each of its ports.
    """
    found = dict.fromkeys(_macs(links, selection))
    return tuple(sorted(list(found)[:MOST_MACS]))


def shown_gateways(routes: Iterable[DefaultRoute]) -> tuple[IPAddress, ...]:
    """Return the gateways of default routes that a pool could contain, sorted, each once."""
    found = {route.gateway for route in routes if route.gateway is not None}
    return tuple(sorted((one for one in found if not one.is_link_local), key=sort_key))[
        :MOST_GATEWAYS
    ]


def _macs(links: Iterable[Link], selection: Selection) -> Iterator[bytes]:
    hardware = (link for link in links if not link.kind)
    for link in (*(nic.link for nic in selection.nics), *hardware):
        if len(link.mac) == MAC_LENGTH and any(link.mac):  # that of the loopback is zero
            yield link.mac


class MacBook:
    """The MACs of nodes by their Leases, whether these are live or not.

    `shown` are the nodes whose MACs are known. It is None if the Lease of some node does not say
    its own, as those of PureLB's agents: whoever speaks may be that node then.
    """

    def __init__(self) -> None:
        self.shown: frozenset[NodeName] | None = frozenset()
        self._macs: dict[NodeName, frozenset[bytes]] = {}
        self._owners: dict[bytes, NodeName] = {}

    def note(self, node: NodeName, macs: frozenset[bytes]) -> None:
        """Take in what a Lease says."""
        if self._macs.get(node) != macs:
            self._macs[node] = macs
            self._sum_up()

    def forget(self, node: NodeName) -> None:
        """Take in that a Lease is gone."""
        if self._macs.pop(node, None) is not None:
            self._sum_up()

    def is_stranger(self, mac: bytes) -> bool:
        """Tell whether a MAC is certainly that of none of these nodes."""
        return self.shown is not None and mac not in self._owners

    def of(self, node: NodeName) -> frozenset[bytes]:
        """Return the MACs of a node, none if they are not known."""
        return self._macs.get(node, frozenset())

    def owner_of(self, mac: bytes) -> NodeName | None:
        """Return the node that has a MAC, None if none of these nodes does."""
        return self._owners.get(mac)

    def _sum_up(self) -> None:
        self._owners = {mac: node for node, macs in sorted(self._macs.items()) for mac in macs}
        self.shown = frozenset(self._macs) if all(self._macs.values()) else None
