"""The winner's formula and its vectors, candidates, preference and incumbency."""

import pytest

from nodeagent.core.election import (
    Electorate,
    Member,
    Winner,
    digest,
    elect,
    members_of,
)
from purelb.api.addresses import parse_ip
from purelb.api.identifiers import NodeName
from purelb.api.views import LeaseView
from tests.unit.nodeagent.builders import A, B, C, member

ALL = ("0.0.0.0/0", "::/0")
EVERYBODY = tuple(member(node, *ALL) for node in (A, B, C))


@pytest.mark.parametrize(
    ("address", "order", "start"),
    [
        ("192.0.2.10", (C, B, A), "39f2d7a8f2401847"),
        ("192.0.2.11", (A, C, B), "0b9c2b4ed37c0786"),
        ("192.0.2.12", (B, C, A), "7cdd9bdffa7d6bc1"),
        ("192.168.1.100", (C, B, A), "561beaa0f8030471"),
        ("10.0.0.1", (B, A, C), "2acae88581fd8b47"),
        ("2001:db8::a", (A, B, C), "094ee449eed46ba3"),
    ],
)
def test_the_formula_agrees_with_purelbs(
    address: str, order: tuple[NodeName, ...], start: str
) -> None:
    """The full order is seen by taking away one winner after another."""
    ip = parse_ip(address)
    assert digest(order[0], ip).hex().startswith(start)
    for number, node in enumerate(order):
        assert elect(ip, [member(name, *ALL) for name in order[number:]]) == node


def test_the_worked_example_of_two_subnets() -> None:
    """Only nodes that advertise the network take part; endpoints shift the choice."""
    ip = parse_ip("192.0.2.10")
    members = (member(A), member(B), member(C, "198.51.100.0/24"))
    electorate = Electorate(members)
    assert electorate.candidates(ip) == (A, B)
    assert elect(ip, members) == B
    assert elect(ip, [m for m in members if m.node != B]) == A
    assert electorate.winner(ip, frozenset({A})) == Winner(A)
    assert electorate.winner(ip, frozenset({C})) == Winner(B, fell_back=True)


def test_a_member_that_announces_nothing_is_live_but_no_candidate() -> None:
    """It is draining, or not configured."""
    electorate = Electorate([member(A), member(B, announcing=False)])
    assert electorate.live == {A, B}
    assert electorate.candidates(parse_ip("192.0.2.10")) == (A,)


@pytest.mark.parametrize("members", [(), (member(A, "198.51.100.0/24"),), (Member(node=A),)])
def test_without_a_candidate_nobody_wins(members: tuple[Member, ...]) -> None:
    """Not even with preferences or an incumbent."""
    ip = parse_ip("192.0.2.10")
    assert elect(ip, members) is None
    assert elect(ip, members, frozenset({A}), A) is None


def test_any_containing_network_makes_a_candidate() -> None:
    """The longest prefix has no precedence; a host prefix counts as well."""
    ip = parse_ip("192.0.2.10")
    members = [
        member(A, "192.0.0.0/16"),
        member(B, "192.0.2.10/32", "10.0.0.0/8"),
        member(C, "::/0"),
    ]
    assert Electorate(members).candidates(ip) == (A, B)


def test_an_incumbent_stays_as_long_as_it_is_a_candidate() -> None:
    """The formula would choose node-c; preference comes first."""
    ip = parse_ip("192.0.2.10")
    assert elect(ip, EVERYBODY, incumbent=A) == A
    assert elect(ip, EVERYBODY, incumbent=NodeName("gone")) == C
    assert elect(ip, EVERYBODY, frozenset({B}), incumbent=A) == B


@pytest.mark.parametrize("nodes", [(A, B, C), (A, B), (B, C), (A,), ()])
def test_an_electorate_that_takes_over_winners_elects_the_same(nodes: tuple[NodeName, ...]) -> None:
    """Whether the winner stays, leaves, or a better one comes."""
    ip = parse_ip("192.0.2.10")
    before = Electorate([member(A, *ALL), member(B, *ALL)])
    before.winner(ip)
    members = [member(node, *ALL) for node in nodes]
    assert Electorate(members, before).winner(ip) == Electorate(members).winner(ip)


def test_subnets_are_counted_once() -> None:
    """Over all members, announcing or not."""
    members = [member(A), member(B, "192.0.2.0/24", announcing=False), member(C, "10.0.0.0/8")]
    assert Electorate(members).subnet_count == 3


def test_members_are_the_live_leases_with_the_own_node_as_it_knows_itself() -> None:
    """Somebody may have deleted its Lease; without a valid one its Lease speaks for it."""
    leases = [LeaseView(node=A, is_announcing=False), LeaseView(node=B, subnets=member(B).subnets)]
    assert members_of(leases, member(A)) == (member(B), member(A))
    assert members_of(leases[1:], member(A)) == (member(B), member(A))
    assert members_of(leases, None) == (Member(node=A, is_announcing=False), member(B))
