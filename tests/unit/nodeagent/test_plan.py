"""Operations: which, in which order, and none without need."""

from dataclasses import replace

import pytest

from nodeagent.core.config import NodeConfig
from nodeagent.core.links import Observed
from nodeagent.core.ops import (
    AddAddress,
    Announce,
    Op,
    RefreshAddress,
    RemoveAddress,
    ReorderAddress,
)
from nodeagent.core.plan import plan
from nodeagent.core.verdicts import DesiredState
from purelb.api.addresses import parse_ip
from purelb.api.identifiers import LinkName, ServiceKey
from purelb.api.links import (
    FOREVER,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    OUR_MARK,
    Link,
    NewAddress,
)
from purelb.core.lease import Drain, step
from tests.agent import Agent
from tests.unit.nodeagent.builders import (
    ETH0,
    MAC,
    NOW,
    OWN,
    VIP,
    VIP6,
    WEB,
    agent,
    facts,
    held,
    kernel,
    link,
    renewed,
    service,
)

HOST, WIDE = f"{VIP}/32", f"{VIP}/24"


def words(ops: tuple[Op, ...]) -> list[str]:
    """Return the operations as short texts."""
    found = []
    for op in ops:
        match op:
            case RemoveAddress():
                found.append(f"remove {op.address}/{op.prefix} {op.reason}")
            case Announce():
                found.append(f"announce {op.address}")
            case AddAddress() | RefreshAddress() | ReorderAddress():
                verb = type(op).__name__.removesuffix("Address").lower()
                found.append(f"{verb} {op.entry.address}/{op.entry.prefix}")
    return found


def placed_agent() -> Agent:
    """Build a loop that has put the VIP in place."""
    one = agent(host=kernel(OWN))
    one.run()
    return one


def test_a_new_address_is_added_and_announced() -> None:
    """Whole values, once."""
    ops = agent(host=kernel(OWN)).decide()
    new = NewAddress(
        index=ETH0,
        address=VIP,
        prefix=32,
        flags=IFA_F_NOPREFIXROUTE,
        valid_seconds=8,
        preferred_seconds=8,
    )
    assert ops == (AddAddress(LinkName("eth0"), new), Announce(link(), VIP, epoch=1))


def test_what_is_as_desired_needs_nothing() -> None:
    """Neither at once nor a little later."""
    one = placed_agent()
    one.kernel.advance(NOW + 1)
    assert one.decide() == ()


@pytest.mark.parametrize("observed", [None, Observed()])
def test_nothing_is_done_while_something_is_unknown(observed: Observed | None) -> None:
    """Not even the sweep of what nobody wants."""
    assert plan(DesiredState(is_whole=False), observed, NOW) == ()
    assert plan(DesiredState(is_whole=True), None, NOW) == ()


def test_removals_come_first_then_refreshes_additions_reorderings_and_announcements() -> None:
    """An address that another node now holds must go before anything else; no lifetime waits."""
    first, second, third, fourth = (f"192.0.2.{number}" for number in (100, 101, 102, 103))
    host = kernel("198.51.100.1/24")
    for text in (second, fourth, third):
        host.put(ETH0, f"{text}/32", mark=OUR_MARK, valid=8)
    host.put(ETH0, OWN)
    host.take(ETH0, f"{third}/32")
    host.put(ETH0, f"{third}/32", mark=OUR_MARK, valid=2)
    services = (service(ServiceKey(f"ns/{text}"), text) for text in (first, second, third))
    assert words(agent(facts(*services), host).decide()) == [
        f"remove {fourth}/32 cluster event",
        f"refresh {third}/32",
        f"add {first}/32",
        f"reorder {second}/32",
        f"announce {first}",
        f"announce {second}",
        f"announce {third}",
    ]


