"""Which Services ask where their endpoints are, and which endpoints count."""

from dataclasses import replace

import pytest

from nodeagent.core.endpoints import ANYWHERE, matters, nodes_of
from purelb.api.endpoints import SliceView
from purelb.api.identifiers import NodeName
from purelb.api.views import ServiceView
from tests.unit.nodeagent.builders import NOW, VIP, WEB, A, B, agent, facts, service

AFFINE = service(WEB, node_affinity="service-endpoints")


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (service(), False),
        (replace(service(), external_policy="Cluster"), False),
        (replace(service(), external_policy="Local"), True),
        (AFFINE, True),
        (service(WEB, node_affinity="yes"), False),
        (service(WEB, node_affinity="service-endpoints", allow_shared_ip=""), False),
        (replace(AFFINE, ingress=()), False),
        (replace(AFFINE, type="ClusterIP"), False),
        (replace(AFFINE, annotations={"purelb.io/node-affinity": "service-endpoints"}), False),
    ],
)
def test_only_some_services_ask(one: ServiceView, expected: bool) -> None:
    """Those with policy Local or affinity, if they have addresses of ours."""
    assert matters(one) is expected


def test_endpoints_that_say_no_node_prefer_none() -> None:
    """The plain winner has the address, and that is no fallback."""
    one = agent(replace(facts(AFFINE), endpoints={WEB: frozenset({ANYWHERE})}))
    one.settle(NOW + 0.5)
    assert one.desired.fallbacks == ()
    assert one.told.held == {VIP: "eth0"}


def known(name: str, *healthy: tuple[str, NodeName], ill: tuple[str, ...] = ()) -> SliceView:
    """Build a slice."""
    return SliceView(name=name, service=WEB, healthy=healthy, ill=ill)


def test_slices_add_up_and_an_address_must_be_healthy_in_each() -> None:
    """One slice for each port has the same addresses; all others of a node may still count."""
    slices = (
        known("one", ("10.1.0.1", A), ("10.1.0.2", B), ("10.1.0.3", ANYWHERE)),
        known("two", ("10.1.0.2", B), ill=("10.1.0.1",)),
    )
    assert nodes_of(slices) == {B, ANYWHERE}
    assert nodes_of((*slices, known("three", ("10.1.0.9", A)))) == {A, B, ANYWHERE}
    assert nodes_of(()) == frozenset()
