"""Routes of the kernel, as far as the suite puts some there.

Built and read by the BGP sidecar; `purelb.runtime.netlink.fib` knows their bytes.
"""

from dataclasses import dataclass

from purelb.api.addresses import IPAddress, IPNetwork

MAIN_TABLE = 254  # RT_TABLE_MAIN, linux/rtnetlink.h


@dataclass(frozen=True, slots=True)
class Hop:
    """One next hop: a router, or None for what is on the link, and the link it leaves by."""

    gateway: IPAddress | None
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelRoute:
    """A unicast route. `hops` are sorted; several share the traffic.

    The kernel tells routes apart by table, prefix and metric.
    """

    prefix: IPNetwork
    table: int
    metric: int
    protocol: int
    hops: tuple[Hop, ...]

    @property
    def key(self) -> "RouteKey":
        """What the kernel tells it by."""
        return RouteKey(self.table, self.prefix, self.metric)


@dataclass(frozen=True, slots=True)
class RouteKey:
    """Which route it is, wherever it leads."""

    table: int
    prefix: IPNetwork
    metric: int


def hop_order(hop: Hop) -> tuple[int, int, int]:
    """Order next hops: by link, then by router."""
    if hop.gateway is None:
        return hop.index, 0, 0
    return hop.index, hop.gateway.version, int(hop.gateway)
