"""`election`: members, coverage, the checks and the drain, each failing and passing."""

from datetime import timedelta

import pytest

from plugin.core.election import problems_of, report_election
from plugin.core.problem import PluginError
from tests.plugin import scenes
from tests.plugin.scenes import Object, pool
from tests.unit.plugin.worlds import world

LATE = timedelta(seconds=90)


def problems(*objects: Object) -> list[str]:
    """Return what `--check` says."""
    return problems_of(report_election(world(objects)))


def test_an_expired_lease_is_unhealthy_and_a_good_one_is_not() -> None:
    """UNHEALTHY."""
    agent, node = scenes.agent(), scenes.node("node-a")
    found = problems(agent, node, scenes.lease("node-a", "", expired=LATE))
    assert found == ["UNHEALTHY: the Lease of node node-a is over (EXPIRED 1m30s ago)"]
    assert problems(agent, node, scenes.lease("node-a", "")) == []


def test_an_invalid_pattern_is_a_problem_of_each_node_it_governs() -> None:
    """INVALID CONFIG."""
    lease, node = scenes.lease("node-a", ""), scenes.node("node-a")
    (found,) = problems(scenes.agent(local={"localInterface": "("}), node, lease)
    assert found.startswith("INVALID CONFIG: node node-a announces nothing: ")
    assert problems(scenes.agent(local={"localInterface": "eth"}), node, lease) == []


@pytest.mark.parametrize(
    ("subnets", "is_covered"),
    [
        ("192.0.2.0/24", True),
        ("192.0.2.0/25", True),  # what counts is the range, not the text of its subnet
        ("192.0.2.0/28", False),
        ("198.51.100.0/24", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_a_range_is_covered_by_a_network_that_has_all_of_it(subnets: str, is_covered: bool) -> None:
    """UNCOVERED."""
    group = scenes.group("x", local={"v4pool": pool("192.0.2.8-192.0.2.20", "192.0.2.0/24")})
    found = problems(scenes.agent(), scenes.lease("node-a", subnets), group)
    assert any(line.startswith("UNCOVERED: x range") for line in found) is not is_covered


def test_remote_ranges_need_no_network() -> None:
    """They are on a link of their own, on every node."""
    assert problems(scenes.agent(), scenes.lease("node-a", ""), scenes.ROUTED_GROUP) == []


@pytest.mark.parametrize(
    ("agents", "state"),
    [
        ([], "no-config"),
        ([scenes.agent()], "configured"),
        ([scenes.agent(nodeSelector={"matchLabels": {"zone": "moon"}}, local={})], "deselected"),
        ([scenes.agent(nodeSelector={})], "remote"),
        ([scenes.agent(local={"localInterface": "("})], "invalid"),
    ],
    ids=["none", "shipped", "elsewhere", "no local", "pattern"],
)
def test_the_state_of_a_node_follows_from_the_agent_that_governs_it(
    agents: list[Object], state: str
) -> None:
    """The agent's own metric says `default` for two of them."""
    report = report_election(world([*agents, scenes.node("node-a"), scenes.lease("node-a", "")]))
    assert report.nodes[0].config.state == state


def test_a_node_that_nobody_knows_has_an_unknown_state() -> None:
    """Its labels are missing."""
    report = report_election(world([scenes.agent(), scenes.lease("node-a", "")]))
    assert report.nodes[0].config.state == "unknown"


def test_slots_of_dead_nodes_do_not_count() -> None:
    """Nobody clears them at once."""
    objects = [
        scenes.lease("node-a", scenes.FRONT),
        scenes.lease("node-b", scenes.FRONT, expired=LATE),
        scenes.service("shop/a", "192.0.2.16", slots=["node-a,eth0,192.0.2.16"]),
        scenes.service("shop/b", "192.0.2.17", slots=["node-b,eth0,192.0.2.17"]),
    ]
    report = report_election(world(objects))
    assert [(node.name, node.announcing) for node in report.nodes] == [("node-a", 1), ("node-b", 0)]


def test_a_drained_node_gives_its_addresses_to_the_runner_up() -> None:
    """The formula is PureLB's: node-c, node-b, node-a is the order for this address."""
    leases = [scenes.lease(f"node-{n}", "192.0.2.0/24") for n in "abc"]
    service = scenes.service("shop/web", "192.0.2.10")
    report = report_election(world([*leases, service]), drained="node-c")
    (moved,) = report.drain_simulation
    assert (moved.current_winner, moved.new_winner) == ("node-c", "node-b")
    assert (moved.subnet, moved.warning) == ("192.0.2.0/24", "")


def test_the_last_node_of_a_network_leaves_nobody() -> None:
    """A warning says so; remote addresses are on every node and do not move."""
    objects = [
        scenes.lease("node-a", "192.0.2.0/24"),
        scenes.lease("node-b", "198.51.100.0/24"),
        scenes.service("shop/web", "192.0.2.10"),
        scenes.service("shop/api", "203.0.113.0", via="remote"),
    ]
    (moved,) = report_election(world(objects), drained="node-a").drain_simulation
    assert (moved.new_winner, moved.warning) == ("", "NO CANDIDATES")


def test_a_node_that_only_shows_its_networks_is_no_candidate() -> None:
    """Its agent says so on the Lease."""
    objects = [
        scenes.lease("node-a", "192.0.2.0/24"),
        scenes.lease("node-c", "192.0.2.0/24", announces="false"),
        scenes.service("shop/web", "192.0.2.10"),
    ]
    report = report_election(world(objects), drained="node-a")
    assert report.drain_simulation[0].current_winner == "node-a"
    assert [node.candidate for node in report.nodes] == [True, False]


def test_a_node_without_a_lease_cannot_be_shown_or_drained() -> None:
    """A misspelled name would look like a node without addresses."""
    with pytest.raises(PluginError, match="those that do: node-a"):
        report_election(world([scenes.lease("node-a", "")]), drained="node-z")
