"""Small values of the kernel's world, and regular expressions as users wrote them for Go."""

from ipaddress import ip_address, ip_network

import pytest

from purelb.api.addresses import Family
from purelb.api.links import LinkAddress, network_of
from purelb.api.patterns import parse_pattern


def test_a_network_is_that_of_an_address_and_its_prefix() -> None:
    """Host bits are dropped."""
    assert network_of(ip_address("192.0.2.7"), 24) == ip_network("192.0.2.0/24")


def test_an_address_on_a_link_has_the_family_of_its_number() -> None:
    """Family is data."""
    assert LinkAddress(index=1, address=ip_address("::1"), prefix=128).family is Family.IPV6


@pytest.mark.parametrize(
    ("text", "name", "is_found"),
    [
        pytest.param("eth", "veth0", True, id="unanchored"),
        pytest.param("^eth", "veth0", False, id="anchored"),
        pytest.param("^enp[[:digit:]]+s0\\z", "enp3s0", True, id="posix-class-and-end-of-text"),
    ],
)
def test_a_pattern_is_found_anywhere_unless_anchored(text: str, name: str, is_found: bool) -> None:
    """RE2's semantics."""
    assert parse_pattern(text).found_in(name) is is_found


@pytest.mark.parametrize("text", ["[", "(?=a)", r"(a)\1", "(?>a)", "a++"])
def test_what_re2_refuses_is_no_pattern(text: str) -> None:
    """Also what Python's own expressions would accept."""
    with pytest.raises(ValueError, match="is not a regular expression"):
        parse_pattern(text)
