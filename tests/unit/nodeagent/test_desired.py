"""What a node should carry: each question, each answer, and when to look again."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from nodeagent.core.config import Lifetimes, NodeConfig, SelectorState, Unconfigured
from nodeagent.core.desired import desire
from nodeagent.core.facts import Facts
from nodeagent.core.gate import CLEAR, QUIET, Blocked, WaitUntil
from nodeagent.core.ops import AddAddress, RefreshAddress, RemoveAddress
from nodeagent.core.selection import GRACE
from nodeagent.core.verdicts import Away, Here, Reason, Verdict
from purelb.api.addresses import Family, IPAddress, parse_ip
from purelb.api.identifiers import ServiceKey
from purelb.api.links import FOREVER, IFA_F_NODAD, IFA_F_NOPREFIXROUTE, OUR_MARK
from purelb.api.views import NodeView, ServiceView
from purelb.core.lease import Drain, Lease, Superseded, step
from tests.agent import Agent
from tests.unit.nodeagent.builders import (
    ETH0,
    NOW,
    OWN,
    VIP,
    VIP6,
    WEB,
    A,
    B,
    agent,
    facts,
    held,
    kernel,
    member,
    route,
    service,
)

HOST = f"{VIP}/32"


def verdict(one: Agent, address: IPAddress = VIP) -> Verdict:
    """Look once and return what is decided about an address."""
    one.decide()
    return one.desired.verdicts[address]


def test_a_new_address_is_taken_at_once_by_the_only_node() -> None:
    """As a host address without prefix route, for no longer than the Lease protects it."""
    one = agent()
    found = verdict(one)
    assert isinstance(found, Here)
    terms = one.desired.terms
    assert (found.link.name, found.prefix, found.flags) == ("eth0", 32, IFA_F_NOPREFIXROUTE)
    assert (terms.until, found.gate, found.is_standing) == (NOW + 8.5, CLEAR, False)
    assert [terms.valid_seconds(now) for now in (NOW, NOW + 0.6, NOW + 8.0, NOW + 99)] == [
        8,
        7,
        0,
        0,
    ]


def test_an_ipv6_address_is_deprecated_from_the_start() -> None:
    """So that the node never chooses it as a source; detection is off only if a pool says so."""
    found = verdict(agent(facts(service(WEB, str(VIP6)))), VIP6)
    assert isinstance(found, Here)
    assert (found.prefix, found.preferred_limit, found.flags & IFA_F_NODAD) == (128, 0, 0)
    known = facts(service(WEB, str(VIP6), skip_ipv6_dad="true"))
    found = verdict(agent(known), VIP6)
    assert isinstance(found, Here)
    assert found.flags & IFA_F_NODAD


def test_a_users_lifetimes_are_upper_limits() -> None:
    """Without end, the kernel's own switch is off; the right to hold still ends."""
    permanent = Lifetimes(valid=FOREVER, preferred=FOREVER, has_prefix_route=False)
    known = replace(facts(), config=NodeConfig(source="ns/x", local=permanent))
    one = agent(known)
    assert isinstance(verdict(one), Here)
    terms = one.desired.terms
    assert (terms.valid_seconds(NOW), terms.until) == (FOREVER, NOW + 8.5)
    late = agent(known, kernel())
    late.kernel.advance(NOW + 8.5)
    assert verdict(late) == Away(
        address=VIP,
        reason=Reason.NO_ELIGIBLE_NODES,
        detail="this node has no valid Lease",
    )


