"""What one node's engine should do for a configuration."""

from dataclasses import replace
from ipaddress import IPv6Address, ip_network

from bgp.core.desired import (
    NO_GROUP,
    NO_ROUTER,
    NO_SECRET,
    Absent,
    World,
    desire,
    hop_targets,
    secrets_of,
)
from bgp.core.model import (
    AfiSafi,
    Group,
    Peer,
    PeerName,
    Range,
    Restart,
    Session,
    SessionFamily,
    Speaker,
    Vrf,
)
from tests.unit.bgp.builders import NODE, Body, body, group, neighbor, routes, spec_of, world

NAME = PeerName("192.0.2.1")
EVERYWHERE = {"matchLabels": {"rack": "one"}}
ELSEWHERE = {"matchLabels": {"rack": "two"}}
LINK = PeerName("iface:eth0")
UNNUMBERED: Body = {"config": {"neighborInterface": "eth0", "peerAsn": 64513}}
SECRET = {"authPasswordSecretRef": {"name": "bgp", "key": "tor"}}


def only_peer(content: Body, facts: World | None = None) -> Peer:
    """Return the one peer that a configuration gives node-a."""
    (peer,) = desire(spec_of(content), facts or world()).engine.peers.values()
    return peer


def test_the_smallest_configuration_gives_a_session_with_the_engines_defaults() -> None:
    """Timers and families are all said, so that nothing is left to the engine."""
    wanted = desire(spec_of(body()), world(routes=routes("10.0.0.1/32")))
    assert wanted.engine.speaker == Speaker(asn=64512, router_id="192.0.2.11")
    assert wanted.engine.routes == routes("10.0.0.1/32")
    families = (SessionFamily(family=AfiSafi.IPV4),)
    session = Session(peer_asn=64513, families=families, hold=90, keepalive=30, retry=120)
    assert dict(wanted.engine.peers) == {NAME: Peer(name=NAME, address=NAME, session=session)}
    assert wanted.absent == ()


LIMITED = {
    "family": "IPV6-unicast",
    "enabled": True,
    "addPaths": {"receive": True},
    "prefixLimit": {"maxPrefixes": 9, "shutdownThresholdPct": 80},
}
FULL = neighbor(
    "2001:0db8::1",
    config={"localAsn": 64999, "description": "tor", "adminDown": True},
    afiSafis=[LIMITED, {"family": "ipv4-unicast", "enabled": False}],
    timers={"config": {"holdTime": 30, "connectRetry": 5, "minimumAdvertisementInterval": 1}},
    transport={"localAddress": "2001:db8::11", "passiveMode": True, "bindInterface": "eth0"},
    gracefulRestart={"enabled": True, "helperOnly": True},
    ebgpMultihop={"enabled": True},
    ttlSecurity={"enabled": True, "ttlMin": 254},
)


def test_every_field_of_a_neighbor_reaches_its_session() -> None:
    """And nothing is lost on the way."""
    found = only_peer(body(neighbors=[FULL]))
    family6 = SessionFamily(
        family=AfiSafi.IPV6, most_prefixes=9, threshold_percent=80, receives_paths=True
    )
    assert found == Peer(
        name=PeerName("2001:db8::1"),
        address="2001:db8::1",
        is_down=True,
        description="tor",
        session=Session(
            peer_asn=64513,
            families=(family6,),
            local_asn=64999,
            hold=30,
            keepalive=10,
            retry=5,
            advertisement_interval=1,
            local_address="2001:db8::11",
            is_passive=True,
            device="eth0",
            restart=Restart(seconds=120, is_helper_only=True),
            multihop_ttl=255,
            least_ttl=254,
        ),
    )


