"""The order gate: when an address may be added, and where it must stand."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from nodeagent.core.gate import (
    ALONE,
    CLEAR,
    LONGEST,
    QUIET,
    Blocked,
    Cause,
    Gate,
    Record,
    WaitUntil,
    cause,
    compare,
    gate,
    is_known,
    is_news,
    misplaced,
    note_change,
    note_loss,
)
from nodeagent.core.links import Home, Nic, Observed
from purelb.api.addresses import FAMILIES, Family
from purelb.api.links import IFA_F_PERMANENT, IFA_F_TENTATIVE, OUR_MARK, LinkAddress
from tests.unit.nodeagent.builders import ETH0, OWN, VIP, entry, link

NIC = Nic(link=link(), own=(entry(OWN),), networks=(ip_network("192.0.2.0/24"),))
HOME = Home(NIC, NIC.networks[0])


def after(*changes: float, lost: float | None = None) -> Record:
    """Return the record after changes of own addresses at these instants."""
    record: Record = {}
    for now in changes:
        record = note_change(record, ETH0, Family.IPV4, now)
    return record if lost is None else note_loss(record, ETH0, Family.IPV4, lost)


@pytest.mark.parametrize(
    ("record", "now", "expected"),
    [
        pytest.param({}, 100.0, CLEAR, id="nothing-ever-happened"),
        pytest.param(after(100.0), 100.0, WaitUntil(100.0 + QUIET), id="own-address-changed"),
        pytest.param(after(100.0, 100.05), 100.1, WaitUntil(100.05 + QUIET), id="and-again"),
        pytest.param(after(100.0), 100.0 + QUIET, CLEAR, id="quiet"),
        pytest.param(after(lost=100.0), 100.0, WaitUntil(100.0 + ALONE), id="ours-alone"),
        pytest.param(after(lost=100.0), 100.0 + ALONE, CLEAR, id="nothing-followed"),
        pytest.param(after(100.0, lost=99.9), 100.01, WaitUntil(100.0 + QUIET), id="both"),
        pytest.param(note_change({}, 99, Family.IPV4, 100.0), 100.0, CLEAR, id="another-link"),
        pytest.param(note_change({}, ETH0, Family.IPV6, 100.0), 100.0, CLEAR, id="another-family"),
    ],
)
def test_the_gate_opens_when_the_link_is_quiet(record: Record, now: float, expected: Gate) -> None:
    """The loss of one of ours alone is repaired within milliseconds."""
    assert gate(HOME, record, now) == expected


def test_a_link_that_never_gets_quiet_is_used_all_the_same() -> None:
    """After five seconds of unrest without a pause."""
    record = after(*(100.0 + number * 0.05 for number in range(200)))
    assert gate(HOME, record, 100.0 + LONGEST - 0.01) == WaitUntil(100.0 + LONGEST)
    assert gate(HOME, record, 100.0 + LONGEST) == CLEAR


def test_unrest_after_a_pause_begins_anew() -> None:
    """The five seconds count from its own beginning."""
    record = after(100.0, 104.0, 104.09)
    assert record[ETH0, Family.IPV4].began == 104.0


def test_without_the_own_address_the_gate_is_shut() -> None:
    """However quiet the link is; what is in place would be the source of the node's traffic."""
    bare = Home(replace(NIC, own=(), networks=()), HOME.network, is_steady=False)
    assert gate(bare, {}, 100.0) == Blocked(
        "eth0 has no usable address of its own in 192.0.2.0/24", withdraws=True
    )


def test_without_a_carrier_the_gate_is_shut_and_what_is_in_place_may_stay() -> None:
    """The node's own address is still there, so a short flap is no loss."""
    assert gate(replace(HOME, is_steady=False), {}, 100.0) == Blocked("eth0 has no carrier")


def observed(*entries: LinkAddress, up: bool = True) -> Observed:
    """Build an observation of one link."""
    return Observed(links=(link(has_carrier=up),), addresses=entries, read_at=100.0)


