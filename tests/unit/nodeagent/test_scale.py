"""What an agent does otherwise in a large cluster."""

import pytest

from nodeagent.core.findings import Check
from nodeagent.core.neighborhood import GROUPS
from nodeagent.core.scale import (
    MOST_RENEWALS,
    RENEWALS,
    complaints,
    lease_seconds,
    watches_by_network,
)


@pytest.mark.parametrize("nodes", [0, 1, 16, 100, 266])
def test_a_lease_lasts_as_long_as_is_wanted_while_there_are_few_nodes(nodes: int) -> None:
    """A count of zero means that nobody could count."""
    assert lease_seconds(10.0, nodes) == 10.0


@pytest.mark.parametrize("nodes", [267, 500, 1000, 5000])
@pytest.mark.parametrize("wanted", [3.0, 10.0, 30.0])
def test_all_nodes_together_write_no_more_than_the_limit(nodes: int, wanted: float) -> None:
    """And a hundred a second is the most that a thousand nodes may cost."""
    seconds = lease_seconds(wanted, nodes)
    assert seconds >= wanted
    assert nodes * RENEWALS / seconds <= MOST_RENEWALS <= 100


def test_a_lease_that_is_long_anyway_stays_as_it_is() -> None:
    """Only the API server's sake makes it longer."""
    assert lease_seconds(60.0, 1000) == 60.0


def test_the_watchers_of_a_thousand_nodes_get_few_enough_events() -> None:
    """With 200 nodes to a network of both families; without shares it would be 300,000 a second.

    To the neighbors come those of the own group, in each of three watches at most.
    """
    writes = 1000 * RENEWALS / lease_seconds(10.0, 1000)
    assert watches_by_network(1000)
    assert writes * (200 + 1000 / len(GROUPS) + 200 / len(GROUPS)) <= 20_000


def test_in_small_clusters_everybody_sees_everybody() -> None:
    """One watch costs less than three."""
    assert [watches_by_network(nodes) for nodes in (0, 100, 101)] == [False, False, True]


def test_a_node_that_may_not_count_the_others_tells_why_and_what_helps() -> None:
    """Nobody else can know: it behaves as in a small cluster."""
    (found,) = complaints("nodes: forbidden")
    assert (found.check, found.subject) == (Check.NODE_COUNT, "nodes")
    assert all(part in found.message for part in ("forbidden", "list nodes", "restart"))
    assert not list(complaints(""))
