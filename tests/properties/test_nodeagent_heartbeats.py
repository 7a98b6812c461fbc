"""Several agents with heartbeats: never two that answer, and quick replacement, whatever breaks."""

import copy
from collections.abc import Callable

import pytest

from tests.properties import heartbeat_faults
from tests.properties.heartbeat_cluster import STEP, Cluster
from tests.properties.heartbeat_faults import api_down, heal, mend_wire, play
from tests.properties.heartbeat_node import DURATION, VIPS, Node

SETTLED = 22.0  # seconds until every Lease has been watched for as long as it lasts
WEB = VIPS[0]


def settled(size: int, seed: int = 1, *, has_gateway: bool = True) -> Cluster:
    """Build a cluster in which every address has a node."""
    cluster = Cluster(size, seed, has_gateway=has_gateway)
    cluster.run(SETTLED)
    assert [len(cluster.holders(vip)) for vip in VIPS] == [1] * len(VIPS)
    return cluster


def holder(cluster: Cluster) -> Node:
    """Return the node that has the first address."""
    (found,) = cluster.holders(WEB)
    return found


def seconds_until(cluster: Cluster, is_so: Callable[[], bool], limit: float = 20.0) -> float:
    """Let time pass until something is so, and return how long that was."""
    begun = cluster.now
    while not is_so():
        assert cluster.now - begun < limit
        cluster.run(STEP)
    return cluster.now - begun


def places(cluster: Cluster) -> list[list[str]]:
    """Return who has each address."""
    return [[node.name for node in cluster.holders(vip)] for vip in VIPS]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_breaks_two_answer_only_briefly_and_in_the_end_all_is_served(seed: int) -> None:
    """Schedules of faults; `make soak-heartbeats` plays as many as you like."""
    play(seed)


@pytest.mark.parametrize("has_api", [True, False])
@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_node_without_power_is_replaced_within_a_second(size: int, *, has_api: bool) -> None:
    """Its neighbors miss its heartbeats, and nobody answers for the address on the wire."""
    cluster = settled(size)
    if not has_api:
        api_down(cluster)
        cluster.run(3 * DURATION)
    holder(cluster).power_off()
    assert seconds_until(cluster, lambda: bool(cluster.holders(WEB))) <= 1.0
    assert cluster.longest == 0.0


@pytest.mark.parametrize("size", [1, 2, 3])
def test_an_outage_of_the_api_moves_nothing_and_neither_does_its_end(size: int) -> None:
    """A quorum that cannot reach the server either stands in for every renewal."""
    cluster = settled(size)
    before = places(cluster)
    api_down(cluster)
    for _ in range(6):
        cluster.run(DURATION / 2)
        assert places(cluster) == before
    heal(cluster)
    for _ in range(5):
        cluster.run(DURATION / 2)
        assert places(cluster) == before


def test_a_stopped_agent_keeps_its_addresses_until_its_right_ends() -> None:
    """Its kernel still answers, so only the Lease may decide."""
    cluster = settled(3)
    victim = holder(cluster)
    victim.is_stopped = True
    cluster.run(DURATION / 2 - 2.0)
    assert cluster.holders(WEB) == [victim]
    elsewhere = seconds_until(cluster, lambda: cluster.holders(WEB) not in ([], [victim]))
    assert elsewhere <= DURATION
    assert cluster.longest == 0.0


@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_node_that_is_cut_off_stops_before_anybody_starts(size: int) -> None:
    """Nobody on either side of the cut can ask the other, and still they take turns."""
    cluster = settled(size)
    victim = holder(cluster)
    for other in cluster.everybody:
        if other != victim.name:
            cluster.wire.part(victim.name, other)
    gone = seconds_until(cluster, lambda: not victim.holds(WEB))
    assert gone <= 0.6
    assert not cluster.holders(WEB)
    assert seconds_until(cluster, lambda: bool(cluster.holders(WEB))) <= 1.0


@pytest.mark.parametrize("seconds", [2.0, 5.0, 30.0])
def test_a_paused_machine_that_comes_back_yields_within_an_interval(seconds: float) -> None:
    """Its own clock tells it nothing; the first claim that it hears does."""
    cluster = settled(3)
    victim = holder(cluster)
    victim.is_paused = True
    cluster.run(seconds)
    assert len(cluster.holders(WEB)) == 1  # a paused machine answers nobody
    victim.is_paused = False
    cluster.run(2 * DURATION)
    assert cluster.longest <= heartbeat_faults.LONGEST
    assert len(cluster.holders(WEB)) == 1