def test_a_prefix_route_that_the_user_wants_is_added_with_the_address_anew() -> None:
    """The kernel cannot change it in place; each copy goes before the next comes."""
    one = agent()
    one.run()
    routed = Lifetimes(valid=300, preferred=300, has_prefix_route=True)
    one.facts = replace(one.facts, config=NodeConfig(source="ns/x", local=routed))
    one.run()
    removal, addition, _ = one.ops
    assert (type(removal), type(addition)) == (RemoveAddress, AddAddress)
    (entry,) = [e for e in one.look().addresses if e.address == VIP]
    assert not entry.flags & IFA_F_NOPREFIXROUTE
    one.run()
    assert one.ops == ()


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param(
            replace(facts(), config=Unconfigured(state=SelectorState.DEFAULT)),
            Reason.NO_CONFIG,
            id="not-configured",
        ),
        pytest.param(
            facts(service(WEB, "203.0.113.1")),
            Reason.NO_LOCAL_INTERFACE,
            id="no-link-with-the-network",
        ),
        pytest.param(
            replace(facts(), lease=step(held(), Superseded(NOW))),
            Reason.NO_ELIGIBLE_NODES,
            id="no-lease",
        ),
        pytest.param(
            replace(facts(), lease=step(held(), Drain())), Reason.WITHDRAW_ALL, id="draining"
        ),
        pytest.param(
            facts(members=(member(A, announcing=False),)),
            Reason.NO_ELIGIBLE_NODES,
            id="no-candidate",
        ),
        pytest.param(
            facts(members=(member(B), member(A, "10.0.0.0/8"))),
            Reason.LOST_ELECTION,
            id="another-wins",
        ),
    ],
)
def test_an_address_that_is_not_here_has_a_reason(known: Facts, expected: Reason) -> None:
    """In the words of PureLB's logs."""
    found = next(iter(_all_verdicts(agent(known))))
    assert isinstance(found, Away)
    assert found.reason is expected
    assert found.winner == (B if expected is Reason.LOST_ELECTION else None)


def _all_verdicts(one: Agent) -> list[Verdict]:
    one.decide()
    return list(one.desired.verdicts.values())


@pytest.mark.parametrize(
    "changed",
    [
        replace(service(), annotations={}),
        replace(service(), type="ClusterIP"),
        replace(service(), ingress=()),
        service(allocated_by="Other"),
    ],
)
def test_only_branded_load_balancers_with_an_address_are_ours(changed: ServiceView) -> None:
    """The brand alone decides, whatever the class."""
    assert _all_verdicts(agent(facts(changed))) == []


def test_a_node_address_is_never_announced_as_a_vip() -> None:
    """Kubernetes knows the node by it, and it is on the link without our mark."""
    known = replace(
        facts(service(WEB, "192.0.2.7")), node=NodeView(name=A, addresses=(parse_ip("192.0.2.7"),))
    )
    (found,) = _all_verdicts(agent(known))
    assert isinstance(found, Away)
    assert "this node's own address on eth0" in found.detail


def test_a_vip_that_kubernetes_took_for_the_nodes_address_stays_a_vip() -> None:
    """Our mark is on it, so it is ours."""
    known = replace(facts(), node=NodeView(name=A, addresses=(VIP,)))
    host = kernel(OWN)
    host.put(ETH0, HOST, mark=OUR_MARK)
    assert isinstance(verdict(agent(known, host)), Here)


def test_a_shared_address_is_decided_once() -> None:
    """One verdict for both Services."""
    one = agent(facts(service(ServiceKey("b/two")), service(ServiceKey("a/one"))))
    assert isinstance(verdict(one), Here)
    assert one.desired.vips[VIP].keys == ("a/one", "b/two")


@pytest.mark.parametrize("part", ["services", "config", "electorate", "observed"])
def test_while_something_is_unknown_nothing_follows(part: str) -> None:
    """Memory is kept for the time when it is known again."""
    one = agent()
    one.run()
    known = replace(one.facts, observed=one.look(), memory=one.memory)
    found = desire(replace(known, **{part: None}), NOW)  # type: ignore[arg-type]  # per field
    assert (found.is_whole, found.verdicts) == (False, {})
    assert found.memory.tenures == one.memory.tenures


def test_before_the_first_renewal_only_the_subnets_are_known() -> None:
    """The Lease shows them; what a predecessor left is kept until its lifetime ends."""
    host = kernel()
    host.put(ETH0, HOST, mark=OUR_MARK, valid=5)
    one = agent(replace(facts(), lease=Lease(duration=10.0)), host)
    assert one.decide() == ()
    assert not one.desired.is_whole
    assert one.desired.selection.subnets == (
        ip_network("192.0.2.0/24"),
        ip_network("2001:db8::/64"),
    )


