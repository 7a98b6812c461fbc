"""Random schedules for `heartbeat_cluster`: what breaks, what is mended, and what must hold."""

from collections.abc import Callable

from tests.properties.heartbeat_cluster import LATE, Cluster
from tests.properties.heartbeat_node import VIPS, Node

# Seconds for which two nodes that see each other may answer for one address: one that was paused
# finds out within an interval, and withdraws.
LONGEST = 0.3
ROUNDS = 6


def without_api(cluster: Cluster) -> None:
    """The API is away from one node."""
    _any(cluster).has_api = False


def api_down(cluster: Cluster) -> None:
    """The API is away from all."""
    for node in cluster.nodes:
        node.has_api = False


def api_hangs(cluster: Cluster) -> None:
    """The API server takes requests and answers nobody, or not one of the nodes."""
    nodes = cluster.nodes if cluster.random.random() < 0.5 else [_any(cluster)]
    for node in nodes:
        node.is_unanswered = True


def killed(cluster: Cluster) -> None:
    """An agent dies; its kernel goes on."""
    _any(cluster).is_running = False


def stopped(cluster: Cluster) -> None:
    """An agent stands still, its clock and its kernel go on."""
    _any(cluster).is_stopped = True


def powered_off(cluster: Cluster) -> None:
    """A node loses power."""
    _any(cluster).power_off()


def paused(cluster: Cluster) -> None:
    """A virtual machine stands still, with its clock."""
    _any(cluster).is_paused = True


def clock_stepped(cluster: Cluster) -> None:
    """A wall clock is set, by seconds or by hours."""
    _any(cluster).wrong += cluster.random.choice([1.0, 3600.0]) * cluster.random.uniform(-2.0, 2.0)


def cut(cluster: Cluster) -> None:
    """A node is alone on its wire, perhaps without the API."""
    node = _any(cluster)
    for other in cluster.everybody:
        if other != node.name:
            cluster.wire.part(node.name, other)
    if cluster.random.random() < 0.5:
        node.has_api = False


def split(cluster: Cluster) -> None:
    """The wire falls into two, perhaps with the API in one of them."""
    left = {name for name in cluster.everybody if cluster.random.random() < 0.5}
    for one in left:
        for other in set(cluster.everybody) - left:
            cluster.wire.part(one, other)
    if cluster.random.random() < 0.5:
        for node in cluster.nodes:
            node.has_api = node.has_api and node.name in left


def deaf(cluster: Cluster) -> None:
    """Datagrams between two nodes are lost, in one direction or both; ARP works."""
    node, other = _any(cluster), cluster.random.choice(cluster.everybody)
    cluster.wire.deaf.add((node.name, other))
    if cluster.random.random() < 0.5:
        cluster.wire.deaf.add((other, node.name))


def mute(cluster: Cluster) -> None:
    """Nothing that one node sends arrives, though it hears all others."""
    node = _any(cluster)
    for other in cluster.everybody:
        if other != node.name:
            cluster.wire.deaf.add((node.name, other))
            cluster.wire.dark.add((node.name, other))


def without_datagrams(cluster: Cluster) -> None:
    """No heartbeat arrives anywhere, as behind a filter; ARP works."""
    cluster.wire.deaf.update((a, b) for a in cluster.everybody for b in cluster.everybody)


FAULTS: tuple[Callable[[Cluster], None], ...] = (
    without_api,
    api_down,
    api_hangs,
    killed,
    stopped,
    powered_off,
    paused,
    clock_stepped,
    cut,
    split,
    deaf,
    mute,
    without_datagrams,
)


def heal(cluster: Cluster) -> None:
    """Mend the nodes, and mostly the wire."""
    for node in cluster.nodes:
        node.has_api, node.is_unanswered = True, False
        node.is_paused = node.is_stopped = False
        if not node.is_running:
            node.power_on(cluster.now)
    if cluster.random.random() < 0.7:
        mend_wire(cluster)


def mend_wire(cluster: Cluster) -> None:
    """Let everything arrive again."""
    cluster.wire.deaf.clear()
    cluster.wire.dark.clear()


def play(seed: int, size: int | None = None) -> None:
    """Play one schedule: faults in a row, some shorter and some longer than a Lease, then peace.

    Two nodes that see each other answer for one address for no longer than `LONGEST`, and in the
    end every address has its node.
    """
    cluster = Cluster(size or 1 + seed % 5, seed, has_gateway=seed % 3 > 0)
    dice = cluster.random
    cluster.loss = dice.choice([0.0, 0.0, 0.02, 0.1])
    cluster.hiccups = dice.choice([0.0, 0.0, 0.001, 0.01])
    cluster.lag = dice.choice([0.0, 0.0, 0.02, 0.1])
    cluster.run(22.0)
    told = []
    for _ in range(ROUNDS):
        for _ in range(dice.choice([1, 1, 2])):
            fault = dice.choice(FAULTS)
            fault(cluster)
            told.append(fault.__name__)
        cluster.run(dice.uniform(0.5, 14.0))
        if dice.random() < 0.6:
            heal(cluster)
            told.append("heal")
            cluster.run(dice.uniform(0.3, 12.0))
    mend_wire(cluster)
    heal(cluster)
    cluster.run(26.0)
    bound = LONGEST + LATE if cluster.hiccups else LONGEST  # who comes late yields late
    assert cluster.longest <= bound, f"seed {seed}: {cluster.longest:.2f} s on two nodes: {told}"
    counts = [len(cluster.holders(vip)) for vip in VIPS]
    assert counts == [1] * len(VIPS), f"seed {seed}: holders at the end {counts}: {told}"


def _any(cluster: Cluster) -> Node:
    return cluster.random.choice(cluster.nodes)
