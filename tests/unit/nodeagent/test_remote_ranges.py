"""Which addresses are remote, and with which prefix length."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from nodeagent.core.remote import Placement, read_groups
from nodeagent.core.vips import Vip
from purelb.api.addresses import parse_ip
from purelb.api.groups import GroupKind, GroupView, RangeEntry
from purelb.api.identifiers import PoolName
from tests.unit.nodeagent.builders import (
    WEB,
    service,
)
from tests.unit.nodeagent.remotepools import FAR, FAR_AWAY, INSTALL, group, span


def placement(address: str, *groups: GroupView, **annotations: str) -> Placement | None:
    """Return where groups put an address of a Service with these annotations."""
    vip = Vip(parse_ip(address), (service(WEB, address, **annotations),))
    return read_groups(groups, INSTALL).placement(vip)


@pytest.mark.parametrize(
    ("aggregation", "prefix"), [("default", 24), ("/32", 32), ("/16", 16), ("/8", 8)]
)
def test_the_aggregation_says_the_prefix_length(aggregation: str, prefix: int) -> None:
    """`default` means the mask of the range's subnet."""
    far = group("far", span("198.51.100.0/28", "198.51.100.0/24", aggregation))
    assert placement(FAR, far) == Placement(PoolName("far"), prefix)


def test_every_range_has_its_own_aggregation() -> None:
    """The first range with the address counts."""
    far = group(
        "far",
        span("198.51.100.0-198.51.100.6", "198.51.100.0/24", "/30"),
        span("198.51.100.7-198.51.100.9", "198.51.100.0/24", "/31"),
        span("198.51.100.0/24", "198.51.100.0/24", "/32"),
    )
    found = [placement(f"198.51.100.{number}", far) for number in (0, 6, 7, 9, 10, 255)]
    assert [one.prefix for one in found if one is not None] == [30, 30, 31, 31, 32, 32]


@pytest.mark.parametrize("address", ["198.51.99.255", "198.51.101.0", "2001:db8:e::7", "0.0.0.0"])
def test_an_address_outside_every_remote_range_is_not_remote(address: str) -> None:
    """Whatever its pool was called."""
    assert placement(address, FAR_AWAY, pool_type="remote", allocated_from="far") is None


def test_a_local_range_with_a_remote_address_says_the_prefix_length() -> None:
    """Groups are searched local first for that, as PureLB does."""
    near = group("near", span("198.51.100.0/25", "198.51.100.0/25"), kind=GroupKind.LOCAL)
    assert placement(FAR, FAR_AWAY, near) == Placement(PoolName("near"), 25)
    assert placement(FAR, near) is None


@pytest.mark.parametrize(
    ("broken", "part"),
    [
        (span("198.51.100.0/24", "198.51.100.0/24", "/64"), "aggregation /64"),
        (span("198.51.100.0/24", "198.51.100.0/24", "wide"), "wide"),
        (span("198.51.100.0/24", "2001:db8::/64"), "another family"),
        (span("198.51.100.0/24", "198.51.100.0"), "no prefix length"),
    ],
)
def test_a_range_that_gives_no_prefix_length_is_a_defect(broken: RangeEntry, part: str) -> None:
    """The defect names group and range."""
    found = placement(FAR, group("far", broken))
    assert found is not None
    assert part in found.defect
    assert "ServiceGroup far" in found.defect


def test_ranges_that_do_not_parse_are_left_out() -> None:
    """Nothing was allocated from them; the others count."""
    far = group("far", span("nonsense", ""), span("198.51.100.0/24", "198.51.100.0/24"))
    assert placement(FAR, far) == Placement(PoolName("far"), 24)


@pytest.mark.parametrize(
    ("announce", "allocated_from", "is_remote"),
    [
        ("remote", "ipam", True),
        ("remote", "other, ipam", True),
        ("remote", "other", False),
        ("local", "ipam", False),
    ],
)
def test_an_external_group_says_whether_its_addresses_are_remote(
    announce: str, allocated_from: str, is_remote: bool
) -> None:
    """It has no range, so the address is configured as a host address."""
    ipam = group("ipam", kind=GroupKind.EXTERNAL, announce=announce)
    found = placement("203.0.113.9", ipam, allocated_from=allocated_from)
    assert found == (Placement(PoolName("ipam"), 32) if is_remote else None)


def test_groups_outside_the_install_namespace_count_if_there_are_no_others() -> None:
    """As for the allocator."""
    stray = replace(FAR_AWAY, namespace="elsewhere")
    assert placement(FAR, stray) is not None
    assert placement(FAR, stray, group("other", span("10.0.0.0/24", "10.0.0.0/24"))) is None


def test_thousands_of_ranges_are_searched_in_logarithmic_time() -> None:
    """Overlaps included, each address finds the first range that has it, as a search would."""
    texts = (f"10.0.{n % 250}.{n % 7}-10.0.{n % 250 + 3}.{n % 11}" for n in range(600))
    entries = [span(text, "10.0.0.0/8") for text in texts]
    spans = read_groups([group("far", *entries)], INSTALL).remote
    for number in range(0, 65536, 97):
        address = ip_network("10.0.0.0/16")[number]
        first = next((one for one in spans.spans if address in one.range), None)
        assert spans.find(address) == (first.placement if first is not None else None)