def test_a_restarted_agent_keeps_what_it_finds_without_a_gap() -> None:
    """Its slot is still there, so nobody took it."""
    host = kernel()
    host.put(ETH0, HOST, mark=OUR_MARK, valid=5)
    known = facts(service(announcing_IPv4=f"node-a,eth0,{VIP}"))
    one = agent(known, host)
    one.run()
    found = one.desired.verdicts[VIP]
    assert isinstance(found, Here)
    assert found.is_standing
    assert HOST in host.listing(ETH0)


def test_a_missing_address_waits_for_a_quiet_link() -> None:
    """The loop is woken when the gate opens."""
    one = agent(host=kernel(OWN))
    one.run()
    one.kernel.advance(NOW + 1)
    one.change_own(ETH0, gone=OWN, back=OWN)
    one.lose(ETH0, HOST)
    found = verdict(one)
    assert isinstance(found, Here)
    assert (found.gate, found.is_repair) == (WaitUntil(NOW + 1 + QUIET), True)
    assert one.desired.next_change == NOW + 1 + QUIET
    one.settle(NOW + 1.5)
    assert one.kernel.listing(ETH0) == (OWN, HOST)


def test_while_the_own_address_is_away_no_other_node_takes_the_address() -> None:
    """For a moment; then the node is no candidate and gives it up."""
    one = agent(host=kernel(OWN))
    one.run()
    one.kernel.advance(NOW + 1)
    one.run()
    one.change_own(ETH0, gone=OWN)
    found = verdict(one)
    assert isinstance(found, Here)
    assert isinstance(found.gate, Blocked)
    assert not found.is_standing
    assert one.desired.next_change == NOW + 1 + GRACE
    one.kernel.advance(NOW + 1 + GRACE)
    assert isinstance(verdict(one), Away)
    assert one.desired.selection.subnets == ()


def test_each_network_that_vanishes_has_its_own_time() -> None:
    """It begins when it is first found missing, however long ago the last pass was."""
    one = agent()
    one.run()
    one.kernel.advance(NOW + 0.5)
    one.change_own(ETH0, gone=OWN)
    one.run()
    one.kernel.advance(NOW + 1.0)
    one.run()
    one.kernel.advance(NOW + 1.5)
    one.change_own(ETH0, gone="2001:db8::7/64")
    one.run()
    one.kernel.advance(NOW + 0.5 + GRACE)
    one.run()
    assert one.desired.selection.subnets == (ip_network("2001:db8::/64"),)


def test_a_new_configuration_forgets_what_lingers() -> None:
    """An interface that was removed from it drops its addresses at once."""
    one = agent(host=kernel(OWN))
    one.run()
    one.kernel.advance(NOW + 1)
    one.kernel.routes = (route(family=Family.IPV6, index=9),)
    one.facts = replace(one.facts, config=NodeConfig(source="ns/other"))
    assert isinstance(verdict(one), Away)


def test_the_next_change_is_the_end_of_the_right_if_nothing_comes_before() -> None:
    """Renewals wake by themselves."""
    one = agent()
    one.run()
    one.decide()
    assert one.desired.next_change == NOW + 8.5


def test_a_lifetime_that_the_user_limits_is_refreshed_at_half() -> None:
    """The Lease is much longer, so no renewal asks for it."""
    config = NodeConfig(
        source="ns/x", local=Lifetimes(valid=60, preferred=60, has_prefix_route=False)
    )
    one = agent(replace(facts(), config=config, lease=held(duration=600.0)))
    one.run()
    assert one.desired.next_change == NOW + 30
    one.kernel.advance(NOW + 10)
    one.run()
    assert one.desired.next_change == NOW + 30
    one.kernel.advance(NOW + 30)
    one.run()
    assert [type(op) for op in one.ops] == [RefreshAddress]
    assert one.decide() == ()
    assert one.desired.next_change == NOW + 60


def test_a_lifetime_that_was_cut_is_refreshed_at_half_as_well() -> None:
    """An address without end meets a configuration that gives it one."""
    limits = Lifetimes(valid=60, preferred=60, has_prefix_route=False)
    config = NodeConfig(source="ns/x", local=limits)
    host = kernel()
    host.put(ETH0, HOST, mark=OUR_MARK)
    one = agent(replace(facts(), config=config, lease=held(duration=600.0)), host)
    one.run()
    assert one.desired.next_change == NOW + 30
