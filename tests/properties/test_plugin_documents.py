"""Whatever stands in a cluster's objects, every document can be made, printed and validated."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from plugin.core.agentchecks import agent_checks
from plugin.core.allocation import allocator_of
from plugin.core.catalog import DOCUMENTS
from plugin.core.dataplane import Part, report_dataplane
from plugin.core.difference import difference
from plugin.core.doctor import examine
from plugin.core.document import Document, fields
from plugin.core.election import report_election
from plugin.core.explain import explain_service
from plugin.core.inspect import report_service
from plugin.core.live import look
from plugin.core.page import page_of
from plugin.core.pools import report_pools
from plugin.core.services import Filter, report_services
from plugin.core.sessions import report_sessions
from plugin.core.snapshot import Snapshot
from plugin.core.status import report_status
from plugin.core.validate import validate
from plugin.core.version import report_version
from plugin.core.wire import schema_of
from plugin.render import advice, bgp, deep, overview
from plugin.render.page import page_html
from tests.plugin import scenes
from tests.plugin.scenes import Object
from tests.plugin.schema import errors
from tests.unit.plugin.worlds import world

ADDRESSES = st.sampled_from(
    [
        "192.0.2.16",
        "192.0.2.17",
        "2001:db8::100",
        "203.0.113.1",
        "0.0.0.0",
        "",
        "host.example",
        "::",
    ]
)
NODES = st.sampled_from(["node-a", "node-b", "node-c", "node-x", ""])
SUBNETS = st.sampled_from(
    ["192.0.2.0/24", "2001:db8::/64", "0.0.0.0/0", "nonsense", "", "192.0.2.0/33", "fe80::/10"]
)
RANGES = st.sampled_from(
    ["192.0.2.16/28", "192.0.2.16-192.0.2.17", "2001:db8::/64", "::/0", "b-a", "", "192.0.2.16"]
)
TIMES = st.sampled_from(
    ["", "yesterday", "2026-01-01T00:00:00Z", "2099-01-01T00:00:00.000001Z", "2026-01-01"]
)
TEXTS = st.sampled_from(["", "x", "default", "<b>", "a, b", "\u2028", "true", "Local", "{", "["])
KEYS = (
    "allocated-by",
    "allocated-from",
    "pool-type",
    "service-group",
    "addresses",
    "allow-shared-ip",
    "announcing-IPv4",
    "announcing-IPv6",
    "node-affinity",
    "multi-pool",
)
VALUES = st.one_of(
    TEXTS,
    st.sampled_from(["PureLB", "local", "remote", "service-endpoints"]),
    st.builds("{},eth0,{}".format, NODES, ADDRESSES),
)


@st.composite
def services(draw: st.DrawFn, name: str) -> Object:
    """Return a Service, sensible or not."""
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=6))
    found = scenes.service(
        f"shop/{name}",
        annotations={key: draw(VALUES) for key in keys},
        externalTrafficPolicy=draw(st.sampled_from(["Local", "Cluster", ""])),
        ipFamilies=draw(st.lists(st.sampled_from(["IPv4", "IPv6", "IPv9"]), max_size=2)),
    )
    ingress = [{"ip": ip} for ip in draw(st.lists(ADDRESSES, max_size=3))]
    found["status"] = {"loadBalancer": {"ingress": draw(st.sampled_from([ingress, None]))}}
    if draw(st.booleans()):
        found["metadata"]["annotations"] |= {
            "purelb.io/allocated-by": "PureLB",
            "purelb.io/pool-type": draw(st.sampled_from(["local", "remote"])),
        }
    return found


@st.composite
def leases(draw: st.DrawFn, name: str) -> Object:
    """Return a Lease that may be old, endless, or without anything."""
    found = scenes.lease(
        name,
        ",".join(draw(st.lists(SUBNETS, max_size=3))),
        conditions=draw(st.sampled_from(["", "{", "[]", '[{"type":"A"}]', "[1]"])),
        announces=draw(st.sampled_from(["true", "false", ""])),
    )
    found["spec"]["renewTime"] = draw(st.one_of(TIMES, st.none()))
    found["spec"]["leaseDurationSeconds"] = draw(st.sampled_from([0, 1, 10**9, None]))
    return found


@st.composite
def groups(draw: st.DrawFn, name: str) -> Object:
    """Return a ServiceGroup of any shape."""
    entries = [
        {"pool": draw(RANGES), "subnet": draw(SUBNETS)} for _ in range(draw(st.integers(0, 2)))
    ]
    kind = draw(st.sampled_from(["local", "remote", "external", "none"]))
    shapes: dict[str, dict[str, Any]] = {
        "local": {"local": {"v4pools": entries, "multiPool": draw(st.booleans())}},
        "remote": {"remote": {"v6pools": entries, "balancePools": draw(st.booleans())}},
        "external": {"external": {"provider": draw(TEXTS), "announce": draw(TEXTS)}},
        "none": {},
    }
    spec = shapes[kind]
    namespaces = draw(st.lists(st.sampled_from(["shop", "bank"]), max_size=2))
    more: dict[str, Any] = {"namespaces": namespaces, "enforceNamespaces": draw(st.booleans())}
    return scenes.group(name, draw(st.sampled_from([scenes.INSTALL, "shop"])), **spec, **more)


@st.composite
def agents(draw: st.DrawFn, name: str) -> Object:
    """Return an LBNodeAgent with any selector and pattern."""
    local = {"localInterface": draw(TEXTS), "dummyInterface": draw(TEXTS)}
    selector = {"matchLabels": {"zone": draw(TEXTS)}}
    return scenes.agent(
        name,
        local=draw(st.sampled_from([local, None])),
        nodeSelector=draw(st.sampled_from([selector, {}, None])),
    )


@st.composite
def speakers(draw: st.DrawFn, name: str) -> Object:
    """Return a BGPNodeStatus."""
    session = scenes.session(draw(ADDRESSES), draw(TEXTS))
    route = {
        "prefix": draw(SUBNETS),
        "nextHop": "",
        "advertisedTo": draw(st.sampled_from([["a"], None])),
    }
    address = {"address": draw(SUBNETS), "interface": "", "inRIB": draw(st.booleans())}
    found = scenes.bgp_node(
        name,
        *([session] if draw(st.booleans()) else []),
        rib={"localRoutes": [route]},
        netlinkImport={"importedAddresses": [address], "truncated": draw(st.booleans())},
    )
    found["status"]["lastUpdated"] = draw(TIMES)
    return found


@st.composite
def worlds(draw: st.DrawFn) -> Snapshot:
    """Return a snapshot of a small cluster with anything in it."""
    names = ["node-a", "node-b"]
    objects = [
        *draw(st.sampled_from([scenes.NODES, ()])),
        *(draw(leases(name)) for name in names),
        *(draw(groups(name)) for name in ("default", "other")),
        *(draw(agents(name)) for name in ("x", "y")[: draw(st.integers(0, 2))]),
        *(draw(services(name)) for name in ("web", "mail", "late")),
        *(draw(speakers(name)) for name in names[: draw(st.integers(0, 2))]),
        *draw(st.sampled_from([(scenes.ALLOCATOR, *scenes.AGENT_PODS), ()])),
        scenes.endpoints("shop/web", draw(NODES), ready=draw(st.booleans())),
    ]
    return world(objects)


def check(command: str, document: Document, text: list[str]) -> None:
    """Expect that a document can be printed in every format, and that its schema is true."""
    body = json.loads(json.dumps(fields(document)))
    schema = schema_of(DOCUMENTS[command])
    root = schema["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    assert list(errors(body, root, schema)) == []
    assert all(isinstance(line, str) for line in text)


@settings(max_examples=60)
@given(worlds())
def test_every_overview_can_be_made_of_any_cluster(found: Snapshot) -> None:
    """Old objects and those of others may have anything in them."""
    allocator = allocator_of(found)
    for is_wide in (False, True):
        status = report_status(found, allocator)
        check("status", status, overview.status_text(status, is_wide=is_wide))
        pools = report_pools(found, allocator)
        check("pools", pools, overview.pools_text(pools, shows_services=True, is_wide=is_wide))
        services = report_services(found, Filter())
        check("services", services, overview.services_text(services, is_wide=is_wide))
        election = report_election(found, "", found.leases[0].view.node)
        check("election", election, deep.election_text(election, is_wide=is_wide))
        sessions = report_sessions(found)
        check("bgp sessions", sessions, bgp.sessions_text(sessions, is_wide=is_wide))
    checked = validate(found)
    check("validate", checked, deep.validate_text(checked))
    doctor = examine(found)
    check("doctor", doctor, advice.doctor_text(doctor))
    plane = report_dataplane(found, Part())
    check("bgp dataplane", plane, bgp.dataplane_text(plane, imports=True, exports=True))
    version = report_version(found, ())
    check("version", version, overview.version_text(version))
    assert list(agent_checks(found))


@settings(max_examples=60)
@given(worlds())
def test_every_service_can_be_explained_in_any_cluster(found: Snapshot) -> None:
    """And inspected."""
    for service in found.services:
        report = report_service(found, allocator_of(found), service)
        check("inspect", report, deep.inspect_text(report))
        explanation = explain_service(found, allocator_of(found), service)
        check("explain", explanation, advice.explain_text(explanation))


@settings(max_examples=40)
@given(worlds(), worlds())
def test_any_edit_and_any_change_can_be_shown(found: Snapshot, other: Snapshot) -> None:
    """As a preview, as a page, on the screen."""
    report = difference(found, other.groups)
    check("diff", report, advice.diff_text(report))
    page = page_html(page_of(found, allocator_of(found), "https://api.example"))
    assert page.endswith("</html>\n")
    assert "<b>" not in page.replace("<b>Allocator", "").replace(
        "<b>", "", page.count('"card"><b>')
    )
    look(other, look(found, None))


@settings(max_examples=40)
@given(worlds())
def test_the_same_edit_again_changes_nothing(found: Snapshot) -> None:
    """A preview of what is there is empty."""
    report = difference(found, found.groups)
    assert (report.addresses, report.waiting, report.stranded, report.broken) == ((), (), 0, ())
