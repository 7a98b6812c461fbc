"""Addresses that could belong on two links: the elected node has them on its dummy link."""

from dataclasses import replace

import pytest

from nodeagent.core.notices import Level
from nodeagent.core.ops import Announce, RefreshAddress
from nodeagent.core.remote import read_groups
from nodeagent.core.verdicts import Away, Here, Reason
from purelb.api.addresses import Family
from purelb.api.identifiers import LinkName, ServiceKey
from purelb.api.links import FOREVER, OUR_MARK, Link
from purelb.core.lease import Drain, step
from tests.agent import Agent
from tests.kernel import Kernel
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
    facts,
    kernel,
    link,
    member,
    renewed,
    route,
    service,
)
from tests.unit.nodeagent.remotepools import group, span

ETH1, KUBE_LB0 = 3, LinkName("kube-lb0")
ROUTES = "default dev eth0 metric 0; default dev eth1 metric 0"


def torn(family: Family = Family.IPV4) -> Kernel:
    """Build a host with two NICs in one network, and default routes of one metric by both."""
    own, other = {Family.IPV4: (OWN, "192.0.2.8/24"), Family.IPV6: (OWN6, "2001:db8::8/64")}[family]
    host = kernel(own)
    host.links = (link(), link(ETH1, "eth1"))
    host.routes = (route(family=family), route(ETH1, family=family))
    host.put(ETH1, other)
    return host


def settled(known: Agent) -> Agent:
    """Let an agent come to rest."""
    known.settle(NOW + 1)
    return known


def places(one: Agent) -> list[tuple[str, str]]:
    """Return where the kernel has addresses of ours: link and `address/length`."""
    names = {known.index: known.name for known in one.kernel.links}
    found = (e.address for e in one.kernel.entries if e.address.mark == OUR_MARK)
    return [(names[e.index], f"{e.address}/{e.prefix}") for e in found]


@pytest.mark.parametrize(
    ("family", "address", "expected"),
    [(Family.IPV4, VIP, f"{VIP}/32"), (Family.IPV6, VIP6, f"{VIP6}/128")],
)
def test_the_elected_node_has_it_alone_on_the_dummy_link(
    family: Family, address: object, expected: str
) -> None:
    """Which is made for it, and no packet is sent there."""
    one = settled(agent(facts(service(WEB, str(address))), torn(family)))
    assert places(one) == [("kube-lb0", expected)]
    assert list(one.told.held.values()) == ["kube-lb0"]
    assert not any(isinstance(op.op, Announce) for op in one.outcomes)
    assert one.announced == frozenset()


def test_another_node_that_wins_has_it_instead() -> None:
    """It is not one of the addresses that every node carries."""
    elsewhere = facts(members=(member(B),))
    one = settled(agent(elsewhere, torn()))
    assert places(one) == []
    assert isinstance(one.desired.verdicts[VIP], Away)


def test_it_is_an_error_in_the_log_and_an_event_once() -> None:
    """Both name the routes."""
    one = settled(agent(facts(), torn()))
    notices = [notice for told in one.reports for notice in told.notices]
    assert [notice.reason for notice in notices] == ["AnnouncementFailed"]
    assert ROUTES in notices[0].message
    assert "on interface kube-lb0 only" in notices[0].message
    errors = [w for told in one.reports for w in told.lines if w.level is Level.ERROR]
    assert [ROUTES in str(line.fields["error"]) for line in errors] == [True]


def test_one_that_moves_there_is_announced_no_more() -> None:
    """Refreshes on its old link would go on for ever, and strangers there be answered."""
    far = span("198.51.100.0/24", "198.51.100.0/24", "/32")
    known = facts(service(), service(ServiceKey("shop/far"), "198.51.100.7"))
    host = torn()
    host.routes = (route(), route(ETH1, metric=5))
    one = agent(replace(known, pools=read_groups([group("far", far)], "purelb-system")), host)
    settled(one)
    assert ("eth0", f"{VIP}/32") in places(one)
    one.kernel.routes = (route(), route(ETH1))
    moved = one.run()
    assert ("kube-lb0", f"{VIP}/32") in places(one)
    assert ("eth0", f"{VIP}/32") not in places(one)
    assert moved.left == (VIP,)
    assert one.run().left == ()


