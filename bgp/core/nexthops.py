"""This node's own IPv6 address towards an IPv4 neighbor. Pure."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address

from purelb.api.addresses import IPNetwork
from purelb.api.links import (
    IFA_F_DADFAILED,
    IFA_F_DEPRECATED,
    IFA_F_TENTATIVE,
    OUR_MARK,
    LinkAddress,
    RouteAnswer,
    RouteQuery,
)

_UNUSABLE = IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED


def question(target: IPNetwork) -> RouteQuery:
    """Return what to ask the kernel to learn the link towards a neighbor or a range of them."""
    first = target.network_address
    return RouteQuery(to=first if target.num_addresses == 1 else first + 1)


def choose_hops(
    targets: Mapping[str, IPNetwork],
    answers: Mapping[RouteQuery, RouteAnswer | None],
    addresses: Iterable[LinkAddress],
) -> dict[str, IPv6Address | None]:
    """Return the next hop for each target's IPv6 routes, None where its link has no address.

    The first usable global address of the link counts, the lowest number first; never a VIP.
    """
    by_link: dict[int, list[IPv6Address]] = {}
    for entry in addresses:
        address = entry.address
        if isinstance(address, IPv6Address) and _is_usable(entry, address):
            by_link.setdefault(entry.index, []).append(address)
    found: dict[str, IPv6Address | None] = {}
    for name, target in targets.items():
        answer = answers.get(question(target))
        known = by_link.get(answer.index, []) if answer is not None else []
        found[name] = min(known, default=None)
    return found


def _is_usable(entry: LinkAddress, address: IPv6Address) -> bool:
    is_local = address.is_link_local or address.is_loopback
    return not is_local and not entry.flags & _UNUSABLE and entry.mark != OUR_MARK