@pytest.mark.parametrize(
    ("later", "families"),
    [
        (observed(entry(OWN)), ()),
        (observed(entry(OWN), entry("192.0.2.9/32", mark=OUR_MARK)), ()),
        (observed(replace(entry(OWN), valid_seconds=7)), ()),
        (observed(), (Family.IPV4,)),
        (observed(entry(OWN), entry("192.0.2.9/24")), (Family.IPV4,)),
        (observed(entry(OWN), entry("2001:db8::9/64")), (Family.IPV6,)),
        (observed(entry(OWN), up=False), FAMILIES),
        (Observed(read_at=100.0), ()),
        (observed(entry(OWN), entry("192.0.2.9/24", index=77)), ()),
    ],
)
def test_two_observations_show_what_no_event_told(
    later: Observed, families: tuple[Family, ...]
) -> None:
    """Own addresses, carrier and existence count; ours and lifetimes do not."""
    expected: Record = {}
    for family in families:
        expected = note_change(expected, ETH0, family, 100.0)
    assert compare({}, observed(entry(OWN)), later) == expected


def test_links_that_are_gone_are_forgotten() -> None:
    """A node with Pods that come and go has thousands in a day."""
    record: Record = {}
    known = observed(entry(OWN))
    for index in range(100, 120):
        with_pod = replace(observed(entry(OWN)), links=(link(), link(index, f"veth{index}")))
        record = compare(compare(record, known, with_pod), with_pod, known)
    assert record == {}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (entry(OWN), False),
        (replace(entry(OWN), valid_seconds=7, flags=IFA_F_PERMANENT), False),
        (entry(OWN, flags=IFA_F_TENTATIVE), True),
        (entry("192.0.2.8/24"), True),
        (entry("192.0.2.7/32"), True),
        (entry(OWN, index=9), True),
    ],
)
def test_an_event_that_only_changes_lifetimes_is_no_news(
    seen: LinkAddress, *, expected: bool
) -> None:
    """A lifetime that ends or begins to have an end flips the permanent flag."""
    assert is_news(observed(entry(OWN)), seen) is expected


@pytest.mark.parametrize(
    ("seen", "expected"), [(entry(OWN, flags=IFA_F_TENTATIVE), True), (entry(OWN, index=9), False)]
)
def test_an_address_that_changes_its_flags_was_there_before(
    seen: LinkAddress, *, expected: bool
) -> None:
    """The end of duplicate detection is no unrest."""
    assert is_known(observed(entry(OWN)), seen) is expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param({}, Cause.UNSEEN, id="no-event"),
        pytest.param(after(lost=100.0), Cause.REMOVED, id="alone"),
        pytest.param(after(50.0, lost=100.0), Cause.REMOVED, id="long-after-others"),
        pytest.param(after(99.5, lost=100.0), Cause.RECONFIGURED, id="together"),
        pytest.param(after(100.5, lost=100.0), Cause.RECONFIGURED, id="and-then-others"),
        pytest.param(after(100.0), Cause.RECONFIGURED, id="withdrawn-by-us"),
    ],
)
def test_a_loss_has_a_cause(record: Record, expected: Cause) -> None:
    """By what else happened on the link."""
    assert cause(HOME, record) is expected


HOST = f"{VIP}/32"
OTHER = "198.51.100.7/24"


@pytest.mark.parametrize(
    ("texts", "own", "is_wrong"),
    [
        pytest.param((OWN, HOST), (OWN,), False, id="behind"),
        pytest.param((HOST, OWN), (OWN,), True, id="before"),
        pytest.param((OTHER, HOST, OWN), (OTHER, OWN), True, id="before-that-of-its-network"),
        pytest.param((OWN, HOST, "192.0.2.8/24"), (OWN, "192.0.2.8/24"), False, id="second-own"),
        pytest.param((OWN, HOST, OTHER), (OWN, OTHER), False, id="other-network-later"),
        pytest.param((HOST,), (), False, id="no-own-address"),
        pytest.param((f"{VIP}/24", OWN), (OWN,), False, id="a-leftover-is-not-reordered"),
        pytest.param((HOST, "2001:db8::7/64"), ("2001:db8::7/64",), False, id="other-family"),
    ],
)
def test_ours_must_stand_behind_the_nodes_own(
    texts: tuple[str, ...], own: tuple[str, ...], *, is_wrong: bool
) -> None:
    """Behind the first own address of its network."""
    nic = Nic(link=link(), own=tuple(entry(text) for text in own))
    found = misplaced(nic, [entry(text) for text in texts], {VIP})
    assert found == ({VIP} if is_wrong else frozenset())
