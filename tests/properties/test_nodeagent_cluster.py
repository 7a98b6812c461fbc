"""Several nodes against one store of Leases and Services, with faults: never two holders.

Time is virtual. The API is away from some nodes or from all; agents are killed, started again and
stopped, nodes evacuated, addresses moved; answers are lost; kernels take addresses away late. What
one node writes, the others see in the next step.
"""

import random
from dataclasses import dataclass, field, replace

import pytest

from nodeagent.core.election import Electorate, elect, members_of
from nodeagent.core.slots import SlotWrite
from nodeagent.core.vips import slot_of
from purelb.api.addresses import parse_ip
from purelb.api.annotations import ANNOUNCE_NODE
from purelb.api.identifiers import Instant, NodeName, ServiceKey
from purelb.api.views import LeaseView, ServiceView
from purelb.core.lease import (
    Drain,
    Empty,
    Lease,
    LeaseState,
    RenewFailed,
    RenewOk,
    Sightings,
    Tick,
    step,
)
from tests.agent import Agent
from tests.kernel import Kernel
from tests.unit.nodeagent.builders import NOW, OWN, facts, kernel, member, service

STEP, DURATION = 0.1, 10.0
LEAVING = (LeaseState.DRAINING, LeaseState.RELEASED)
VIPS = ("192.0.2.100", "192.0.2.101", "192.0.2.102")
LATEST = 1.06  # seconds by which a kernel takes an address away late (measured)
SUBNETS = member(NodeName("any")).subnets


@dataclass(slots=True)
class Store:
    """What the API server keeps."""

    leases: dict[NodeName, LeaseView] = field(default_factory=dict)
    services: dict[ServiceKey, ServiceView] = field(default_factory=dict)

    def write(self, wanted: SlotWrite) -> None:
        """Change one annotation, unless somebody else was faster."""
        known = self.services[wanted.service]
        if known.version != wanted.version:
            return
        keys = {k: v for k, v in known.annotations.items() if k != wanted.annotation}
        if wanted.text is not None:
            keys[wanted.annotation] = wanted.text
        version = str(int(known.version) + 1)
        self.services[wanted.service] = replace(known, annotations=keys, version=version)


@dataclass(slots=True)
class Node:
    """One agent and its host. The host goes on when the agent dies."""

    name: NodeName
    host: Kernel
    lag: float = 0.0  # of the watch of Services behind everything else, once the API is back
    has_api: bool = True
    is_running: bool = True
    is_evacuated: bool = False
    stays: bool = False
    fresh_since: Instant | None = None
    renewed_at: Instant = -100.0
    services_at: Instant = 0.0  # when the watch of Services is back, after an outage
    heard_at: Instant = -100.0  # when it said anything
    lease: Lease = field(default_factory=lambda: Lease(duration=DURATION))
    sightings: Sightings = field(default_factory=Sightings)
    agent: Agent | None = None

    def start(self) -> None:
        """Start a new process that remembers nothing."""
        self.lease, self.sightings = Lease(duration=DURATION), Sightings()
        self.is_running, self.fresh_since, self.renewed_at = True, None, -100.0
        known = replace(facts(), me=self.name, services=None, electorate=None)
        self.agent = Agent(kernel=self.host, facts=known)

    def work(self, store: Store, now: Instant, *, loses_answer: bool) -> None:
        """Renew when due, watch, and make one pass."""
        assert self.agent is not None
        if now >= self.renewed_at + DURATION / 3 and self.lease.state is not LeaseState.RELEASED:
            self._renew(store, now, loses_answer=loses_answer)
        self._watch(store, now)
        self.lease = step(self.lease, Tick(now))
        leases = self.sightings.live(now, self.fresh_since)
        is_leased = self.lease.is_leased(now)
        is_able = is_leased and self.lease.state is LeaseState.HELD
        here = member(self.name, announcing=not self.is_evacuated)
        own = replace(here, is_non_revertive=self.stays) if is_able else None
        known = self.agent.facts
        if not self.has_api:
            self.services_at = now + self.lag
        has_services = self.has_api and now >= self.services_at
        self.heard_at = now if has_services else self.heard_at
        self.agent.facts = replace(
            known,
            lease=self.lease,
            services=dict(store.services) if has_services else known.services,
            services_heard_at=self.heard_at,
            electorate=Electorate(members_of(leases, own))
            if self.fresh_since
            else known.electorate,
            expired=self.sightings.expired(),
            renewed=self.sightings.renewed_at(),
        )
        done = self.agent.run()
        if self.has_api:
            for wanted in done.slots:
                store.write(wanted)
            if self.lease.state is LeaseState.DRAINING and not done.told.held:
                self.lease = step(self.lease, Empty())
                store.leases.pop(self.name, None)

    def evacuate(self, *, is_evacuated: bool) -> None:
        """Annotate the Node: the Lease says so with the next step."""
        self.is_evacuated = is_evacuated
        self.renewed_at = -100.0

    def holds(self, vip: str) -> bool:
        """Tell whether the host answers for an address."""
        return f"{vip}/32" in self.host.listing(2)

    def _renew(self, store: Store, now: Instant, *, loses_answer: bool) -> None:
        self.renewed_at = now
        if self.has_api:
            store.leases[self.name] = LeaseView(
                node=self.name,
                duration=DURATION,
                renewed=str(now),
                subnets=SUBNETS,
                is_announcing=self.lease.state is not LeaseState.DRAINING and not self.is_evacuated,
                is_non_revertive=self.stays,
            )
        is_confirmed = self.has_api and not loses_answer
        self.lease = step(self.lease, RenewOk(now) if is_confirmed else RenewFailed())

    def _watch(self, store: Store, now: Instant) -> None:
        if not self.has_api:
            self.fresh_since = None
            return
        self.fresh_since = now if self.fresh_since is None else self.fresh_since
        for lease in store.leases.values():
            self.sightings.seen(lease, now)
        for gone in self.sightings.renewed_at().keys() - store.leases.keys():
            self.sightings.gone(gone)


