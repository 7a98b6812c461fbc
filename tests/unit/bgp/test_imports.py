"""Which prefixes a node originates for the addresses it has."""

import pytest

from bgp.core.imports import NO_IMPORTS, Imports, Interface, Source, gather, sources
from bgp.core.model import Route
from purelb.api.addresses import parse_ip, parse_network
from purelb.api.identifiers import LinkName
from purelb.api.links import IFA_F_DADFAILED, IFA_F_TENTATIVE, Link, LinkAddress
from tests.unit.bgp.builders import body, spec_of

DUMMY, ETH0 = 5, 2
WANTED = (Source("", ("kube-lb0",)),)


def link(index: int, name: str, *, is_up: bool = True) -> Link:
    """Return a link."""
    return Link(index=index, name=LinkName(name), mac=b"", is_up=is_up, has_carrier=is_up)


def entry(text: str, index: int = DUMMY, flags: int = 0) -> LinkAddress:
    """Return an address as `address/length`."""
    address, _, prefix = text.partition("/")
    return LinkAddress(index=index, address=parse_ip(address), prefix=int(prefix), flags=flags)


LINKS = (link(DUMMY, "kube-lb0"), link(ETH0, "eth0"))


def gathered(*entries: LinkAddress) -> Imports:
    """Return what addresses make where the dummy link is imported."""
    return gather(WANTED, LINKS, entries)


def prefixes(imports: Imports) -> set[str]:
    """Return the prefixes."""
    return {str(route.prefix) for route in imports.routes}


def test_an_address_makes_a_route_of_its_network() -> None:
    """A host route where it has the longest length."""
    found = gathered(entry("10.0.0.1/32"), entry("10.1.1.7/24"), entry("2001:db8::7/64"))
    assert prefixes(found) == {"10.0.0.1/32", "10.1.1.0/24", "2001:db8::/64"}


def test_a_network_stays_until_its_last_address_is_gone() -> None:
    """And is there once."""
    one, other = entry("10.1.1.7/24"), entry("10.1.1.8/24")
    assert prefixes(gathered(one, other)) == {"10.1.1.0/24"}
    assert prefixes(gathered(other)) == {"10.1.1.0/24"}
    assert prefixes(gathered()) == set()


@pytest.mark.parametrize(
    "unusable",
    [
        entry("fe80::1/64"),
        entry("169.254.0.1/16"),
        entry("127.0.0.1/8"),
        entry("2001:db8::1/128", flags=IFA_F_TENTATIVE),
        entry("2001:db8::1/128", flags=IFA_F_TENTATIVE | IFA_F_DADFAILED),
        entry("192.0.2.11/24", index=ETH0),
        entry("192.0.2.11/24", index=99),
    ],
    ids=str,
)
def test_addresses_that_nobody_can_be_sent_to_are_left_out(unusable: LinkAddress) -> None:
    """Link-local ones, duplicates, and those of other links."""
    assert gathered(unusable).routes == frozenset()


def test_interfaces_are_meant_by_name_or_pattern() -> None:
    """A name that no link has is told; a pattern that none matches is not."""
    wanted = (Source("", ("eth*", "gone", "lack*")),)
    links = (*LINKS, link(9, "eth1", is_up=False))
    found = gather(wanted, links, [entry("192.0.2.11/24", index=ETH0)])
    assert prefixes(found) == {"192.0.2.0/24"}
    assert found.interfaces == (
        Interface(name="eth0", exists=True, is_up=True),
        Interface(name="eth1", exists=True, is_up=False),
        Interface(name="gone", exists=False, is_up=False),
    )


def test_a_link_that_is_meant_twice_is_imported_once() -> None:
    """Into the first VRF."""
    wanted = (Source("", ("kube-lb0",)), Source("red", ("*",)))
    found = gather(wanted, LINKS, [entry("10.0.0.1/32"), entry("192.0.2.11/24", index=ETH0)])
    assert found.routes == {
        Route(parse_network("10.0.0.1/32")),
        Route(parse_network("192.0.2.0/24"), "red"),
    }


def test_nothing_is_imported_where_nothing_is_wanted() -> None:
    """Import is off by default."""
    assert gather((), LINKS, [entry("10.0.0.1/32")]) == NO_IMPORTS


def test_sources_are_what_the_configuration_enables() -> None:
    """For the table and for VRFs."""
    on, off = {"enabled": True, "interfaceList": ["a"]}, {"enabled": False}
    vrfs = [
        {"name": "red", "rd": "1:1", "netlinkImport": on},
        {"name": "blue", "rd": "1:2", "netlinkImport": off},
        {"name": "grey", "rd": "1:3"},
    ]
    assert sources(spec_of(body(vrfs=vrfs, netlinkImport=on))) == (
        Source("", ("a",)),
        Source("red", ("a",)),
    )
    assert sources(spec_of(body(netlinkImport=off))) == ()
    assert sources(spec_of(body(netlinkImport=None))) == ()
