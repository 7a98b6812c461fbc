"""Addresses that no node can announce, and those that would cut a network off."""

from dataclasses import replace

import pytest

from nodeagent.core.refusals import NOWHERE, unreachable_pools
from nodeagent.core.verdicts import Away, Here, Reason
from purelb.api.addresses import parse_ip
from purelb.api.identifiers import ServiceKey
from purelb.api.links import DefaultRoute
from tests.agent import Agent
from tests.unit.nodeagent.builders import (
    WEB,
    A,
    B,
    agent,
    facts,
    kernel,
    member,
    route,
    service,
)

FAR = "203.0.113.9"


def judged(one: Agent, text: str) -> Here | Away:
    """Return the verdict on an address after a pass."""
    one.run()
    found = one.desired.verdicts[parse_ip(text)]
    assert isinstance(found, Here | Away)
    return found


@pytest.mark.parametrize(
    ("own", "text", "is_refused"),
    [
        ("192.0.2.7/24", "192.0.2.255", True),
        ("192.0.2.7/24", "192.0.2.0", False),
        ("192.0.2.6/31", "192.0.2.7", False),
        ("2001:db8::7/64", "2001:db8::ffff:ffff:ffff:ffff", False),
    ],
)
def test_a_broadcast_address_is_refused(own: str, text: str, *, is_refused: bool) -> None:
    """IPv6 has none, nor has a point-to-point network (RFC 3021)."""
    network = own.rsplit("/", 1)
    members = (member(A, f"{text}/{'32' if network[1] in ('24', '31') else '128'}"),)
    found = judged(agent(facts(service(WEB, text), members=members), kernel(own)), text)
    assert isinstance(found, Away) is is_refused
    assert not isinstance(found, Away) or "broadcast address" in found.detail


def test_the_gateway_is_refused() -> None:
    """Whoever announces it takes the network down."""
    host = kernel()
    gateway: DefaultRoute = replace(route(), gateway=parse_ip("192.0.2.1"))
    host.routes = (gateway,)
    found = judged(agent(facts(service(WEB, "192.0.2.1")), host), "192.0.2.1")
    assert isinstance(found, Away)
    assert "default gateway" in found.detail


def test_an_address_outside_every_network_is_told_by_one_node() -> None:
    """The first that announces anything; an Event on the Service, and an error in the log."""
    known = facts(service(WEB, FAR), members=(member(A), member(B)))
    one = agent(known)
    found = one.run()
    assert [notice.reason for notice in found.notices] == ["AnnouncementFailed"]
    assert FAR in found.notices[0].message
    assert NOWHERE in found.notices[0].message
    other = agent(replace(known, me=B))
    assert judged(other, FAR) == Away(address=parse_ip(FAR), reason=Reason.NO_LOCAL_INTERFACE)


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        pytest.param((member(A), member(B, "203.0.113.0/24")), "local", id="another-node-has-it"),
        pytest.param((member(A),), "remote", id="remote-pool"),
        pytest.param((member(A, announcing=False),), "local", id="nobody-announces"),
    ],
)
def test_an_address_that_belongs_elsewhere_is_no_fault(
    members: tuple[object, ...], kind: str
) -> None:
    """There is nothing to mend."""
    known = facts(service(WEB, FAR, pool_type=kind), members=members)  # type: ignore[arg-type]  # ids
    found = judged(agent(known), FAR)
    assert isinstance(found, Away)
    assert found.detail == ""


def test_the_pools_of_such_addresses_are_named() -> None:
    """Once each."""
    two = (
        service(WEB, FAR, allocated_from="far"),
        service(ServiceKey("a/b"), "203.0.113.8", allocated_from="far"),
        service(ServiceKey("a/c"), "203.0.113.7"),
        service(ServiceKey("a/d"), allocated_from="near"),
    )
    one = agent(facts(*two))
    one.run()
    assert unreachable_pools(one.desired.verdicts, one.desired.vips) == {"far"}
