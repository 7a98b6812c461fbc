"""`bgp sessions` and `bgp dataplane`: each check, with nodes that fail it and nodes that pass."""

from datetime import timedelta

import pytest

from plugin.core.dataplane import DataplaneReport, Part, report_dataplane
from plugin.core.sessions import report_sessions, selector_text
from purelb.api.resources import LabelSelector, SelectorRequirement
from tests.plugin import scenes
from tests.plugin.scenes import Object
from tests.unit.plugin.worlds import world

EVERYTHING = Part()
UP = scenes.session("192.0.2.1")
ROUTE = {"prefix": "203.0.113.0/32", "nextHop": "0.0.0.0", "advertisedTo": ["192.0.2.1"]}


def imported(
    address: str = "203.0.113.0/32", *, in_rib: bool = True, exists: bool = True
) -> Object:
    """Return a node's import from the dummy link, with one address."""
    return {
        "enabled": True,
        "totalImported": 1,
        "interfaces": [{"name": "kube-lb0", "exists": exists, "operState": "up"}],
        "importedAddresses": [{"address": address, "interface": "kube-lb0", "inRIB": in_rib}],
    }


def node(**status: object) -> Object:
    """Return a node with a session and everything in order, but for what is given."""
    whole: dict[str, object] = {
        "netlinkImport": imported(),
        "rib": {"localRouteCount": 1, "receivedRouteCount": 0, "localRoutes": [ROUTE]},
    }
    return scenes.bgp_node("node-a", UP, **(whole | status))  # type: ignore[arg-type]


def dataplane(*objects: Object, part: Part = EVERYTHING) -> DataplaneReport:  # frozen
    """Return the report about a cluster with one remote Service."""
    return report_dataplane(world([scenes.agent(), scenes.API, *objects]), part)


@pytest.mark.parametrize(
    ("sessions", "updated", "piece"),
    [
        ([UP], timedelta(0), ""),
        ([UP], timedelta(minutes=2), ""),
        ([UP], timedelta(minutes=4), "BGPNodeStatus is stale"),
        ([scenes.session("192.0.2.1", "Active")], timedelta(0), "(state: Active)"),
        (
            [scenes.session("192.0.2.1", "Idle", lastError="wrong AS")],
            timedelta(0),
            "(state: Idle, error: wrong AS)",
        ),
    ],
    ids=["up", "fresh enough", "stale", "down", "down with an error"],
)
def test_sessions_are_problems_if_they_are_down_or_not_reported(
    sessions: list[Object], updated: timedelta, piece: str
) -> None:
    """Three heartbeats are the limit."""
    status = scenes.bgp_node("node-a", *sessions, updated=updated)
    problems = report_sessions(world([status])).problems
    assert bool(problems) is bool(piece)
    assert all(piece in problem for problem in problems)


def test_a_node_without_neighbors_is_shown_nevertheless() -> None:
    """Its sidecar runs."""
    (row,) = report_sessions(world([scenes.bgp_node("node-a")])).sessions
    assert (row.neighbor, row.state) == ("(none)", "-")


def test_the_selector_of_a_neighbor_is_shown_with_its_sessions() -> None:
    """It says why a node has a session that another lacks."""
    selected = scenes.neighbor("192.0.2.1", nodeSelector={"matchLabels": {"zone": "front"}})
    report = report_sessions(world([scenes.bgp_config(selected), scenes.bgp_node("node-a", UP)]))
    assert report.sessions[0].selector == "zone=front"
    assert report.global_asn == 64512


def test_selectors_are_written_as_kubectl_takes_them() -> None:
    """All operators."""
    rules = (
        SelectorRequirement(key="a", operator="In", values=("1", "2")),
        SelectorRequirement(key="b", operator="NotIn", values=("3",)),
        SelectorRequirement(key="c", operator="Exists"),
        SelectorRequirement(key="d", operator="DoesNotExist"),
    )
    found = selector_text(LabelSelector(match_labels={"z": "y"}, match_expressions=rules))
    assert found == "z=y,a in (1,2),b notin (3),c,!d"


