"""The text of announcing slots, which programs of two suites read and write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purelb.api.addresses import parse_ip
from purelb.api.annotations import Slot, encode_slots, parse_slots
from purelb.api.identifiers import LinkName, NodeName


def slot(node: str, link: str, address: str) -> Slot:
    """Build a slot."""
    return Slot(NodeName(node), LinkName(link), parse_ip(address))


PARSED = {
    "one": ("a,eth0,192.0.2.1", [slot("a", "eth0", "192.0.2.1")]),
    "white-space": (
        " a,eth0,192.0.2.1\t\n b,eth1,::1 ",
        [slot("a", "eth0", "192.0.2.1"), slot("b", "eth1", "::1")],
    ),
    "commas-in-the-link": ("a,et,h0,192.0.2.1", [slot("a", "et,h0", "192.0.2.1")]),
    "mapped": ("a,eth0,::ffff:192.0.2.1", [slot("a", "eth0", "192.0.2.1")]),
    "empty": ("", []),
    "old-forms": ("kube-lb0 a,eth0", []),
    "no-node": (",eth0,192.0.2.1", []),
    "no-link": ("a,,192.0.2.1", []),
    "no-address": ("a,eth0,", []),
    "bad-address": ("a,eth0,192.0.2.x", []),
    "zone": ("a,eth0,fe80::1%eth0", []),
    "bad-one-spoils-nothing": ("x a,eth0,192.0.2.1 y,", [slot("a", "eth0", "192.0.2.1")]),
}


@pytest.mark.parametrize(("text", "expected"), PARSED.values(), ids=PARSED.keys())
def test_entries_are_parsed_and_what_does_not_parse_is_dropped(
    text: str, expected: list[Slot]
) -> None:
    """The node ends at the first comma, the address begins after the last."""
    assert list(parse_slots(text)) == expected


def test_the_canonical_text_is_sorted_by_number_and_has_each_address_once() -> None:
    """IPv4 first; of two entries for one address the first by node, then link."""
    slots = [
        slot("b", "eth0", "192.0.2.10"),
        slot("a", "eth1", "2001:db8::1"),
        slot("c", "eth0", "192.0.2.9"),
        slot("a", "eth2", "192.0.2.10"),
        slot("a", "eth1", "192.0.2.10"),
    ]
    text = "c,eth0,192.0.2.9 a,eth1,192.0.2.10 a,eth1,2001:db8::1"
    assert encode_slots(slots) == encode_slots(reversed(slots)) == text


@given(
    st.lists(
        st.builds(
            slot,
            st.sampled_from(("node-a", "b.example", "c")),
            st.sampled_from(("eth0", "bond0.7", "a,b")),
            st.sampled_from(("192.0.2.1", "192.0.2.10", "2001:db8::1", "::")),
        )
    )
)
def test_a_canonical_text_round_trips_byte_for_byte(slots: list[Slot]) -> None:
    """So that a write which changes nothing is seen as such."""
    text = encode_slots(slots)
    assert encode_slots(parse_slots(text)) == text
