"""What holds of every plan, whatever the engine and wherever it is interrupted."""

from dataclasses import replace
from functools import reduce
from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from bgp.core.model import AfiSafi as Afi
from bgp.core.model import (
    Engine,
    Group,
    Peer,
    PeerName,
    Policies,
    Range,
    Route,
    Session,
    SessionFamily,
    Speaker,
    Statement,
    Vrf,
)
from bgp.core.plan import AddPeer, DeletePeer, StopSpeaker, after, plan

NAMES = ("a", "b", "c")


def sessions() -> st.SearchStrategy[Session]:
    """Sessions that differ in what resets them."""
    families = (SessionFamily(family=Afi.IPV4),)
    return st.builds(
        Session, peer_asn=st.integers(1, 2), families=st.just(families), hold=st.just(90)
    )


@st.composite
def engines(draw: st.DrawFn) -> Engine:
    """Engines that are consistent: ranges have groups, routes have VRFs, or nothing at all."""
    if draw(st.integers(0, 5)) == 0:
        return Engine()
    vrfs = {
        name: Vrf(name=name, number=1, distinguisher=draw(st.sampled_from(("1:1", "1:2"))))
        for name in draw(st.sets(st.sampled_from(NAMES)))
    }
    groups = {
        name: Group(name=name, session=draw(sessions()))
        for name in draw(st.sets(st.sampled_from(NAMES)))
    }
    peers = {
        PeerName(name): Peer(
            name=PeerName(name),
            address=name,
            session=draw(sessions()),
            description=draw(st.sampled_from(("", "x"))),
        )
        for name in draw(st.sets(st.sampled_from(NAMES)))
    }
    prefixes = st.integers(0, 5).map(lambda number: IPv4Network((10 << 24 | number, 32)))
    routes = draw(st.sets(st.builds(Route, prefixes, st.sampled_from(("", *sorted(vrfs))))))
    prefix = st.sampled_from(("192.0.2.0/25", "192.0.2.128/25"))
    ranges = draw(
        st.sets(st.builds(Range, prefix, st.sampled_from(sorted(groups))))
        if groups
        else st.just(set())
    )
    return Engine(
        speaker=Speaker(asn=draw(st.integers(1, 2)), router_id="192.0.2.1"),
        policies=Policies(
            imports=tuple(Statement(name=n) for n in draw(st.sets(st.sampled_from(NAMES))))
        ),
        vrfs=vrfs,
        routes=frozenset(routes),
        groups=groups,
        ranges=frozenset(ranges),
        peers=peers,
    )


def undescribed(engine: Engine) -> Engine:
    """Return an engine without what nobody acts on."""
    return replace(engine, peers={name: peer.alike() for name, peer in engine.peers.items()})


@given(engines(), engines(), st.data())
def test_a_plan_leads_to_what_is_wanted_from_wherever_it_stopped(
    wanted: Engine, actual: Engine, data: st.DataObject
) -> None:
    """An engine that failed half way is no special case."""
    ops = plan(wanted, actual)
    midway = reduce(after, ops[: data.draw(st.integers(0, len(ops)))], actual)
    there = reduce(after, plan(wanted, midway), midway)
    assert undescribed(there) == undescribed(wanted)
    assert plan(wanted, there) == ()


@given(engines(), engines())
def test_a_session_that_stays_as_it_is_is_never_touched(wanted: Engine, actual: Engine) -> None:
    """Unless the speaker itself changes."""
    ops = plan(wanted, actual)
    if StopSpeaker() in ops:
        return
    touched = {op.peer.name for op in ops if isinstance(op, AddPeer | DeletePeer)}
    for name in set(wanted.peers) & set(actual.peers):
        if wanted.peers[name].alike() == actual.peers[name].alike():
            assert name not in touched
