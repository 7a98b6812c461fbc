"""Addresses, networks and ranges, as Go's `net` package reads the same texts."""

from ipaddress import ip_address, ip_network

import pytest

from purelb.api.addresses import (
    AddressRange,
    Family,
    family_of,
    parse_ip,
    parse_network,
    parse_range,
    sort_key,
)

ADDRESSES = {
    "v4": ("192.0.2.1", "192.0.2.1"),
    "v6-canonical": ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
    "v6-single-zero-group-stays": ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
    "mapped-is-v4": ("::ffff:192.0.2.1", "192.0.2.1"),
    "mapped-in-hex-is-v4": ("::ffff:c000:201", "192.0.2.1"),
    "compatible-stays-v6": ("::192.0.2.1", "::c000:201"),
}


@pytest.mark.parametrize(("text", "canonical"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_an_address_is_printed_as_go_prints_it(text: str, canonical: str) -> None:
    """Stored texts of PureLB and ours are equal."""
    assert str(parse_ip(text)) == canonical


@pytest.mark.parametrize(
    "text", ["", " ", "192.0.2", "192.0.2.01", "192.0.2.256", "fe80::1%eth0", "host", "1", "::g"]
)
def test_what_go_refuses_is_no_address(text: str) -> None:
    """Leading zeros and zones included; the message names the text."""
    with pytest.raises(ValueError, match=r"is not an IP address|has a zone") as failure:
        parse_ip(text)
    assert repr(text) in str(failure.value)


NETWORKS = {
    "v4": ("192.0.2.0/24", "192.0.2.0/24"),
    "host-bits": ("192.0.2.77/24", "192.0.2.0/24"),
    "all": ("0.0.0.0/0", "0.0.0.0/0"),
    "v6": ("2001:db8::5/64", "2001:db8::/64"),
    "mapped": ("::ffff:192.0.2.5/120", "192.0.2.0/24"),
}


@pytest.mark.parametrize(("text", "expected"), NETWORKS.values(), ids=NETWORKS.keys())
def test_a_network_drops_host_bits(text: str, expected: str) -> None:
    """Equal networks are equal, however they are typed."""
    assert parse_network(text) == ip_network(expected)


BAD_NETWORKS = {
    "bare": ("192.0.2.0", "has no prefix length"),
    "dotted-mask": ("192.0.2.0/255.255.255.0", "is not a number"),
    "leading-zero": ("192.0.2.0/08", "is not a number"),
    "sign": ("192.0.2.0/+8", "is not a number"),
    "empty-length": ("192.0.2.0/", "is not a number"),
    "other-digits": ("192.0.2.0/\u0662\u0664", "is not a number"),
    "too-long": ("192.0.2.0/33", "outside 0..32"),
    "too-long-v6": ("::/129", "outside 0..128"),
    "mapped-too-short": ("::ffff:192.0.2.0/95", "outside 0..32"),
    "no-address": ("x/24", "is not an IP address"),
}


@pytest.mark.parametrize(("text", "piece"), BAD_NETWORKS.values(), ids=BAD_NETWORKS.keys())
def test_what_go_refuses_is_no_network(text: str, piece: str) -> None:
    """Go wants address/length in decimal digits."""
    with pytest.raises(ValueError, match=piece):
        parse_network(text)


RANGES = {
    "from-to": ("192.0.2.5-192.0.2.9", "192.0.2.5", "192.0.2.9", 5),
    "blanks": (" 192.0.2.5 - 192.0.2.9 ", "192.0.2.5", "192.0.2.9", 5),
    "one": ("192.0.2.5-192.0.2.5", "192.0.2.5", "192.0.2.5", 1),
    "network-and-broadcast-belong": ("192.0.2.0/24", "192.0.2.0", "192.0.2.255", 256),
    "begins-as-written": ("192.0.2.5/24", "192.0.2.5", "192.0.2.255", 251),
    "host": ("192.0.2.5/32", "192.0.2.5", "192.0.2.5", 1),
    "v6": ("2001:db8::/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", 2**64),
    "all-of-v6": ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 2**128),
}


@pytest.mark.parametrize(("text", "first", "last", "size"), RANGES.values(), ids=RANGES.keys())
def test_a_range_is_from_to_or_a_network(text: str, first: str, last: str, size: int) -> None:
    """Sizes are exact whatever the length."""
    found = parse_range(text)
    assert found == AddressRange(ip_address(first), ip_address(last))
    assert (found.size, str(found)) == (size, f"{first}-{last}")


BAD_RANGES = {
    "reversed": ("192.0.2.9-192.0.2.5", "comes after"),
    "mixed": ("192.0.2.9-2001:db8::1", "different families"),
    "open": ("192.0.2.9-", "is not an IP address"),
    "bare": ("192.0.2.9", "no prefix length"),
    "two-dashes": ("192.0.2.1-192.0.2.2-192.0.2.3", "is not an IP address"),
}


@pytest.mark.parametrize(("text", "piece"), BAD_RANGES.values(), ids=BAD_RANGES.keys())
def test_what_is_no_range_says_why(text: str, piece: str) -> None:
    """A person reads the message in an Event."""
    with pytest.raises(ValueError, match=piece):
        parse_range(text)


def test_a_range_knows_its_members_by_family_and_number() -> None:
    """Only addresses are members."""
    span = parse_range("192.0.2.5-192.0.2.9")
    texts = ("192.0.2.4", "192.0.2.5", "192.0.2.9", "192.0.2.10", "::c000:205")
    assert [ip_address(text) in span for text in texts] == [False, True, True, False, False]
    assert "192.0.2.5" not in span
    assert span.family is Family.IPV4


def test_ranges_overlap_if_an_address_is_in_both() -> None:
    """From either side."""
    one, other = parse_range("192.0.2.0/30"), parse_range("192.0.2.3-192.0.2.9")
    apart = parse_range("192.0.2.4/30")
    assert one.overlaps(other)
    assert other.overlaps(one)
    assert not one.overlaps(apart)
    assert not apart.overlaps(one)


def test_addresses_sort_by_family_then_number() -> None:
    """IPv4 first; numbers, not texts."""
    texts = ("2001:db8::1", "::1", "10.0.0.10", "10.0.0.9")
    ordered = sorted(map(ip_address, texts), key=sort_key)
    assert list(map(str, ordered)) == ["10.0.0.9", "10.0.0.10", "::1", "2001:db8::1"]


def test_families_are_those_of_addresses_and_networks() -> None:
    """Spelled as in spec.ipFamilies."""
    assert family_of(ip_network("::/0")) == "IPv6"
    assert family_of(ip_address("192.0.2.1")) == "IPv4"
