"""What a node knows of its BGP, for tests of what it tells."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bgp.core.health import NodeState
from bgp.core.imports import Imported, Imports, Interface
from bgp.core.model import AfiSafi, PeerName, Route
from bgp.core.observed import FamilyCounts, SessionFacts, SessionState
from bgp.core.routerid import RouterId, Source
from bgp.core.status import node_status
from purelb.api.addresses import parse_ip, parse_network
from purelb.api.bgpstatus import StatusCondition, status_body
from purelb.api.identifiers import LinkName, NodeName, Uid
from purelb.api.routes import MAIN_TABLE, Hop, KernelRoute, RouteKey
from tests.unit.bgp.builders import Body, body, engine, peer, routes, spec_of

NOW, BEFORE = "2026-01-01T00:00:09Z", "2026-01-01T00:00:00Z"
NAME = PeerName("192.0.2.1")
VIP = parse_network("10.0.0.1/32")
UP = SessionFacts(
    address=NAME,
    peer_asn=64513,
    local_asn=64512,
    state=SessionState.ESTABLISHED,
    up_since=datetime(2026, 1, 1, tzinfo=UTC),
    counts=(FamilyCounts(family=AfiSafi.IPV4, received=3, accepted=2, advertised=1),),
)
DOWN = replace(UP, state=SessionState.ACTIVE, up_since=None)
ENGINE = engine(peer(), routes=routes("10.0.0.1/32"))
ENTRY = spec_of(body()).neighbors
IMPORTS = Imports(
    addresses=(
        Imported(address=parse_ip("10.0.0.1"), interface=LinkName("kube-lb0"), route=Route(VIP)),
    ),
    interfaces=(Interface(name="kube-lb0", exists=True, is_up=True),),
)
KEY = RouteKey(MAIN_TABLE, parse_network("198.51.100.0/24"), 20)
LEARNED = KernelRoute(
    prefix=KEY.prefix,
    table=MAIN_TABLE,
    metric=20,
    protocol=186,
    hops=(Hop(parse_ip("192.0.2.1"), 2),),
)


def state(**parts: object) -> NodeState:
    """Return a node on which all is well, but for the parts."""
    assert ENTRY is not None
    base = NodeState(
        node=NodeName("node-a"),
        uid=Uid("uid-a"),
        router_id=RouterId("192.0.2.11", Source.NODE),
        is_configured=True,
        is_engine_up=True,
        wanted=ENGINE,
        actual=ENGINE,
        entries={NAME: ENTRY[0]},
        sessions=(UP,),
        imports=IMPORTS,
        is_import_on=True,
        sent={NAME: frozenset({VIP})},
        sent_of=ENGINE.routes,
    )
    return replace(base, **parts)  # type: ignore[arg-type]


def told(state: NodeState, before: Sequence[StatusCondition] = ()) -> Body:
    """Return the status as it is sent."""
    return status_body(node_status(state, before, NOW))