def test_a_node_that_loses_the_api_alone_hands_its_addresses_over() -> None:
    """Its neighbors can see its Lease end, so a quorum does not help it."""
    cluster = settled(3)
    victim = holder(cluster)
    victim.has_api = False
    cluster.run(DURATION + 2.0)
    assert not victim.holds(WEB)
    assert len(cluster.holders(WEB)) == 1
    assert cluster.longest == 0.0


def test_without_a_gateway_one_of_two_nodes_starts_nothing_and_stops_nothing() -> None:
    """Neither is a majority: there the Leases decide, as without heartbeats."""
    cluster = settled(2, has_gateway=False)
    victim, before = holder(cluster), places(cluster)
    victim.power_off()
    cluster.run(DURATION / 2)
    gone = str(victim.name)
    assert places(cluster) == [[name for name in names if name != gone] for names in before]
    assert seconds_until(cluster, lambda: bool(cluster.holders(WEB))) <= DURATION


@pytest.mark.parametrize("has_gateway", [True, False])
def test_where_no_datagram_arrives_addresses_stay_where_they_are(*, has_gateway: bool) -> None:
    """A filter against heartbeats must not be worse than none."""
    cluster = settled(3, has_gateway=has_gateway)
    before = places(cluster)
    heartbeat_faults.without_datagrams(cluster)
    cluster.run(2 * DURATION)
    assert places(cluster) == before
    mend_wire(cluster)
    cluster.run(DURATION)
    assert places(cluster) == before


@pytest.mark.parametrize("seconds", [0.5, 0.8, 2.0, 5.0])
def test_an_agent_that_stood_still_for_a_moment_keeps_its_addresses(seconds: float) -> None:
    """It missed nothing that others said, and its kernel went on; only its right must be valid."""
    cluster = settled(3)
    victim, before = holder(cluster), places(cluster)
    victim.is_stopped = True
    victim.renewed_at = cluster.now - victim.offset - 0.5
    cluster.run(seconds)
    victim.is_stopped = False
    for _ in range(40):
        cluster.run(STEP)
        assert places(cluster) == before


def test_an_agent_that_stands_still_after_it_took_over_keeps_what_it_took() -> None:
    """Whoever was gone before is still gone."""
    cluster = settled(3)
    holder(cluster).power_off()
    seconds_until(cluster, lambda: bool(cluster.holders(WEB)))
    taker, before = holder(cluster), places(cluster)
    for _ in range(3):
        taker.is_stopped = True
        cluster.run(0.4)
        taker.is_stopped = False
        cluster.run(0.3)
        assert places(cluster)[0] == before[0]


def test_an_api_server_that_returns_hands_nothing_back_to_the_dead() -> None:
    """Whoever was replaced meanwhile has a Lease that nobody could see end."""
    cluster = settled(3)
    api_down(cluster)
    cluster.run(2 * DURATION)
    victim = holder(cluster)
    victim.power_off()
    seconds_until(cluster, lambda: bool(cluster.holders(WEB)))
    before = places(cluster)
    for node in cluster.nodes:
        node.has_api = True
    for _ in range(20):
        cluster.run(1.0)
        assert places(cluster) == before


@pytest.mark.parametrize("size", [3, 4])
def test_a_node_that_lost_only_its_peers_leaves_its_addresses_to_them(size: int) -> None:
    """Their side has the majority; the gateway, which sees both sides, sees two only briefly."""
    cluster = settled(size)
    victim = holder(cluster)
    for other in cluster.nodes:
        if other is not victim:
            cluster.wire.part(victim.name, other.name)
    steps = []
    for _ in range(400):
        cluster.run(STEP)
        steps.append(len(cluster.holders(WEB)))
    assert steps.count(2) * STEP <= heartbeat_faults.LONGEST
    assert cluster.holders(WEB) not in ([], [victim])
    mend_wire(cluster)
    cluster.run(2 * DURATION)
    assert len(cluster.holders(WEB)) == 1
    assert cluster.longest <= heartbeat_faults.LONGEST


@pytest.mark.parametrize("first", range(3))
def test_an_api_server_that_hangs_costs_nothing_whenever_renewals_were_due(first: int) -> None:
    """Nothing is refused: that it is away shows by what does not come, and must show in time."""
    cluster = settled(3)
    before = places(cluster)
    for number, node in enumerate(cluster.nodes):
        node.host.lateness = 0.0
        node.renewed_at = cluster.now - node.offset - DURATION / 6 * ((number + first) % 3)
    cluster.run(DURATION)
    for node in cluster.nodes:
        node.is_unanswered = True
    for _ in range(60):
        cluster.run(DURATION / 20)
        assert places(cluster) == before
    for node in cluster.nodes:
        node.is_unanswered = False
    for _ in range(60):
        cluster.run(DURATION / 20)
        assert places(cluster) == before