class Cluster:
    """Nodes, faults, and the invariant."""

    def __init__(self, size: int, seed: int) -> None:
        self.random, self.now, self.store = random.Random(seed), NOW, Store()
        for vip in VIPS:
            key = ServiceKey(f"ns/{vip}")
            self.store.services[key] = replace(service(key, vip), version="1")
        self.nodes = []
        for number in range(size):
            host = kernel(OWN)
            host.lateness = self.random.uniform(0.0, LATEST)
            node = Node(NodeName(f"n{number}"), host, stays=seed % 2 == 1 and number % 3 != 2)
            node.start()
            self.nodes.append(node)

    def run(self, seconds: float, *, loss: float = 0.0) -> None:
        """Let time pass; nodes act in any order."""
        until = self.now + seconds
        while self.now < until:
            self.now += STEP
            for node in self.random.sample(self.nodes, len(self.nodes)):
                node.host.advance(self.now)
                if node.is_running:
                    node.work(self.store, self.now, loses_answer=self.random.random() < loss)
                self.check()

    def check(self) -> None:
        """No address is on two hosts."""
        for vip in VIPS:
            holders = [node.name for node in self.nodes if node.holds(vip)]
            assert len(holders) <= 1, f"{vip} on {holders} at {self.now:.1f}"

    def fault(self) -> None:
        """Break or mend something."""
        node = self.random.choice(self.nodes)
        match self.random.choice(("api", "all", "kill", "stop", "evacuate", "move", "heal")):
            case "api":
                node.has_api = False
            case "all":
                for one in self.nodes:
                    one.has_api = False
            case "kill":
                node.is_running = False
            case "stop" if node.is_running:
                node.lease = step(node.lease, Drain())
            case "evacuate":
                node.evacuate(is_evacuated=not node.is_evacuated)
            case "move":
                self.move(self.random.choice(VIPS), self.random.choice((node.name, "", "else")))
            case _:
                self.heal()

    def move(self, vip: str, name: str) -> None:
        """Let a Service name a node that is to announce it, or nobody."""
        key = ServiceKey(f"ns/{vip}")
        known = self.store.services[key]
        keys = {**known.annotations, ANNOUNCE_NODE: name}
        version = str(int(known.version) + 1)
        self.store.services[key] = replace(known, annotations=keys, version=version)

    def heal(self) -> None:
        """Mend everything; agents that died or stopped come back."""
        for node in self.nodes:
            node.has_api = True
            node.evacuate(is_evacuated=False)
            if not node.is_running or node.lease.state in LEAVING:
                node.start()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [1, 2, 4])
def test_no_address_is_ever_on_two_nodes_and_all_return(size: int, seed: int) -> None:
    """Faults of all kinds in a row, some shorter and some longer than a Lease."""
    cluster = Cluster(size, seed)
    cluster.run(2.0)
    for _ in range(6):
        cluster.fault()
        cluster.run(cluster.random.uniform(0.5, 14.0), loss=0.2)
    cluster.heal()
    cluster.run(2 * DURATION + 6.0)
    for vip in VIPS:
        holders = [node.name for node in cluster.nodes if node.holds(vip)]
        assert len(holders) == 1
        slot = slot_of(cluster.store.services[ServiceKey(f"ns/{vip}")], parse_ip(vip))
        assert slot is not None
        assert [slot.node] == holders


