"""What one sidecar writes of all: the status of a BGPConfiguration."""

import msgspec

from bgp.core.clusterstatus import configuration_status, is_news
from bgp.core.findings import Finding, remark
from purelb.api.bgp import BgpConfiguration
from purelb.api.bgpstatus import BgpNodeStatus, Neighbor, NodeStatus
from purelb.api.resources import Meta
from tests.unit.bgp.builders import body, spec_of
from tests.unit.bgp.nodestates import NOW


def node(
    name: str, *states: str, healthy: bool = True, router_id: str = "192.0.2.11"
) -> BgpNodeStatus:
    """Return a node's status."""
    return BgpNodeStatus(
        metadata=Meta(name=name),
        status=NodeStatus(
            node_name=name,
            healthy=healthy,
            router_id=router_id,
            router_id_source="node-ipv4",
            neighbors=tuple(Neighbor(state=state) for state in states),
        ),
    )


CONFIGURATION = BgpConfiguration(metadata=Meta(name="default", generation=3), spec=spec_of(body()))


def test_a_configuration_s_status_is_the_sum_over_nodes() -> None:
    """It names the nodes that are not well."""
    nodes = [node("node-a", "Established", "Active"), node("node-b", "Established", healthy=False)]
    found = configuration_status(CONFIGURATION, (), nodes, NOW)
    assert (found["neighborCount"], found["establishedNeighbors"]) == (1, 2)
    assert found["message"] == "not healthy: node-b; see their BGPNodeStatus"
    assert [(one["type"], one["status"]) for one in found["conditions"]] == [
        ("Ready", "True"),
        ("RouterIDResolved", "True"),
    ]
    assert found["routerIDSource"] == "node-ipv4"
    assert found["observedGeneration"] == 3


def test_a_remark_hides_no_node_that_is_not_well() -> None:
    """What has no effect is told beside what does not work."""
    remarks = (remark("spec.global.name", "has no effect"),)
    found = configuration_status(CONFIGURATION, remarks, [node("node-b", healthy=False)], NOW)
    assert "not healthy: node-b" in found["message"]
    assert "spec.global.name" in found["message"]


def test_a_bad_configuration_and_missing_router_ids_are_told_there_too() -> None:
    """With the fields, and the nodes."""
    bad = (Finding("spec.global.asn", "is wrong"),)
    nodes = [node(f"node-{n}", router_id="") for n in range(7)]
    found = configuration_status(CONFIGURATION, bad, nodes, NOW)
    ready, resolved = found["conditions"]
    assert (ready["reason"], ready["message"]) == (
        "ConfigurationInvalid",
        "spec.global.asn: is wrong",
    )
    assert resolved["message"].endswith("node-4 and 2 more")
    told = configuration_status(CONFIGURATION, (remark("spec.x", "has no effect"),), [], NOW)
    assert told["message"] == "spec.x: has no effect"


def test_only_news_are_written() -> None:
    """Times are none."""
    status = configuration_status(CONFIGURATION, (), [node("node-a")], NOW)
    assert is_news(CONFIGURATION, status)
    content = {"metadata": {"name": "default", "generation": 3}, "spec": body(), "status": status}
    written = msgspec.convert(content, BgpConfiguration)
    later = configuration_status(written, (), [node("node-a")], "2026-01-02T00:00:00Z")
    assert later["conditions"][0]["lastTransitionTime"] == NOW
    assert not is_news(written, later)
    assert is_news(written, later | {"establishedNeighbors": 9})
