"""Nodes tell each other from strangers by the MACs on their Leases."""

from ipaddress import ip_address

from nodeagent.core.identity import MacBook, shown_gateways, shown_macs
from nodeagent.core.links import Selection
from purelb.api.addresses import Family
from purelb.api.links import DefaultRoute
from purelb.api.views import MOST_MACS, parse_macs
from tests.unit.nodeagent.builders import MAC, A, B, agent, kernel, link

PEER, STRANGER = b"\2\0\0\0\0\x08", b"\2\0\0\0\0\x66"


def selection() -> Selection:
    """Return the selection of a node with one NIC."""
    one = agent(host=kernel())
    one.decide()
    return one.desired.selection


def test_a_node_shows_the_links_it_announces_on_and_its_hardware() -> None:
    """Not the ends of its Pods' links, nor what has no MAC."""
    port = link(3, "eth1", mac=PEER)
    others = (
        link(1, "lo", mac=bytes(6)),
        link(4, "veth0", kind="veth", mac=STRANGER),
        link(5, "tun0", mac=b""),
        link(6, "ib0", mac=bytes(range(20))),
    )
    bridge = link(kind="bridge")
    assert shown_macs((bridge, port, *others), selection()) == (MAC, PEER)


def test_what_a_node_shows_is_bounded_and_its_own_links_come_first() -> None:
    """Every agent receives every Lease."""
    many = [link(n, f"vf{n}", mac=bytes([0, 0, 0, 0, n, 1])) for n in range(10, 100)]
    found = shown_macs((*many, link()), selection())
    assert len(found) == MOST_MACS
    assert MAC in found
    assert parse_macs(",".join(mac.hex(":") for mac in found)) == frozenset(found)


def test_a_node_shows_the_gateways_that_a_pool_could_contain() -> None:
    """Each once; those of the link alone are in no pool."""
    texts = ("2001:db8::1", "192.0.2.1", "fe80::1", "192.0.2.1")
    routes = [
        DefaultRoute(family=Family.IPV4, metric=0, index=2, gateway=ip_address(text))
        for text in texts
    ]
    routes.append(DefaultRoute(family=Family.IPV4, metric=0, index=3, gateway=None))
    assert shown_gateways(routes) == (ip_address("192.0.2.1"), ip_address("2001:db8::1"))


def test_what_does_not_parse_is_no_mac() -> None:
    """Anybody can write an annotation."""
    assert parse_macs("02:00:00:00:00:08,,x,02:00,0200000000080900") == {PEER}
    assert parse_macs("") == frozenset()


def test_a_stranger_is_who_is_none_of_the_nodes() -> None:
    """A node whose Lease is gone counts as one that never was."""
    book = MacBook()
    book.note(A, frozenset({MAC}))
    book.note(B, frozenset({PEER}))
    book.note(B, frozenset({PEER}))
    assert [book.is_stranger(mac) for mac in (MAC, PEER, STRANGER)] == [False, False, True]
    assert book.shown == frozenset({A, B})
    book.forget(B)
    book.forget(B)
    assert (book.is_stranger(PEER), book.shown) == (True, frozenset({A}))


def test_nobody_is_a_stranger_while_a_node_does_not_say_who_it_is() -> None:
    """An agent of PureLB, in the middle of a migration."""
    book = MacBook()
    book.note(A, frozenset({MAC}))
    book.note(B, frozenset())
    assert (book.is_stranger(STRANGER), book.shown) == (False, None)
    book.note(B, frozenset({PEER}))
    assert (book.is_stranger(STRANGER), book.shown) == (True, frozenset({A, B}))