@pytest.mark.parametrize(("seconds", "is_refreshed"), [(0.5, False), (3.3, True)])
def test_a_lifetime_is_refreshed_after_a_renewal_if_it_can_grow(
    seconds: float, *, is_refreshed: bool
) -> None:
    """A renewal soon after another one is not worth a message to everybody who listens."""
    one = placed_agent()
    one.kernel.advance(NOW + seconds)
    renewed(one)
    assert words(one.decide()) == ([f"refresh {HOST}"] if is_refreshed else [])


def test_a_lifetime_beyond_the_right_is_cut() -> None:
    """What PureLB left lives for five minutes."""
    host = kernel(OWN)
    host.put(ETH0, HOST, mark=OUR_MARK, valid=300)
    ops = agent(host=host).decide()
    assert isinstance(ops[0], RefreshAddress)
    assert ops[0].entry.valid_seconds == 8


@pytest.mark.parametrize("valid", [FOREVER, 8])
def test_an_address_without_end_is_as_the_user_wants_it(valid: int) -> None:
    """From finite to infinite and back."""
    host = kernel(OWN)
    host.put(ETH0, HOST, mark=OUR_MARK, valid=valid)
    limits = replace(NodeConfig(source="x/y").local, valid=FOREVER, preferred=FOREVER)
    endless = NodeConfig(source="x/y", local=limits)
    for config, wanted in ((NodeConfig(source="x/y"), 8), (endless, FOREVER)):
        one = agent(replace(facts(), config=config), host)
        refreshed = [
            op.entry.valid_seconds for op in one.decide() if isinstance(op, RefreshAddress)
        ]
        assert refreshed == ([] if wanted == valid else [wanted])


def test_nothing_is_added_or_refreshed_in_the_last_second_of_the_right() -> None:
    """The kernel takes whole seconds only, and zero is refused."""
    one = agent(host=kernel(OWN))
    one.kernel.advance(NOW + 8.0)
    assert one.decide() == ()


def test_a_lifetime_that_somebody_made_longer_is_cut_while_that_can_be_said() -> None:
    """In the last second of the right nothing shorter can be promised."""
    one = placed_agent()
    one.run()
    one.kernel.entries[1] = replace(one.kernel.entries[1], ends_at=NOW + 60)
    assert words(one.decide()) == [f"refresh {HOST}"]
    one.kernel.advance(NOW + 8.0)
    assert one.decide() == ()


def test_an_address_without_our_mark_gets_it() -> None:
    """If the kernel can keep it."""
    host = kernel(OWN)
    host.put(ETH0, HOST, valid=8)
    assert words(agent(host=host).decide())[0] == f"refresh {HOST}"
    host.has_marks = False
    assert words(agent(host=host).decide()) == [f"announce {VIP}"]


def test_an_old_copy_goes_after_the_right_one_is_in() -> None:
    """A leftover with the node's mask, or on another link."""
    host = kernel(OWN)
    host.put(ETH0, WIDE, mark=OUR_MARK)
    one = agent(host=host)
    assert words(one.decide()) == [f"add {HOST}", f"remove {WIDE} copy", f"announce {VIP}"]
    one.execute(one.ops)
    assert host.listing(ETH0) == (OWN, HOST)


def test_an_old_copy_of_ipv6_goes_just_before_the_right_one() -> None:
    """The kernel knows each address only once per link."""
    host = kernel()
    host.put(ETH0, f"{VIP6}/64", mark=OUR_MARK)
    one = agent(facts(service(WEB, str(VIP6))), host)
    assert words(one.decide()) == [f"remove {VIP6}/64 copy", f"add {VIP6}/128"]
    assert one.execute(one.ops).told.held == {VIP6: "eth0"}
    assert f"{VIP6}/128" in host.listing(ETH0)


def test_a_strangers_copy_of_ipv6_is_in_the_way() -> None:
    """It is not ours to remove, and the kernel would refuse ours."""
    host = kernel()
    host.put(ETH0, f"{VIP6}/64")
    one = agent(facts(service(WEB, str(VIP6))), host)
    assert one.decide() == ()
    assert [line.op for line in one.execute(()).lines] == ["gateBlocked"]