def test_a_clean_stop_hands_over_within_a_few_steps() -> None:
    """The successor waits for the slot to be cleared, not for any time to pass."""
    cluster = Cluster(2, seed=1)
    cluster.run(2.0)
    leaving = next(node for node in cluster.nodes if node.holds(VIPS[0]))
    leaving.lease = step(leaving.lease, Drain())
    cluster.run(0.5)
    assert [node.holds(VIPS[0]) for node in cluster.nodes if node is not leaving] == [True]


def test_an_evacuated_node_hands_over_at_once_and_gets_its_addresses_back() -> None:
    """Its successor waits for the slots to be cleared, and so does it."""
    cluster = Cluster(2, seed=2)
    cluster.run(8.0)
    node = next(node for node in cluster.nodes if node.holds(VIPS[0]))
    before = [node.holds(vip) for vip in VIPS]
    node.evacuate(is_evacuated=True)
    cluster.run(0.5)
    assert not any(node.holds(vip) for vip in VIPS)
    assert all(any(other.holds(vip) for other in cluster.nodes) for vip in VIPS)
    node.evacuate(is_evacuated=False)
    cluster.run(0.5)
    assert [node.holds(vip) for vip in VIPS] == before


def test_an_address_of_a_node_that_keeps_what_it_has_moves_once_when_another_is_restarted() -> None:
    """The node that returns would win, and takes nothing back; a group can want the same."""
    cluster = Cluster(2, seed=1)
    cluster.run(8.0)
    leaving = next(node for node in cluster.nodes if node.holds(VIPS[0]))
    heir = next(node for node in cluster.nodes if node is not leaving)
    leaving.lease = step(leaving.lease, Drain())
    cluster.run(1.0)
    leaving.start()
    cluster.run(8.0)
    assert heir.holds(VIPS[0])
    heir.stays = False
    cluster.run(8.0)
    assert leaving.holds(VIPS[0])


def test_a_lease_deleted_by_hand_moves_nothing() -> None:
    """The node makes it again before anybody takes an address from it."""
    cluster = Cluster(3, seed=2)
    cluster.run(8.0)
    before = [[node.holds(vip) for node in cluster.nodes] for vip in VIPS]
    victim = next(node for node in cluster.nodes if node.holds(VIPS[0]))
    victim.renewed_at = cluster.now - DURATION / 3 + 0.5  # half a second until it notices
    del cluster.store.leases[victim.name]
    cluster.run(5.0)
    assert [[node.holds(vip) for node in cluster.nodes] for vip in VIPS] == before


def test_a_node_that_joins_takes_nothing_from_one_that_cannot_know_it() -> None:
    """The holder lost the API just before; it holds until its right ends, and nobody earlier."""
    cluster = Cluster(3, seed=4)
    joins = next(node for node in cluster.nodes if _wins(cluster, node))
    joins.is_running = False
    cluster.run(8.0)
    cut = next(node for node in cluster.nodes if node.holds(VIPS[0]))
    cut.has_api = False
    joins.start()
    cluster.run(DURATION + 2.0)
    assert joins.holds(VIPS[0])


def _wins(cluster: Cluster, node: Node) -> bool:
    return elect(parse_ip(VIPS[0]), [member(one.name) for one in cluster.nodes]) == node.name


def test_an_outage_of_the_api_for_one_node_moves_its_addresses_only_after_it_let_go() -> None:
    """The invariant is checked at every step; here the address must arrive, too."""
    cluster = Cluster(3, seed=3)
    cluster.run(8.0)
    cut = next(node for node in cluster.nodes if node.holds(VIPS[0]))
    cut.has_api = False
    cluster.run(DURATION + 1.0)
    assert not cut.holds(VIPS[0])
    assert [node.holds(VIPS[0]) for node in cluster.nodes].count(True) == 1


@pytest.mark.parametrize("lag", [2.5, 4.0, 6.0])
def test_a_node_that_is_back_takes_nothing_before_it_knows_who_has_it(lag: float) -> None:
    """Its Lease is renewed at once, while its watch of Services may still be asleep."""
    cluster = Cluster(3, seed=3)
    cluster.run(8.0)
    cut = next(node for node in cluster.nodes if node.holds(VIPS[0]))
    cut.lag, cut.has_api = lag, False
    cluster.run(DURATION + 3.0)
    assert not cut.holds(VIPS[0])
    cut.has_api = True
    cluster.run(DURATION)
    assert cut.holds(VIPS[0])