def test_a_neighbor_takes_what_it_lacks_from_its_group() -> None:
    """Its own fields count first."""
    tor = group(
        config={"localAsn": 64999, "authPassword": "shared"},
        timers={"config": {"holdTime": 30, "connectRetry": 7}},
        afiSafis=[{"family": "ipv6-unicast", "enabled": True}],
    )
    member = neighbor(
        config={"peerAsn": 0, "peerGroup": "tor"}, timers={"config": {"connectRetry": 5}}
    )
    session = only_peer(body(neighbors=[member], peerGroups=[tor])).session
    assert session.peer_asn == 64513
    assert (session.local_asn, session.password) == (64999, "shared")
    assert (session.hold, session.keepalive, session.retry) == (30, 10, 5)
    assert [one.family for one in session.families] == [AfiSafi.IPV6]


def test_a_client_of_a_route_reflector_has_its_cluster() -> None:
    """Only where it is one."""
    reflector = {"routeReflectorClient": True, "routeReflectorClusterId": "1.2.3.4"}
    client = neighbor(config={"peerAsn": 64512}, routeReflector=reflector)
    assert only_peer(body(neighbors=[client])).session.reflects_for == "1.2.3.4"
    other = neighbor(routeReflector=reflector | {"routeReflectorClient": False})
    assert only_peer(body(neighbors=[other])).session.reflects_for is None


def test_the_speakers_graceful_restart_is_every_neighbors_without_its_own() -> None:
    """A neighbor may switch it off for itself."""
    overall = {"asn": 64512, "gracefulRestart": {"enabled": True, "restartTime": 60}}
    off = neighbor("192.0.2.2", gracefulRestart={"enabled": False})
    content = body(**{"global": overall, "neighbors": [neighbor(), off]})
    peers = desire(spec_of(content), world()).engine.peers
    assert peers[NAME].session.restart == Restart(seconds=60)
    assert peers[PeerName("192.0.2.2")].session.restart is None


def test_neighbors_are_chosen_by_the_nodes_labels() -> None:
    """One that selects another node is none of this one's."""
    content = body(
        neighbors=[
            neighbor(nodeSelector=EVERYWHERE),
            neighbor("192.0.2.2", nodeSelector=ELSEWHERE),
        ]
    )
    assert set(desire(spec_of(content), world()).entries) == {NAME}


def test_of_two_entries_for_one_neighbor_the_first_counts() -> None:
    """And the other is named."""
    content = body(
        neighbors=[
            neighbor(nodeSelector=EVERYWHERE, timers={"config": {"holdTime": 30}}),
            neighbor(),
        ]
    )
    wanted = desire(spec_of(content), world())
    assert wanted.engine.peers[NAME].session.hold == 30
    assert [finding.path for finding in wanted.findings] == ["spec.neighbors[1]"]


def test_a_neighbor_whose_group_is_elsewhere_is_absent() -> None:
    """With the reason that tools know."""
    content = body(
        neighbors=[neighbor(config={"peerGroup": "tor"})],
        peerGroups=[group(nodeSelector=ELSEWHERE)],
    )
    wanted = desire(spec_of(content), world())
    assert [(one.name, one.reason) for one in wanted.absent] == [(NAME, NO_GROUP)]
    assert not wanted.engine.peers


def test_a_neighbor_waits_for_its_secret() -> None:
    """The others do not."""
    content = body(neighbors=[neighbor(config=SECRET), neighbor("192.0.2.2")])
    spec = spec_of(content)
    wanted = desire(spec, world())
    assert [(one.name, one.reason) for one in wanted.absent] == [(NAME, NO_SECRET)]
    assert set(wanted.engine.peers) == {PeerName("192.0.2.2")}
    assert secrets_of(spec) == {("bgp", "tor")}
    known = world(passwords={("bgp", "tor"): "psst"})
    assert desire(spec, known).engine.peers[NAME].session.password == "psst"


def test_an_optional_secret_may_lack() -> None:
    """Then there is no password."""
    ref = {"authPasswordSecretRef": {"name": "bgp", "key": "tor", "optional": True}}
    assert only_peer(body(neighbors=[neighbor(config=ref)])).session.password == ""


