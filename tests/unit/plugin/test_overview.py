"""`status` and what it shares: every warning, with a cluster that has it and one that has not."""

from dataclasses import replace

import pytest

from plugin.core.allocation import allocator_of, is_default_announcer
from plugin.core.page import page_of
from plugin.core.pools import report_pools
from plugin.core.problem import PluginError
from plugin.core.services import Filter, report_services
from plugin.core.sidecars import sidecars
from plugin.core.snapshot import Gap, events_of, slices_of
from plugin.core.spans import parse_time, span_text
from plugin.core.status import report_status
from plugin.render.table import table
from tests.plugin import scenes
from tests.plugin.scenes import Object, pool
from tests.unit.plugin.test_explain import BASE, READY, explained, web
from tests.unit.plugin.worlds import world

LOST = scenes.service("shop/lost", "192.0.2.20")
LATE = scenes.service("shop/late")
FULL = scenes.group("full", local={"v4pool": pool("192.0.2.64/32", "192.0.2.0/24")})
HOLDER = scenes.service("shop/holder", "192.0.2.64", pool="full", slots=["node-a,eth0,192.0.2.64"])
MOON = scenes.agent("a", nodeSelector={"matchLabels": {"zone": "moon"}}, local={})
IMPORT = {
    "importedAddresses": [{"address": "203.0.113.0/32", "interface": "kube-lb0", "inRIB": False}]
}
UP = scenes.session("192.0.2.1")


def warnings(*objects: Object, without: tuple[Object, ...] = ()) -> tuple[str, ...]:
    """Return the warnings of a healthy cluster with more objects, and without some."""
    found = world([*(one for one in scenes.healthy() if one not in without), *objects])
    return report_status(found, allocator_of(found)).warnings


CASES: dict[str, tuple[str, list[Object], tuple[Object, ...]]] = {
    "allocator": (
        "Allocator not fully ready",
        [scenes.pod("allocator-2", "allocator", ready=False)],
        (),
    ),
    "agent": (
        "LBNodeAgent not fully ready",
        [scenes.pod("agent-d", "lbnodeagent", ready=False)],
        (),
    ),
    "no allocator": (
        "Allocator not fully ready: there are none in purelb-system",
        [],
        (scenes.ALLOCATOR,),
    ),
    "no agent": (
        "LBNodeAgent not fully ready: there are none in purelb-system",
        [],
        scenes.AGENT_PODS,
    ),
    "exhausted": ("1 pool(s) EXHAUSTED", [FULL, HOLDER], ()),
    "unusable": (
        "2 ServiceGroup(s) not usable, see pools",
        [
            scenes.group("far", "shop", local={"v4pool": pool("10.0.0.0/24", "10.0.0.0/24")}),
            scenes.group("bad", local={"v4pool": pool("10.0.0.9-10.0.0.1", "10.0.0.0/24")}),
        ],
        (),
    ),
    "lease": (
        "1 node(s) unhealthy",
        [scenes.lease("node-d", "", expired=scenes.RENEWED)],
        (),
    ),
    "deselected": (
        "3 node(s) selected by no LBNodeAgent",
        [MOON],
        (scenes.agent(),),
    ),
    "invalid": (
        "3 node(s) with invalid localInterface",
        [scenes.agent("default", local={"localInterface": "("})],
        (scenes.agent(),),
    ),
    "import": ("1 netlinkImport failure(s)", [scenes.bgp_node("a", UP, netlinkImport=IMPORT)], ()),
    "peer": ("1 BGP peer(s) down", [scenes.bgp_node("a", scenes.session("192.0.2.1", "Idle"))], ()),
    "pending": ("1 service(s) pending", [LATE], ()),
    "announced": ("1 IP(s) not announced", [LOST], ()),
}


@pytest.mark.parametrize("case", CASES)
def test_a_warning_of_status_is_there_when_it_should_be(case: str) -> None:
    """And alone."""
    text, more, without = CASES[case]
    assert warnings(*more, without=without) == (text,)


