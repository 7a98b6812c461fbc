"""Exactly one winner, the same for everybody who knows the same."""

from ipaddress import IPv4Address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from nodeagent.core.election import Electorate, Member, Winner, digest, elect
from purelb.api.identifiers import NodeName

NODES = tuple(NodeName(f"n{number}") for number in range(8))
NETWORKS = tuple(ip_network(text) for text in ("10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"))
addresses = st.integers(0, 255).map(lambda last: IPv4Address(0x0A010000 + last))
members = st.lists(
    st.builds(
        Member,
        node=st.sampled_from(NODES),
        subnets=st.sets(st.sampled_from(NETWORKS)).map(tuple),
        is_announcing=st.booleans(),
        heeds_wishes=st.sampled_from((True, True, True, False)),
        is_non_revertive=st.booleans(),
    ),
    unique_by=lambda member: member.node,
)
nodes = st.frozensets(st.sampled_from(NODES))


@given(
    address=addresses,
    members=members,
    preferred=nodes,
    incumbent=st.none() | st.sampled_from(NODES),
    data=st.data(),
)
def test_every_node_with_an_equal_view_elects_the_same_candidate(
    address: IPv4Address,
    members: list[Member],
    preferred: frozenset[NodeName],
    incumbent: NodeName | None,
    data: st.DataObject,
) -> None:
    """Whatever the order of the members; and only a candidate wins, if there is one."""
    winner = elect(address, members, preferred, incumbent)
    assert elect(address, data.draw(st.permutations(members)), preferred, incumbent) == winner
    able = {m.node for m in members if m.is_announcing and any(address in n for n in m.subnets)}
    assert (winner in able) if able else winner is None


@given(address=addresses, members=members, preferred=nodes)
def test_the_winner_is_the_smallest_of_the_preferred_candidates_or_of_all(
    address: IPv4Address, members: list[Member], preferred: frozenset[NodeName]
) -> None:
    """The memo and the index by network change nothing."""
    able = {m.node for m in members if m.is_announcing and any(address in n for n in m.subnets)}
    pool = (able & preferred) or able
    expected = min(pool, key=lambda node: digest(node, address), default=None)
    electorate = Electorate(members)
    for _ in range(2):
        winner = electorate.winner(address, preferred)
        assert (winner.node if winner is not None else None) == expected
        if winner is not None:
            assert winner.fell_back is bool(preferred and not able & preferred)


@given(address=addresses, members=members, wish=st.none() | st.sampled_from(NODES))
def test_a_wish_is_granted_to_a_candidate_if_all_candidates_know_of_it(
    address: IPv4Address, members: list[Member], wish: NodeName | None
) -> None:
    """Else two agents would elect different nodes."""
    able = {m.node for m in members if m.is_announcing and any(address in n for n in m.subnets)}
    heeding = {m.node for m in members if m.heeds_wishes}
    winner = Electorate(members).wished(address, wish)
    assert winner == (Winner(wish) if wish in able <= heeding and wish else None)


@given(address=addresses, members=members, holder=st.sampled_from(NODES), stays=st.booleans())
def test_a_holder_stays_if_its_group_or_itself_wants_that_and_all_candidates_know_of_it(
    address: IPv4Address, members: list[Member], holder: NodeName, *, stays: bool
) -> None:
    """Nobody may take the address from it then."""
    able = {m.node for m in members if m.is_announcing and any(address in n for n in m.subnets)}
    wants = stays or any(m.is_non_revertive for m in members if m.node == holder)
    knows = able <= {m.node for m in members if m.heeds_wishes}
    electorate = Electorate(members)
    incumbent = electorate.incumbent(address, holder, stays=stays)
    assert incumbent == (holder if wants and knows and holder in able else None)
    assert electorate.incumbent(address, None, stays=stays) is None


@given(history=st.lists(members, min_size=1, max_size=4), asked=st.lists(st.sets(addresses)))
def test_what_an_electorate_takes_over_from_the_last_one_changes_nothing(
    history: list[list[Member]], asked: list[set[IPv4Address]]
) -> None:
    """Members come, go and change; not every address is asked for every time."""
    electorate = Electorate()
    for number, everybody in enumerate(history):
        electorate = Electorate(everybody, before=electorate)
        for address in asked[number] if number < len(asked) else ():
            assert electorate.winner(address) == Electorate(everybody).winner(address)
