"""Configurations and facts for the tests of the sidecar's core."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from bgp.core.desired import World
from bgp.core.model import AfiSafi, Engine, Peer, PeerName, Route, Session, SessionFamily, Speaker
from bgp.core.routerid import NodeFacts
from purelb.api.addresses import parse_network
from purelb.api.bgp import BgpSpec
from purelb.api.identifiers import NodeName

Body = dict[str, Any]

ROUTER = "192.0.2.1"
NODE = NodeFacts(
    name=NodeName("node-a"),
    labels={"rack": "one"},
    annotations={"example.com/id": "10.0.0.7"},
    addresses=(("InternalIP", "192.0.2.11"), ("ExternalIP", "198.51.100.11")),
)
SPEAKER = Speaker(asn=64512, router_id="192.0.2.11")


def body(**parts: object) -> Body:
    """Return the spec of a small configuration as JSON, with parts in place of its own."""
    spec: Body = {
        "global": {"asn": 64512},
        "neighbors": [neighbor()],
        "netlinkImport": {"enabled": True, "interfaceList": ["kube-lb0"]},
    }
    return spec | parts


def neighbor(address: str = ROUTER, **parts: object) -> Body:
    """Return a neighbor as JSON; `config` is added to its address and ASN."""
    config = {"neighborAddress": address, "peerAsn": 64513, **_mapping(parts.pop("config", {}))}
    return {"config": config, **parts}


def group(name: str = "tor", **parts: object) -> Body:
    """Return a peer group as JSON."""
    config = {"peerGroupName": name, "peerAsn": 64513, **_mapping(parts.pop("config", {}))}
    return {"config": config, **parts}


def spec_of(content: Mapping[str, Any]) -> BgpSpec:
    """Decode a spec."""
    return msgspec.convert(dict(content), BgpSpec)


def world(**facts: Any) -> World:  # noqa: ANN401  # World's own
    """Return what node-a knows."""
    return replace(World(node=NODE, router_id="192.0.2.11"), **facts)


def routes(*texts: str) -> frozenset[Route]:
    """Return routes of the global table."""
    return frozenset(Route(parse_network(text)) for text in texts)


def session(**parts: Any) -> Session:  # noqa: ANN401  # Session's own
    """Return a session that carries IPv4."""
    families = (SessionFamily(family=AfiSafi.IPV4),)
    return replace(Session(peer_asn=64513, families=families), **parts)


def peer(address: str = ROUTER, *, description: str = "", **parts: Any) -> Peer:  # noqa: ANN401
    """Return a peer; parts are its session's."""
    return Peer(
        name=PeerName(address), address=address, session=session(**parts), description=description
    )


def engine(*peers: Peer, **parts: Any) -> Engine:  # noqa: ANN401  # Engine's own
    """Return an engine that speaks."""
    return replace(Engine(speaker=SPEAKER, peers={one.name: one for one in peers}), **parts)


def _mapping(value: object) -> Body:
    assert isinstance(value, dict)
    return value
