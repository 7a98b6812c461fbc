"""What is said about operations and sessions."""

from dataclasses import replace

import pytest

from bgp.core.desired import Absent, Wanted
from bgp.core.drain import depreferred
from bgp.core.model import (
    NO_POLICIES,
    STOPPED,
    AfiSafi,
    Group,
    PeerName,
    Policies,
    Range,
    Route,
    Statement,
    Vrf,
)
from bgp.core.observed import Seen, SessionFacts, SessionState
from bgp.core.plan import (
    AddGroup,
    AddPeer,
    AddRange,
    AddRoutes,
    AddVrf,
    Op,
    SetPolicies,
    StartSpeaker,
    StopSpeaker,
    plan,
    settle,
)
from bgp.core.words import absences, announcements, describe, selection, session_news
from purelb.api.addresses import parse_network
from purelb.api.bgp import Neighbor
from tests.unit.bgp.builders import SPEAKER, engine, peer, routes, session

OPS: list[tuple[Op, str]] = [
    (StartSpeaker(SPEAKER), "speaking BGP as 64512 on port 179"),
    (StopSpeaker(), "stopping"),
    (SetPolicies(Policies()), "setting policies"),
    (AddVrf(Vrf(name="red", number=1, distinguisher="1:1")), "VRF red"),
    (AddRoutes((Route(parse_network("10.0.0.0/8")),)), "1 prefixes from 10.0.0.0/8 on"),
    (AddGroup(Group(name="tor", session=session())), "peer group tor"),
    (AddRange(Range("10.0.0.0/8", "tor")), "dynamic neighbors 10.0.0.0/8"),
    (AddPeer(peer()), "neighbor 192.0.2.1"),
]


@pytest.mark.parametrize(("op", "text"), OPS, ids=[text for _, text in OPS])
def test_every_operation_has_words(op: Op, text: str) -> None:
    """For the log and for what the engine refuses."""
    assert describe(op) == text


def test_a_reset_is_announced_and_a_first_start_is_not() -> None:
    """With the reason."""
    changed = plan(engine(peer(hold=30)), engine(peer()))
    assert [one.reason for one in announcements(changed)] == ["SessionReset"]
    renamed = plan(replace(engine(peer()), speaker=replace(SPEAKER, asn=1)), engine(peer()))
    assert [one.reason for one in announcements(renamed)] == ["SpeakerRestarts"]
    assert not list(announcements(plan(engine(peer()), STOPPED)))
    assert not list(announcements(plan(STOPPED, engine(peer()))))


def test_an_absence_is_told_once() -> None:
    """Again only after it has ended."""
    absent = Absent(PeerName("192.0.2.1"), "SecretMissing", "it is missing")
    (notice,) = absences([], [absent])
    assert (notice.reason, notice.message) == ("SecretMissing", "neighbor 192.0.2.1: it is missing")
    assert not list(absences([absent], [absent]))


def test_a_node_without_neighbors_or_next_hops_is_told_once() -> None:
    """Whatever it had before."""
    closed = Statement(name="purelb-hop-192.0.2.1", family=AfiSafi.IPV6, accepts=False)
    entries = {PeerName("192.0.2.1"): Neighbor()}
    alone = Wanted(engine=engine())
    served = Wanted(engine=engine(peer(), policies=Policies(exports=(closed,))), entries=entries)
    assert [one.reason for one in selection(Wanted(), alone)] == ["NoMatchingNeighbors"]
    assert [one.reason for one in selection(served, alone)] == ["NoMatchingNeighbors"]
    assert not list(selection(alone, alone))
    (notice,) = selection(alone, served)
    assert notice.message.startswith("192.0.2.1 gets no IPv6 routes")
    assert not list(selection(served, served))
    assert not list(selection(alone, Wanted()))


def facts(address: str, state: SessionState, group: str = "") -> SessionFacts:
    """Return a session in a state."""
    return SessionFacts(address=address, peer_asn=1, local_asn=2, state=state, group=group)


def test_sessions_that_come_up_or_go_down_are_told_by_their_names() -> None:
    """Dynamic ones by their addresses."""
    named = replace(peer("fe80::1%eth0"), name=PeerName("iface:eth0"))
    peers = {PeerName("192.0.2.1"): peer(), PeerName("iface:eth0"): named}
    up, down = SessionState.ESTABLISHED, SessionState.ACTIVE
    before = [facts("192.0.2.1", up), facts("fe80::1%eth0", down)]
    now = [facts("192.0.2.1", down), facts("fe80::1%eth0", up), facts("10.0.0.9", up, "tor")]
    told = [one.message for one in session_news(peers, before, now, {"192.0.2.1": "cease"})]
    assert told == [
        "the session with 10.0.0.9 is up",
        "the session with 192.0.2.1 is down: cease",
        "the session with iface:eth0 is up",
    ]
    assert not list(session_news(peers, now, now, {}))


def test_what_others_change_in_an_engine_is_seen() -> None:
    """What they removed comes again, what they added goes."""
    red = frozenset({Route(parse_network("10.9.0.0/16"), "red")})
    before = engine(peer(), routes=routes("10.0.0.1/32") | red)
    same = Seen(is_speaking=True, addresses=frozenset({"192.0.2.1"}), routes=routes("10.0.0.1/32"))
    assert settle(before, same) is before
    assert settle(before, Seen(is_speaking=False)) == STOPPED
    other = replace(same, addresses=frozenset({"192.0.2.9"}), routes=routes("10.0.0.2/32"))
    settled = settle(before, other)
    assert set(settled.peers) == {"192.0.2.9"}
    assert settled.routes == routes("10.0.0.2/32") | red
    assert len(plan(before, settled)) == 4


def test_routes_are_depreferred_before_they_go() -> None:
    """By the community of RFC 8326, before any policy decides; once."""
    found = depreferred(engine(peer()))
    (first,) = found.policies.exports
    assert first.communities is not None
    assert first.communities[1] == ("65535:0",)
    assert (first.local_pref, first.accepts) == (0, None)
    assert depreferred(found) == found
    assert NO_POLICIES.exports == ()
