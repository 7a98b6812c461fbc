"""What of the last pass is used again: the corners that random worlds seldom reach."""

from dataclasses import replace

import pytest

from nodeagent.core.config import Lifetimes, NodeConfig
from nodeagent.core.gate import note_change
from nodeagent.core.inputs import Listing
from nodeagent.core.links import Observed
from nodeagent.core.ops import AddAddress
from nodeagent.core.reuse import patched
from nodeagent.core.selection import GRACE
from nodeagent.core.verdicts import Here, Judgement
from purelb.api.addresses import Family, parse_ip
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.api.links import OUR_MARK, LinkAddress
from tests.agent import Agent
from tests.unit.nodeagent.builders import (
    ETH0,
    NOW,
    OWN,
    OWN6,
    VIP,
    VIP6,
    WEB,
    B,
    agent,
    entry,
    facts,
    kernel,
    renewed,
    service,
)

OTHER = parse_ip("192.0.2.101")
SECOND = service(ServiceKey("shop/second"), str(OTHER))
HOST, HOST6 = f"{VIP}/32", f"{VIP6}/128"


def ours(text: str, **others: int) -> LinkAddress:
    """Build an entry with our mark."""
    return replace(entry(text, mark=OUR_MARK), **others)  # type: ignore[arg-type]  # per field


def listing(*entries: LinkAddress) -> Listing:
    """Build a listing."""
    return Listing.of(Observed(addresses=entries))


def touched(one: Agent) -> set[str]:
    """Make a pass and return the addresses that were judged."""
    one.run()
    return {str(address) for address in one.desired.changed}


def placed_agent() -> Agent:
    """Build a loop that has put two addresses in place and come to rest."""
    one = agent(facts(service(), SECOND), kernel(OWN))
    one.run()
    one.run()
    one.run()
    return one


def test_a_pass_that_finds_nothing_new_judges_nothing() -> None:
    """And hands on the very same verdicts."""
    one = placed_agent()
    before = one.desired.verdicts
    assert touched(one) == set()
    assert one.desired.verdicts is before


def test_only_the_addresses_of_a_changed_service_are_judged() -> None:
    """The others keep their very verdict."""
    one = placed_agent()
    before = one.desired.verdicts[OTHER]
    one.facts = replace(one.facts, services={WEB: service(), SECOND.key: SECOND})
    assert touched(one) == {str(VIP)}
    assert one.desired.verdicts[OTHER] is before


def test_a_renewal_brings_new_terms_and_judges_nothing() -> None:
    """Lifetimes are refreshed all the same."""
    one = placed_agent()
    one.kernel.advance(NOW + 3.3)
    renewed(one)
    assert touched(one) == set()
    assert one.desired.terms.until == NOW + 3.3 + 8.5
    assert len(one.ops) == 2


def test_a_lifetime_that_the_right_bounds_no_longer_gets_a_time_of_its_own() -> None:
    """A renewal has come after many that had failed."""
    limits = Lifetimes(valid=6, preferred=6, has_prefix_route=False)
    one = agent(replace(facts(), config=NodeConfig(source="ns/x", local=limits)))
    one.run()
    one.kernel.advance(NOW + 4)
    one.run()
    assert one.desired.next_change == NOW + 8.5
    renewed(one)
    one.run()
    assert one.desired.next_change == NOW + 5


def test_an_address_that_vanishes_as_soon_as_it_is_added_is_repaired() -> None:
    """No look at the kernel has ever shown it."""
    one = agent(facts(service(WEB, str(VIP6))))
    one.run()
    one.kernel.take(ETH0, HOST6)
    one.decide()
    found = one.desired.verdicts[VIP6]
    assert isinstance(found, Here)
    assert found.is_repair


def test_a_network_seen_between_two_whole_passes_has_its_own_time() -> None:
    """It was there while the members were not known, and is gone: that counts from now."""
    one = placed_agent()
    electorate = one.facts.electorate
    one.facts = replace(one.facts, electorate=None)
    one.kernel.put(ETH0, "10.0.0.1/8")
    one.run()
    one.kernel.take(ETH0, "10.0.0.1/8")
    one.facts = replace(one.facts, electorate=electorate)
    one.kernel.advance(NOW + 1)
    one.unrest, one.seen = {}, None  # as if no event had told of it
    one.run()
    assert one.desired.selection.expires_at == NOW + 1 + GRACE


def test_an_entry_is_no_proof_of_a_network_once_a_service_has_its_address() -> None:
    """And is again when that Service goes."""
    one = placed_agent()
    one.kernel.put(ETH0, "198.51.100.9/24")
    one.kernel.advance(NOW + 1)
    one.run()
    one.run()
    known = one.facts.services or {}
    later = service(ServiceKey("shop/later"), "198.51.100.9")
    one.facts = replace(one.facts, services={**known, later.key: later})
    one.run()
    assert one.desired.selection.expires_at == NOW + 1 + GRACE
    one.kernel.advance(NOW + 1 + GRACE)
    one.run()
    assert len(one.desired.selection.subnets) == 1
    one.facts = replace(one.facts, services=known)
    one.run()
    assert len(one.desired.selection.subnets) == 2