EXPORT = {
    "enabled": True,
    "protocol": 186,
    "totalExported": 1,
    "rules": [{"name": "all", "metric": 20, "tableID": 0}],
}


def exported(*, installed: bool) -> Object:
    """Return a node's export with one route."""
    route = {"prefix": "10.9.0.0/16", "table": "main", "metric": 20, "installed": installed}
    reason = {} if installed else {"reason": "next hop unreachable"}
    return {**EXPORT, "exportedRoutes": [{**route, **reason}]}


def vrfs_present(status: str) -> Object:
    """Return a node's condition about the kernel's VRFs."""
    message = "spec.vrfs[0].netlinkExport.linuxVrf: this node's kernel has no VRF 'red'"
    return {
        "type": "VrfsPresent",
        "status": status,
        "reason": "x",
        "message": message if status == "False" else "",
    }


@pytest.mark.parametrize(
    ("status", "piece"),
    [
        ({}, ""),
        ({"netlinkImport": imported(exists=False)}, "interface kube-lb0 does not exist"),
        ({"netlinkImport": imported(in_rib=False)}, "(import failure)"),
        ({"netlinkExport": exported(installed=True)}, ""),
        ({"netlinkExport": exported(installed=False)}, "(next hop unreachable)"),
        ({"netlinkExport": EXPORT, "conditions": [vrfs_present("False")]}, "no VRF 'red'"),
        ({"netlinkExport": EXPORT, "conditions": [vrfs_present("True")]}, ""),
        ({"netlinkImport": imported("203.0.113.9/32")}, "not on kube-lb0 of any node"),
        ({"rib": {"localRoutes": []}}, "in the RIB of node-a, but not advertised"),
        ({"rib": {"localRoutes": [{**ROUTE, "prefix": "203.0.113.0/24"}]}}, ""),
    ],
    ids=[
        "whole",
        "link",
        "import",
        "export",
        "not installed",
        "no VRF",
        "VRF",
        "absent",
        "untold",
        "covered",
    ],
)
def test_a_break_in_the_pipeline_is_a_problem(status: dict[str, object], piece: str) -> None:
    """One problem for one break."""
    problems = dataplane(node(**status)).problems
    assert len(problems) == bool(piece)
    assert all(piece in problem for problem in problems)


def test_services_with_policy_local_may_be_on_no_node() -> None:
    """They are where their endpoints are."""
    local = scenes.service(
        "shop/far", "203.0.113.5", pool="routed", via="remote", externalTrafficPolicy="Local"
    )
    report = dataplane(node(), local)
    assert report.problems == ()
    assert [one.status for one in report.cross_reference] == ["OK", "ETP Local (endpoint-only)"]


def test_of_a_list_that_is_cut_short_the_routes_tell() -> None:
    """The status of a node has 500 addresses at most."""
    cut = {**imported("203.0.113.9/32"), "truncated": True}
    assert dataplane(node(netlinkImport=cut)).problems == ()


def test_a_part_has_the_problems_of_that_part_only() -> None:
    """And no cross-reference, which needs both."""
    broken = node(netlinkImport=imported(in_rib=False), netlinkExport=exported(installed=False))
    assert len(dataplane(broken, part=Part(exports=False)).problems) == 1
    assert len(dataplane(broken, part=Part(imports=False)).problems) == 1
    assert dataplane(broken, part=Part(imports=False)).cross_reference == ()


def test_vrfs_can_be_chosen_by_name() -> None:
    """Of all nodes."""
    vrfs = [
        {"name": name, "rd": "1:1", "importedRouteCount": 1, "exportedRouteCount": 0}
        for name in ("red", "blue")
    ]
    report = dataplane(node(vrfs=vrfs), part=Part(vrf="red"))
    assert [vrf.name for vrf in report.vrfs] == ["red"]