@pytest.mark.parametrize("seed", range(6))
def test_a_node_whose_cable_was_out_asks_the_wire_before_it_goes_on(seed: int) -> None:
    """Its slot is as it was, because the API server hung when another one took over."""
    cluster = settled(3, seed)
    victim = holder(cluster)
    for node in cluster.nodes:
        node.is_unanswered = True
    cluster.run(0.2)
    for other in cluster.everybody:
        if other != victim.name:
            cluster.wire.part(victim.name, other)
    cluster.run(2.0)
    assert len(cluster.holders(WEB)) == 1
    for node in cluster.nodes:
        node.is_unanswered = False
    mend_wire(cluster)
    cluster.run(3.0)
    assert cluster.longest == 0.0


def test_two_nodes_that_both_reach_the_gateway_but_not_each_other_settle_by_the_slot() -> None:
    """Each is the half with the gateway; but who writes a slot, lives."""
    cluster = settled(2)
    one, other = cluster.nodes
    cluster.wire.part(one.name, other.name)
    doubles = 0
    for _ in range(400):
        cluster.run(STEP)
        doubles += any(len(cluster.holders(vip)) > 1 for vip in VIPS)
    assert doubles * STEP <= heartbeat_faults.LONGEST
    assert [len(cluster.holders(vip)) for vip in VIPS] == [1] * len(VIPS)
    mend_wire(cluster)
    cluster.run(2 * DURATION)
    assert [len(cluster.holders(vip)) for vip in VIPS] == [1] * len(VIPS)
    assert cluster.longest <= heartbeat_faults.LONGEST


@pytest.mark.parametrize("has_datagrams", [True, False])
@pytest.mark.parametrize("lag", [0.1, 0.2])
def test_a_node_that_joins_begins_only_when_others_know_it(
    lag: float, *, has_datagrams: bool
) -> None:
    """Whoever takes an address before it has heard of the new node withdraws it in time."""
    before = settled(3)
    victim, made = holder(before).name, before.withdraw_service(WEB)
    before.node(victim).power_off()
    before.run(2 * DURATION)
    before.lag = lag
    if not has_datagrams:
        heartbeat_faults.without_datagrams(before)
    before.node(victim).power_on(before.now)
    for _ in range(6):
        before.run(STEP)
        cluster = copy.deepcopy(before)
        cluster.offer(made)
        cluster.run(DURATION / 3)
        assert len(cluster.holders(WEB)) == 1
        assert cluster.longest == 0.0


@pytest.mark.parametrize("lag", [0.0, 0.1, 0.2])
def test_a_node_that_comes_back_from_an_evacuation_begins_when_others_know_it(lag: float) -> None:
    """It has heard all others all the time, so it is their word that counts."""
    before = settled(3)
    victim, made = holder(before).name, before.withdraw_service(WEB)
    before.evacuate(before.node(victim))
    before.run(DURATION / 2)
    before.lag = lag
    before.offer(made)
    for _ in range(8):
        cluster = copy.deepcopy(before)
        cluster.evacuate(cluster.node(victim), is_evacuated=False)
        cluster.run(DURATION / 3)
        assert cluster.holders(WEB) == [cluster.node(victim)]
        assert cluster.longest == 0.0
        before.run(STEP)


@pytest.mark.parametrize("has_datagrams", [True, False])
def test_a_node_that_starts_beside_others_whose_clocks_are_hours_behind_takes_nothing(
    *, has_datagrams: bool
) -> None:
    """That their Leases look old says nothing: soon they are seen to be renewed."""
    cluster = settled(3, 2)
    starter = cluster.nodes[2]
    starter.power_off()
    cluster.run(2 * DURATION)
    for other in cluster.nodes:
        other.wrong = 0.0 if other is starter else -3600.0
    cluster.run(DURATION)
    before = places(cluster)
    if not has_datagrams:
        heartbeat_faults.without_datagrams(cluster)
    starter.power_on(cluster.now)
    for _ in range(10):
        cluster.run(DURATION / 10)
        assert places(cluster) == before
    assert cluster.longest == 0.0


def test_a_node_that_loses_the_api_alone_heeds_one_that_came_back_before_its_eyes_closed() -> None:
    """It believes that the other's Lease is over, and to be all that is left."""
    cluster = settled(2)
    returning = holder(cluster)
    (other,) = (node for node in cluster.nodes if node is not returning)
    returning.is_stopped = True
    cluster.run(2 * DURATION)
    other.has_api = False
    cluster.run(0.5)
    returning.is_stopped = False
    cluster.run(3 * DURATION)
    assert cluster.holders(WEB) == [returning]
    assert cluster.longest <= heartbeat_faults.LONGEST
