"""What is ours, and what has been announced, beyond what the kernel tells."""

from dataclasses import replace

from nodeagent.core.installed import Outcome, adopt, announced_after, record_after, unannounced
from nodeagent.core.links import Announced, Observed, Placed
from nodeagent.core.ops import AddAddress, Announce, RefreshAddress, RemoveAddress
from purelb.api.identifiers import LinkName
from purelb.api.links import NewAddress
from tests.unit.nodeagent.builders import ETH0, MAC, OWN, VIP, VIP6, agent, entry, kernel, link

ETH = LinkName("eth0")
WIDE, HOST = Placed(ETH0, VIP, 24), Placed(ETH0, VIP, 32)
NEW = NewAddress(index=ETH0, address=VIP, prefix=32, flags=0, valid_seconds=8, preferred_seconds=8)
GONE = RemoveAddress(ETH, ETH0, VIP, 32, "lostElection")
COPY = RemoveAddress(ETH, ETH0, VIP, 24, "copy", is_copy=True)
BURST = Announced(ETH0, VIP, MAC)


def observed(*texts: str, marks: bool = True, record: frozenset[Placed] = frozenset()) -> Observed:
    """Build an observation in which the VIP has been announced."""
    return Observed(
        links=(link(), link(3, "eth1")),
        addresses=tuple(entry(text) for text in texts),
        record=record,
        announced=frozenset({BURST}),
        has_marks=marks,
    )


def test_a_predecessors_addresses_are_adopted_on_selected_links() -> None:
    """Not the node's own, not a stranger's, not what is on other links."""
    seen = replace(
        observed(OWN, f"{VIP}/24", f"{VIP6}/64", "192.0.2.9/24"),
        addresses=(
            entry(OWN),
            entry(f"{VIP}/24"),
            entry(f"{VIP}/16", index=3),
            entry("192.0.2.9/24"),
        ),
    )
    vips = {VIP, entry(OWN).address}
    assert adopt(seen, {ETH}, vips, {entry(OWN).address}) == {WIDE}


def test_the_record_forgets_what_is_gone() -> None:
    """What a stranger adds there later is the stranger's."""
    seen = observed(f"{VIP}/32", record=frozenset({WIDE, HOST}))
    assert record_after(seen, ()) == {HOST}
    assert record_after(seen, [Outcome(GONE, "not permitted")]) == {HOST}
    assert record_after(seen, [Outcome(GONE)]) == frozenset()


def test_a_kernel_without_marks_needs_the_record_of_every_addition() -> None:
    """One with marks does not."""
    ops = (AddAddress(ETH, NEW), Announce(link(), VIP))
    done = [Outcome(op) for op in ops]
    assert record_after(observed(marks=False), done) == {HOST}
    assert record_after(observed(marks=False), [Outcome(ops[0], "invalid")]) == frozenset()
    assert record_after(observed(), done) == frozenset()


def test_an_adopted_address_that_got_the_mark_leaves_the_record() -> None:
    """The mark is proof enough."""
    seen = observed(f"{VIP}/32", record=frozenset({HOST}))
    assert record_after(seen, [Outcome(RefreshAddress(ETH, NEW))]) == frozenset()


def test_a_burst_stands_as_long_as_its_address_and_link_do() -> None:
    """Copies with other masks do not matter."""
    seen = observed(f"{VIP}/32")
    assert announced_after(seen, [Outcome(COPY)]) == {BURST}
    assert announced_after(seen, [Outcome(GONE)]) == frozenset()
    assert announced_after(observed(OWN), ()) == frozenset()
    for other in (link(has_carrier=False), link(is_up=False), link(mac=b"\2" * 6)):
        assert announced_after(replace(seen, links=(other,)), ()) == frozenset()


def test_a_burst_falls_with_a_link_that_was_down_for_a_moment() -> None:
    """Even if nobody has seen it in that state; other links' bursts stand."""
    assert unannounced(frozenset({BURST}), {ETH0}) == frozenset()
    assert unannounced(frozenset({BURST}), {ETH0 + 1}) == {BURST}
    assert unannounced(frozenset({BURST}), ()) == {BURST}


def test_a_burst_that_has_begun_is_remembered() -> None:
    """One that failed to begin is tried again."""
    seen = replace(observed(), announced=frozenset())
    assert announced_after(seen, [Outcome(Announce(link(), VIP))]) == {BURST}
    assert announced_after(seen, [Outcome(Announce(link(), VIP), "no buffer")]) == frozenset()


def test_on_a_kernel_without_marks_the_loop_converges_as_well() -> None:
    """And withdraws what it has put there."""
    host = kernel(OWN)
    host.has_marks = False
    one = agent(host=host)
    one.run()
    assert one.decide() == ()
    one.facts = replace(one.facts, services={})
    one.run()
    assert host.listing(ETH0) == (OWN,)