def test_unrest_on_a_link_concerns_its_addresses_alone() -> None:
    """The gate closes again for one that could not be added yet."""
    both = facts(service(WEB, str(VIP), str(VIP6), "203.0.113.9"))
    one = agent(both, kernel(OWN, OWN6))
    assert len(one.decide()) == 3  # IPv6 is announced later
    one.kernel.advance(NOW + 1)
    one.unrest = note_change(one.unrest, ETH0, Family.IPV4, NOW + 1)
    assert [op.entry.address for op in one.decide() if isinstance(op, AddAddress)] == [VIP6]
    assert one.desired.changed == {VIP}


def test_new_endpoints_of_a_service_concern_its_addresses() -> None:
    """Whether it has affinity or not."""
    one = placed_agent()
    one.facts = replace(one.facts, endpoints={WEB: frozenset({B})})
    assert touched(one) == {str(VIP)}


def test_a_fallback_is_listed_once_however_often_it_is_judged() -> None:
    """None of the preferred nodes is a candidate."""
    affine = service(WEB, node_affinity="service-endpoints")
    one = agent(replace(facts(affine, SECOND), endpoints={WEB: frozenset({B})}), kernel(OWN))
    one.run()
    one.facts = replace(one.facts, endpoints={WEB: frozenset({NodeName("node-z")})})
    one.run()
    assert one.desired.fallbacks == (VIP,)
    one.facts = replace(one.facts, services={WEB: affine})
    one.run()
    assert one.desired.fallbacks == (VIP,)


def test_endpoints_of_unknown_services_concern_nobody() -> None:
    """EndpointSlices may come before their Service."""
    one = placed_agent()
    one.facts = replace(one.facts, endpoints={ServiceKey("shop/later"): frozenset({B})})
    assert touched(one) == set()


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param((ours(f"{VIP}/24"),), id="prefix"),
        pytest.param((ours(HOST, flags=1),), id="flags"),
        pytest.param((ours(HOST, index=3),), id="link"),
        pytest.param((entry(HOST, 3),), id="mark-on-another-link"),
        pytest.param((), id="gone"),
        pytest.param((ours(HOST), ours(f"{VIP}/24")), id="copy"),
    ],
)
def test_an_address_that_is_listed_otherwise_differs(changed: tuple[LinkAddress, ...]) -> None:
    """Wherever it stands between those that are the same."""
    around = (entry(OWN), ours(f"{OTHER}/32"))
    before, after = (listing(around[0], *one, around[1]) for one in ((ours(HOST),), changed))
    assert after.difference(before, {ETH0}) == {VIP}
    assert before.difference(after, {ETH0}) == {VIP}


def test_lifetimes_and_the_order_of_ours_are_no_difference() -> None:
    """Both are the plan's business."""
    before = listing(entry(OWN), ours(HOST), ours(f"{OTHER}/32"))
    after = listing(entry(OWN), ours(f"{OTHER}/32"), ours(HOST, valid_seconds=3))
    assert after.difference(before, {ETH0}) == set()


@pytest.mark.parametrize(
    "strangers",
    [
        pytest.param(("192.0.2.8/24", OWN), id="order"),
        pytest.param((OWN,), id="gone"),
        pytest.param((OWN, "192.0.2.8/32"), id="prefix"),
    ],
)
def test_what_differs_in_others_addresses_on_a_selected_link_concerns_all(
    strangers: tuple[str, ...],
) -> None:
    """Networks follow from them."""
    before = listing(entry(OWN), entry("192.0.2.8/24"), ours(HOST))
    after = listing(*(entry(text) for text in strangers), ours(HOST))
    assert after.difference(before, {ETH0}) is None
    assert after.difference(before, {3}) is not None


def test_an_ipv4_address_is_not_taken_for_the_ipv6_one_of_the_same_number() -> None:
    """Rows compare by number."""
    text = f"::{VIP}"
    found = listing(ours(f"{text}/128"), ours(HOST))
    assert list(found.entries_of({VIP})) == [VIP]
    assert found.difference(listing(ours(HOST)), {ETH0}) == {parse_ip(text)}


def test_a_mapping_is_patched_only_where_it_was_touched() -> None:
    """A touched key without a value leaves it."""
    before = {"a": 1, "b": 2, "c": 3}
    assert patched(before, {}, ()) is before
    assert patched(before, {"b": 4}, ("b", "c")) == {"a": 1, "b": 4}


def test_a_judgement_is_due_when_one_of_its_times_has_come() -> None:
    """At that very instant."""
    one = placed_agent()
    known = Judgement(one.desired.verdicts[VIP], one.memory.tenures[VIP], (NOW + 5, NOW + 2))
    assert [known.is_due(NOW + seconds) for seconds in (1.9, 2.0)] == [False, True]