def test_pods_that_may_not_be_seen_are_not_said_to_be_missing() -> None:
    """The warning of what could not be read is enough."""
    found = world([one for one in scenes.healthy() if one["kind"] != "Pod"])
    found = replace(found, gaps=(Gap(what="pods", why="forbidden", kind="pods"),))
    assert report_status(found, allocator_of(found)).warnings == ()


def test_a_healthy_cluster_has_no_warning() -> None:
    """With BGP and without."""
    assert warnings() == ()
    assert warnings(scenes.bgp_node("a", UP)) == ()


def test_services_of_other_controllers_are_nobodys_problem() -> None:
    """Neither waiting nor without an announcer."""
    foreign = scenes.service("shop/foreign", loadBalancerClass="example.com/x")
    shown = scenes.service("shop/shown", "192.0.2.21")
    shown["metadata"]["annotations"] = {}
    deleted = scenes.service("shop/deleted")
    deleted["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert warnings(foreign, shown, deleted) == ()


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ([], True),
        ([scenes.pod("a", "allocator")], False),
        ([scenes.pod("a", "allocator", env={"DEFAULT_ANNOUNCER": "PureLB"})], True),
        ([scenes.pod("a", "allocator", env={"DEFAULT_ANNOUNCER": "other"})], False),
    ],
    ids=["unknown", "not set", "set", "another"],
)
def test_whether_services_without_a_class_are_ours_is_the_allocators_setting(
    pods: list[Object], expected: bool
) -> None:
    """Where nobody may look at Pods, it is as PureLB's manifests have it."""
    assert is_default_announcer(world(pods).pods) is expected


def test_pins_have_the_pools_of_all_their_addresses() -> None:
    """Joined by a comma and a blank, as the annotation has them."""
    pinned = scenes.service("shop/pinned", "192.0.2.22", "203.0.113.2", pool="default, routed")
    found = world([*scenes.healthy(), pinned])
    for name in ("default", "routed"):
        rows = report_services(found, Filter(pool=name)).services
        assert "pinned" in {row.name for row in rows}


def test_shared_addresses_are_listed_with_all_their_services() -> None:
    """A key that only one has shares nothing."""
    alone = scenes.service("shop/alone", "192.0.2.23", annotations={"allow-shared-ip": "other"})
    found = world([*scenes.healthy(), alone])
    (shared,) = report_services(found, Filter()).shared_ips
    assert shared.services == ("shop/chat (TCP/5222)", "shop/mail (TCP/25)")


def test_the_totals_of_one_group_are_its_own() -> None:
    """Both families."""
    found = world(scenes.healthy())
    report = report_pools(found, allocator_of(found), "default")
    assert (report.total_ipv4, report.used_ipv4) == (16, 2)
    assert (report.total_ipv6, report.used_ipv6) == (256, 1)


def test_sidecars_are_those_that_run() -> None:
    """On one node or on all, by node."""
    pods = [
        scenes.pod("z", "lbnodeagent", "k8gobgp", node="node-a"),
        scenes.pod("a", "lbnodeagent", "k8gobgp", node="node-b"),
        scenes.pod("b", "lbnodeagent", "k8gobgp", node="node-c", ready=False),
        scenes.pod("c", "lbnodeagent", node="node-d"),
    ]
    found = world(pods)
    assert [pod.metadata.name for pod in sidecars(found)] == ["z", "a"]
    assert [pod.metadata.name for pod in sidecars(found, "node-b")] == ["a"]
    with pytest.raises(PluginError, match="on node node-c"):
        sidecars(found, "node-c")


def test_a_kind_may_be_that_of_one_service() -> None:
    """With the word that RBAC knows."""
    slices, events = slices_of("shop/web"), events_of("shop/web")
    assert (slices.plural, slices.resource) == ("namespaces/shop/endpointslices", "endpointslices")
    assert slices.labels == "kubernetes.io/service-name=web"
    assert "involvedObject.name=web" in events.selector


