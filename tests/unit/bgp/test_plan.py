"""Which operations lead from one state of an engine to another."""

from dataclasses import replace

from bgp.core.model import (
    STOPPED,
    Group,
    PeerName,
    Policies,
    Range,
    Route,
    Statement,
    Vrf,
)
from bgp.core.plan import (
    AddGroup,
    AddPeer,
    AddRange,
    AddRoutes,
    AddVrf,
    DeleteGroup,
    DeletePeer,
    DeleteRange,
    DeleteVrf,
    RemoveRoutes,
    SetPolicies,
    StartSpeaker,
    StopSpeaker,
    plan,
    resets,
)
from purelb.api.addresses import parse_network
from tests.unit.bgp.builders import SPEAKER, engine, peer, routes, session

POLICIES = Policies(imports=(Statement(name="deny", accepts=False),))
GROUP = Group(name="tor", session=session())
RANGE = Range("198.51.100.0/24", "tor")
RED = Vrf(name="red", number=1, distinguisher="64512:1")
RED_ROUTES = frozenset({Route(parse_network("10.9.0.1/32"), "red")})


def test_a_fresh_engine_gets_everything_and_its_sessions_last() -> None:
    """A neighbor must not see a table without policies or routes."""
    wanted = engine(
        peer(),
        policies=POLICIES,
        routes=routes("10.0.0.1/32"),
        groups={"tor": GROUP},
        ranges=frozenset({RANGE}),
        vrfs={"red": RED},
    )
    assert plan(wanted, STOPPED) == (
        StartSpeaker(SPEAKER),
        SetPolicies(POLICIES),
        AddVrf(RED),
        AddRoutes(tuple(routes("10.0.0.1/32"))),
        AddGroup(GROUP),
        AddRange(RANGE),
        AddPeer(peer()),
    )


def test_a_new_prefix_touches_no_session() -> None:
    """Nor anything else."""
    before = engine(peer(), routes=routes("10.0.0.1/32"))
    wanted = replace(before, routes=routes("10.0.0.2/32"))
    assert plan(wanted, before) == (
        AddRoutes(tuple(routes("10.0.0.2/32"))),
        RemoveRoutes(tuple(routes("10.0.0.1/32"))),
    )


def test_a_changed_description_changes_nothing() -> None:
    """The engine would reset the session."""
    assert plan(engine(peer(description="new")), engine(peer(description="old"))) == ()


def test_a_changed_session_is_ended_and_begun_anew() -> None:
    """And that is told beforehand."""
    ops = plan(engine(peer(hold=30)), engine(peer()))
    assert ops == (DeletePeer(peer()), AddPeer(peer(hold=30)))
    assert resets(ops) == (PeerName("192.0.2.1"),)


def test_changed_policies_touch_no_session() -> None:
    """They are applied to what is known."""
    assert plan(engine(peer(), policies=POLICIES), engine(peer())) == (SetPolicies(POLICIES),)


def test_a_changed_speaker_begins_from_nothing() -> None:
    """Its ASN is in every session."""
    wanted = replace(engine(peer()), speaker=replace(SPEAKER, asn=64999))
    assert plan(wanted, engine(peer())) == (
        StopSpeaker(),
        StartSpeaker(replace(SPEAKER, asn=64999)),
        AddPeer(peer()),
    )


def test_an_unwanted_speaker_only_stops() -> None:
    """With it goes everything."""
    assert plan(STOPPED, engine(peer())) == (StopSpeaker(),)
    assert plan(STOPPED, STOPPED) == ()


def test_a_changed_group_takes_its_ranges_along() -> None:
    """The engine knows no other way."""
    changed = replace(GROUP, session=session(hold=30))
    ranges = frozenset({RANGE})
    before = engine(groups={"tor": GROUP}, ranges=ranges)
    assert plan(replace(before, groups={"tor": changed}), before) == (
        DeleteRange(RANGE),
        DeleteGroup(GROUP),
        AddGroup(changed),
        AddRange(RANGE),
    )


def test_a_changed_vrf_gets_its_routes_again() -> None:
    """They go with the old one."""
    changed = replace(RED, imports=("64512:1",))
    before = engine(vrfs={"red": RED}, routes=RED_ROUTES)
    assert plan(replace(before, vrfs={"red": changed}), before) == (
        DeleteVrf(RED),
        AddVrf(changed),
        AddRoutes(tuple(RED_ROUTES)),
    )
