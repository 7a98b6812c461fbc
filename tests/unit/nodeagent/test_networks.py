"""What heartbeats need to know of each network."""

from dataclasses import replace
from ipaddress import IPv6Address, ip_network

import pytest

from nodeagent.core.beats import Standing
from nodeagent.core.election import Electorate
from nodeagent.core.links import Nic, Observed
from nodeagent.core.networks import Network, claims_after, networks, occupied, standing
from nodeagent.core.ops import AddAddress, RemoveAddress
from nodeagent.core.verdicts import Away, DesiredState, Here, Memory, Reason, Tenure
from purelb.api.addresses import Family, parse_ip
from purelb.api.identifiers import LinkName, NodeName
from purelb.api.links import OUR_MARK, DefaultRoute, NewAddress
from purelb.core.lease import Drain, Lease, Tick, step
from tests.unit.nodeagent.builders import (
    ETH0,
    LOCAL6,
    NOW,
    OWN,
    OWN6,
    VIP,
    VIP6,
    A,
    B,
    C,
    entry,
    held,
    link,
    member,
)

GATEWAY = parse_ip("192.0.2.1")
NETWORKS = (ip_network("192.0.2.0/24"), ip_network("2001:db8::/64"))
ROUTES = (
    DefaultRoute(family=Family.IPV4, metric=0, index=ETH0, gateway=GATEWAY),
    DefaultRoute(family=Family.IPV6, metric=0, index=ETH0, gateway=None),
    DefaultRoute(family=Family.IPV4, metric=0, index=9, gateway=parse_ip("10.0.0.1")),
)
HERE = Here(address=VIP, link=link(), prefix=32, flags=0)


def nic(*own: str) -> Nic:
    """Build a selected link."""
    return Nic(link=link(), own=tuple(entry(text) for text in own), networks=NETWORKS)


def electorate() -> Electorate:
    """Build members: here with and without heartbeats, elsewhere, and one that shows itself."""
    return Electorate(
        (
            replace(member(A), has_heartbeats=True),
            replace(member(B), has_heartbeats=True),
            member(C),
            member(NodeName("far"), "10.0.0.0/8"),
            member(NodeName("idle"), announcing=False),
        )
    )


def test_a_network_has_the_members_that_announce_there() -> None:
    """And knows which of them send nothing, so that their silence means nothing."""
    joined = {(ETH0, NETWORKS[0]): NOW, (ETH0, NETWORKS[1]): NOW + 5, (9, NETWORKS[0]): NOW - 5}
    assert networks([nic(OWN, OWN6, LOCAL6)], electorate(), ROUTES, A, joined) == (
        Network(
            link=link(),
            source=parse_ip("192.0.2.7"),
            link_local=IPv6Address("fe80::7"),
            members=frozenset({B, C}),
            mute=frozenset({C}),
            gateways=(GATEWAY,),
            joined_at=NOW,
        ),
    )


@pytest.mark.parametrize(
    ("own", "source"), [((OWN6, LOCAL6), "fe80::7"), (("169.254.3.4/16", LOCAL6), "fe80::7")]
)
def test_without_an_own_ipv4_address_it_speaks_ipv6(own: tuple[str, ...], source: str) -> None:
    """By the link-local address, which all have."""
    (found,) = networks([nic(*own)], electorate(), ROUTES, A, {})
    assert found.source == parse_ip(source)


def test_a_link_without_an_address_or_a_mac_says_nothing() -> None:
    """Nobody could tell where a frame came from."""
    silent = replace(nic(OWN), link=link(mac=b""))
    assert networks([nic(OWN6), silent], electorate(), ROUTES, A, {}) == ()


@pytest.mark.parametrize(
    ("lease", "told"),
    [
        (Lease(duration=10.0), Standing.STARTING),
        (held(), Standing.HELD),
        (step(held(), Tick(200.0)), Standing.FENCED),
        (step(held(), Drain()), Standing.DRAINING),
    ],
)
def test_others_are_told_what_the_lease_allows(lease: Lease, told: Standing) -> None:
    """Without a state of its own."""
    assert standing(lease, NOW) is told


def test_a_right_that_has_just_ended_is_told_as_ended() -> None:
    """Whether the next pass has noticed or not."""
    assert standing(held(), held().until) is Standing.FENCED


def state(**others: object) -> DesiredState:
    """Build a state in which the VIP was taken over with number 3."""
    tenures = {VIP: Tenure(seen_at=NOW, epoch=3), VIP6: Tenure(seen_at=NOW)}
    verdicts = {VIP: HERE, VIP6: replace(HERE, address=VIP6)}
    made = DesiredState(is_whole=True, verdicts=verdicts, memory=Memory(tenures=tenures))
    return replace(made, **others)  # type: ignore[arg-type]  # any


def test_what_was_taken_over_is_claimed_on_its_link() -> None:
    """What nobody else had is not."""
    assert claims_after({}, state()) == {VIP: (ETH0, 3)}


def test_only_what_has_changed_is_looked_at() -> None:
    """Claims of others stay, those that changed are made anew."""
    known = {VIP: (ETH0, 2), VIP6: (ETH0, 1)}
    same = state(before={}, changed=frozenset())
    assert claims_after(known, same) is known
    changed = state(before={}, changed=frozenset({VIP}))
    assert claims_after(known, changed) == {VIP: (ETH0, 3), VIP6: (ETH0, 1)}
    away = Away(address=VIP, reason=Reason.LOST_ELECTION)
    gone = state(before={}, changed=frozenset({VIP, VIP6}), verdicts={VIP: away})
    assert claims_after(known, gone) == {}


def test_a_link_that_is_about_to_get_an_address_is_not_empty() -> None:
    """What was seen may be seconds old when thousands are added; who is empty is replaced."""
    new = NewAddress(index=9, address=VIP, prefix=32, flags=0, valid_seconds=1, preferred_seconds=0)
    gone = RemoveAddress(link().name, ETH0, VIP, 32, "test")
    empty = Observed(addresses=(entry(OWN),))
    full = Observed(addresses=(entry(OWN), entry(f"{VIP}/32", mark=OUR_MARK)))
    assert occupied(empty) == frozenset()
    assert occupied(empty, (AddAddress(LinkName("eth1"), new),)) == {9}
    assert occupied(full, (gone,)) == {ETH0}  # until that is seen