def test_an_old_copy_stays_while_the_right_one_cannot_be_added() -> None:
    """Better a wrong mask than no address."""
    host = kernel(OWN)
    host.put(ETH0, WIDE, mark=OUR_MARK)
    one = agent(host=host)
    one.change_own(ETH0, gone=OWN, back=OWN)
    assert one.decide() == ()


def test_a_leftover_that_is_primary_over_the_own_address_is_removed_with_promotion() -> None:
    """Else the kernel would delete the node's own address with it."""
    host = kernel(WIDE, OWN)
    host.promotes = False
    one = agent(host=host)
    one.record = frozenset()
    host.take(ETH0, WIDE)
    host.entries.clear()
    host.put(ETH0, WIDE, mark=OUR_MARK)
    host.put(ETH0, OWN)
    removals = [op for op in one.decide() if isinstance(op, RemoveAddress)]
    assert [op.needs_promotion for op in removals] == [True]
    one.settle(NOW + 1)
    assert host.listing(ETH0) == (OWN, HOST)


@pytest.mark.parametrize("texts", [(OWN, WIDE), ("198.51.100.1/24", WIDE)])
def test_a_leftover_that_is_nobodys_primary_needs_no_promotion(texts: tuple[str, ...]) -> None:
    """It is secondary itself, or alone in its network."""
    host = kernel(*texts[:1])
    host.put(ETH0, texts[1], mark=OUR_MARK)
    known = replace(facts(), services={})
    removals = [op for op in agent(known, host).decide() if isinstance(op, RemoveAddress)]
    assert [op.needs_promotion for op in removals] == [False]


def test_an_address_before_the_own_one_is_put_behind_it() -> None:
    """In one operation, so that it is out for no longer than needed."""
    one = placed_agent()
    one.kernel.take(ETH0, OWN)
    one.kernel.put(ETH0, OWN)
    assert one.kernel.listing(ETH0) == (HOST, OWN)
    one.kernel.advance(NOW + 1)
    assert words(one.decide()) == [f"reorder {HOST}", f"announce {VIP}"]
    one.execute(one.ops)
    assert one.kernel.listing(ETH0) == (OWN, HOST)


def test_nothing_is_reordered_while_the_link_is_restless() -> None:
    """The own address may vanish again."""
    one = placed_agent()
    one.change_own(ETH0, gone=OWN, back=OWN)
    assert one.decide() == ()


def test_an_ipv6_address_is_announced_once_detection_has_ended() -> None:
    """From the link-local address; the kernel does not answer before."""
    one = agent(facts(service(WEB, str(VIP6))))
    assert words(one.decide()) == [f"add {VIP6}/128"]
    one.execute(one.ops)
    one.kernel.advance(NOW + 1)
    assert one.decide() == ()
    one.kernel.advance(NOW + 2)
    assert one.decide() == (Announce(link(), VIP6, parse_ip("fe80::7"), epoch=1),)


def test_an_ipv6_address_without_detection_is_announced_at_once() -> None:
    """As an IPv4 one is."""
    ops = agent(facts(service(WEB, str(VIP6), skip_ipv6_dad="true"))).decide()
    assert words(ops) == [f"add {VIP6}/128", f"announce {VIP6}"]
    assert isinstance(ops[0], AddAddress)
    assert ops[0].entry.flags & IFA_F_NODAD
    assert ops[0].entry.preferred_seconds == 0


@pytest.mark.parametrize(
    "other",
    [link(mac=b""), link(mac=b"\1" * 8)],
)
def test_a_link_without_an_ethernet_address_announces_nothing(other: Link) -> None:
    """Neither ARP nor NDP works there."""
    host = kernel(OWN)
    host.links = (other,)
    assert words(agent(host=host).decide()) == [f"add {HOST}"]


def test_announcements_that_are_switched_off_are_not_begun() -> None:
    """garpConfig.enabled: false."""
    config = NodeConfig(source="x/y", garp=None)
    one = agent(replace(facts(), config=config), kernel(OWN))
    assert words(one.decide()) == [f"add {HOST}"]


