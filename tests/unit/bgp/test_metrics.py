"""The sidecar's series over one snapshot."""

from dataclasses import replace

from bgp.core.model import AfiSafi
from bgp.core.observed import FamilyCounts, SessionFacts, SessionState
from bgp.core.routerid import RouterId, Source
from bgp.shell.metrics import BgpMetrics, Snapshot
from purelb.api.bgp import BgpConfiguration
from purelb.api.identifiers import NodeName
from purelb.api.resources import Meta
from purelb.runtime.metrics import generate_latest, new_registry
from tests.unit.bgp.builders import body, neighbor, spec_of

COUNTS = (FamilyCounts(family=AfiSafi.IPV4, received=3, accepted=2, advertised=1),)
SPEC = body(
    neighbors=[neighbor(), neighbor("192.0.2.2"), {"config": {"neighborInterface": "eth0"}}]
)
OBJECT = BgpConfiguration(metadata=Meta(name="default", namespace="ns"), spec=spec_of(SPEC))


def session(address: str, state: SessionState) -> SessionFacts:
    """Return a session."""
    return SessionFacts(address=address, peer_asn=1, local_asn=2, state=state, counts=COUNTS)


SNAPSHOT = Snapshot(
    node=NodeName("node-a"),
    endpoint="unix:///x",
    objects=(OBJECT,),
    ready=frozenset({"default"}),
    is_engine_up=True,
    sessions=(
        session("192.0.2.1", SessionState.ESTABLISHED),
        session("192.0.2.2", SessionState.ACTIVE),
        session("fe80::1%eth0", SessionState.ESTABLISHED),
        session("192.0.2.9", SessionState.IDLE),
    ),
    counts={AfiSafi.IPV4: 7},
    router_id=RouterId("192.0.2.11", Source.NODE),
    asn=64512,
    writes={"success": 2},
    written_at=5.0,
    size=99,
    tells_neighbors=True,
    most_neighbors=1,
)


def scraped(snapshot: Snapshot = SNAPSHOT) -> str:
    """Return what a scrape shows."""
    registry = new_registry()
    BgpMetrics(registry, lambda: snapshot)
    return generate_latest(registry).decode()


def test_every_gauge_shows_the_snapshot() -> None:
    """With the labels of k8gobgp."""
    text = scraped()
    for line in (
        'k8gobgp_neighbors_configured{name="default",namespace="ns"} 3.0',
        'k8gobgp_neighbors_established{name="default",namespace="ns"} 2.0',
        'k8gobgp_configuration_ready{name="default",namespace="ns"} 1.0',
        'k8gobgp_gobgpd_connection_status{endpoint="unix:///x"} 1.0',
        'k8gobgp_rib_route_count{family="ipv4_unicast"} 7.0',
        "k8gobgp_neighbors_total 4.0",
        "k8gobgp_neighbors_established_total 2.0",
        "k8gobgp_neighbors_active 1.0",
        "k8gobgp_neighbors_idle 1.0",
        "k8gobgp_routes_received_total 6.0",
        "k8gobgp_routes_accepted_total 4.0",
        "k8gobgp_routes_advertised_total 2.0",
        'k8gobgp_neighbor_routes_accepted{family="ipv4_unicast",neighbor="192.0.2.1"} 2.0',
        'k8gobgp_router_id_source{source="node-ipv4"} 1.0',
        'k8gobgp_router_id_source{source="explicit"} 0.0',
        'k8gobgp_router_id_info{asn="64512",node="node-a",router_id="192.0.2.11",'
        'source="node-ipv4"} 1.0',
        'k8gobgp_nodestatus_write_total{result="success"} 2.0',
        "k8gobgp_nodestatus_last_successful_write_timestamp 5.0",
        "k8gobgp_nodestatus_object_size_bytes 99.0",
        "k8gobgp_metrics_cardinality_limit_hit_total 1.0",
    ):
        assert f"\n{line}\n" in text, line
    assert 'neighbor="192.0.2.2"' not in text


def test_totals_that_are_gauges_say_so() -> None:
    """Dashboards know them by these names."""
    text = scraped()
    for name in ("neighbors_total", "neighbors_established_total", "routes_received_total"):
        assert f"# TYPE k8gobgp_{name} gauge" in text


def test_neighbors_have_no_series_of_their_own_unless_asked_for() -> None:
    """There may be many."""
    text = scraped(replace(SNAPSHOT, tells_neighbors=False, router_id=None))
    assert "neighbor=" not in text
    assert "router_id_info{" not in text