def test_a_password_is_not_part_of_what_is_printed() -> None:
    """Values end up in logs."""
    found = only_peer(body(neighbors=[neighbor(config={"authPassword": "psst"})]))
    assert found.session.password == "psst"
    assert "psst" not in repr(found)


def test_an_unnumbered_neighbor_waits_for_a_router_on_its_link() -> None:
    """Then it is connected to at its link-local address, with both families."""
    spec = spec_of(body(neighbors=[UNNUMBERED]))
    assert [(one.name, one.reason) for one in desire(spec, world()).absent] == [(LINK, NO_ROUTER)]
    wanted = desire(spec, world(routers={"eth0": IPv6Address("fe80::1")}))
    peer = wanted.engine.peers[LINK]
    assert peer.address == "fe80::1%eth0"
    assert [one.family for one in peer.session.families] == [AfiSafi.IPV4, AfiSafi.IPV6]


def test_dynamic_neighbors_come_with_their_group() -> None:
    """Groups that no range uses stay out of the engine."""
    content = body(
        peerGroups=[group(), group("other"), group("elsewhere", nodeSelector=ELSEWHERE)],
        dynamicNeighbors=[
            {"prefix": "198.51.100.7/24", "peerGroup": "tor"},
            {"prefix": "2001:db8::/64", "peerGroup": "elsewhere"},
        ],
    )
    engine = desire(spec_of(content), world()).engine
    assert engine.ranges == {Range("198.51.100.0/24", "tor")}
    families = (SessionFamily(family=AfiSafi.IPV4),)
    session = Session(peer_asn=64513, families=families)
    assert dict(engine.groups) == {"tor": Group(name="tor", session=session)}


def test_the_speaker_has_what_the_global_part_says() -> None:
    """All of it needs a restart of the speaker."""
    overall = {
        "asn": 64512,
        "listenPort": 1790,
        "listenAddresses": ["192.0.2.11"],
        "useMultiplePaths": True,
        "bindToDevice": "eth0",
        "routeSelectionOptions": {"alwaysCompareMed": True, "advertiseInactiveRoutes": True},
        "confederation": {"enabled": True, "identifier": 64999, "memberAsList": [64998]},
    }
    assert desire(spec_of(body(**{"global": overall})), world()).engine.speaker == Speaker(
        asn=64512,
        router_id="192.0.2.11",
        port=1790,
        listen=("192.0.2.11",),
        uses_multiple_paths=True,
        device="eth0",
        always_compares_med=True,
        advertises_inactive=True,
        confederation=64999,
        confederation_members=(64998,),
    )


def test_vrfs_are_numbered() -> None:
    """The engine needs a number for each."""
    content = body(vrfs=[{"name": "red", "rd": "64512:1", "importRt": ["64512:1"]}])
    engine = desire(spec_of(content), world()).engine
    expected = Vrf(name="red", number=1, distinguisher="64512:1", imports=("64512:1",))
    assert dict(engine.vrfs) == {"red": expected}


def test_next_hops_are_asked_for_ipv4_neighbors_and_ranges_only() -> None:
    """On other sessions the engine has one."""
    content = body(
        neighbors=[neighbor(), neighbor("2001:db8::1"), UNNUMBERED],
        peerGroups=[group()],
        dynamicNeighbors=[
            {"prefix": "198.51.100.0/24", "peerGroup": "tor"},
            {"prefix": "2001:db8::/64", "peerGroup": "tor"},
        ],
    )
    assert hop_targets(spec_of(content), NODE.labels) == {
        "192.0.2.1": ip_network("192.0.2.1"),
        "198.51.100.0/24": ip_network("198.51.100.0/24"),
    }


def test_an_absence_tells_what_would_end_it() -> None:
    """People read it."""
    absent = Absent(LINK, NO_ROUTER, "no router has been seen on eth0; does it send RAs there?")
    spec = spec_of(body(neighbors=[UNNUMBERED]))
    assert desire(spec, replace(world(), routers={})).absent == (absent,)