def test_its_lifetime_follows_the_lease() -> None:
    """A hung agent lets go of it, too."""
    one = settled(agent(facts(), torn()))
    (known,) = [e for e in one.look().addresses if e.address == VIP]
    assert known.valid_seconds <= 10
    assert one.decide() == ()
    one.kernel.advance(NOW + 4)
    renewed(one)
    assert [type(op) for op in one.decide()] == [RefreshAddress]


def test_one_that_somebody_made_permanent_is_bounded_again() -> None:
    """Although remote addresses on the same link may be permanent."""
    one = settled(agent(facts(), torn()))
    dummy = one.desired.dummy.index
    one.kernel.take(dummy, f"{VIP}/32")
    one.kernel.put(dummy, f"{VIP}/32", mark=OUR_MARK, valid=FOREVER)
    settled(one)
    (known,) = [e for e in one.look().addresses if e.address == VIP]
    assert known.valid_seconds <= 10


def test_remote_addresses_beside_it_stay_permanent() -> None:
    """Nothing is refreshed that need not be."""
    far = span("198.51.100.0/24", "198.51.100.0/24", "/32")
    known = facts(service(), service(ServiceKey("shop/far"), "198.51.100.7"))
    one = agent(replace(known, pools=read_groups([group("far", far)], "purelb-system")), torn())
    settled(one)
    assert places(one) == [("kube-lb0", f"{VIP}/32"), ("kube-lb0", "198.51.100.7/32")]
    assert one.decide() == ()


def test_it_moves_to_its_link_when_the_routes_say_which() -> None:
    """And the link that nobody needs goes."""
    one = settled(agent(facts(), torn()))
    one.kernel.routes = (route(), route(ETH1, metric=5))
    one.settle(NOW + 2)
    assert places(one) == [("eth0", f"{VIP}/32")]
    assert [known.name for known in one.kernel.links] == ["eth0", "eth1"]
    notices = [notice for told in one.reports for notice in told.notices]
    assert [notice.reason for notice in notices] == ["AnnouncementFailed", "AnnouncingLocal"]


def test_a_node_that_leaves_takes_it_away() -> None:
    """Before it gives up its Lease."""
    one = settled(agent(facts(), torn()))
    one.facts = replace(one.facts, lease=step(one.facts.lease, Drain()))
    one.settle(NOW + 2)
    assert places(one) == []


def test_without_a_dummy_link_it_is_nowhere() -> None:
    """Somebody else's link of that name is not touched; both faults are told."""
    host = torn()
    host.links = (*host.links, Link(index=9, name=KUBE_LB0, mac=b"", is_up=True, has_carrier=True))
    one = settled(agent(facts(), host))
    found = one.desired.verdicts[VIP]
    assert isinstance(found, Away)
    assert found.reason is Reason.NO_LOCAL_INTERFACE
    assert ROUTES in found.detail
    assert "link kube-lb0 is somebody else's" in found.detail


def test_what_would_cut_the_node_off_is_refused_all_the_same() -> None:
    """As the broadcast address of the links' network."""
    one = settled(agent(facts(service(WEB, "192.0.2.255")), torn()))
    assert places(one) == []


def test_it_waits_until_the_link_is_made() -> None:
    """Nothing can be added to a link that is not there."""
    host = torn()
    host.lacks_dummy = True
    one = agent(facts(), host)
    one.run()
    found = one.desired.verdicts[VIP]
    assert isinstance(found, Here)
    assert one.kernel.listing(ETH0) == (OWN,)
