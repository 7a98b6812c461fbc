"""The announcing annotations: a claim, a clearing, and nothing without need."""

import tracemalloc

import pytest

from nodeagent.core.slots import SlotWrite, Steal, write_slots
from nodeagent.core.vips import gather, slot_of, slots_in
from purelb.api.addresses import Family, IPAddress, parse_ip
from purelb.api.identifiers import LinkName, ServiceKey
from purelb.api.views import ServiceView
from tests.unit.nodeagent.builders import VIP, VIP6, WEB, A, B, service

HELD = {VIP: LinkName("eth0")}
MINE, HIS = f"node-a,eth0,{VIP}", f"node-b,eth1,{VIP}"
SECOND = parse_ip("192.0.2.101")
OTHERS = f"node-b,eth0,{SECOND}"


def writes(
    one: ServiceView, held: dict[IPAddress, LinkName], *pending: IPAddress
) -> list[SlotWrite]:
    """Return what node-a would write."""
    return list(write_slots(one, A, held, pending))


def write(text: str | None, *steals: Steal, family: Family = Family.IPV4) -> SlotWrite:
    """Build the expected write."""
    return SlotWrite(service=WEB, version="7", family=family, text=text, steals=steals)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [write(MINE)], id="first"),
        pytest.param(HIS, [write(MINE, Steal(VIP, B))], id="stolen"),
        pytest.param(MINE, [], id="there"),
        pytest.param(f"node-a,eth1,{VIP}", [write(MINE)], id="other-link"),
        pytest.param(OTHERS, [write(f"{MINE} {OTHERS}")], id="others-stay"),
        pytest.param("node-b,eth0,192.0.2.9", [write(MINE)], id="what-is-no-ingress-goes"),
        pytest.param(f"junk {HIS}", [write(MINE, Steal(VIP, B))], id="what-does-not-parse-goes"),
    ],
)
def test_the_holder_claims_its_slot(text: str, expected: list[SlotWrite]) -> None:
    """One entry per address; the canonical text."""
    one = service(WEB, str(VIP), str(SECOND), announcing_IPv4=text)
    assert writes(one, HELD) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(MINE, [write(None)], id="the-key-goes-with-the-last-entry"),
        pytest.param(f"{MINE} {OTHERS}", [write(OTHERS)], id="others-stay"),
        pytest.param(f"{MINE} node-b,eth0,192.0.2.9", [write("node-b,eth0,192.0.2.9")], id="all"),
        pytest.param(HIS, [], id="replaced-already"),
        pytest.param("", [], id="none"),
    ],
)
def test_who_holds_nothing_clears_only_its_own(text: str, expected: list[SlotWrite]) -> None:
    """An address that has left the ingress included."""
    assert writes(service(announcing_IPv4=text), {}) == expected


def test_the_slot_of_an_address_that_is_about_to_come_back_stays() -> None:
    """A restart of a network manager must not write to the API."""
    assert writes(service(announcing_IPv4=MINE), {}, VIP) == []
    assert writes(service(), {}, VIP) == []


def test_the_slot_of_an_address_that_comes_back_to_another_service_goes() -> None:
    """This one has it no more."""
    assert writes(service(WEB, str(SECOND), announcing_IPv4=MINE), {}, VIP) == [write(None)]


def test_each_family_has_its_own_annotation() -> None:
    """Both are written at once."""
    one = service(WEB, str(VIP), str(VIP6))
    found = writes(one, HELD | {VIP6: LinkName("eth0")})
    assert [(w.annotation, w.text) for w in found] == [
        ("purelb.io/announcing-IPv4", MINE),
        ("purelb.io/announcing-IPv6", f"node-a,eth0,{VIP6}"),
    ]


def test_an_address_of_another_service_is_not_claimed_here() -> None:
    """Only what the Service has in its status."""
    assert writes(service(WEB, str(SECOND)), HELD) == []


def test_the_first_service_with_a_slot_speaks_for_a_shared_address() -> None:
    """Services are in the order of their keys."""
    first = service(ServiceKey("a/one"))
    second = service(ServiceKey("b/two"), announcing_IPv4=HIS)
    (vip,) = gather({one.key: one for one in (second, first)}).values()
    found = vip.slot()
    assert found is not None
    assert (vip.keys, found.node) == (("a/one", "b/two"), B)


def test_a_slot_of_another_address_is_not_taken_for_this_one() -> None:
    """Several addresses share an annotation."""
    assert slot_of(service(announcing_IPv4=OTHERS), VIP) is None
    assert slot_of(service(), VIP) is None


def test_an_address_that_is_listed_twice_is_one() -> None:
    """Status may repeat it."""
    (vip,) = gather({WEB: service(WEB, str(VIP), str(VIP))}).values()
    assert len(vip.services) == 1


def test_long_annotations_are_not_remembered() -> None:
    """Whoever may edit a Service could fill the memory of every agent with them."""
    tracemalloc.start()
    try:
        for number in range(20):
            assert len(slots_in(f"{MINE} {number}" + "x" * 100_000)) == 1
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 500_000
