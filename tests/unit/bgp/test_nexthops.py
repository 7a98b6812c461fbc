"""A node's own IPv6 address towards an IPv4 neighbor."""

from ipaddress import IPv4Address, IPv6Address

from bgp.core.nexthops import choose_hops, question
from purelb.api.addresses import parse_ip, parse_network
from purelb.api.links import (
    IFA_F_DEPRECATED,
    IFA_F_TENTATIVE,
    OUR_MARK,
    LinkAddress,
    RouteAnswer,
)

TARGETS = {"router": parse_network("192.0.2.1/32"), "range": parse_network("198.51.100.0/24")}
ETH0, ETH1 = 2, 3


def entry(text: str, index: int = ETH0, flags: int = 0, mark: int = 0) -> LinkAddress:
    """Return an address of a link."""
    return LinkAddress(index=index, address=parse_ip(text), prefix=64, flags=flags, mark=mark)


def answer(index: int) -> RouteAnswer:
    """Return a way by a link."""
    return RouteAnswer(index=index, source=None, gateway=None)


def test_a_range_is_looked_for_by_its_first_host() -> None:
    """Its own address is no host."""
    assert question(TARGETS["router"]).to == IPv4Address("192.0.2.1")
    assert question(TARGETS["range"]).to == IPv4Address("198.51.100.1")


def test_the_lowest_usable_global_address_of_the_link_counts() -> None:
    """Link-local, deprecated and tentative ones do not, nor VIPs, nor those of other links."""
    addresses = [
        entry("fe80::1"),
        entry("2001:db8::1", flags=IFA_F_DEPRECATED),
        entry("2001:db8::2", flags=IFA_F_TENTATIVE),
        entry("2001:db8::3", mark=OUR_MARK),
        entry("2001:db8::9"),
        entry("2001:db8::8"),
        entry("2001:db8::4", index=ETH1),
        entry("192.0.2.11"),
    ]
    answers = {question(TARGETS["router"]): answer(ETH0), question(TARGETS["range"]): None}
    found = choose_hops(TARGETS, answers, addresses)
    assert found == {"router": IPv6Address("2001:db8::8"), "range": None}


def test_a_link_without_ipv6_has_no_next_hop() -> None:
    """That is told, not guessed."""
    answers = {question(target): answer(ETH1) for target in TARGETS.values()}
    assert choose_hops(TARGETS, answers, [entry("2001:db8::8")]) == {"router": None, "range": None}