def test_a_new_mac_is_announced() -> None:
    """After a live migration, for instance."""
    one = placed_agent()
    one.kernel.links = (link(mac=MAC[::-1]),)
    assert words(one.decide()) == [f"announce {VIP}"]


def test_a_duplicate_that_is_not_ours_is_neither_removed_nor_added_to() -> None:
    """Somebody put it exactly where ours would be."""
    host = kernel()
    host.taken = {VIP6}
    one = agent(facts(service(WEB, str(VIP6))), host)
    one.run()
    host.entries[0] = replace(host.entries[0], address=replace(host.entries[0].address, mark=0))
    for seconds in (2, 4, 6, 8):
        host.advance(NOW + seconds)
        renewed(one)
        assert one.decide() == ()


def test_an_unmarked_address_is_marked_before_it_is_reordered() -> None:
    """Deleting it needs proof that it is ours."""
    host = kernel(HOST, OWN)
    one = agent(host=host)
    assert words(one.decide()) == [f"refresh {HOST}", f"announce {VIP}"]
    one.settle(NOW + 1)
    assert host.listing(ETH0) == (OWN, HOST)


def test_a_new_configuration_announces_everything_anew() -> None:
    """Once."""
    one = placed_agent()
    one.facts = replace(one.facts, config=NodeConfig(source="x/other"))
    assert words(one.decide()) == [f"announce {VIP}"]
    one.execute(one.ops)
    assert one.decide() == ()


def test_everything_is_withdrawn_when_the_node_leaves() -> None:
    """In one pass; strangers stay."""
    one = placed_agent()
    one.facts = replace(one.facts, lease=step(held(), Drain()))
    assert words(one.decide()) == [f"remove {HOST} withdrawAll"]


def test_an_address_that_the_winner_may_not_have_yet_is_taken_away() -> None:
    """Another node took the slot."""
    one = placed_agent()
    taken = service(announcing_IPv4=f"node-z,eth0,{VIP}")
    one.facts = replace(one.facts, services={WEB: taken})
    assert words(one.decide()) == [f"remove {HOST} lostElection"]


def test_a_stranger_is_left_alone() -> None:
    """On whatever link, with whatever mask, even with the address of a Service."""
    host = kernel(OWN, "10.9.9.9/8")
    host.links = (link(), link(3, "eth1"))
    host.put(3, WIDE)
    ops = agent(replace(facts(), services={}), host).decide()
    assert ops == ()


def test_what_is_ours_is_swept_from_every_link() -> None:
    """A link that is no longer selected, or known."""
    host = kernel(OWN)
    host.links = (link(), link(3, "eth1"))
    host.put(3, "10.0.0.9/32", mark=OUR_MARK)
    one = agent(replace(facts(), services={}), host)
    assert words(one.decide()) == ["remove 10.0.0.9/32 cluster event"]
    host.links = (link(),)
    (op,) = one.decide()
    assert isinstance(op, RemoveAddress)
    assert (op.link, op.index) == ("", 3)


def test_without_the_nodes_own_address_ours_must_not_stay() -> None:
    """It would become the source of the node's traffic; it comes back behind the own one."""
    one = placed_agent()
    one.change_own(ETH0, gone=OWN)
    assert words(one.decide()) == [f"remove {HOST} ownAddressGone"]
    one.settle(NOW + 1)
    assert one.kernel.listing(ETH0) == ()
    one.change_own(ETH0, back=OWN)
    one.settle(NOW + 1.5)
    assert one.kernel.listing(ETH0) == (OWN, HOST)


def test_a_lost_carrier_alone_takes_nothing_away() -> None:
    """Until the node is no candidate any more."""
    one = placed_agent()
    one.kernel.links = (link(has_carrier=False),)
    one.settle(NOW + 0.3)
    assert one.desired.selection.nics[0].networks == ()
    assert one.kernel.listing(ETH0) == (OWN, HOST)