def test_leases_of_others_are_left_out() -> None:
    """The allocator's own, for instance."""
    other = scenes.lease("x", "")
    other["metadata"]["name"] = "purelb-allocator"
    assert world([other]).leases == ()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0.9, "0s"),
        (59, "59s"),
        (60, "1m0s"),
        (3599, "59m59s"),
        (3600, "1h0m"),
        (86399, "23h59m"),
        (90061, "1d1h"),
    ],
)
def test_spans_are_short(seconds: float, text: str) -> None:
    """Two units at most."""
    assert span_text(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T00:01:00.500000Z", 60.5),
        ("1970-01-01T01:01:00+01:00", 60.0),
        ("1970-01-01T00:01:00", 60.0),
        ("nonsense", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_read_whatever_they_look_like(text: str | None, seconds: float | None) -> None:
    """Anybody may have written them."""
    assert parse_time(text) == seconds


def test_an_empty_table_has_its_headings() -> None:
    """They say what is not there."""
    assert table(("A", "B"), []) == ["A  B"]


def event(reason: str, **times: str) -> Object:
    """Return an Event about shop/web."""
    return {
        "kind": "Event",
        "metadata": {"name": reason.lower(), "namespace": "shop"},
        "involvedObject": {"kind": "Service", "namespace": "shop", "name": "web"},
        "type": "Normal",
        "reason": reason,
        "message": "a\n b",
        **times,
    }


MOVED = event("AnnouncingLocal", eventTime="2026-01-02T00:00:00.000000Z")


def test_events_are_told_newest_first() -> None:
    """Whichever of their times they have; those without any come last."""
    events = [
        event("Undated"),
        event("Early", firstTimestamp="2026-01-01T00:00:00Z"),
        MOVED,
        event("Late", lastTimestamp="2026-01-03T00:00:00Z"),
    ]
    told = [one.reason for one in explained([*BASE, web(), READY, *events]).events]
    assert told == ["Late", "AnnouncingLocal", "Early", "Undated"]


def test_only_moves_are_on_the_page() -> None:
    """Other Events say nothing of addresses."""
    other = event("Scheduled", lastTimestamp="2026-01-03T00:00:00Z")
    found = world([*scenes.healthy(), MOVED, other])
    (move,) = page_of(found, allocator_of(found), "").moves
    assert (move.at, move.service, move.message) == ("2026-01-02 00:00:00 UTC", "shop/web", "a b")


@pytest.mark.parametrize(
    ("objects", "stage", "piece"),
    [
        ([web(loadBalancerClass="purelb.io/purelb")], "Request", "class purelb.io/purelb"),
        (
            [web("10.9.9.9", pool="outside", slots=["node-b,eth0,10.9.9.9"])],
            "Address",
            "from the provider of ServiceGroup outside",
        ),
        ([web("10.9.9.9", slots=["node-b,eth0,10.9.9.9"])], "Address", "it stays"),
        ([web(externalTrafficPolicy="Local")], "Policy", "about to become Cluster"),
        (
            [web(externalTrafficPolicy="Local", annotations={"allow-local": ""})],
            "Policy",
            "is kept by purelb.io/allow-local",
        ),
    ],
)
def test_what_is_unusual_about_a_service_is_in_its_chain(
    objects: list[Object], stage: str, piece: str
) -> None:
    """Though nothing is broken."""
    outside = scenes.group("outside", external={"provider": "x", "announce": "local"})
    steps = explained([*BASE, outside, *objects, READY]).steps
    assert any(step.stage == stage and piece in step.message for step in steps)


@pytest.mark.parametrize(
    ("agents", "why"),
    [
        ([], "announces nothing: there is no LBNodeAgent"),
        ([MOON], "announces nothing: no LBNodeAgent selects this node"),
    ],
)
def test_a_node_without_configuration_says_so(agents: list[Object], why: str) -> None:
    """Its networks do not matter then."""
    base = [one for one in BASE if one["kind"] != "LBNodeAgent"]
    found = explained([*base, *agents, web(), READY])
    (choice,) = [one for one in found.nodes if one.node == "node-c"]
    assert choice.why == why
